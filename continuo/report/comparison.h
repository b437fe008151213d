#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "continuo/results/snapshot.h"

namespace continuo {

/// The t with P(|T| <= t) = `level`, 0 < level < 1, for Student's distribution with `freedom` > 0 degrees of freedom.
double StudentQuantile(double level, double freedom);

/// The difference of two means with its interval. NaN where a side has a single value or none.
struct Difference {
  double value = 0;  // of b over a
  double error = 0;  // standard error
  double freedom = 0;
  /// Half the width of the interval of this level, 0.95 say.
  double HalfWidth(double level) const;
};

/// Of the mean of `b`'s means from that of `a`'s, as Welch does it: each cell has its own variance, and the degrees of
/// freedom are Satterthwaite's. The pieces of a cell are what was drawn; the trainings are taken as they are.
Difference Compare(std::span<const Summary> a, std::span<const Summary> b);

/// Two values of one axis of the grid compared in one metric, all else being the same on both sides.
struct Contrast {
  std::string axis;  // epoch, model, tokenizer, ...
  std::string a;     // the axis' values
  std::string b;
  std::string within;  // what else was held to one value: "gpt2"; empty: all
  std::string metric;
  size_t pairs = 0;  // of cells
  double mean_a = 0;
  double mean_b = 0;
  Difference difference;  // b - a
  double low = 0;         // 95 % interval of it
  double high = 0;
  /// Whether 0 lies outside the interval even where its level is raised so that of all contrasts of the axis together
  /// (Bonferroni) a wrong one is found at most once in 20 studies.
  bool clear = false;
};

/// What the grid says of each of its axes that has several values:
/// - epoch: the first checkpoint against the last, of each run and of all;
/// - model: each pair, for each tokenizer and for all;
/// - tokenizer, and every other axis: each pair, for each model and for all.
/// Only cells that are done count, and only where their counterpart is. Metrics that begin with "valid_" are of the
/// same songs in each cell, so that more cells make them no surer: their cells count as one.
std::vector<Contrast> CompareAxes(const ResultsSnapshot& data, std::span<const std::string_view> metrics);

/// What sets each run apart from others of its model and tokenizer: "seed 2, transpose true"; empty where nothing does.
std::vector<std::string> RunVariants(const ResultsSnapshot& data);

/// A sentence on an axis of the grid and a metric; the axis is "best" where it is on the best of all.
struct Finding {
  std::string axis;
  std::string metric;
  std::string text;
};

/// What is clear, as sentences: the contrasts over all cells, with the groups that clearly go the other way, and where
/// the best of the grid in H4 and GS stands beside real music, if their intervals are apart.
std::vector<Finding> Findings(const ResultsSnapshot& data, std::span<const Contrast> contrasts);

}  // namespace continuo
