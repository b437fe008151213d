#include "continuo/train/torch_model.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <c10/util/Exception.h>

#include <algorithm>
#include <cstring>
#include <new>
#include <span>
#include <vector>

#include "continuo/core/check.h"
#include "continuo/train/device.h"

namespace continuo {
namespace {

using at::Tensor;

/// Sequences of a step: on a GPU so many that reading the weights, and starting the operators, is
/// shared.
size_t RowsOn(at::Device device) {
  return device.is_cpu() ? 8 : 64;
}

struct Linear {
  Tensor weight, bias;  // [in, out], [out]
};

struct Norm {
  Tensor scale, bias;  // f32
};

struct Block {
  Norm norm1;
  Linear qkv, attention_out;
  Norm norm2;
  Linear feed, feed_out;
};

struct Weights {
  Gpt2Config config;
  at::Device device = at::kCPU;
  at::ScalarType type = at::kFloat;  // of matrices, and of keys and values
  Tensor tokens, positions;          // f32
  std::vector<Block> blocks;
  Norm last;
  Tensor head;  // [vocab_size, width]
};

Result<Weights> ReadWeights(const ModelDirectory& directory, at::Device device, at::ScalarType type) {
  Weights weights;
  weights.config = directory.config();
  weights.device = device;
  weights.type = type;
  const int64_t width = weights.config.width;
  const auto read = [&](const std::string& name, int64_t rows, at::ScalarType as) -> Result<Tensor> {
    CONTINUO_ASSIGN(std::vector<float> values, directory.ReadWeight(name));
    const auto count = static_cast<int64_t>(values.size());
    CONTINUO_CHECK(count % rows == 0);
    const Tensor all = at::from_blob(values.data(), {count}, at::kFloat);
    return (rows == 1 ? all : all.view({rows, count / rows})).to(device, as, /*non_blocking=*/false, /*copy=*/true);
  };
  const auto norm = [&](const std::string& name, Norm& to) -> Status {
    CONTINUO_ASSIGN(to.scale, read(name + ".weight", 1, at::kFloat));
    CONTINUO_ASSIGN(to.bias, read(name + ".bias", 1, at::kFloat));
    return {};
  };
  const auto linear = [&](const std::string& name, int64_t in, Linear& to) -> Status {
    CONTINUO_ASSIGN(to.weight, read(name + ".weight", in, type));
    CONTINUO_ASSIGN(to.bias, read(name + ".bias", 1, type));
    return {};
  };
  CONTINUO_ASSIGN(weights.tokens, read("transformer.wte.weight", weights.config.vocab_size, at::kFloat));
  CONTINUO_ASSIGN(weights.positions, read("transformer.wpe.weight", weights.config.context_length, at::kFloat));
  for (int64_t layer = 0; layer < weights.config.layers; ++layer) {
    const std::string prefix = "transformer.h." + std::to_string(layer) + ".";
    Block& block = weights.blocks.emplace_back();
    CONTINUO_TRY(norm(prefix + "ln_1", block.norm1));
    CONTINUO_TRY(linear(prefix + "attn.c_attn", width, block.qkv));
    CONTINUO_TRY(linear(prefix + "attn.c_proj", width, block.attention_out));
    CONTINUO_TRY(norm(prefix + "ln_2", block.norm2));
    CONTINUO_TRY(linear(prefix + "mlp.c_fc", width, block.feed));
    CONTINUO_TRY(linear(prefix + "mlp.c_proj", weights.config.mlp_width(), block.feed_out));
  }
  CONTINUO_TRY(norm("transformer.ln_f", weights.last));
  if (weights.config.tied_head) {
    weights.head = weights.tokens.to(type);
  } else {
    CONTINUO_ASSIGN(weights.head, read("lm_head.weight", weights.config.vocab_size, type));
  }
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
    const Gpt2Config& config = weights.config;
    for (int64_t layer = 0; layer < config.layers; ++layer) {
      // One position more than there are: what rows write that have nothing to say.
      const auto empty = [&] {
        return at::zeros({rows, config.context_length + 1, config.heads, config.head_dim()},
                         at::TensorOptions(weights.device).dtype(weights.type));
      };
      caches_.push_back({empty(), empty()});
    }
  }

  size_t slots() const override { return lengths_.size(); }
  size_t length(size_t slot) const override { return static_cast<size_t>(lengths_[slot]); }
  void Reset(size_t slot) override { lengths_[slot] = 0; }

  void Append(std::span<const Input> inputs, std::span<float> logits) override {
    WithBadAlloc([&] { Run(inputs, logits); });
  }

 private:
  struct Cache {
    Tensor keys, values;  // [rows, context_length + 1, heads, head_dim]
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
  /// queries, keys and values of the ids, each [n, heads, head_dim], and returns [n, width].
  template <typename Attend>
  Tensor Forward(const Tensor& ids, const Tensor& positions, bool all_logits, const Attend& attend) {
    const Gpt2Config& config = weights_.config;
    const auto normed = [&](const Tensor& x, const Norm& norm) {
      return at::layer_norm(x, {config.width}, norm.scale, norm.bias, config.layer_norm_epsilon).to(weights_.type);
    };
    const auto product = [](const Tensor& x, const Linear& linear) { return at::addmm(linear.bias, x, linear.weight); };
    Tensor x = at::embedding(weights_.tokens, ids) + at::embedding(weights_.positions, positions);
    for (size_t layer = 0; layer < weights_.blocks.size(); ++layer) {
      const Block& block = weights_.blocks[layer];
      const Tensor qkv = product(normed(x, block.norm1), block.qkv).view({-1, 3, config.heads, config.head_dim()});
      x.add_(
          product(attend(caches_[layer], qkv.select(1, 0), qkv.select(1, 1), qkv.select(1, 2)), block.attention_out));
      x.add_(product(at::gelu(product(normed(x, block.norm2), block.feed), "tanh"), block.feed_out));
    }
    if (!all_logits) {
      x = x.narrow(0, x.size(0) - 1, 1);
    }
    return at::linear(normed(x, weights_.last), weights_.head);
  }

  static void CopyOut(const Tensor& logits, float* to) {
    const Tensor values = logits.to(at::kCPU, at::kFloat).contiguous();
    std::memcpy(to, values.data_ptr(), values.nbytes());
  }

  Tensor OnDevice(const std::vector<int64_t>& values) const {
    return at::tensor(values, at::kLong).to(weights_.device);
  }

  Tensor AppendMany(const Input& input) {
    const int64_t begin = lengths_[input.slot];
    const auto count = static_cast<int64_t>(input.ids.size());
    const Tensor ids = OnDevice(std::vector<int64_t>(input.ids.begin(), input.ids.end()));
    const Tensor positions = at::arange(begin, begin + count, ids.options());
    Tensor seen;  // by each id; none: those before it
    if (begin > 0) {
      seen = at::ones({count, begin + count}, ids.options().dtype(at::kBool)).tril(begin);
    }
    return Forward(
        ids, positions, input.all_logits, [&](Cache& cache, const Tensor& q, const Tensor& k, const Tensor& v) {
          const auto append = [&](const Tensor& all, const Tensor& rows) {
            const Tensor slot = all.select(0, static_cast<int64_t>(input.slot)).narrow(0, 0, begin + count);
            slot.narrow(0, begin, count).copy_(rows);
            return slot.transpose(0, 1).unsqueeze(0);  // [1, heads, time, head_dim]
          };
          const Tensor keys = append(cache.keys, k);
          const Tensor values = append(cache.values, v);
          return at::scaled_dot_product_attention(q.transpose(0, 1).unsqueeze(0), keys, values,
                                                  begin > 0 ? std::optional(seen) : std::nullopt, /*dropout_p=*/0.0,
                                                  /*is_causal=*/begin == 0)
              .squeeze(0)
              .transpose(0, 1)
              .reshape({count, weights_.config.width});
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
    const Tensor ids = OnDevice(new_ids);
    const Tensor positions = OnDevice(places);
    const Tensor rows = at::arange(first, first + count, ids.options()) * (context + 1) + positions;  // of the caches
    const Tensor seen =
        at::arange(context, ids.options()).unsqueeze(0).le(positions.unsqueeze(1)).view({count, 1, 1, context});
    const Tensor logits =
        Forward(ids, positions.clamp_max(context - 1), /*all_logits=*/true,
                [&](Cache& cache, const Tensor& q, const Tensor& k, const Tensor& v) {
                  const auto append = [&](const Tensor& all, const Tensor& values) {
                    all.view({-1, weights_.config.heads, weights_.config.head_dim()}).index_copy_(0, rows, values);
                    return all.narrow(0, first, count)
                        .narrow(1, 0, context)
                        .transpose(1, 2);  // [rows, heads, context, head_dim]
                  };
                  const Tensor keys = append(cache.keys, k);
                  const Tensor values = append(cache.values, v);
                  return at::scaled_dot_product_attention(q.unsqueeze(2), keys, values, seen)
                      .reshape({count, weights_.config.width});
                });
    const Tensor values = logits.to(at::kCPU, at::kFloat).contiguous();
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
