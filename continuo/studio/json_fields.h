#pragma once

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "continuo/core/result.h"
#include "continuo/studio/base64.h"

namespace continuo {

/// Reads the fields of a request's JSON object, and at the end refuses those that nothing read.
class JsonFields {
 public:
  explicit JsonFields(const nlohmann::ordered_json& object) : object_(object) {}

  bool Has(const std::string& name) const { return object_.contains(name); }

  /// A whole number in a range, which may be written as 8.0; `missing` where the field is not
  /// there.
  Result<uint64_t> Integer(const std::string& name, uint64_t least, uint64_t most, std::optional<uint64_t> missing) {
    const nlohmann::ordered_json* value = Find(name);
    if (value == nullptr) {
      return missing ? Result<uint64_t>(*missing) : MakeError("{} is missing", name);
    }
    const std::optional<uint64_t> number = Whole(*value);
    if (!number || *number < least || *number > most) {
      return MakeError("{} is {}, expected a whole number from {} to {}", name, Text(*value), least, most);
    }
    return *number;
  }

  /// A finite number, if the field is there.
  Result<std::optional<double>> Number(const std::string& name) {
    const nlohmann::ordered_json* value = Find(name);
    if (value == nullptr) {
      return std::optional<double>();
    }
    if (!value->is_number() || !std::isfinite(value->get<double>())) {
      return MakeError("{} is {}, expected a number", name, Text(*value));
    }
    return std::optional(value->get<double>());
  }

  Result<bool> Flag(const std::string& name, bool missing) {
    const nlohmann::ordered_json* value = Find(name);
    if (value != nullptr && !value->is_boolean()) {
      return MakeError("{} is {}, expected true or false", name, Text(*value));
    }
    return value == nullptr ? missing : value->get<bool>();
  }

  /// A text; `missing` where the field is not there.
  Result<std::string> String(const std::string& name, size_t most_characters, std::string missing = {}) {
    const nlohmann::ordered_json* value = Find(name);
    if (value == nullptr) {
      return missing;
    }
    if (!value->is_string() || Characters(value->get_ref<const std::string&>()) > most_characters) {
      return MakeError("{} is {}, expected a text of at most {} characters", name, Text(*value), most_characters);
    }
    return value->get<std::string>();
  }

  /// One of some words; the first where the field is not there.
  Result<std::string> OneOf(const std::string& name, const std::vector<std::string>& words) {
    const nlohmann::ordered_json* value = Find(name);
    if (value == nullptr) {
      return words.front();
    }
    if (!value->is_string() || std::find(words.begin(), words.end(), value->get<std::string>()) == words.end()) {
      return MakeError("{} is {}, expected one of: {}", name, Text(*value), fmt::join(words, ", "));
    }
    return value->get<std::string>();
  }

  /// A text, or a number as text; empty where the field is not there.
  Result<std::string> NumberOrText(const std::string& name, size_t most_bytes) {
    const auto found = object_.find(name);
    if (found != object_.end() && found->is_number()) {
      read_.insert(name);
      return Text(*found);
    }
    return String(name, most_bytes);
  }

  /// Texts or whole numbers, one or a list of at most `most`, as texts.
  Result<std::vector<std::string>> Texts(const std::string& name, size_t most, size_t most_bytes) {
    const nlohmann::ordered_json* value = Find(name);
    std::vector<std::string> texts;
    if (value == nullptr) {
      return texts;
    }
    const nlohmann::ordered_json one = nlohmann::ordered_json::array({*value});
    const nlohmann::ordered_json& list = value->is_array() ? *value : one;
    for (const nlohmann::ordered_json& text : list) {
      const bool fits = text.is_string() && text.get_ref<const std::string&>().size() <= most_bytes;
      const std::optional<uint64_t> number = Whole(text);
      if ((!fits && !number) || list.size() > most) {
        return MakeError(
            "{} is {}, expected a text of at most {} bytes, a whole number, or a list of at most {} of them", name,
            Text(*value), most_bytes, most);
      }
      texts.push_back(fits ? text.get<std::string>() : fmt::to_string(*number));
    }
    return texts;
  }

  /// Bytes in base64.
  Result<std::vector<uint8_t>> Bytes(const std::string& name) {
    const nlohmann::ordered_json* value = Find(name);
    if (value == nullptr) {
      return MakeError("{} is missing, expected a file in base64", name);
    }
    std::optional<std::vector<uint8_t>> bytes;
    if (value->is_string()) {
      bytes = DecodeBase64(value->get_ref<const std::string&>());
    }
    if (!bytes) {
      return MakeError("{} is not base64, expected a file in base64 (RFC 4648, with padding)", name);
    }
    return *std::move(bytes);
  }

  /// Fails, naming it, on a field that was not read.
  Status Finish() {
    for (const auto& [name, value] : object_.items()) {
      if (!read_.contains(name)) {
        return MakeError("{} is no field of this request", name.substr(0, 100));
      }
    }
    finished_ = true;
    return {};
  }
  /// Whether Finish succeeded: all fields are what they should be.
  bool finished() const { return finished_; }

 private:
  const nlohmann::ordered_json* Find(const std::string& name) {
    read_.insert(name);
    const auto found = object_.find(name);
    return found == object_.end() ? nullptr : &*found;
  }
  static std::optional<uint64_t> Whole(const nlohmann::ordered_json& value) {
    if (value.is_number_unsigned()) {
      return value.get<uint64_t>();
    }
    constexpr double kBeyond = 18446744073709551616.0;  // 2^64
    if (value.is_number_float()) {
      const double number = value.get<double>();
      if (number >= 0 && number < kBeyond && number == std::floor(number)) {
        return static_cast<uint64_t>(number);
      }
    }
    return std::nullopt;
  }
  static size_t Characters(std::string_view utf8) {
    return static_cast<size_t>(
        std::count_if(utf8.begin(), utf8.end(), [](char byte) { return (static_cast<uint8_t>(byte) & 0xC0) != 0x80; }));
  }
  static std::string Text(const nlohmann::ordered_json& value) {
    if (value.is_structured()) {
      return value.type_name();
    }
    return value.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace).substr(0, 100);
  }

  const nlohmann::ordered_json& object_;
  std::set<std::string> read_;
  bool finished_ = false;
};

}  // namespace continuo
