#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "continuo/core/result.h"
#include "continuo/metrics/piece_set.h"
#include "continuo/metrics/set_distance.h"
#include "continuo/metrics/two_sample.h"

namespace continuo {

/// What `eval` has measured.
struct EvalResult {
  MeasuredSet set;                 // not empty
  std::vector<CopiedRun> copies;   // of each piece; empty: not asked for
  std::vector<std::string> songs;  // CopiedRun::song is a place in it
  // The reference set, and how the set differs from it. Not set: not asked for.
  std::optional<MeasuredSet> reference;
  std::vector<SetDistance> distances;
  std::optional<Result<TwoSample>> two_sample;  // an error says why there is none
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
