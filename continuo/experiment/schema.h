#pragma once

#include <string_view>

namespace continuo {

/// What results.db holds, table by table: docs/formats/results.md. A change that readers of an older version would
/// trip over raises the version and brings a step for MigrateResults.
inline constexpr int kResultsVersion = 1;

/// The statements that make an empty results.db of kResultsVersion.
std::string_view ResultsSchema();

}  // namespace continuo
