#pragma once

#include <string_view>

#include "continuo/core/result.h"
#include "continuo/results/database.h"

namespace continuo {

/// The version of the tables of results.db: docs/formats/results.md. A file of another version is
/// refused.
inline constexpr int kResultsVersion = 1;

/// The statements that make an empty results.db of kResultsVersion.
std::string_view ResultsSchema();

/// Fails if a database is not a results.db, or one of another version.
Status CheckResultsVersion(Database& database);

}  // namespace continuo
