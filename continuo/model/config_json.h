#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string_view>
#include <type_traits>

#include "continuo/model/model_config.h"

// How model_config.cc reads and writes config.json: one pair of functions per family.
namespace continuo {

using ConfigJson = nlohmann::ordered_json;

/// Reads `key` into `value` if the object has it and it isn't null.
template <typename T>
Status ReadField(const ConfigJson& json, const char* key, T& value, std::string_view name) {
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
Status RequireField(const ConfigJson& json, const char* key, const ConfigJson& expected, std::string_view name);
/// Fails if a setting without a default is missing.
Status RequireKeys(const ConfigJson& json, std::initializer_list<const char*> keys, std::string_view name);

/// The configuration of GPT2LMHeadModel.
Result<ModelConfig> ReadGpt2Config(const ConfigJson& json, std::string_view name);
ConfigJson WriteGpt2Config(const ModelConfig& config);
/// That of GPTNeoXForCausalLM.
Result<ModelConfig> ReadGptNeoXConfig(const ConfigJson& json, std::string_view name);
ConfigJson WriteGptNeoXConfig(const ModelConfig& config);
/// Those of Llama and its kin.
Result<ModelConfig> ReadLlamaConfig(const ConfigJson& json, Architecture architecture, std::string_view name);
ConfigJson WriteLlamaConfig(const ModelConfig& config);

/// The keys of config.json for what all families have.
struct ShapeKeys {
  const char *context, *width, *layers, *heads, *inner, *dropout, *epsilon;
};
const ShapeKeys& ShapeKeysOf(Architecture architecture);

/// Reads those, vocab_size and tie_word_embeddings. Fails if a size without a default is missing.
Status ReadShape(const ConfigJson& json, ModelConfig& config, std::string_view name);

/// What several families write alike: rope_theta and rope_scaling, or since release 5
/// rope_parameters, which holds both. `partial`, unless null, takes the part of each head that is
/// rotated; else all of it must be.
Status ReadRotary(const ConfigJson& json, ModelConfig& config, double* partial, std::string_view name);
ConfigJson RopeScalingJson(const RopeScaling& scaling);

}  // namespace continuo
