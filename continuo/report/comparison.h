#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "continuo/results/snapshot.h"

namespace continuo {

/// The t with P(|T| <= t) = `level`, 0 < level < 1, for Student's distribution with `freedom` > 0
/// degrees of freedom.
double StudentQuantile(double level, double freedom);

/// The difference of two means and its uncertainty. NaN if a side has a single value or none.
struct Difference {
  double value = 0;    // mean of b - mean of a
  double error = 0;    // standard error
  double freedom = 0;  // degrees of freedom
  /// Half the width of the confidence interval of this level, for example 0.95.
  double HalfWidth(double level) const;
};

/// mean(b) - mean(a) with Welch's standard error, each cell having its own variance, and
/// Satterthwaite's degrees of freedom. The pieces of a cell are the random sample; trainings are
/// taken as fixed.
Difference Compare(std::span<const Summary> a, std::span<const Summary> b);

/// Two values of one axis of the grid compared in one metric, over cells that differ in nothing
/// else.
struct Contrast {
  std::string axis;  // epoch, model, tokenizer, ...
  std::string a;     // values of the axis
  std::string b;
  std::string within;  // values of other axes that all cells share: "gpt2"; empty: all cells
  std::string metric;
  size_t pairs = 0;  // of cells
  double mean_a = 0;
  double mean_b = 0;
  Difference difference;  // b - a
  double low = 0;         // 95 % interval of it
  double high = 0;
  /// Whether the interval excludes 0 even at the level that covers all contrasts of the axis
  /// together (Bonferroni), so that at most one study in 20 has a wrong one.
  bool clear = false;
};

/// Compares the values of each axis of the grid that has several:
/// - epoch: the first checkpoint with the last, for each run and for all;
/// - model: each pair, for each tokenizer and for all;
/// - tokenizer, and every other axis: each pair, for each model and for all.
/// Only cells count that are done and whose counterpart is done. Metrics that begin with "valid_"
/// are measured on the same songs in each cell, so more cells do not make them more certain: their
/// cells count as one.
std::vector<Contrast> CompareAxes(const ResultsSnapshot& data, std::span<const std::string_view> metrics);

/// What distinguishes each run from others of its model and tokenizer: "seed 2, transpose true".
/// Empty: nothing.
std::vector<std::string> RunVariants(const ResultsSnapshot& data);

/// A sentence about an axis of the grid and a metric. The axis "best" stands for the best cell of
/// the grid.
struct Finding {
  std::string axis;
  std::string metric;
  std::string text;
};

/// What is clear, as sentences: the contrasts over all cells, with the groups that clearly go the
/// other way; and how the highest cell in each metric that ranks by its highest value compares with
/// real music, if their intervals are disjoint.
std::vector<Finding> Findings(const ResultsSnapshot& data, std::span<const Contrast> contrasts);

}  // namespace continuo
