#include "continuo/model/model_config.h"

#include <fmt/ranges.h>

#include <algorithm>

#include "continuo/core/check.h"
#include "continuo/model/config_json.h"

namespace continuo {
namespace {

// Bounds far above any model's, so that no product of sizes overflows.
constexpr int64_t kMaxSize = int64_t{1} << 20;
// Each has a dozen entries in the table of weights, which is made before a file is looked at.
constexpr int64_t kMaxLayers = 4096;

Status CheckSize(std::string_view field, int64_t value, int64_t most = kMaxSize) {
  if (value < 1 || value > most) {
    return MakeError("{} is {}, expected 1 to {}", field, value, most);
  }
  return {};
}

constexpr ShapeKeys kGpt2Keys = {"n_positions", "n_embd",      "n_layer",           "n_head",
                                 "n_inner",     "resid_pdrop", "layer_norm_epsilon"};
constexpr ShapeKeys kLlamaKeys = {
    "max_position_embeddings", "hidden_size",       "num_hidden_layers", "num_attention_heads",
    "intermediate_size",       "attention_dropout", "rms_norm_eps"};
constexpr ShapeKeys kGptNeoXKeys = {"max_position_embeddings", "hidden_size",       "num_hidden_layers",
                                    "num_attention_heads",     "intermediate_size", "hidden_dropout",
                                    "layer_norm_eps"};

Status CheckRotary(const ModelConfig& config) {
  CONTINUO_TRY(CheckSize("num_key_value_heads", config.kv_heads()));
  CONTINUO_TRY(CheckSize("head_dim", config.head_dim()));
  if (config.heads % config.kv_heads() != 0) {
    return MakeError("num_attention_heads is {}, which num_key_value_heads, {}, doesn't divide", config.heads,
                     config.kv_heads());
  }
  if (config.rotary_dim() % 2 != 0) {
    return MakeError("{} is {}, expected an even number, since rotary positions rotate pairs",
                     config.rotary_width > 0 ? "head_dim x partial_rotary_factor" : "head_dim", config.rotary_dim());
  }
  if (config.rotary_width < 0 || config.rotary_dim() > config.head_dim()) {
    return MakeError("head_dim x partial_rotary_factor is {}, expected at most head_dim, {}", config.rotary_width,
                     config.head_dim());
  }
  if (config.query_width() > kMaxSize) {
    return MakeError("num_attention_heads x head_dim is {}, expected at most {}", config.query_width(), kMaxSize);
  }
  if (!(config.rope_theta >= 1.0 && config.rope_theta <= 1e12)) {
    return MakeError("rope_theta is {}, expected 1 to 1e12", config.rope_theta);
  }
  if (config.window < 0 || config.window > kMaxSize) {
    return MakeError("sliding_window is {}, expected 1 to {}, or null", config.window, kMaxSize);
  }
  const RopeScaling& scaling = config.rope_scaling;
  if (!(scaling.factor >= 1.0 && scaling.factor <= 1e6)) {
    return MakeError("rope_scaling: factor is {}, expected 1 to 1e6", scaling.factor);
  }
  if (scaling.kind == RopeScaling::Kind::kLlama3) {
    CONTINUO_TRY(CheckSize("rope_scaling: original_max_position_embeddings", scaling.original_context));
    if (!(scaling.low_frequency_factor > 0 && scaling.low_frequency_factor < scaling.high_frequency_factor &&
          scaling.high_frequency_factor <= 1e6)) {
      return MakeError("rope_scaling: low_freq_factor is {} and high_freq_factor {}, expected 0 < low < high",
                       scaling.low_frequency_factor, scaling.high_frequency_factor);
    }
  }
  return {};
}

}  // namespace

std::string_view ToString(Architecture architecture) {
  return kArchitectureNames[static_cast<size_t>(architecture)];
}

std::string_view ClassName(Architecture architecture) {
  constexpr std::array<std::string_view, kArchitectureNames.size()> kClasses = {
      "GPT2LMHeadModel",  "LlamaForCausalLM", "MistralForCausalLM",
      "Qwen2ForCausalLM", "Qwen3ForCausalLM", "GPTNeoXForCausalLM"};
  return kClasses[static_cast<size_t>(architecture)];
}

BlockKind BlockKindOf(Architecture architecture) {
  if (architecture == Architecture::kGpt2) {
    return {};
  }
  if (architecture == Architecture::kGptNeoX) {
    return {.positions = PositionKind::kRotary, .joined_heads = true};
  }
  return {.norm = NormKind::kRms,
          .positions = PositionKind::kRotary,
          .feed = FeedKind::kSwiGlu,
          .query_key_norm = architecture == Architecture::kQwen3};
}

int64_t ModelConfig::feed_width() const {
  if (inner_width > 0) {
    return inner_width;
  }
  constexpr int64_t kMultiple = 64;  // whole groups of 8-bit weights
  return block().feed == FeedKind::kGelu ? 4 * width : (8 * width / 3 + kMultiple - 1) / kMultiple * kMultiple;
}

Status CheckModelConfig(const ModelConfig& config) {
  const bool rotary = config.block().positions == PositionKind::kRotary;
  const ShapeKeys& names = ShapeKeysOf(config.architecture);
  CONTINUO_TRY(CheckSize("vocab_size", config.vocab_size));
  CONTINUO_TRY(CheckSize(names.context, config.context_length));
  CONTINUO_TRY(CheckSize(names.width, config.width));
  CONTINUO_TRY(CheckSize(names.layers, config.layers, kMaxLayers));
  CONTINUO_TRY(CheckSize(names.heads, config.heads));
  CONTINUO_TRY(CheckSize(names.inner, config.inner_width == 0 ? config.feed_width() : config.inner_width));
  if (config.head_width == 0 && config.width % config.heads != 0) {
    return MakeError("{} is {}, which {}, {}, doesn't divide", names.width, config.width, names.heads, config.heads);
  }
  if (rotary) {
    CONTINUO_TRY(CheckRotary(config));
  }
  if (!(config.dropout >= 0.0 && config.dropout < 1.0)) {
    return MakeError("{} is {}, expected 0 or more and less than 1", names.dropout, config.dropout);
  }
  if (!(config.norm_epsilon > 0.0 && config.norm_epsilon < 1.0)) {
    return MakeError("{} is {}, expected more than 0 and less than 1", names.epsilon, config.norm_epsilon);
  }
  return {};
}

Status RequireField(const ConfigJson& json, const char* key, const ConfigJson& expected, std::string_view name) {
  const auto found = json.find(key);
  if (found != json.end() && !found->is_null() && *found != expected) {
    return MakeError("{}: {} is {}, which is not supported, expected {}", name, key, found->dump(-1, ' ', true),
                     expected.dump());
  }
  return {};
}

Status RequireKeys(const ConfigJson& json, std::initializer_list<const char*> keys, std::string_view name) {
  for (const char* key : keys) {
    if (!json.contains(key)) {
      return MakeError("{}: has no {}", name, key);
    }
  }
  return {};
}

const ShapeKeys& ShapeKeysOf(Architecture architecture) {
  switch (architecture) {
    case Architecture::kGpt2:
      return kGpt2Keys;
    case Architecture::kGptNeoX:
      return kGptNeoXKeys;
    default:
      return kLlamaKeys;
  }
}

Status ReadShape(const ConfigJson& json, ModelConfig& config, std::string_view name) {
  const ShapeKeys& keys = ShapeKeysOf(config.architecture);
  CONTINUO_TRY(RequireKeys(json, {"vocab_size", keys.width, keys.layers, keys.heads}, name));
  if (config.architecture != Architecture::kGpt2) {
    CONTINUO_TRY(RequireKeys(json, {keys.inner, keys.context}, name));
  }
  CONTINUO_TRY(ReadField(json, "vocab_size", config.vocab_size, name));
  CONTINUO_TRY(ReadField(json, keys.context, config.context_length, name));
  CONTINUO_TRY(ReadField(json, keys.width, config.width, name));
  CONTINUO_TRY(ReadField(json, keys.layers, config.layers, name));
  CONTINUO_TRY(ReadField(json, keys.heads, config.heads, name));
  CONTINUO_TRY(ReadField(json, keys.inner, config.inner_width, name));
  CONTINUO_TRY(ReadField(json, keys.dropout, config.dropout, name));
  CONTINUO_TRY(ReadField(json, keys.epsilon, config.norm_epsilon, name));
  return ReadField(json, "tie_word_embeddings", config.tied_head, name);
}

ModelConfig Canonical(ModelConfig config) {
  ModelConfig defaults = config;
  defaults.inner_width = 0;
  config.inner_width = config.inner_width == defaults.feed_width() ? 0 : config.inner_width;
  config.kv_head_count = config.kv_head_count == config.heads ? 0 : config.kv_head_count;
  config.head_width = config.head_width * config.heads == config.width ? 0 : config.head_width;
  config.rotary_width = config.rotary_width == config.head_dim() ? 0 : config.rotary_width;
  config.window = config.window >= config.context_length ? 0 : config.window;
  return config;
}

Result<ModelConfig> ParseModelConfig(std::string_view text, std::string_view name) {
  const ConfigJson json = ConfigJson::parse(text, nullptr, /*allow_exceptions=*/false);
  if (json.is_discarded() || !json.is_object()) {
    return MakeError("{}: is not a JSON object", name);
  }
  const ConfigJson type = json.value("model_type", ConfigJson(ToString(Architecture::kGpt2)));
  const auto found = std::find(kArchitectureNames.begin(), kArchitectureNames.end(),
                               type.is_string() ? type.get<std::string>() : std::string());
  if (found == kArchitectureNames.end()) {
    return MakeError("{}: model_type is {}, which is not supported, expected {}", name, type.dump(-1, ' ', true),
                     fmt::join(kArchitectureNames, ", "));
  }
  const auto architecture = static_cast<Architecture>(found - kArchitectureNames.begin());
  CONTINUO_ASSIGN(const ModelConfig config, architecture == Architecture::kGpt2 ? ReadGpt2Config(json, name)
                                            : architecture == Architecture::kGptNeoX
                                                ? ReadGptNeoXConfig(json, name)
                                                : ReadLlamaConfig(json, architecture, name));
  if (const Status status = CheckModelConfig(config); !status.ok()) {
    return MakeError("{}: {}", name, status.error().message);
  }
  return Canonical(config);
}

std::string ModelConfigToJson(const ModelConfig& config, const std::optional<SequenceIds>& ids) {
  ConfigJson json = config.architecture == Architecture::kGpt2      ? WriteGpt2Config(config)
                    : config.architecture == Architecture::kGptNeoX ? WriteGptNeoXConfig(config)
                                                                    : WriteLlamaConfig(config);
  if (ids) {
    json["bos_token_id"] = ids->bos;
    json["eos_token_id"] = ids->eos;
    json["pad_token_id"] = ids->pad;
  }
  return json.dump(2) + "\n";
}

}  // namespace continuo
