#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace continuo {

/// JSON that is safe inside a script element of HTML: nothing in it can end the element or begin a
/// comment, and it is plain ASCII. Bytes that are not UTF-8 become U+FFFD.
std::string JsonForScript(const nlohmann::ordered_json& json);

/// The page with its data: one HTML file that loads nothing.
std::string MakePage(const nlohmann::ordered_json& payload);

}  // namespace continuo
