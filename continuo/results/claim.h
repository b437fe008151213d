#pragma once

#include <limits>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "continuo/core/result.h"
#include "continuo/results/cell.h"

namespace continuo {

/// How the value of a claim compares with what it is held against. kBetter and kWorse follow the
/// catalogue of metrics; where neither end of a metric is better, the better value is nearer to
/// real music. kNearer is nearer to real music for every metric.
enum class ClaimSense { kBetter, kWorse, kHigher, kLower, kNearer };
/// "better", "worse", "higher", "lower", "nearer".
std::string_view ToString(ClaimSense sense);
Result<ClaimSense> ParseClaimSense(std::string_view text);

/// A statement about an experiment, made before its results are known: the cells with these values
/// of an axis differ from those with other values in some metrics. The report holds it against the
/// results.
struct Claim {
  std::string text = {};
  SetKind kind = SetKind::kGrid;          // of the sets that it concerns: the grid, or continuations
  std::string axis = {};                  // checkpoint, model, tokenizer, corpus, sampling, ..., or a setting
  std::vector<std::string> value = {};    // of the axis, taken together
  std::vector<std::string> against = {};  // taken together; empty: each other value of the axis by itself
  std::vector<std::string> metrics = {};
  ClaimSense sense = ClaimSense::kBetter;
  bool relative = false;  // the difference as a share of what it is held against
  /// The claim is that the difference, positive in the direction of `sense`, lies in this range.
  double least = 0;
  double most = std::numeric_limits<double>::infinity();
  std::map<std::string, std::vector<std::string>> where = {};  // values of other axes; the others do not count
};

/// Claims as JSON, as results.db stores them in `meta`, and back. Text that is not a list of claims
/// is an Error.
std::string ClaimsToJson(const std::vector<Claim>& claims);
Result<std::vector<Claim>> ClaimsFromJson(std::string_view text);

}  // namespace continuo
