#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "continuo/core/result.h"

namespace continuo {

/// A family of models, as `transformers` names it. It decides what a block is made of (BlockKind)
/// and the names of weights (WeightTable).
enum class Architecture : uint8_t { kGpt2, kLlama, kMistral, kQwen2, kQwen3, kGptNeoX };
/// By Architecture: model_type in config.json.
inline constexpr std::array<std::string_view, 6> kArchitectureNames = {"gpt2",  "llama", "mistral",
                                                                       "qwen2", "qwen3", "gpt_neox"};
/// "llama"
std::string_view ToString(Architecture architecture);
/// "LlamaForCausalLM", the class of `transformers`.
std::string_view ClassName(Architecture architecture);

enum class NormKind : uint8_t {
  kLayer,  // (x - mean) / sqrt(variance + epsilon) * scale + bias
  kRms,    // x / sqrt(mean of squares + epsilon) * scale
};
enum class PositionKind : uint8_t {
  kLearned,  // a vector per position, added to the token's
  kRotary,   // queries and keys are rotated by their position: Su et al., arXiv:2104.09864
};
enum class FeedKind : uint8_t {
  kGelu,    // down(gelu(up(x))): ModelConfig::exact_gelu
  kSwiGlu,  // down(silu(gate(x)) * up(x)): Shazeer, arXiv:2002.05202
};

/// What the blocks of an architecture are made of.
struct BlockKind {
  NormKind norm = NormKind::kLayer;
  PositionKind positions = PositionKind::kLearned;
  FeedKind feed = FeedKind::kGelu;
  bool query_key_norm = false;  // each head's queries and keys are normed before they are rotated
  bool joined_heads = false;    // kQkv gives each head's query, key and value side by side, one head after the other
};
BlockKind BlockKindOf(Architecture architecture);

/// Frequencies of rotary positions for a context longer than the one of pre-training.
struct RopeScaling {
  enum class Kind : uint8_t {
    kNone,
    kLinear,  // all frequencies / factor
    kLlama3,  // low frequencies / factor, high ones kept, those between interpolated
  };
  Kind kind = Kind::kNone;
  double factor = 1;
  // Of kLlama3: the periods, as fractions of the original context, between which to interpolate.
  double low_frequency_factor = 1;
  double high_frequency_factor = 4;
  int64_t original_context = 8192;
  bool operator==(const RopeScaling&) const = default;
};

/// Shape of a model, with the defaults of the study (GPT-2 small).
struct ModelConfig {
  Architecture architecture = Architecture::kGpt2;
  int64_t vocab_size = 0;
  int64_t context_length = 1024;
  int64_t width = 768;
  int64_t layers = 12;
  int64_t heads = 12;
  int64_t inner_width = 0;  // of the feed-forward part; 0: see feed_width()
  double dropout = 0.1;     // training only
  double norm_epsilon = 1e-5;
  bool tied_head = true;  // the head's weight is the token embedding

  // Architectures with rotary positions only.
  int64_t kv_head_count = 0;  // heads of keys and values, which divide `heads`; 0: as many as `heads`
  int64_t head_width = 0;     // width of a head; 0: width / heads
  double rope_theta = 10000;
  int64_t rotary_width = 0;  // of each head the first dimensions, which are rotated; 0: all
  RopeScaling rope_scaling;
  int64_t window = 0;  // a position attends to itself and the window - 1 before it; 0: to all before it
  bool qkv_bias = false;
  bool attention_out_bias = false;
  bool feed_bias = false;

  // GPT-NeoX only.
  bool exact_gelu = false;         // gelu by the normal distribution, else in its tanh form
  bool parallel_residual = false;  // attention and the feed-forward part both read what the block was given

  BlockKind block() const { return BlockKindOf(architecture); }
  int64_t head_dim() const { return head_width > 0 ? head_width : width / heads; }
  int64_t rotary_dim() const { return rotary_width > 0 ? rotary_width : head_dim(); }
  int64_t kv_heads() const { return kv_head_count > 0 ? kv_head_count : heads; }
  /// Query heads that share a head of keys and values.
  int64_t heads_per_kv() const { return heads / kv_heads(); }
  /// Width of all queries, and of all keys (or values).
  int64_t query_width() const { return heads * head_dim(); }
  int64_t kv_width() const { return kv_heads() * head_dim(); }
  /// inner_width if set. Else that of about 8 width^2 weights: 4 x width; with SwiGLU, which has
  /// three matrices instead of two, 8/3 x width, rounded up to a multiple of 64.
  int64_t feed_width() const;
  bool operator==(const ModelConfig&) const = default;
};

/// The ids that frame what a model reads, for programs that write with it by its configuration
/// alone.
struct SequenceIds {
  int64_t bos = 0;
  int64_t eos = 0;
  int64_t pad = 0;
};

/// Fails, naming the field of config.json, unless sizes are positive, within bounds, and fit each
/// other.
Status CheckModelConfig(const ModelConfig& config);

/// The same shape with 0 for each size that has the value of its default, so that equal shapes
/// compare as equal. ParseModelConfig returns such.
ModelConfig Canonical(ModelConfig config);

/// Hugging Face's config.json of GPT2LMHeadModel, LlamaForCausalLM, MistralForCausalLM,
/// Qwen2ForCausalLM or Qwen3ForCausalLM. `name` stands for the file in messages. Settings that
/// would change the function and that we don't compute (another activation, another kind of rope
/// scaling, ...) are refused by name.
Result<ModelConfig> ParseModelConfig(std::string_view json, std::string_view name);
std::string ModelConfigToJson(const ModelConfig& config, const std::optional<SequenceIds>& ids = {});

}  // namespace continuo
