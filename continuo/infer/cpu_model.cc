#include "continuo/infer/cpu_model.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <vector>

#include "continuo/core/thread_pool.h"
#include "continuo/infer/attention.h"
#include "continuo/infer/kernels.h"
#include "continuo/infer/matmul.h"
#include "continuo/os/machine.h"

namespace continuo {
namespace {

// Rows that go through the layers together: enough to use each weight read well, few enough to stay
// in cache.
constexpr size_t kMaxRows = 256;
// Handing work to a thread that watches for it costs about a microsecond, in which a core does some
// 50,000 multiply-adds.
constexpr size_t kWorkWorthAThread = 100'000;
// Weights up to this size stay in a core's reach while pieces are decoded: reading them once for
// all pieces saves less than letting each thread go through the layers alone, with pieces of its
// own, saves in waiting for the others.
constexpr size_t kSmallWeightBytes = size_t{16} << 20;
// Parts for each thread: a thread that the system stops for a while holds the others up for less.
constexpr size_t kPartsPerThread = 4;

constexpr const char* kTokens = "transformer.wte.weight";
constexpr const char* kHead = "lm_head.weight";

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
  Precision precision = Precision::kF32;
  std::vector<float> tokens;     // [vocab_size, width]
  std::vector<float> positions;  // [context_length, width]
  std::vector<Layer> layers;
  Norm final_norm;
  PackedMatrix head;
};

Result<PackedMatrix> LoadMatrix(const ModelDirectory& directory, const MatrixShape& shape, Precision precision) {
  const bool is_head = shape.name == kHead;
  std::vector<float> bias;
  if (!is_head) {
    const size_t stem = shape.name.size() - std::string_view("weight").size();
    CONTINUO_ASSIGN(bias, directory.ReadWeight(shape.name.substr(0, stem) + "bias"));
  }
  if (precision == Precision::kInt8) {
    CONTINUO_ASSIGN(std::optional<ModelDirectory::Int8View> stored, directory.FindInt8(shape));
    if (stored) {
      return PackedMatrix(stored->values, std::move(stored->scales), std::move(stored->file), bias, shape.layout);
    }
  }
  const bool is_tied = is_head && directory.config().tied_head;
  CONTINUO_ASSIGN(const std::vector<float> values, directory.ReadWeight(is_tied ? kTokens : shape.name));
  return PackedMatrix(precision, values, bias, shape.layout.inputs, shape.layout.outputs, shape.transposed);
}

Result<Weights> LoadWeights(const ModelDirectory& directory, std::optional<Precision> precision) {
  Weights weights;
  weights.config = directory.config();
  weights.precision = precision.value_or(StoredPrecision(directory));
  const auto read_norm = [&](const std::string& name, Norm& norm) -> Status {
    CONTINUO_ASSIGN(norm.weight, directory.ReadWeight(name + ".weight"));
    CONTINUO_ASSIGN(norm.bias, directory.ReadWeight(name + ".bias"));
    return {};
  };
  const std::vector<MatrixShape> matrices = Gpt2Matrices(weights.config);
  auto next = matrices.begin();
  const auto read_matrix = [&](PackedMatrix& matrix) -> Status {
    CONTINUO_ASSIGN(matrix, LoadMatrix(directory, *next++, weights.precision));
    return {};
  };

  CONTINUO_ASSIGN(weights.tokens, directory.ReadWeight(kTokens));
  CONTINUO_ASSIGN(weights.positions, directory.ReadWeight("transformer.wpe.weight"));
  weights.layers.resize(static_cast<size_t>(weights.config.layers));
  for (size_t i = 0; i < weights.layers.size(); ++i) {
    Layer& layer = weights.layers[i];
    const std::string prefix = fmt::format("transformer.h.{}.", i);
    CONTINUO_TRY(read_norm(prefix + "ln_1", layer.norm1));
    CONTINUO_TRY(read_norm(prefix + "ln_2", layer.norm2));
    for (PackedMatrix* matrix : {&layer.qkv, &layer.projection, &layer.expand, &layer.contract}) {
      CONTINUO_TRY(read_matrix(*matrix));
    }
  }
  CONTINUO_TRY(read_norm("transformer.ln_f", weights.final_norm));
  CONTINUO_TRY(read_matrix(weights.head));
  return weights;
}

/// Keys and values [layers, heads] of one sequence, each head's as a HeadCacheLayout says.
struct Slot {
  AlignedBytes keys;
  AlignedBytes values;
  size_t length = 0;
};

/// One id on its way through the layers.
struct Row {
  Slot* slot;
  size_t position;
  size_t id;
  bool wants_logits;
};

/// Takes rows through the layers, on all threads of a pool together or on the calling thread alone.
class ForwardPass {
 public:
  /// Without a pool: on the calling thread.
  ForwardPass(const Weights& weights, const HeadCacheLayout& cache_layout, ThreadPool* pool)
      : weights_(weights),
        pool_(pool),
        width_(static_cast<size_t>(weights.config.width)),
        heads_(static_cast<size_t>(weights.config.heads)),
        head_dim_(static_cast<size_t>(weights.config.head_dim())),
        inner_(static_cast<size_t>(weights.config.mlp_width())),
        cache_layout_(cache_layout) {
    for (size_t i = 0; i < (pool == nullptr ? 1 : pool->size()); ++i) {
      scratch_.emplace_back(cache_layout_);
    }
  }

  /// Takes `inputs` through the model and writes the logits of the ids that want them, one after
  /// the other.
  void Run(std::span<const DecodingSession::Input> inputs, std::span<Slot> slots, std::span<float> logits) {
    const auto vocab_size = static_cast<size_t>(weights_.config.vocab_size);
    rows_.clear();
    size_t first_output = 0;
    for (const DecodingSession::Input& input : inputs) {
      Slot& slot = slots[input.slot];
      for (size_t k = 0; k < input.ids.size(); ++k) {
        const auto id = static_cast<size_t>(input.ids[k]);
        rows_.push_back({&slot, slot.length++, id, input.all_logits || k + 1 == input.ids.size()});
        if (rows_.size() == kMaxRows) {
          first_output += RunRows(logits.subspan(first_output * vocab_size));
          rows_.clear();
        }
      }
    }
    RunRows(logits.subspan(first_output * vocab_size));
  }

 private:
  /// Calls task(first, last, thread) on parts of [0, count) that together take `work`
  /// multiply-adds.
  void Share(size_t count, size_t work, const std::function<void(size_t, size_t, size_t)>& task) {
    const size_t parts =
        pool_ == nullptr ? 1 : std::min({pool_->size() * kPartsPerThread, count, work / kWorkWorthAThread + 1});
    if (parts <= 1) {
      task(0, count, 0);
      return;
    }
    pool_->ForEach(parts,
                   [&](size_t part, size_t thread) { task(count * part / parts, count * (part + 1) / parts, thread); });
  }

  void Multiply(const std::vector<float>& x, size_t rows, const PackedMatrix& w, MatMulMode mode, float* y) {
    activations_.Reset(w.precision(), x.data(), rows, w.inputs());
    if (w.precision() != Precision::kF32) {
      // Rounding a value costs about as much as two multiply-adds.
      Share(rows, 2 * rows * w.inputs(),
            [&](size_t first, size_t last, size_t) { PrepareRows(activations_, first, last); });
    }
    Share(w.panels(), rows * w.inputs() * w.outputs(),
          [&](size_t first, size_t last, size_t) { MatMul(activations_, w, first, last, mode, y); });
  }

  void Normalize(const std::vector<float>& x, const Norm& norm, size_t rows, std::vector<float>& y) {
    const auto epsilon = static_cast<float>(weights_.config.layer_norm_epsilon);
    // A value costs about as much as four multiply-adds.
    Share(rows, 4 * rows * width_, [&](size_t first, size_t last, size_t) {
      for (size_t row = first; row < last; ++row) {
        LayerNorm(x.data() + row * width_, norm.weight.data(), norm.bias.data(), width_, epsilon,
                  y.data() + row * width_);
      }
    });
  }

  /// Runs rows_ through the model and writes the logits of those that want them, one after the
  /// other. Returns how many.
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
      Multiply(normal_, rows, w.expand, MatMulMode::kGelu, expanded_.data());
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

  /// Puts the rows' keys and values of one layer into the caches, then lets each row attend to its
  /// past.
  void AttendRows(size_t layer) {
    const size_t key_bytes = cache_layout_.key_bytes();
    const size_t value_bytes = cache_layout_.value_bytes();
    // Rounding and spreading a value costs about as much as 16 multiply-adds.
    Share(heads_, 32 * rows_.size() * width_, [&](size_t first, size_t last, size_t) {
      for (size_t head = first; head < last; ++head) {
        for (size_t row = 0; row < rows_.size(); ++row) {
          Slot& slot = *rows_[row].slot;
          const float* query = qkv_.data() + row * 3 * width_ + head * head_dim_;
          StoreInCache(cache_layout_, query + width_, query + 2 * width_, rows_[row].position,
                       slot.keys.data() + (layer * heads_ + head) * key_bytes,
                       slot.values.data() + (layer * heads_ + head) * value_bytes);
        }
      }
    });
    size_t work = 0;
    for (const Row& row : rows_) {
      work += 2 * (row.position + 1) * width_;
    }
    Share(rows_.size() * heads_, work, [&](size_t first, size_t last, size_t thread) {
      for (size_t i = first; i < last; ++i) {
        const size_t row = i / heads_;
        const size_t head = i % heads_;
        const Slot& slot = *rows_[row].slot;
        Attend(cache_layout_, qkv_.data() + row * 3 * width_ + head * head_dim_,
               slot.keys.data() + (layer * heads_ + head) * key_bytes,
               slot.values.data() + (layer * heads_ + head) * value_bytes, rows_[row].position + 1, scratch_[thread],
               attended_.data() + row * width_ + head * head_dim_);
      }
    });
  }

  const Weights& weights_;
  ThreadPool* const pool_;
  const size_t width_;
  const size_t heads_;
  const size_t head_dim_;
  const size_t inner_;
  const HeadCacheLayout cache_layout_;
  std::vector<AttentionScratch> scratch_;  // of each thread
  std::vector<Row> rows_;
  Activations activations_;
  // Activations, one row each: [rows, width], qkv [rows, 3 x width], expanded [rows, mlp_width].
  std::vector<float> hidden_;
  std::vector<float> normal_;
  std::vector<float> attended_;
  std::vector<float> qkv_;
  std::vector<float> expanded_;
};

class CpuSession : public DecodingSession {
 public:
  CpuSession(const Weights& weights, ThreadPool& pool, size_t slots)
      : weights_(weights),
        pool_(pool),
        cache_layout_(static_cast<size_t>(weights.config.context_length),
                      static_cast<size_t>(weights.config.head_dim()), weights.precision),
        slots_(slots),
        together_(weights, cache_layout_, pool.size() > 1 ? &pool : nullptr) {
    const size_t caches = weights.layers.size() * static_cast<size_t>(weights.config.heads);
    for (Slot& slot : slots_) {
      slot.keys = AlignedBytes(caches * cache_layout_.key_bytes());
      slot.values = AlignedBytes(caches * cache_layout_.value_bytes());
    }
    if (pool.size() > 1 && slots >= pool.size() &&
        EstimateMemory(weights.config, weights.precision).weights <= kSmallWeightBytes) {
      alone_.reserve(pool.size());
      for (size_t i = 0; i < pool.size(); ++i) {
        alone_.emplace_back(weights, cache_layout_, nullptr);
      }
    }
  }

  size_t slots() const override { return slots_.size(); }
  size_t length(size_t slot) const override { return slots_[slot].length; }
  void Reset(size_t slot) override { slots_[slot].length = 0; }

  void Append(std::span<const Input> inputs, std::span<float> logits) override {
    const auto vocab_size = static_cast<size_t>(weights_.config.vocab_size);
    size_t outputs = 0;
    for (const Input& input : inputs) {
      CONTINUO_CHECK(!input.ids.empty() && slots_[input.slot].length + input.ids.size() <=
                                               static_cast<size_t>(weights_.config.context_length));
      for (const int32_t id : input.ids) {
        CONTINUO_CHECK(static_cast<size_t>(id) < vocab_size);
      }
      outputs += input.all_logits ? input.ids.size() : 1;
    }
    CONTINUO_CHECK(logits.size() == outputs * vocab_size);
    const bool is_decoding =
        std::all_of(inputs.begin(), inputs.end(), [](const Input& input) { return input.ids.size() == 1; });
    if (!is_decoding || alone_.empty() || inputs.size() < alone_.size()) {
      together_.Run(inputs, slots_, logits);
      return;
    }
    pool_.ForEach(alone_.size(), [&](size_t part, size_t) {
      const size_t first = inputs.size() * part / alone_.size();
      const size_t count = inputs.size() * (part + 1) / alone_.size() - first;
      alone_[part].Run(inputs.subspan(first, count), slots_, logits.subspan(first * vocab_size, count * vocab_size));
    });
  }

 private:
  const Weights& weights_;
  ThreadPool& pool_;
  const HeadCacheLayout cache_layout_;
  std::vector<Slot> slots_;
  ForwardPass together_;
  std::vector<ForwardPass> alone_;  // one for each thread, where the model is small and the slots are enough
};

class CpuModel : public LanguageModel {
 public:
  CpuModel(Weights weights, size_t threads) : weights_(std::move(weights)), pool_(ThreadCount(threads)) {}
  size_t vocab_size() const override { return static_cast<size_t>(weights_.config.vocab_size); }
  size_t context_length() const override { return static_cast<size_t>(weights_.config.context_length); }
  size_t preferred_slots() const override {
    const MemoryNeed need = EstimateMemory(weights_.config, weights_.precision);
    const uint64_t cache = LastLevelCacheBytes();
    if (need.weights > kSmallWeightBytes || cache == 0) {
      return LanguageModel::preferred_slots();
    }
    // Keys and values that stay in the cache are read several times as fast as those that don't.
    // Half of it: others use it too. As many for each thread, so that none waits for another that
    // has one more.
    const size_t threads = pool_.size();
    const size_t most = std::max(LanguageModel::preferred_slots() / threads, size_t{1});
    return threads * std::clamp<size_t>(cache / 2 / need.sequence / threads, 1, most);
  }
  std::unique_ptr<DecodingSession> NewSession(size_t slots) const override {
    return std::make_unique<CpuSession>(weights_, pool_, slots);
  }

 private:
  const Weights weights_;
  mutable ThreadPool pool_;
};

}  // namespace

Precision StoredPrecision(const ModelDirectory& directory) {
  switch (directory.matrix_type()) {
    case TensorType::kU8:
      return Precision::kInt8;
    case TensorType::kBf16:
      return Precision::kBf16;
    default:
      return Precision::kF32;
  }
}

MemoryNeed EstimateMemory(const Gpt2Config& config, Precision precision) {
  MemoryNeed need;
  const auto width = static_cast<uint64_t>(config.width);
  need.weights =
      (static_cast<uint64_t>(config.vocab_size) + static_cast<uint64_t>(config.context_length)) * width * sizeof(float);
  for (const MatrixShape& matrix : Gpt2Matrices(config)) {
    const uint64_t count = uint64_t{matrix.layout.inputs} * matrix.layout.outputs;
    // In 8 bits a scale of 2 bytes goes with each 64 weights.
    need.weights += precision == Precision::kF32    ? count * 4
                    : precision == Precision::kBf16 ? count * 2
                                                    : count + count / 32;
  }
  const HeadCacheLayout head(static_cast<size_t>(config.context_length), static_cast<size_t>(config.head_dim()),
                             precision);
  need.sequence = static_cast<uint64_t>(config.layers) * static_cast<uint64_t>(config.heads) *
                  (head.key_bytes() + head.value_bytes());
  return need;
}

Result<std::unique_ptr<LanguageModel>> LoadCpuModel(const ModelDirectory& directory, const CpuModelOptions& options) {
  CONTINUO_ASSIGN(Weights weights, LoadWeights(directory, options.precision));
  return std::unique_ptr<LanguageModel>(std::make_unique<CpuModel>(std::move(weights), options.threads));
}

}  // namespace continuo
