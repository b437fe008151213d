#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "continuo/core/result.h"
#include "continuo/metrics/piece_set.h"
#include "continuo/metrics/set_distance.h"

namespace continuo {

/// What `eval` has measured.
struct EvalResult {
  MeasuredSet set;                     // not empty
  std::vector<SetDistance> distances;  // of the set from a reference set; empty: not asked for
  std::vector<CopiedRun> copies;       // of each piece; empty: not asked for
  std::vector<std::string> songs;      // CopiedRun::song is a place in it
};

/// Means and standard deviations by metric that an earlier `eval --json` printed.
struct EvalReference {
  std::string name;
  nlohmann::ordered_json mean;
  nlohmann::ordered_json deviation;
};

/// Fails on JSON that `eval --json` does not print. `path` names it in messages and in tables.
Result<EvalReference> ParseEvalReference(const std::string& json, const std::string& path);

/// The output of `eval --json`: values of every metric for each file, means over the files,
/// distances.
nlohmann::ordered_json EvalToJson(const EvalResult& result);

/// A table of the bar metrics with tabs and all digits: a header and one line per file, no line
/// break at the end.
std::string EvalToTsv(const EvalResult& result);

/// The tables for people, without a line break at the end. `describe`: also the description and the
/// key of each file.
std::string EvalToText(const EvalResult& result, const std::optional<EvalReference>& reference, bool describe);

}  // namespace continuo
