#include "continuo/report/page.h"

#include <string_view>

#include "continuo/core/check.h"
#include "continuo/report/built_page.h"

namespace continuo {
namespace {

// Marks the place of the data in the built page. It is not JSON, so that a page without data can
// report that.
constexpr std::string_view kPlace = "@CONTINUO_STUDY@";

}  // namespace

std::string JsonForScript(const nlohmann::ordered_json& json) {
  const std::string text = json.dump(-1, ' ', /*ensure_ascii=*/true, nlohmann::ordered_json::error_handler_t::replace);
  std::string safe;
  safe.reserve(text.size() + text.size() / 16);
  for (const char c : text) {
    switch (c) {  // in JSON these occur only inside strings
      case '<':
        safe += "\\u003c";
        break;
      case '>':
        safe += "\\u003e";
        break;
      case '&':
        safe += "\\u0026";
        break;
      default:
        safe += c;
    }
  }
  return safe;
}

std::string MakePage(const nlohmann::ordered_json& payload) {
  const std::string_view page = BuiltPage();
  const size_t place = page.find(kPlace);
  CONTINUO_CHECK(place != std::string_view::npos);
  std::string whole(page.substr(0, place));
  whole += JsonForScript(payload);
  whole += page.substr(place + kPlace.size());
  return whole;
}

}  // namespace continuo
