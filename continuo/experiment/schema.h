#pragma once

#include <string_view>

namespace continuo {

/// What results.db holds, table by table: docs/formats/results.md. A file of another version is
/// refused.
inline constexpr int kResultsVersion = 1;

/// The statements that make an empty results.db of kResultsVersion.
std::string_view ResultsSchema();

}  // namespace continuo
