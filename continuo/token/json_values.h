#pragma once

#include <array>
#include <cstddef>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "continuo/core/result.h"
#include "continuo/token/tokenizer_config.h"

namespace continuo {

using Json = nlohmann::ordered_json;

Status CheckObject(const Json& value, const std::string& key);

// The values of a configuration as MidiTok writes them. ReadValue fails, naming the key, what it
// has and what is expected; the number is then undefined.

Status ReadValue(const Json& value, const std::string& key, bool& to);
/// Up to 2^24 in magnitude.
Status ReadValue(const Json& value, const std::string& key, int& to);
Status ReadValue(const Json& value, const std::string& key, double& to);
Status ReadValue(const Json& value, const std::string& key, std::string& to);
Status ReadValue(const Json& value, const std::string& key, std::vector<BeatRange>& to);
Status ReadValue(const Json& value, const std::string& key, std::vector<MeterRange>& to);
Status ReadValue(const Json& value, const std::string& key, std::vector<ChordMap>& to);

template <typename T>
Status ReadValue(const Json& value, const std::string& key, std::vector<T>& to) {
  if (!value.is_array()) {
    return MakeError("{} is {}, expected a list", key, value.type_name());
  }
  to.clear();
  for (const Json& item : value) {
    CONTINUO_TRY(ReadValue(item, key, to.emplace_back()));
  }
  return {};
}

template <typename T, size_t N>
Status ReadValue(const Json& value, const std::string& key, std::array<T, N>& to) {
  if (!value.is_array() || value.size() != N) {
    return MakeError("{} is {}, expected {} numbers", key,
                     value.is_array() ? fmt::format("a list of {}", value.size()) : value.type_name(), N);
  }
  for (size_t i = 0; i < N; ++i) {
    CONTINUO_TRY(ReadValue(value[i], key, to[i]));
  }
  return {};
}

template <typename T>
Status ReadValue(const Json& value, const std::string& key, std::optional<T>& to) {
  to.reset();
  return value.is_null() ? Status() : ReadValue(value, key, to.emplace());
}

/// Whole numbers are written without a point, as they come from MidiTok.
Json ToJson(double value);
Json ToJson(const std::vector<BeatRange>& ranges);
Json ToJson(const std::vector<MeterRange>& ranges);
Json ToJson(const std::vector<ChordMap>& chords);

template <size_t N>
Json ToJson(const std::array<double, N>& values) {
  Json list = Json::array();
  for (const double value : values) {
    list.push_back(ToJson(value));
  }
  return list;
}

template <typename T>
Json ToJson(const std::optional<T>& value) {
  return value ? Json(*value) : Json();
}

template <typename T>
Json ToJson(const T& value) {
  return value;
}

}  // namespace continuo
