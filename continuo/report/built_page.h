#pragma once

#include <string_view>

namespace continuo {

/// web/report/dist/report.html, as it was when the program was built.
std::string_view BuiltPage();

}  // namespace continuo
