#include <algorithm>
#include <string>

#include "continuo/core/check.h"
#include "continuo/model/config_json.h"

namespace continuo {
namespace {

/// Biases: keys of Llama and Qwen3; the others' are fixed.
Status ReadBiases(const ConfigJson& json, ModelConfig& config, std::string_view name) {
  switch (config.architecture) {
    case Architecture::kMistral:
      return {};
    case Architecture::kQwen2:
      config.qkv_bias = true;
      return {};
    default:
      CONTINUO_TRY(ReadField(json, "attention_bias", config.qkv_bias, name));
      config.attention_out_bias = config.qkv_bias;
      return config.architecture == Architecture::kLlama ? ReadField(json, "mlp_bias", config.feed_bias, name)
                                                         : Status();
  }
}

/// The window of attention: Mistral's, in all layers. Qwen's would be that of some of the layers.
Status ReadWindow(const ConfigJson& json, ModelConfig& config, std::string_view name) {
  if (config.architecture == Architecture::kMistral) {
    constexpr int64_t kMistralWindow = 4096;
    config.window = json.contains("sliding_window") ? 0 : kMistralWindow;
    return ReadField(json, "sliding_window", config.window, name);
  }
  CONTINUO_TRY(RequireField(json, "use_sliding_window", false, name));
  const auto types = json.find("layer_types");
  if (types != json.end() && types->is_array()) {
    for (const ConfigJson& type : *types) {
      if (type != "full_attention") {
        return MakeError("{}: layer_types holds {}, which is not supported, expected \"full_attention\"", name,
                         type.dump(-1, ' ', true));
      }
    }
  }
  return {};
}

}  // namespace

Result<ModelConfig> ReadLlamaConfig(const ConfigJson& json, Architecture architecture, std::string_view name) {
  CONTINUO_TRY(RequireField(json, "hidden_act", "silu", name));
  CONTINUO_TRY(RequireField(json, "pretraining_tp", 1, name));
  for (const char* key : {"quantization_config", "num_local_experts", "attn_logit_softcapping",
                          "final_logit_softcapping", "clip_qkv", "layer_norm_eps"}) {
    CONTINUO_TRY(RequireField(json, key, nullptr, name));
  }
  // What is missing has another default in each family.
  if (architecture != Architecture::kLlama) {
    CONTINUO_TRY(RequireKeys(json, {"num_key_value_heads"}, name));
  }
  if (architecture == Architecture::kQwen3) {
    CONTINUO_TRY(RequireKeys(json, {"head_dim"}, name));
  }
  ModelConfig config;
  config.architecture = architecture;
  config.dropout = 0;
  config.norm_epsilon = 1e-6;
  config.tied_head = false;
  CONTINUO_TRY(ReadShape(json, config, name));
  CONTINUO_TRY(ReadField(json, "num_key_value_heads", config.kv_head_count, name));
  CONTINUO_TRY(ReadField(json, "head_dim", config.head_width, name));
  CONTINUO_TRY(ReadBiases(json, config, name));
  CONTINUO_TRY(ReadWindow(json, config, name));
  CONTINUO_TRY(ReadRotary(json, config, /*partial=*/nullptr, name));
  if (config.kv_head_count < 0 || config.head_width < 0) {
    return MakeError("{}: {} is negative", name, config.kv_head_count < 0 ? "num_key_value_heads" : "head_dim");
  }
  return config;
}

ConfigJson WriteLlamaConfig(const ModelConfig& config) {
  ConfigJson json = {{"architectures", {ClassName(config.architecture)}},
                     {"model_type", ToString(config.architecture)},
                     {"hidden_act", "silu"},
                     {"vocab_size", config.vocab_size},
                     {"max_position_embeddings", config.context_length},
                     {"hidden_size", config.width},
                     {"num_hidden_layers", config.layers},
                     {"num_attention_heads", config.heads},
                     {"num_key_value_heads", config.kv_heads()},
                     {"head_dim", config.head_dim()},
                     {"intermediate_size", config.feed_width()},
                     {"attention_dropout", config.dropout},
                     {"rms_norm_eps", config.norm_epsilon},
                     {"rope_theta", config.rope_theta},
                     {"rope_scaling", RopeScalingJson(config.rope_scaling)},
                     {"initializer_range", 0.02},
                     {"tie_word_embeddings", config.tied_head},
                     {"use_cache", true}};
  if (config.architecture == Architecture::kMistral) {
    json["sliding_window"] = config.window > 0 ? ConfigJson(config.window) : ConfigJson(nullptr);
  }
  if (config.architecture == Architecture::kLlama || config.architecture == Architecture::kQwen3) {
    json["attention_bias"] = config.qkv_bias;
  }
  if (config.architecture == Architecture::kLlama) {
    json["mlp_bias"] = config.feed_bias;
  }
  return json;
}

}  // namespace continuo
