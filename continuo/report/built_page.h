#pragma once

#include <string_view>

namespace continuo {

/// web/report/dist/report.html at the time of the build.
std::string_view BuiltPage();

}  // namespace continuo
