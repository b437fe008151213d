#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "continuo/model/int8_matrix.h"
#include "continuo/model/model_config.h"

namespace continuo {

/// What a weight does. Of a norm it is the scale; the bias that goes with a weight has the same
/// role.
enum class WeightRole : uint8_t {
  kTokens,         // embedding of ids
  kPositions,      // embedding of learned positions
  kAttentionNorm,  // before attention
  kQkv,            // to queries, keys and values, one after the other; or so of each head (BlockKind)
  kQuery,
  kKey,
  kValue,
  kQueryNorm,  // of each head
  kKeyNorm,
  kAttentionOut,
  kFeedNorm,  // before the feed-forward part
  kGate,      // SwiGLU's, to what silu takes
  kUp,        // to the feed-forward part's inner width
  kDown,      // and back
  kFinalNorm,
  kHead,  // to logits
};

/// For initialization, weight decay and the choice of optimizer.
enum class WeightKind : uint8_t {
  kEmbedding,
  kMatrix,
  kResidualMatrix,  // whose outputs are added to the residual stream
  kHeadMatrix,
  kBias,
  kNormScale,
};

/// The matrix products of a model. One is computed by one or several weights, whose outputs lie
/// side by side in the order of the table.
enum class Product : uint8_t { kQkv, kAttentionOut, kFeed, kDown, kHead };

/// A weight of a model.
struct Weight {
  WeightRole role = WeightRole::kTokens;
  int64_t layer = -1;  // of a block, else -1
  WeightKind kind = WeightKind::kEmbedding;
  std::string name;            // in `transformers`: "transformer.h.0.attn.c_attn.weight"
  std::vector<int64_t> shape;  // in files of floats
  bool outputs_first = false;  // a matrix lies as [outputs, inputs], else as [inputs, outputs]

  int64_t count() const;
  bool is_bias() const { return kind == WeightKind::kBias; }
  /// Whether it is the matrix of a product. Only these are stored in 8 bits.
  std::optional<Product> product() const;
  /// Of a product's matrix: its inputs and outputs.
  Int8Layout layout() const;
};

/// All weights of a model: the only place that knows their names and shapes. Immutable.
class WeightTable {
 public:
  explicit WeightTable(const ModelConfig& config);

  /// In the order in which files are written and a forward pass uses them. The head is there only
  /// if it is not tied.
  const std::vector<Weight>& weights() const& { return weights_; }
  std::vector<Weight> weights() && { return std::move(weights_); }
  /// The matrices of products in that order, the head last, tied or not. They are a model's bulk.
  std::vector<const Weight*> matrices() const;
  /// The matrices of one product; `layer` is -1 for the head.
  std::vector<const Weight*> Matrices(Product product, int64_t layer) const;

  /// The weight of a role, which must exist; outside of blocks `layer` is -1. The head is found
  /// whether or not it is tied.
  const Weight& Get(WeightRole role, int64_t layer = -1) const;
  /// Null if the model has none.
  const Weight* Find(WeightRole role, int64_t layer = -1) const;
  const Weight* FindBias(WeightRole role, int64_t layer = -1) const;
  /// The weight of a name, the tied head's among them; null if there is none.
  const Weight* FindName(std::string_view name) const;
  /// Its place in weights().
  size_t index(const Weight& weight) const { return static_cast<size_t>(&weight - weights_.data()); }

  int64_t parameter_count() const;

  /// The full name of a tensor in a file, whose name may lack the prefix of the base model
  /// ("transformer."). Empty for constants that old files hold: attention masks, frequencies of
  /// rotary positions.
  std::string FullName(const std::string& name) const;

 private:
  /// The weights of a block, or of all (-1).
  std::span<const Weight> InLayer(int64_t layer) const;

  Architecture architecture_;
  size_t blocks_begin_ = 0;  // the first block's first weight
  size_t block_size_ = 0;    // weights of a block
  std::vector<Weight> weights_;
  Weight head_;
};

/// The name of the tensor that holds an 8-bit matrix's scales.
std::string ScalesName(std::string_view matrix);

}  // namespace continuo
