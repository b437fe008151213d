#include <string>

#include "continuo/model/config_json.h"

namespace continuo {
namespace {

/// "linear" or "llama3" with its numbers; "default" and null scale nothing.
Status ReadRopeScaling(const ConfigJson& json, const char* key, RopeScaling& scaling, std::string_view name) {
  // Releases before 4.45 call it "type".
  const ConfigJson type = json.value("rope_type", json.value("type", ConfigJson("default")));
  if (type == "default") {
    return {};
  }
  const std::string place = fmt::format("{}: {}", name, key);
  scaling = {};
  if (type == "linear") {
    scaling.kind = RopeScaling::Kind::kLinear;
  } else if (type == "llama3") {
    scaling.kind = RopeScaling::Kind::kLlama3;
    CONTINUO_TRY(RequireKeys(json, {"low_freq_factor", "high_freq_factor", "original_max_position_embeddings"}, place));
    CONTINUO_TRY(ReadField(json, "low_freq_factor", scaling.low_frequency_factor, place));
    CONTINUO_TRY(ReadField(json, "high_freq_factor", scaling.high_frequency_factor, place));
    CONTINUO_TRY(ReadField(json, "original_max_position_embeddings", scaling.original_context, place));
  } else {
    return MakeError("{}: rope_type is {}, which is not supported, expected default, linear or llama3", place,
                     type.dump(-1, ' ', true));
  }
  CONTINUO_TRY(RequireKeys(json, {"factor"}, place));
  return ReadField(json, "factor", scaling.factor, place);
}

}  // namespace

Status ReadRotary(const ConfigJson& json, ModelConfig& config, double* partial, std::string_view name) {
  const auto read_partial = [partial](const ConfigJson& from, std::string_view place) {
    return partial != nullptr ? ReadField(from, "partial_rotary_factor", *partial, place)
                              : RequireField(from, "partial_rotary_factor", 1.0, place);
  };
  CONTINUO_TRY(read_partial(json, name));
  CONTINUO_TRY(ReadField(json, "rope_theta", config.rope_theta, name));
  for (const char* key : {"rope_scaling", "rope_parameters"}) {
    const auto found = json.find(key);
    if (found == json.end() || found->is_null()) {
      continue;
    }
    if (!found->is_object()) {
      return MakeError("{}: {} is {}, expected an object", name, key, found->type_name());
    }
    const std::string place = fmt::format("{}: {}", name, key);
    CONTINUO_TRY(ReadField(*found, "rope_theta", config.rope_theta, place));
    CONTINUO_TRY(read_partial(*found, place));
    CONTINUO_TRY(ReadRopeScaling(*found, key, config.rope_scaling, name));
  }
  return {};
}

ConfigJson RopeScalingJson(const RopeScaling& scaling) {
  switch (scaling.kind) {
    case RopeScaling::Kind::kNone:
      break;
    case RopeScaling::Kind::kLinear:
      return {{"rope_type", "linear"}, {"factor", scaling.factor}};
    case RopeScaling::Kind::kLlama3:
      return {{"rope_type", "llama3"},
              {"factor", scaling.factor},
              {"low_freq_factor", scaling.low_frequency_factor},
              {"high_freq_factor", scaling.high_frequency_factor},
              {"original_max_position_embeddings", scaling.original_context}};
  }
  return nullptr;
}

}  // namespace continuo
