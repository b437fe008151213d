#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "continuo/results/claim.h"
#include "continuo/results/snapshot.h"

namespace continuo {

/// What results say of a claim. kOpen: they cannot decide it.
enum class Verdict { kHolds, kFails, kOpen };
/// "holds", "does not hold", "cannot be decided".
std::string_view ToString(Verdict verdict);

/// One comparison of a claim in one metric.
struct ClaimPart {
  std::string metric;
  std::string value;  // of the axis, as in "10, 30"
  std::string against;
  double mean_value = 0;  // of the metric
  double mean_against = 0;
  size_t trainings = 0;   // that the comparison rests on
  double difference = 0;  // positive in the direction of the claim; a share if the claim is relative
  double low = 0;         // its interval
  double high = 0;
  double published = 0;  // the same difference in the published values; NaN if there is none
  Verdict verdict = Verdict::kOpen;
};

struct ClaimResult {
  Claim claim;
  std::vector<ClaimPart> parts;
  Verdict verdict = Verdict::kOpen;
  std::string note;  // what the intervals do not cover, or why nothing can be said
};

/// Holds claims against results.
///
/// A claim has a part for each metric and each comparison, and states that all of them are true. A
/// part states that a difference lies in a range, by default above 0. It holds if its whole 95 %
/// interval lies inside the range. It does not hold if the interval lies outside, at a level that
/// covers all parts of the claim together (Bonferroni). Else it cannot be decided. A claim holds if
/// all its parts hold, and does not hold if one of them does not.
///
/// The difference is the mean over all cells that have a counterpart which differs in the axis
/// alone; the seeds of a cell are averaged first. The axes checkpoint, sampling, window and prompt
/// are compared within each training.
///
/// The interval is Student's. If some cells ran with several seeds, the variance of each training
/// is what seeds differ by, pooled over all of these cells, with their degrees of freedom, and at
/// least the variance of its pieces. If none did, it is that of the pieces alone (deviation^2 /
/// count of each set; of the AUC, from its bootstrap interval; Satterthwaite's degrees of freedom),
/// and the note says so. Metrics that begin with "valid_" are measured on the same songs
/// everywhere: with several seeds their variance is that of the seeds, so a claim about them
/// concerns these songs; else it is that of the songs.
std::vector<ClaimResult> EvaluateClaims(const ResultsSnapshot& data, std::span<const Claim> claims);

}  // namespace continuo
