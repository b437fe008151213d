#include "continuo/model/gpt2_config.h"

#include <cmath>
#include <nlohmann/json.hpp>

namespace continuo {
namespace {

using Json = nlohmann::ordered_json;

// Bounds far above any GPT-2's, so that no product of sizes overflows.
constexpr int64_t kMaxSize = int64_t{1} << 20;

Status CheckSize(std::string_view field, int64_t value) {
  if (value < 1 || value > kMaxSize) {
    return MakeError("{} is {}, expected 1 to {}", field, value, kMaxSize);
  }
  return {};
}

/// Reads `key` into `value` if the object has it and it isn't null.
template <typename T>
Status ReadField(const Json& json, const char* key, T& value, std::string_view name) {
  const auto found = json.find(key);
  if (found == json.end() || found->is_null()) {
    return {};
  }
  const bool fits = std::is_same_v<T, bool>      ? found->is_boolean()
                    : std::is_same_v<T, int64_t> ? found->is_number_integer()
                                                 : found->is_number();
  if (!fits) {
    return MakeError("{}: {} is {}, expected {}", name, key, found->type_name(),
                     std::is_same_v<T, bool> ? "true or false" : "a number");
  }
  value = found->template get<T>();
  return {};
}

/// Fails if a setting has another value than the one that we compute with.
Status RequireField(const Json& json, const char* key, const Json& expected, std::string_view name) {
  const auto found = json.find(key);
  if (found != json.end() && !found->is_null() && *found != expected) {
    return MakeError("{}: {} is {}, which is not supported, expected {}", name, key, found->dump(-1, ' ', true),
                     expected.dump());
  }
  return {};
}

}  // namespace

Status CheckGpt2Config(const Gpt2Config& config) {
  CONTINUO_TRY(CheckSize("vocab_size", config.vocab_size));
  CONTINUO_TRY(CheckSize("n_positions", config.context_length));
  CONTINUO_TRY(CheckSize("n_embd", config.width));
  CONTINUO_TRY(CheckSize("n_layer", config.layers));
  CONTINUO_TRY(CheckSize("n_head", config.heads));
  CONTINUO_TRY(CheckSize("n_inner", config.mlp_width()));
  if (config.width % config.heads != 0) {
    return MakeError("n_embd is {}, which n_head, {}, doesn't divide", config.width, config.heads);
  }
  if (!(config.dropout >= 0.0 && config.dropout < 1.0)) {
    return MakeError("dropout is {}, expected 0 or more and less than 1", config.dropout);
  }
  if (!(config.layer_norm_epsilon > 0.0 && config.layer_norm_epsilon < 1.0)) {
    return MakeError("layer_norm_epsilon is {}, expected more than 0 and less than 1", config.layer_norm_epsilon);
  }
  return {};
}

Result<Gpt2Config> ParseGpt2Config(std::string_view text, std::string_view name) {
  const Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (json.is_discarded() || !json.is_object()) {
    return MakeError("{}: is not a JSON object", name);
  }
  CONTINUO_TRY(RequireField(json, "model_type", "gpt2", name));
  const auto activation = json.find("activation_function");
  if (activation != json.end() && *activation != "gelu_new" && *activation != "gelu_pytorch_tanh") {
    return MakeError("{}: activation_function is {}, which is not supported, expected \"gelu_new\"", name,
                     activation->dump(-1, ' ', true));
  }
  CONTINUO_TRY(RequireField(json, "scale_attn_weights", true, name));
  CONTINUO_TRY(RequireField(json, "scale_attn_by_inverse_layer_idx", false, name));
  CONTINUO_TRY(RequireField(json, "add_cross_attention", false, name));

  Gpt2Config config;
  for (const char* required : {"vocab_size", "n_embd", "n_layer", "n_head"}) {
    if (!json.contains(required)) {
      return MakeError("{}: has no {}", name, required);
    }
  }
  CONTINUO_TRY(ReadField(json, "vocab_size", config.vocab_size, name));
  CONTINUO_TRY(ReadField(json, "n_positions", config.context_length, name));
  CONTINUO_TRY(ReadField(json, "n_embd", config.width, name));
  CONTINUO_TRY(ReadField(json, "n_layer", config.layers, name));
  CONTINUO_TRY(ReadField(json, "n_head", config.heads, name));
  CONTINUO_TRY(ReadField(json, "n_inner", config.inner_width, name));
  CONTINUO_TRY(ReadField(json, "resid_pdrop", config.dropout, name));
  CONTINUO_TRY(ReadField(json, "layer_norm_epsilon", config.layer_norm_epsilon, name));
  CONTINUO_TRY(ReadField(json, "tie_word_embeddings", config.tied_head, name));
  if (config.inner_width == 4 * config.width) {
    config.inner_width = 0;
  }
  if (const Status status = CheckGpt2Config(config); !status.ok()) {
    return MakeError("{}: {}", name, status.error().message);
  }
  return config;
}

std::string Gpt2ConfigToJson(const Gpt2Config& config, const std::optional<SequenceIds>& ids) {
  Json json = {{"architectures", {"GPT2LMHeadModel"}},
               {"model_type", "gpt2"},
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
               {"layer_norm_epsilon", config.layer_norm_epsilon},
               {"initializer_range", 0.02},
               {"tie_word_embeddings", config.tied_head},
               {"scale_attn_weights", true},
               {"use_cache", true}};
  if (config.inner_width > 0) {
    json["n_inner"] = config.inner_width;
  }
  if (ids) {
    json["bos_token_id"] = ids->bos;
    json["eos_token_id"] = ids->eos;
    json["pad_token_id"] = ids->pad;
  }
  return json.dump(2) + "\n";
}

}  // namespace continuo
