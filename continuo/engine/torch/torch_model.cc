#include "continuo/engine/torch/torch_model.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/rms_norm.h>
#include <c10/util/Exception.h>

#include <algorithm>
#include <cstring>
#include <new>
#include <span>
#include <vector>

#include "continuo/core/check.h"
#include "continuo/engine/torch/device.h"
#include "continuo/engine/torch/rotary_tensors.h"

namespace continuo {
namespace {

/// Sequences of a step: on a GPU so many that reading the weights, and starting the operators, is
/// shared.
size_t RowsOn(at::Device device) {
  return device.is_cpu() ? 8 : 64;
}

/// The matrices of one product side by side: [in, out]; the bias [out], or none.
struct Linear {
  at::Tensor weight, bias;
};

struct Norm {
  at::Tensor scale, bias;  // f32; without a bias: RMSNorm
};

struct Block {
  Norm attention_norm;
  Linear qkv;
  Norm query_norm, key_norm;  // of a head; or none
  Linear attention_out;
  Norm feed_norm;
  Linear feed, down;
};

struct Weights {
  ModelConfig config;
  at::Device device = at::kCPU;
  at::ScalarType type = at::kFloat;  // of matrices, and of keys and values
  at::Tensor tokens;                 // f32
  at::Tensor positions;              // learned: [context_length, width]; f32
  at::Tensor cos, sin;               // rotary: [context_length, rotary_dim / 2]; f32
  std::vector<Block> blocks;
  Norm last;
  at::Tensor head;  // [vocab_size, width]
};

/// Reads the weights of a model to a device.
class Reader {
 public:
  Reader(const ModelDirectory& directory, at::Device device, at::ScalarType type)
      : directory_(directory), device_(device), type_(type) {}

  Result<at::Tensor> Read(const Weight& weight, at::ScalarType type) const {
    CONTINUO_ASSIGN(std::vector<float> values, directory_.ReadWeight(weight));
    return at::from_blob(values.data(), weight.shape, at::kFloat)
        .to(device_, type, /*non_blocking=*/false, /*copy=*/true);
  }

  Status ReadNorm(WeightRole role, int64_t layer, Norm& to) const {
    if (const Weight* scale = directory_.table().Find(role, layer)) {
      CONTINUO_ASSIGN(to.scale, Read(*scale, at::kFloat));
    }
    if (const Weight* bias = directory_.table().FindBias(role, layer)) {
      CONTINUO_ASSIGN(to.bias, Read(*bias, at::kFloat));
    }
    return {};
  }

  Status ReadLinear(Product product, int64_t layer, Linear& to) const {
    std::vector<at::Tensor> weights, biases;
    for (const Weight* matrix : directory_.table().Matrices(product, layer)) {
      CONTINUO_ASSIGN(const at::Tensor weight, Read(*matrix, type_));
      weights.push_back(matrix->outputs_first ? weight.t() : weight);
      if (const Weight* bias = directory_.table().FindBias(matrix->role, layer)) {
        CONTINUO_ASSIGN(at::Tensor values, Read(*bias, type_));
        biases.push_back(std::move(values));
      }
    }
    to.weight = weights.size() == 1 ? weights[0] : at::cat(weights, 1);
    if (!biases.empty()) {
      to.bias = biases.size() == 1 ? biases[0] : at::cat(biases);
    }
    return {};
  }

 private:
  const ModelDirectory& directory_;
  const at::Device device_;
  const at::ScalarType type_;
};

Result<Weights> ReadWeights(const ModelDirectory& directory, at::Device device, at::ScalarType type) {
  Weights weights;
  weights.config = directory.config();
  weights.device = device;
  weights.type = type;
  const Reader reader(directory, device, type);
  const WeightTable& table = directory.table();
  CONTINUO_ASSIGN(weights.tokens, reader.Read(table.Get(WeightRole::kTokens), at::kFloat));
  if (weights.config.block().positions == PositionKind::kLearned) {
    CONTINUO_ASSIGN(weights.positions, reader.Read(table.Get(WeightRole::kPositions), at::kFloat));
  } else {
    const RotaryTensors rotary = MakeRotaryTensors(weights.config, device);
    weights.cos = rotary.cos;
    weights.sin = rotary.sin;
  }
  for (int64_t layer = 0; layer < weights.config.layers; ++layer) {
    Block& block = weights.blocks.emplace_back();
    CONTINUO_TRY(reader.ReadNorm(WeightRole::kAttentionNorm, layer, block.attention_norm));
    CONTINUO_TRY(reader.ReadLinear(Product::kQkv, layer, block.qkv));
    CONTINUO_TRY(reader.ReadNorm(WeightRole::kQueryNorm, layer, block.query_norm));
    CONTINUO_TRY(reader.ReadNorm(WeightRole::kKeyNorm, layer, block.key_norm));
    CONTINUO_TRY(reader.ReadLinear(Product::kAttentionOut, layer, block.attention_out));
    CONTINUO_TRY(reader.ReadNorm(WeightRole::kFeedNorm, layer, block.feed_norm));
    CONTINUO_TRY(reader.ReadLinear(Product::kFeed, layer, block.feed));
    CONTINUO_TRY(reader.ReadLinear(Product::kDown, layer, block.down));
  }
  CONTINUO_TRY(reader.ReadNorm(WeightRole::kFinalNorm, -1, weights.last));
  CONTINUO_ASSIGN(weights.head, reader.Read(table.Get(WeightRole::kHead), type));
  return weights;
}

/// The program's answer to std::bad_alloc says what to do.
template <typename Task>
void WithBadAlloc(const Task& task) {
  try {
    task();
  } catch (const c10::OutOfMemoryError&) {
    throw std::bad_alloc();
  }
}

class TorchSession : public DecodingSession {
 public:
  TorchSession(const Weights& weights, size_t slots)
      : weights_(weights), step_rows_(RowsOn(weights.device)), lengths_(slots) {
    const auto rows = static_cast<int64_t>(Parts() * step_rows_);
    const ModelConfig& config = weights.config;
    for (int64_t layer = 0; layer < config.layers; ++layer) {
      // One position more than there are: what rows write that have nothing to say.
      const auto empty = [&] {
        return at::zeros({rows, config.context_length + 1, config.kv_heads(), config.head_dim()},
                         at::TensorOptions(weights.device).dtype(weights.type));
      };
      caches_.push_back({empty(), empty()});
    }
  }

  size_t slots() const override { return lengths_.size(); }
  size_t length(size_t slot) const override { return static_cast<size_t>(lengths_[slot]); }
  void Truncate(size_t slot, size_t length) override {
    CONTINUO_CHECK(static_cast<int64_t>(length) <= lengths_[slot]);
    lengths_[slot] = static_cast<int64_t>(length);
  }

  void Copy(size_t from, size_t to) override {
    at::NoGradGuard no_grad;
    for (const Cache& cache : caches_) {
      for (const at::Tensor& rows : {cache.keys, cache.values}) {
        const auto held = [&](size_t slot) {
          return rows.select(0, static_cast<int64_t>(slot)).narrow(0, 0, lengths_[from]);
        };
        held(to).copy_(held(from));
      }
    }
    lengths_[to] = lengths_[from];
  }

  void Append(std::span<const Input> inputs, std::span<float> logits) override {
    WithBadAlloc([&] { Run(inputs, logits); });
  }

 private:
  struct Cache {
    at::Tensor keys, values;  // [rows, context_length + 1, kv_heads, head_dim]
  };
  struct Step {
    size_t slot;
    int32_t id;
    float* logits;
  };

  void Run(std::span<const Input> inputs, std::span<float> logits) {
    at::NoGradGuard no_grad;
    std::vector<std::vector<Step>> steps(Parts());
    float* to = logits.data();
    for (const Input& input : inputs) {
      CONTINUO_CHECK(input.slot < slots() && !input.ids.empty());
      CONTINUO_CHECK(length(input.slot) + input.ids.size() <= static_cast<size_t>(weights_.config.context_length));
      if (input.ids.size() == 1) {
        steps[input.slot / step_rows_].push_back({input.slot, input.ids[0], to});
      } else {
        CopyOut(AppendMany(input), to);
      }
      to += static_cast<ptrdiff_t>(input.all_logits ? input.ids.size() : 1) * weights_.config.vocab_size;
    }
    for (size_t part = 0; part < steps.size(); ++part) {
      if (!steps[part].empty()) {
        AppendOneEach(static_cast<int64_t>(part * step_rows_), steps[part]);
      }
    }
    for (const Input& input : inputs) {
      lengths_[input.slot] += static_cast<int64_t>(input.ids.size());
    }
  }

  /// Logits [n, vocab_size] of n ids at their positions. `attend` is given a layer's cache and the
  /// queries, keys and values of the ids, [n, heads or kv_heads, head_dim], and returns [n,
  /// query_width].
  template <typename Attend>
  at::Tensor Forward(const at::Tensor& ids, const at::Tensor& positions, bool all_logits, const Attend& attend) {
    const ModelConfig& config = weights_.config;
    const auto normed = [&](const at::Tensor& x, const Norm& norm) {
      const at::Tensor y = norm.bias.defined()
                               ? at::layer_norm(x, {x.size(-1)}, norm.scale, norm.bias, config.norm_epsilon)
                               : at::rms_norm(x, {x.size(-1)}, norm.scale, config.norm_epsilon);
      return y.to(weights_.type);
    };
    const auto product = [](const at::Tensor& x, const Linear& linear) {
      return linear.bias.defined() ? at::addmm(linear.bias, x, linear.weight) : at::mm(x, linear.weight);
    };
    at::Tensor x = at::embedding(weights_.tokens, ids);
    at::Tensor cos, sin;  // [n, 1, rotary_dim / 2]
    if (weights_.positions.defined()) {
      x = x + at::embedding(weights_.positions, positions);
    } else {
      cos = weights_.cos.index_select(0, positions).unsqueeze(1);
      sin = weights_.sin.index_select(0, positions).unsqueeze(1);
    }
    const auto placed = [&](const at::Tensor& heads, const Norm& norm) {
      const at::Tensor y = norm.scale.defined() ? normed(heads.to(at::kFloat), norm) : heads;
      return cos.defined() ? RotatePairs(y, cos, sin) : y;
    };
    const int64_t kv_heads = config.kv_heads();
    for (size_t layer = 0; layer < weights_.blocks.size(); ++layer) {
      const Block& block = weights_.blocks[layer];
      at::Tensor qkv = product(normed(x, block.attention_norm), block.qkv);
      if (config.block().joined_heads) {
        qkv = qkv.view({-1, config.heads, 3, config.head_dim()}).transpose(1, 2);
      }
      qkv = qkv.reshape({-1, config.heads + 2 * kv_heads, config.head_dim()});
      const at::Tensor attended = attend(caches_[layer], placed(qkv.narrow(1, 0, config.heads), block.query_norm),
                                         placed(qkv.narrow(1, config.heads, kv_heads), block.key_norm),
                                         qkv.narrow(1, config.heads + kv_heads, kv_heads));
      const at::Tensor given = config.parallel_residual ? normed(x, block.feed_norm) : at::Tensor();
      x.add_(product(attended, block.attention_out));
      const at::Tensor fed = product(given.defined() ? given : normed(x, block.feed_norm), block.feed);
      x.add_(product(config.block().feed == FeedKind::kGelu
                         ? at::gelu(fed, config.exact_gelu ? "none" : "tanh")
                         : at::silu(fed.narrow(1, 0, config.feed_width())) *
                               fed.narrow(1, config.feed_width(), config.feed_width()),
                     block.down));
    }
    if (!all_logits) {
      x = x.narrow(0, x.size(0) - 1, 1);
    }
    return at::linear(normed(x, weights_.last), weights_.head);
  }

  /// Keys or values [rows, kv_heads, ...] as each query head reads them: [rows, heads, ...].
  at::Tensor ForEachQueryHead(const at::Tensor& heads) const {
    const int64_t group = weights_.config.heads_per_kv();
    return group == 1 ? heads : heads.repeat_interleave(group, 1);
  }

  static void CopyOut(const at::Tensor& logits, float* to) {
    const at::Tensor values = logits.to(at::kCPU, at::kFloat).contiguous();
    std::memcpy(to, values.data_ptr(), values.nbytes());
  }

  at::Tensor OnDevice(const std::vector<int64_t>& values) const {
    return at::tensor(values, at::kLong).to(weights_.device);
  }

  at::Tensor AppendMany(const Input& input) {
    const int64_t begin = lengths_[input.slot];
    const auto count = static_cast<int64_t>(input.ids.size());
    const at::Tensor ids = OnDevice(std::vector<int64_t>(input.ids.begin(), input.ids.end()));
    const at::Tensor positions = at::arange(begin, begin + count, ids.options());
    at::Tensor seen;  // by each id; none: those before it
    const int64_t window = weights_.config.window;
    if (begin > 0 || window > 0) {
      seen = at::ones({count, begin + count}, ids.options().dtype(at::kBool)).tril(begin);
    }
    if (window > 0) {
      seen = seen.triu(begin - window + 1);
    }
    return Forward(ids, positions, input.all_logits,
                   [&](Cache& cache, const at::Tensor& q, const at::Tensor& k, const at::Tensor& v) {
                     const auto append = [&](const at::Tensor& all, const at::Tensor& rows) {
                       const at::Tensor slot =
                           all.select(0, static_cast<int64_t>(input.slot)).narrow(0, 0, begin + count);
                       slot.narrow(0, begin, count).copy_(rows);
                       return ForEachQueryHead(slot.transpose(0, 1).unsqueeze(0));  // [1, heads, time, head_dim]
                     };
                     const at::Tensor keys = append(cache.keys, k);
                     const at::Tensor values = append(cache.values, v);
                     return at::scaled_dot_product_attention(q.transpose(0, 1).unsqueeze(0), keys, values,
                                                             seen.defined() ? std::optional(seen) : std::nullopt,
                                                             /*dropout_p=*/0.0, /*is_causal=*/!seen.defined())
                         .squeeze(0)
                         .transpose(0, 1)
                         .reshape({count, weights_.config.query_width()});
                   });
  }

  /// All rows from `first` on, each one id on; those of no step do as if.
  void AppendOneEach(int64_t first, const std::vector<Step>& steps) {
    const auto count = static_cast<int64_t>(step_rows_);
    const int64_t context = weights_.config.context_length;
    std::vector<int64_t> new_ids(step_rows_, 0);
    std::vector<int64_t> places(step_rows_, context);
    for (const Step& step : steps) {
      new_ids[step.slot - static_cast<size_t>(first)] = step.id;
      places[step.slot - static_cast<size_t>(first)] = lengths_[step.slot];
    }
    const at::Tensor ids = OnDevice(new_ids);
    const at::Tensor positions = OnDevice(places);
    const at::Tensor rows =
        at::arange(first, first + count, ids.options()) * (context + 1) + positions;  // of the caches
    const at::Tensor all_positions = at::arange(context, ids.options()).unsqueeze(0);
    at::Tensor seen = all_positions.le(positions.unsqueeze(1));
    if (weights_.config.window > 0) {
      seen = seen.logical_and(all_positions.gt(positions.unsqueeze(1) - weights_.config.window));
    }
    seen = seen.view({count, 1, 1, context});
    const at::Tensor logits = Forward(
        ids, positions.clamp_max(context - 1), /*all_logits=*/true,
        [&](Cache& cache, const at::Tensor& q, const at::Tensor& k, const at::Tensor& v) {
          const auto append = [&](const at::Tensor& all, const at::Tensor& values) {
            all.view({-1, weights_.config.kv_heads(), weights_.config.head_dim()}).index_copy_(0, rows, values);
            return ForEachQueryHead(
                all.narrow(0, first, count).narrow(1, 0, context).transpose(1, 2));  // [rows, heads, context, head_dim]
          };
          const at::Tensor keys = append(cache.keys, k);
          const at::Tensor values = append(cache.values, v);
          return at::scaled_dot_product_attention(q.unsqueeze(2), keys, values, seen)
              .reshape({count, weights_.config.query_width()});
        });
    const at::Tensor values = logits.to(at::kCPU, at::kFloat).contiguous();
    for (const Step& step : steps) {
      const int64_t row = static_cast<int64_t>(step.slot) - first;
      std::copy_n(values.data_ptr<float>() + row * weights_.config.vocab_size, weights_.config.vocab_size, step.logits);
    }
  }

  /// Parts of the slots that take a step together.
  size_t Parts() const { return (slots() + step_rows_ - 1) / step_rows_; }

  const Weights& weights_;
  const size_t step_rows_;
  std::vector<int64_t> lengths_;
  std::vector<Cache> caches_;  // of each layer
};

class TorchModel : public LanguageModel {
 public:
  explicit TorchModel(Weights weights) : weights_(std::move(weights)) {}
  size_t vocab_size() const override { return static_cast<size_t>(weights_.config.vocab_size); }
  size_t context_length() const override { return static_cast<size_t>(weights_.config.context_length); }
  size_t preferred_slots() const override { return RowsOn(weights_.device); }
  std::unique_ptr<DecodingSession> NewSession(size_t slots) const override {
    std::unique_ptr<DecodingSession> session;
    WithBadAlloc([&] { session = std::make_unique<TorchSession>(weights_, slots); });
    return session;
  }

 private:
  Weights weights_;
};

}  // namespace

Result<std::unique_ptr<LanguageModel>> LoadTorchModel(const ModelDirectory& directory, std::string_view device,
                                                      bool as_f32) {
  CONTINUO_ASSIGN(const at::Device place, ParseDevice(device, 0));
  MakeDeterministic(place);
  try {
    CONTINUO_ASSIGN(Weights weights, ReadWeights(directory, place, as_f32 ? at::kFloat : at::kBFloat16));
    return std::unique_ptr<LanguageModel>(std::make_unique<TorchModel>(std::move(weights)));
  } catch (const std::exception& error) {
    return MakeError("{}: LibTorch: {}", directory.path().string(), std::string_view(error.what()).substr(0, 400));
  }
}

}  // namespace continuo
