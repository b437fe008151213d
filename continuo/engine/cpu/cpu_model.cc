#include "continuo/engine/cpu/cpu_model.h"

#include <algorithm>
#include <functional>
#include <vector>

#include "continuo/core/thread_pool.h"
#include "continuo/engine/cpu/attention.h"
#include "continuo/engine/cpu/kernels.h"
#include "continuo/engine/cpu/matmul.h"
#include "continuo/model/rotary.h"
#include "continuo/os/machine.h"

namespace continuo {
namespace {

// Rows that go through the layers together: enough to use each weight read well, few enough to stay
// in cache.
constexpr size_t kMaxRows = 256;
// Rows that attend together: few enough to share out to threads.
constexpr size_t kMaxRun = 16;
// Handing work to a thread that watches for it costs about a microsecond, in which a core does some
// 50,000 multiply-adds.
constexpr size_t kWorkWorthAThread = 100'000;
// Weights up to this size stay in a core's reach while pieces are decoded: reading them once for
// all pieces saves less than letting each thread go through the layers alone, with pieces of its
// own, saves in waiting for the others.
constexpr size_t kSmallWeightBytes = size_t{16} << 20;
// Parts for each thread: a thread that the system stops for a while holds the others up for less.
constexpr size_t kPartsPerThread = 4;

struct Norm {
  std::vector<float> scale;
  std::vector<float> bias;  // empty: RMSNorm
};

struct Layer {
  Norm attention_norm;
  std::vector<PackedMatrix> qkv;  // queries, keys and values side by side: HeadPlaces
  Norm query_norm, key_norm;      // of a head; empty: none
  PackedMatrix attention_out;
  Norm feed_norm;
  std::vector<PackedMatrix> feed;  // up; or gate and up
  PackedMatrix down;
};

struct Weights {
  ModelConfig config;
  NumberFormat precision = NumberFormat::kF32;
  std::vector<float> tokens;     // [vocab_size, width]
  std::vector<float> positions;  // learned: [context_length, width]
  RotaryTable rotary;            // rotary
  std::vector<Layer> layers;
  Norm final_norm;
  PackedMatrix head;
};

Result<PackedMatrix> LoadMatrix(const ModelDirectory& directory, const Weight& matrix, NumberFormat precision) {
  std::vector<float> bias;
  if (const Weight* found = directory.table().FindBias(matrix.role, matrix.layer)) {
    CONTINUO_ASSIGN(bias, directory.ReadWeight(*found));
  }
  const Int8Layout layout = matrix.layout();
  if (precision == NumberFormat::kInt8) {
    CONTINUO_ASSIGN(std::optional<ModelDirectory::Int8View> stored, directory.FindInt8(matrix));
    if (stored) {
      return PackedMatrix(stored->values, std::move(stored->scales), std::move(stored->owner), bias, layout);
    }
  }
  CONTINUO_ASSIGN(const std::vector<float> values, directory.ReadWeight(matrix));
  return PackedMatrix(precision, values, bias, layout.inputs, layout.outputs, matrix.outputs_first);
}

/// Reads the weights of a model one after the other.
class WeightReader {
 public:
  WeightReader(const ModelDirectory& directory, NumberFormat precision)
      : directory_(directory), precision_(precision) {}

  Status Floats(WeightRole role, std::vector<float>& to) const {
    CONTINUO_ASSIGN(to, directory_.ReadWeight(directory_.table().Get(role)));
    return {};
  }
  /// A norm that the model may lack.
  Status ReadNorm(WeightRole role, int64_t layer, Norm& to) const {
    if (const Weight* scale = directory_.table().Find(role, layer)) {
      CONTINUO_ASSIGN(to.scale, directory_.ReadWeight(*scale));
    }
    if (const Weight* bias = directory_.table().FindBias(role, layer)) {
      CONTINUO_ASSIGN(to.bias, directory_.ReadWeight(*bias));
    }
    return {};
  }
  Status Matrices(Product product, int64_t layer, std::vector<PackedMatrix>& to) const {
    for (const Weight* matrix : directory_.table().Matrices(product, layer)) {
      CONTINUO_ASSIGN(PackedMatrix packed, LoadMatrix(directory_, *matrix, precision_));
      to.push_back(std::move(packed));
    }
    return {};
  }
  Status Matrix(Product product, int64_t layer, PackedMatrix& to) const {
    CONTINUO_ASSIGN(to, LoadMatrix(directory_, *directory_.table().Matrices(product, layer).at(0), precision_));
    return {};
  }

 private:
  const ModelDirectory& directory_;
  const NumberFormat precision_;
};

Result<Weights> LoadWeights(const ModelDirectory& directory, std::optional<NumberFormat> precision) {
  Weights weights;
  weights.config = directory.config();
  weights.precision = precision.value_or(StoredPrecision(directory));
  const WeightReader reader(directory, weights.precision);
  CONTINUO_TRY(reader.Floats(WeightRole::kTokens, weights.tokens));
  if (weights.config.block().positions == PositionKind::kLearned) {
    CONTINUO_TRY(reader.Floats(WeightRole::kPositions, weights.positions));
  } else {
    weights.rotary = MakeRotaryTable(weights.config);
  }
  weights.layers.resize(static_cast<size_t>(weights.config.layers));
  for (size_t i = 0; i < weights.layers.size(); ++i) {
    Layer& to = weights.layers[i];
    const auto layer = static_cast<int64_t>(i);
    CONTINUO_TRY(reader.ReadNorm(WeightRole::kAttentionNorm, layer, to.attention_norm));
    CONTINUO_TRY(reader.Matrices(Product::kQkv, layer, to.qkv));
    CONTINUO_TRY(reader.ReadNorm(WeightRole::kQueryNorm, layer, to.query_norm));
    CONTINUO_TRY(reader.ReadNorm(WeightRole::kKeyNorm, layer, to.key_norm));
    CONTINUO_TRY(reader.Matrix(Product::kAttentionOut, layer, to.attention_out));
    CONTINUO_TRY(reader.ReadNorm(WeightRole::kFeedNorm, layer, to.feed_norm));
    CONTINUO_TRY(reader.Matrices(Product::kFeed, layer, to.feed));
    CONTINUO_TRY(reader.Matrix(Product::kDown, layer, to.down));
  }
  CONTINUO_TRY(reader.ReadNorm(WeightRole::kFinalNorm, -1, weights.final_norm));
  CONTINUO_TRY(reader.Matrix(Product::kHead, -1, weights.head));
  return weights;
}

/// Keys and values [layers, kv_heads] of one sequence, each head's as a HeadCacheLayout says.
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

/// Rows at positions of one slot that follow each other.
struct RowRun {
  size_t row;
  size_t count;
};

/// Where a row's queries, keys and values lie: those of a head at `query` (or `key`, `value`) plus
/// the head's number times `stride`.
struct HeadPlaces {
  explicit HeadPlaces(const ModelConfig& config) {
    const auto dim = static_cast<size_t>(config.head_dim());
    const auto queries = static_cast<size_t>(config.query_width());
    const bool joined = config.block().joined_heads;
    stride = joined ? 3 * dim : dim;
    key = joined ? dim : queries;
    value = joined ? 2 * dim : queries + static_cast<size_t>(config.kv_width());
  }
  size_t stride, key, value;
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
        kv_heads_(static_cast<size_t>(weights.config.kv_heads())),
        head_dim_(static_cast<size_t>(weights.config.head_dim())),
        places_(weights.config),
        query_width_(heads_ * head_dim_),
        kv_width_(kv_heads_ * head_dim_),
        qkv_width_(query_width_ + 2 * kv_width_),
        inner_(static_cast<size_t>(weights.config.feed_width())),
        window_(static_cast<size_t>(weights.config.window)),
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

  /// Rounds the rows of x to what products of a precision take.
  void Prepare(const std::vector<float>& x, size_t rows, const PackedMatrix& w) {
    activations_.Reset(w.precision(), x.data(), rows, w.inputs());
    if (w.precision() != NumberFormat::kF32) {
      // Rounding a value costs about as much as two multiply-adds.
      Share(rows, 2 * rows * w.inputs(),
            [&](size_t first, size_t last, size_t) { PrepareRows(activations_, first, last); });
    }
  }

  void Multiply(const std::vector<float>& x, size_t rows, const PackedMatrix& w, MatMulMode mode, float* y) {
    Prepare(x, rows, w);
    Share(w.panels(), rows * w.inputs() * w.outputs(),
          [&](size_t first, size_t last, size_t) { MatMul(activations_, w, first, last, mode, y, w.outputs()); });
  }

  /// The product with matrices whose outputs, `stride` in all, lie side by side.
  void MultiplySideBySide(const std::vector<float>& x, size_t rows, const std::vector<PackedMatrix>& matrices, float* y,
                          size_t stride) {
    Prepare(x, rows, matrices.front());
    size_t panels = 0;
    for (const PackedMatrix& w : matrices) {
      panels += w.panels();
    }
    Share(panels, rows * matrices.front().inputs() * stride, [&](size_t first, size_t last, size_t) {
      size_t begin = 0;  // the matrix's first panel among all
      size_t column = 0;
      for (const PackedMatrix& w : matrices) {
        const size_t from = std::max(first, begin);
        const size_t to = std::min(last, begin + w.panels());
        if (from < to) {
          MatMul(activations_, w, from - begin, to - begin, MatMulMode::kStore, y + column, stride);
        }
        begin += w.panels();
        column += w.outputs();
      }
    });
  }

  /// The inner activations of the feed-forward part.
  void Feed(const std::vector<float>& x, size_t rows, const std::vector<PackedMatrix>& matrices, float* y) {
    if (matrices.size() == 1) {
      Multiply(x, rows, matrices[0], weights_.config.exact_gelu ? MatMulMode::kExactGelu : MatMulMode::kGelu, y);
      return;
    }
    const PackedMatrix& gate = matrices[0];
    const PackedMatrix& up = matrices[1];
    Prepare(x, rows, gate);
    Share(up.panels(), 2 * rows * up.inputs() * inner_, [&](size_t first, size_t last, size_t) {
      MatMul(activations_, gate, first, last, MatMulMode::kStore, y, inner_);
      MatMul(activations_, up, first, last, MatMulMode::kGate, y, inner_);
    });
  }

  void NormalizeRow(const float* x, const Norm& norm, size_t width, float* y) const {
    const auto epsilon = static_cast<float>(weights_.config.norm_epsilon);
    if (norm.bias.empty()) {
      RmsNorm(x, norm.scale.data(), width, epsilon, y);
    } else {
      LayerNorm(x, norm.scale.data(), norm.bias.data(), width, epsilon, y);
    }
  }

  void Normalize(const std::vector<float>& x, const Norm& norm, size_t rows, std::vector<float>& y) {
    // A value costs about as much as four multiply-adds.
    Share(rows, 4 * rows * width_, [&](size_t first, size_t last, size_t) {
      for (size_t row = first; row < last; ++row) {
        NormalizeRow(x.data() + row * width_, norm, width_, y.data() + row * width_);
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
    attended_.resize(rows * query_width_);
    qkv_.resize(rows * qkv_width_);
    expanded_.resize(rows * inner_);
    for (size_t row = 0; row < rows; ++row) {
      const float* token = weights_.tokens.data() + rows_[row].id * width_;
      float* to = hidden_.data() + row * width_;
      if (weights_.positions.empty()) {
        std::copy_n(token, width_, to);
      } else {
        const float* position = weights_.positions.data() + rows_[row].position * width_;
        std::transform(token, token + width_, position, to, std::plus<>());
      }
    }
    FindRuns();
    for (size_t layer = 0; layer < weights_.layers.size(); ++layer) {
      const Layer& w = weights_.layers[layer];
      Normalize(hidden_, w.attention_norm, rows, normal_);
      MultiplySideBySide(normal_, rows, w.qkv, qkv_.data(), qkv_width_);
      AttendRows(layer);
      if (weights_.config.parallel_residual) {  // the feed-forward part does not read what attention adds
        Normalize(hidden_, w.feed_norm, rows, normal_);
      }
      Multiply(attended_, rows, w.attention_out, MatMulMode::kAdd, hidden_.data());
      if (!weights_.config.parallel_residual) {
        Normalize(hidden_, w.feed_norm, rows, normal_);
      }
      Feed(normal_, rows, w.feed, expanded_.data());
      Multiply(expanded_, rows, w.down, MatMulMode::kAdd, hidden_.data());
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

  void FindRuns() {
    runs_.clear();
    for (size_t row = 0; row < rows_.size(); ++row) {
      if (row == 0 || rows_[row].slot != rows_[row - 1].slot || runs_.back().count == kMaxRun) {
        runs_.push_back({row, 0});
      }
      ++runs_.back().count;
    }
  }

  /// Norms a row's queries (or keys) of one head, and turns them by their position.
  void Place(const Norm& norm, size_t position, float* head) const {
    if (!norm.scale.empty()) {
      NormalizeRow(head, norm, head_dim_, head);
    }
    const size_t half = weights_.rotary.half;
    if (half > 0) {
      Rotate(head, weights_.rotary.cos.data() + position * half, weights_.rotary.sin.data() + position * half, half);
    }
  }

  /// Puts the rows' keys and values of one layer into the caches, then lets each row attend to its
  /// past.
  void AttendRows(size_t layer) {
    const Layer& w = weights_.layers[layer];
    const size_t key_bytes = cache_layout_.key_bytes();
    const size_t value_bytes = cache_layout_.value_bytes();
    const size_t group = heads_ / kv_heads_;  // query heads that share a head of keys and values
    // Rounding and spreading a value costs about as much as 16 multiply-adds, and so does turning a
    // query.
    Share(kv_heads_, 16 * rows_.size() * qkv_width_, [&](size_t first, size_t last, size_t) {
      for (size_t head = first; head < last; ++head) {
        for (size_t row = 0; row < rows_.size(); ++row) {
          Slot& slot = *rows_[row].slot;
          float* query = qkv_.data() + row * qkv_width_;
          float* key = query + places_.key + head * places_.stride;
          for (size_t i = head * group; i < (head + 1) * group; ++i) {
            Place(w.query_norm, rows_[row].position, query + i * places_.stride);
          }
          Place(w.key_norm, rows_[row].position, key);
          StoreInCache(cache_layout_, key, query + places_.value + head * places_.stride, rows_[row].position,
                       slot.keys.data() + (layer * kv_heads_ + head) * key_bytes,
                       slot.values.data() + (layer * kv_heads_ + head) * value_bytes);
        }
      }
    });
    size_t work = 0;
    for (const Row& row : rows_) {
      work += 2 * (window_ > 0 ? std::min(window_, row.position + 1) : row.position + 1) * query_width_;
    }
    // Query heads of one head of keys and values come after each other, then runs of one sequence,
    // so that they find keys and values in the cache.
    Share(runs_.size() * heads_, work, [&](size_t first, size_t last, size_t thread) {
      for (size_t i = first; i < last; ++i) {
        const size_t kv_head = i / (runs_.size() * group);
        const size_t head = kv_head * group + i % group;
        const auto [row, count] = runs_[i / group % runs_.size()];
        const Slot& slot = *rows_[row].slot;
        QueryRun run;
        run.query = qkv_.data() + row * qkv_width_ + head * places_.stride;
        run.stride = qkv_width_;
        run.count = count;
        run.length = rows_[row].position + 1;
        run.window = window_;
        run.out = attended_.data() + row * query_width_ + head * head_dim_;
        run.out_stride = query_width_;
        Attend(cache_layout_, run, slot.keys.data() + (layer * kv_heads_ + kv_head) * key_bytes,
               slot.values.data() + (layer * kv_heads_ + kv_head) * value_bytes, scratch_[thread]);
      }
    });
  }

  const Weights& weights_;
  ThreadPool* const pool_;
  const size_t width_;
  const size_t heads_;
  const size_t kv_heads_;
  const size_t head_dim_;
  const HeadPlaces places_;
  const size_t query_width_;
  const size_t kv_width_;
  const size_t qkv_width_;
  const size_t inner_;
  const size_t window_;
  const HeadCacheLayout cache_layout_;
  std::vector<AttentionScratch> scratch_;  // of each thread
  std::vector<Row> rows_;
  std::vector<RowRun> runs_;
  Activations activations_;
  // Activations, one row each: [rows, width], attended [rows, query_width], qkv [rows, qkv_width],
  // expanded [rows, feed_width].
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
    const size_t caches = weights.layers.size() * static_cast<size_t>(weights.config.kv_heads());
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
  void Truncate(size_t slot, size_t length) override {
    CONTINUO_CHECK(length <= slots_[slot].length);
    slots_[slot].length = length;
  }
  void Copy(size_t from, size_t to) override {
    const Slot& source = slots_[from];
    Slot& target = slots_[to];
    const size_t caches = weights_.layers.size() * static_cast<size_t>(weights_.config.kv_heads());
    for (size_t i = 0; i < caches; ++i) {
      const size_t keys = i * cache_layout_.key_bytes();
      const size_t values = i * cache_layout_.value_bytes();
      std::memmove(target.keys.data() + keys, source.keys.data() + keys, cache_layout_.KeyBytes(source.length));
      std::memmove(target.values.data() + values, source.values.data() + values,
                   cache_layout_.ValueBytes(source.length));
    }
    target.length = source.length;
  }

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

NumberFormat StoredPrecision(const ModelDirectory& directory) {
  const NumberFormat stored = directory.stored_format();
  return stored == NumberFormat::kF16 ? NumberFormat::kF32 : stored;
}

MemoryNeed EstimateMemory(const ModelConfig& config, NumberFormat precision) {
  MemoryNeed need;
  const WeightTable table(config);
  const auto context = static_cast<uint64_t>(config.context_length);
  need.weights = static_cast<uint64_t>(table.Get(WeightRole::kTokens).count()) * sizeof(float);
  if (const Weight* positions = table.Find(WeightRole::kPositions)) {
    need.weights += static_cast<uint64_t>(positions->count()) * sizeof(float);
  } else {
    need.weights += context * static_cast<uint64_t>(config.rotary_dim()) * sizeof(float);  // cosines and sines
  }
  for (const Weight* matrix : table.matrices()) {
    const auto count = static_cast<uint64_t>(matrix->count());
    // In 8 bits a scale of 2 bytes goes with each 64 weights.
    need.weights += precision == NumberFormat::kF32    ? count * 4
                    : precision == NumberFormat::kBf16 ? count * 2
                                                       : count + count / 32;
  }
  const HeadCacheLayout head(context, static_cast<size_t>(config.head_dim()), precision);
  need.sequence = static_cast<uint64_t>(config.layers) * static_cast<uint64_t>(config.kv_heads()) *
                  (head.key_bytes() + head.value_bytes());
  return need;
}

Result<std::unique_ptr<LanguageModel>> LoadCpuModel(const ModelDirectory& directory, const CpuModelOptions& options) {
  CONTINUO_ASSIGN(Weights weights, LoadWeights(directory, options.precision));
  return std::unique_ptr<LanguageModel>(std::make_unique<CpuModel>(std::move(weights), options.threads));
}

}  // namespace continuo
