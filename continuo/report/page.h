#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace continuo {

/// JSON as it may stand inside a script element of HTML: nothing in it can end the element or begin a comment, and it
/// is plain ASCII. Bytes that are no UTF-8 become U+FFFD.
std::string JsonForScript(const nlohmann::ordered_json& json);

/// The page with its data in it: one HTML file that needs nothing else.
std::string MakePage(const nlohmann::ordered_json& payload);

}  // namespace continuo
