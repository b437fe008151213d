#include "continuo/results/rows.h"

#include <nlohmann/json.hpp>

namespace continuo {

std::map<std::string, std::string> ScalarFields(const std::string& text) {
  std::map<std::string, std::string> fields;
  const nlohmann::json json = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (json.is_object()) {
    for (const auto& [key, value] : json.items()) {
      if (value.is_string() || value.is_number() || value.is_boolean()) {
        fields[key] = value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
      }
    }
  }
  return fields;
}

}  // namespace continuo
