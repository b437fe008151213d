#include <cmath>

#include "continuo/model/config_json.h"

namespace continuo {
namespace {

/// gelu in one of its two forms.
Status ReadActivation(const ConfigJson& json, ModelConfig& config, std::string_view name) {
  const ConfigJson activation = json.value("hidden_act", ConfigJson("gelu"));
  config.exact_gelu = activation == "gelu" || activation == "gelu_python";
  if (!config.exact_gelu && activation != "gelu_new" && activation != "gelu_fast" &&
      activation != "gelu_pytorch_tanh") {
    return MakeError("{}: hidden_act is {}, which is not supported, expected \"gelu\", \"gelu_new\" or \"gelu_fast\"",
                     name, activation.dump(-1, ' ', true));
  }
  return {};
}

/// The part that makes `rotary_dim` dimensions of each head.
double PartialRotaryFactor(const ModelConfig& config) {
  const auto head_dim = static_cast<double>(config.head_dim());
  const auto rotary_dim = static_cast<double>(config.rotary_dim());
  const double part = rotary_dim / head_dim;
  return std::floor(head_dim * part) < rotary_dim ? std::nextafter(part, 2.0) : part;
}

}  // namespace

Result<ModelConfig> ReadGptNeoXConfig(const ConfigJson& json, std::string_view name) {
  CONTINUO_TRY(RequireField(json, "quantization_config", nullptr, name));
  ModelConfig config;
  config.architecture = Architecture::kGptNeoX;
  config.dropout = 0;
  config.tied_head = false;
  config.qkv_bias = true;
  config.feed_bias = true;
  config.parallel_residual = true;
  CONTINUO_TRY(ReadShape(json, config, name));
  CONTINUO_TRY(ReadField(json, "attention_bias", config.qkv_bias, name));
  config.attention_out_bias = config.qkv_bias;
  CONTINUO_TRY(ReadField(json, "use_parallel_residual", config.parallel_residual, name));
  CONTINUO_TRY(ReadActivation(json, config, name));
  double partial = 0.25;
  CONTINUO_TRY(ReadField(json, "rotary_pct", partial, name));
  CONTINUO_TRY(ReadField(json, "rotary_emb_base", config.rope_theta, name));
  CONTINUO_TRY(ReadRotary(json, config, &partial, name));
  if (!(partial > 0 && partial <= 1)) {
    return MakeError("{}: partial_rotary_factor (or rotary_pct) is {}, expected more than 0 and at most 1", name,
                     partial);
  }
  if (config.heads > 0 && config.width > 0) {
    config.rotary_width = static_cast<int64_t>(static_cast<double>(config.head_dim()) * partial);
    if (config.rotary_width < 2) {
      return MakeError("{}: partial_rotary_factor (or rotary_pct) is {}, which leaves nothing of a head of width {}",
                       name, partial, config.head_dim());
    }
  }
  return config;
}

ConfigJson WriteGptNeoXConfig(const ModelConfig& config) {
  return {{"architectures", {ClassName(config.architecture)}},
          {"model_type", ToString(config.architecture)},
          {"hidden_act", config.exact_gelu ? "gelu" : "gelu_new"},
          {"vocab_size", config.vocab_size},
          {"max_position_embeddings", config.context_length},
          {"hidden_size", config.width},
          {"num_hidden_layers", config.layers},
          {"num_attention_heads", config.heads},
          {"intermediate_size", config.feed_width()},
          {"attention_dropout", config.dropout},
          {"hidden_dropout", config.dropout},
          {"layer_norm_eps", config.norm_epsilon},
          {"rotary_emb_base", config.rope_theta},
          {"rotary_pct", PartialRotaryFactor(config)},
          {"rope_scaling", RopeScalingJson(config.rope_scaling)},
          {"attention_bias", config.qkv_bias},
          {"use_parallel_residual", config.parallel_residual},
          {"initializer_range", 0.02},
          {"tie_word_embeddings", config.tied_head},
          {"use_cache", true}};
}

}  // namespace continuo
