#include "continuo/token/json_values.h"

#include <charconv>
#include <cmath>
#include <string_view>

namespace continuo {

namespace {

Status ParseInt(std::string_view text, const std::string& key, int& to) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), to);
  if (error != std::errc() || end != text.data() + text.size()) {
    return MakeError("{} has the key '{}', expected whole numbers", key, text);
  }
  return {};
}

}  // namespace

Status CheckObject(const Json& value, const std::string& key) {
  if (!value.is_object()) {
    return MakeError("{} is {}, expected an object", key, value.type_name());
  }
  return {};
}

Status ReadValue(const Json& value, const std::string& key, bool& to) {
  if (!value.is_boolean()) {
    return MakeError("{} is {}, expected true or false", key, value.dump());
  }
  to = value.get<bool>();
  return {};
}

Status ReadValue(const Json& value, const std::string& key, int& to) {
  if (!value.is_number_integer() || value.get<int64_t>() < -(1 << 24) || value.get<int64_t>() > (1 << 24) ||
      (value.is_number_unsigned() && value.get<uint64_t>() > (1 << 24))) {
    return MakeError("{} is {}, expected a whole number", key, value.dump());
  }
  to = static_cast<int>(value.get<int64_t>());
  return {};
}

Status ReadValue(const Json& value, const std::string& key, double& to) {
  if (!value.is_number() || !std::isfinite(value.get<double>())) {
    return MakeError("{} is {}, expected a number", key, value.dump());
  }
  to = value.get<double>();
  return {};
}

Status ReadValue(const Json& value, const std::string& key, std::string& to) {
  if (!value.is_string()) {
    return MakeError("{} is {}, expected text", key, value.dump());
  }
  to = value.get<std::string>();
  return {};
}

Status ReadValue(const Json& value, const std::string& key, std::vector<BeatRange>& to) {
  CONTINUO_TRY(CheckObject(value, key));
  to.clear();
  for (const auto& [name, resolution] : value.items()) {
    const std::string_view text = name;
    const size_t middle = text.find('_');
    if (middle == std::string_view::npos) {
      return MakeError("{} has the key '{}', expected FIRST_LAST", key, text);
    }
    BeatRange& range = to.emplace_back();
    CONTINUO_TRY(ParseInt(text.substr(0, middle), key, range.first));
    CONTINUO_TRY(ParseInt(text.substr(middle + 1), key, range.last));
    CONTINUO_TRY(ReadValue(resolution, key, range.resolution));
  }
  return {};
}

Status ReadValue(const Json& value, const std::string& key, std::vector<MeterRange>& to) {
  CONTINUO_TRY(CheckObject(value, key));
  to.clear();
  for (const auto& [name, numerators] : value.items()) {
    MeterRange& range = to.emplace_back();
    CONTINUO_TRY(ParseInt(name, key, range.denominator));
    CONTINUO_TRY(ReadValue(numerators, key, range.numerators));
  }
  return {};
}

Status ReadValue(const Json& value, const std::string& key, std::vector<ChordMap>& to) {
  CONTINUO_TRY(CheckObject(value, key));
  to.clear();
  for (const auto& [name, intervals] : value.items()) {
    ChordMap& chord = to.emplace_back();
    chord.name = name;
    CONTINUO_TRY(ReadValue(intervals, key, chord.intervals));
  }
  return {};
}

Json ToJson(double value) {
  return value == std::trunc(value) && std::abs(value) < 1e9 ? Json(static_cast<int64_t>(value)) : Json(value);
}

Json ToJson(const std::vector<BeatRange>& ranges) {
  Json result = Json::object();
  for (const BeatRange& range : ranges) {
    result[fmt::format("{}_{}", range.first, range.last)] = range.resolution;
  }
  return result;
}

Json ToJson(const std::vector<MeterRange>& ranges) {
  Json result = Json::object();
  for (const MeterRange& range : ranges) {
    result[std::to_string(range.denominator)] = range.numerators;
  }
  return result;
}

Json ToJson(const std::vector<ChordMap>& chords) {
  Json result = Json::object();
  for (const ChordMap& chord : chords) {
    result[chord.name] = chord.intervals;
  }
  return result;
}

}  // namespace continuo
