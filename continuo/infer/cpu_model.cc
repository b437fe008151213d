#include "continuo/infer/cpu_model.h"

#include <algorithm>
#include <functional>
#include <vector>

#include "continuo/core/thread_pool.h"
#include "continuo/infer/kernels.h"

namespace continuo {
namespace {

// Rows that go through the layers together: enough to use each weight read well, few enough to stay in cache.
constexpr size_t kMaxRows = 256;
// Waking a thread costs some 20 microseconds, in which one core does about 500,000 multiply-adds.
constexpr size_t kWorkWorthAThread = 500'000;

struct Norm {
  std::vector<float> weight;
  std::vector<float> bias;
};

struct Layer {
  Norm norm1;
  PackedMatrix qkv;
  PackedMatrix projection;
  Norm norm2;
  PackedMatrix expand;
  PackedMatrix contract;
};

struct Weights {
  Gpt2Config config;
  std::vector<float> tokens;     // [vocab_size, width]
  std::vector<float> positions;  // [context_length, width]
  std::vector<Layer> layers;
  Norm final_norm;
  PackedMatrix head;
};

Result<Weights> LoadWeights(const ModelDirectory& directory) {
  Weights weights;
  weights.config = directory.config();
  const auto width = static_cast<size_t>(weights.config.width);
  const auto inner = static_cast<size_t>(weights.config.mlp_width());
  const auto vocab_size = static_cast<size_t>(weights.config.vocab_size);

  const auto read_norm = [&](const std::string& name, Norm& norm) -> Status {
    CONTINUO_ASSIGN(norm.weight, directory.ReadWeight(name + ".weight"));
    CONTINUO_ASSIGN(norm.bias, directory.ReadWeight(name + ".bias"));
    return {};
  };
  const auto read_matrix = [&](const std::string& name, size_t inputs, size_t outputs, PackedMatrix& matrix) -> Status {
    CONTINUO_ASSIGN(const std::vector<float> values, directory.ReadWeight(name + ".weight"));
    CONTINUO_ASSIGN(const std::vector<float> bias, directory.ReadWeight(name + ".bias"));
    matrix = PackedMatrix(values, bias, inputs, outputs, /*transposed=*/false);
    return {};
  };

  CONTINUO_ASSIGN(weights.tokens, directory.ReadWeight("transformer.wte.weight"));
  CONTINUO_ASSIGN(weights.positions, directory.ReadWeight("transformer.wpe.weight"));
  weights.layers.resize(static_cast<size_t>(weights.config.layers));
  for (size_t i = 0; i < weights.layers.size(); ++i) {
    Layer& layer = weights.layers[i];
    const std::string prefix = fmt::format("transformer.h.{}.", i);
    CONTINUO_TRY(read_norm(prefix + "ln_1", layer.norm1));
    CONTINUO_TRY(read_matrix(prefix + "attn.c_attn", width, 3 * width, layer.qkv));
    CONTINUO_TRY(read_matrix(prefix + "attn.c_proj", width, width, layer.projection));
    CONTINUO_TRY(read_norm(prefix + "ln_2", layer.norm2));
    CONTINUO_TRY(read_matrix(prefix + "mlp.c_fc", width, inner, layer.expand));
    CONTINUO_TRY(read_matrix(prefix + "mlp.c_proj", inner, width, layer.contract));
  }
  CONTINUO_TRY(read_norm("transformer.ln_f", weights.final_norm));
  if (weights.config.tied_head) {
    weights.head = PackedMatrix(weights.tokens, {}, width, vocab_size, /*transposed=*/true);
  } else {
    CONTINUO_ASSIGN(const std::vector<float> head, directory.ReadWeight("lm_head.weight"));
    weights.head = PackedMatrix(head, {}, width, vocab_size, /*transposed=*/true);
  }
  return weights;
}

class CpuSession : public DecodingSession {
 public:
  CpuSession(const Weights& weights, ThreadPool& pool, size_t slots)
      : weights_(weights),
        pool_(pool),
        width_(static_cast<size_t>(weights.config.width)),
        heads_(static_cast<size_t>(weights.config.heads)),
        head_dim_(static_cast<size_t>(weights.config.head_dim())),
        inner_(static_cast<size_t>(weights.config.mlp_width())),
        context_(static_cast<size_t>(weights.config.context_length)),
        slots_(slots) {
    for (Slot& slot : slots_) {
      slot.keys = AlignedFloats(weights.layers.size() * context_ * width_);
      slot.values = AlignedFloats(weights.layers.size() * context_ * width_);
    }
    scores_.resize(pool.size());
    for (std::vector<float>& scores : scores_) {
      scores.resize(context_ + 64);
    }
  }

  size_t slots() const override { return slots_.size(); }
  size_t length(size_t slot) const override { return slots_[slot].length; }
  void Reset(size_t slot) override { slots_[slot].length = 0; }

  void Append(std::span<const Input> inputs, std::span<float> logits) override {
    const auto vocab_size = static_cast<size_t>(weights_.config.vocab_size);
    size_t outputs = 0;
    for (const Input& input : inputs) {
      outputs += input.all_logits ? input.ids.size() : 1;
    }
    CONTINUO_CHECK(logits.size() == outputs * vocab_size);
    rows_.clear();
    size_t first_output = 0;
    for (size_t i = 0; i < inputs.size(); ++i) {
      Slot& slot = slots_[inputs[i].slot];
      CONTINUO_CHECK(!inputs[i].ids.empty() && slot.length + inputs[i].ids.size() <= context_);
      for (size_t k = 0; k < inputs[i].ids.size(); ++k) {
        const auto id = static_cast<size_t>(inputs[i].ids[k]);
        CONTINUO_CHECK(id < vocab_size);
        rows_.push_back({inputs[i].slot, slot.length++, id, inputs[i].all_logits || k + 1 == inputs[i].ids.size()});
        if (rows_.size() == kMaxRows) {
          first_output += RunRows(logits.subspan(first_output * vocab_size));
          rows_.clear();
        }
      }
    }
    RunRows(logits.subspan(first_output * vocab_size));
  }

 private:
  /// Keys and values [layers, heads, context_length, head_dim].
  struct Slot {
    AlignedFloats keys;
    AlignedFloats values;
    size_t length = 0;
  };
  /// One id on its way through the layers.
  struct Row {
    size_t slot;
    size_t position;
    size_t id;
    bool wants_logits;
  };

  /// Calls task(first, last, thread) on parts of [0, count) that together take `work` multiply-adds.
  void Share(size_t count, size_t work, const std::function<void(size_t, size_t, size_t)>& task) {
    const size_t parts = std::min({pool_.size(), count, work / kWorkWorthAThread + 1});
    if (parts <= 1) {
      task(0, count, 0);
      return;
    }
    pool_.ForEach(parts,
                  [&](size_t part, size_t thread) { task(count * part / parts, count * (part + 1) / parts, thread); });
  }

  void Multiply(const std::vector<float>& x, size_t rows, const PackedMatrix& w, MatMulMode mode, float* y) {
    Share(w.panels(), rows * w.inputs() * w.outputs(),
          [&](size_t first, size_t last, size_t) { MatMul(x.data(), rows, w, first, last, mode, y); });
  }

  void Normalize(const std::vector<float>& x, const Norm& norm, size_t rows, std::vector<float>& y) {
    const auto epsilon = static_cast<float>(weights_.config.layer_norm_epsilon);
    for (size_t row = 0; row < rows; ++row) {
      LayerNorm(x.data() + row * width_, norm.weight.data(), norm.bias.data(), width_, epsilon,
                y.data() + row * width_);
    }
  }

  /// Runs rows_ through the model and writes the logits of those that want them, one after the other. Returns how many.
  size_t RunRows(std::span<float> logits) {
    const size_t rows = rows_.size();
    if (rows == 0) {
      return 0;
    }
    hidden_.resize(rows * width_);
    normal_.resize(rows * width_);
    attended_.resize(rows * width_);
    qkv_.resize(rows * 3 * width_);
    expanded_.resize(rows * inner_);
    for (size_t row = 0; row < rows; ++row) {
      const float* token = weights_.tokens.data() + rows_[row].id * width_;
      const float* position = weights_.positions.data() + rows_[row].position * width_;
      std::transform(token, token + width_, position, hidden_.data() + row * width_, std::plus<>());
    }
    for (size_t layer = 0; layer < weights_.layers.size(); ++layer) {
      const Layer& w = weights_.layers[layer];
      Normalize(hidden_, w.norm1, rows, normal_);
      Multiply(normal_, rows, w.qkv, MatMulMode::kStore, qkv_.data());
      AttendRows(layer);
      Multiply(attended_, rows, w.projection, MatMulMode::kAdd, hidden_.data());
      Normalize(hidden_, w.norm2, rows, normal_);
      Multiply(normal_, rows, w.expand, MatMulMode::kStore, expanded_.data());
      // A tanh costs about as much as 16 multiply-adds.
      Share(rows * inner_, rows * inner_ * 16,
            [&](size_t first, size_t last, size_t) { Gelu(expanded_.data() + first, last - first); });
      Multiply(expanded_, rows, w.contract, MatMulMode::kAdd, hidden_.data());
    }
    size_t outputs = 0;
    for (size_t row = 0; row < rows; ++row) {
      if (rows_[row].wants_logits) {
        std::copy_n(hidden_.data() + row * width_, width_, hidden_.data() + outputs * width_);
        ++outputs;
      }
    }
    Normalize(hidden_, weights_.final_norm, outputs, normal_);
    Multiply(normal_, outputs, weights_.head, MatMulMode::kStore, logits.data());
    return outputs;
  }

  /// Puts the rows' keys and values of one layer into the caches, then lets each row attend to its past.
  void AttendRows(size_t layer) {
    size_t work = 0;
    for (size_t row = 0; row < rows_.size(); ++row) {
      Slot& slot = slots_[rows_[row].slot];
      for (size_t head = 0; head < heads_; ++head) {
        const float* from = qkv_.data() + row * 3 * width_ + head * head_dim_;
        const size_t to = CacheOffset(layer, head) + rows_[row].position * head_dim_;
        std::copy_n(from + width_, head_dim_, slot.keys.data() + to);
        std::copy_n(from + 2 * width_, head_dim_, slot.values.data() + to);
      }
      work += 2 * (rows_[row].position + 1) * width_;
    }
    Share(rows_.size() * heads_, work, [&](size_t first, size_t last, size_t thread) {
      for (size_t i = first; i < last; ++i) {
        const size_t row = i / heads_;
        const size_t head = i % heads_;
        const Slot& slot = slots_[rows_[row].slot];
        const size_t cache = CacheOffset(layer, head);
        Attend(qkv_.data() + row * 3 * width_ + head * head_dim_, slot.keys.data() + cache, slot.values.data() + cache,
               rows_[row].position + 1, head_dim_, scores_[thread].data(),
               attended_.data() + row * width_ + head * head_dim_);
      }
    });
  }

  size_t CacheOffset(size_t layer, size_t head) const { return (layer * heads_ + head) * context_ * head_dim_; }

  const Weights& weights_;
  ThreadPool& pool_;
  const size_t width_;
  const size_t heads_;
  const size_t head_dim_;
  const size_t inner_;
  const size_t context_;
  std::vector<Slot> slots_;
  std::vector<std::vector<float>> scores_;  // scratch of each thread
  std::vector<Row> rows_;
  // Activations, one row each: [rows, width], qkv [rows, 3 x width], expanded [rows, mlp_width].
  std::vector<float> hidden_;
  std::vector<float> normal_;
  std::vector<float> attended_;
  std::vector<float> qkv_;
  std::vector<float> expanded_;
};

class CpuModel : public LanguageModel {
 public:
  CpuModel(Weights weights, size_t threads) : weights_(std::move(weights)), pool_(threads) {}
  const Gpt2Config& config() const override { return weights_.config; }
  std::unique_ptr<DecodingSession> NewSession(size_t slots) const override {
    return std::make_unique<CpuSession>(weights_, pool_, slots);
  }

 private:
  const Weights weights_;
  mutable ThreadPool pool_;
};

}  // namespace

Result<std::unique_ptr<LanguageModel>> LoadCpuModel(const ModelDirectory& directory, const CpuModelOptions& options) {
  CONTINUO_ASSIGN(Weights weights, LoadWeights(directory));
  return std::unique_ptr<LanguageModel>(std::make_unique<CpuModel>(std::move(weights), options.threads));
}

}  // namespace continuo
