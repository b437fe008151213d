#include "continuo/model/config_json.h"

#include <utility>

namespace continuo {

Result<ModelConfig> ReadGpt2Config(const ConfigJson& given, std::string_view name) {
  ConfigJson json = given;
  // The names that GPT2Config of `transformers` takes for others (attribute_map).
  for (const auto& [alias, key] : {std::pair("hidden_size", "n_embd"),
                                   {"num_hidden_layers", "n_layer"},
                                   {"num_attention_heads", "n_head"},
                                   {"max_position_embeddings", "n_positions"}}) {
    if (json.contains(alias) && !json.contains(key)) {
      json[key] = json[alias];
    }
  }
  const auto activation = json.find("activation_function");
  if (activation != json.end() && *activation != "gelu_new" && *activation != "gelu_pytorch_tanh" &&
      *activation != "gelu_fast") {
    return MakeError("{}: activation_function is {}, which is not supported, expected \"gelu_new\"", name,
                     activation->dump(-1, ' ', true));
  }
  CONTINUO_TRY(RequireField(json, "scale_attn_weights", true, name));
  CONTINUO_TRY(RequireField(json, "scale_attn_by_inverse_layer_idx", false, name));
  CONTINUO_TRY(RequireField(json, "add_cross_attention", false, name));
  ModelConfig config;
  CONTINUO_TRY(ReadShape(json, config, name));
  return config;
}

ConfigJson WriteGpt2Config(const ModelConfig& config) {
  ConfigJson json = {{"architectures", {ClassName(config.architecture)}},
                     {"model_type", ToString(config.architecture)},
                     {"activation_function", "gelu_new"},
                     {"vocab_size", config.vocab_size},
                     {"n_positions", config.context_length},
                     {"n_embd", config.width},
                     {"n_layer", config.layers},
                     {"n_head", config.heads},
                     {"n_inner", nullptr},
                     {"attn_pdrop", config.dropout},
                     {"embd_pdrop", config.dropout},
                     {"resid_pdrop", config.dropout},
                     {"layer_norm_epsilon", config.norm_epsilon},
                     {"initializer_range", 0.02},
                     {"tie_word_embeddings", config.tied_head},
                     {"scale_attn_weights", true},
                     {"use_cache", true}};
  if (config.inner_width > 0) {
    json["n_inner"] = config.inner_width;
  }
  return json;
}

}  // namespace continuo
