#pragma once

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

  /// A whole number in a range; `missing` where the field is not there.
  Result<uint64_t> Integer(const std::string& name, uint64_t least, uint64_t most, std::optional<uint64_t> missing) {
    const nlohmann::ordered_json* value = Find(name);
    if (value == nullptr) {
      return missing ? Result<uint64_t>(*missing) : MakeError("{} is missing", name);
    }
    if (!value->is_number_unsigned() || value->get<uint64_t>() < least || value->get<uint64_t>() > most) {
      return MakeError("{} is {}, expected a whole number from {} to {}", name, Text(*value), least, most);
    }
    return value->get<uint64_t>();
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

  Result<std::string> String(const std::string& name, size_t most_bytes) {
    const nlohmann::ordered_json* value = Find(name);
    if (value == nullptr) {
      return std::string();
    }
    if (!value->is_string() || value->get_ref<const std::string&>().size() > most_bytes) {
      return MakeError("{} is {}, expected a text of at most {} bytes", name, Text(*value), most_bytes);
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
  Status Finish() const {
    for (const auto& [name, value] : object_.items()) {
      if (!read_.contains(name)) {
        return MakeError("{} is no field of this request", name.substr(0, 100));
      }
    }
    return {};
  }

 private:
  const nlohmann::ordered_json* Find(const std::string& name) {
    read_.insert(name);
    const auto found = object_.find(name);
    return found == object_.end() ? nullptr : &*found;
  }
  static std::string Text(const nlohmann::ordered_json& value) {
    if (value.is_structured()) {
      return value.type_name();
    }
    return value.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace).substr(0, 100);
  }

  const nlohmann::ordered_json& object_;
  std::set<std::string> read_;
};

}  // namespace continuo
