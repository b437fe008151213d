#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "continuo/core/result.h"
#include "continuo/core/stop_token.h"
#include "continuo/core/thread_pool.h"

namespace continuo {

/// Rows of numbers, all finite, and for each row the class to be learned: 0 or 1.
struct LabelledRows {
  size_t columns = 0;
  std::vector<double> values;  // [row, column]
  std::vector<uint8_t> labels;

  size_t rows() const { return labels.size(); }
  std::span<const double> Row(size_t row) const { return std::span(values).subspan(row * columns, columns); }
  void Add(std::span<const double> row, uint8_t label);
};

struct ForestOptions {
  size_t trees = 500;
  size_t least_in_leaf = 3;  // different rows
  /// Tree t draws from the stream (seed, stream + t).
  uint64_t seed = 0;
  uint64_t stream = 0;
};

/// For each row of `test` (its labels are not read) the probability of class 1 according to a
/// random forest grown on `train`, which has rows.
///
/// Grown as scikit-learn's RandomForestClassifier grows it with these options: each tree sees as
/// many rows as there are, drawn with replacement; each node is split at the threshold that lowers
/// the Gini impurity most, of those in a random choice of sqrt(columns) columns (more while none
/// of them varies) that leave `least_in_leaf` rows on either side; values are floats, and differ if
/// they are more than 1e-7 apart; a leaf's probability is its share of class 1; the forest's is the
/// mean over the trees. The random numbers differ from scikit-learn's. The same for any number of
/// threads. Memory: 12 bytes for each value of `train`, 8 bytes for each tree and row of `test`.
/// Returns CancelledError() on a stop. Source: L. Breiman, "Random forests", Machine Learning 45
/// (2001).
Result<std::vector<double>> ForestProbabilities(const LabelledRows& train, const LabelledRows& test,
                                                const ForestOptions& options, ThreadPool& pool,
                                                const StopToken& stop = {});

/// The log odds of class 1: `intercept` plus the sum of `weights` times the row's values.
struct LogisticRegression {
  double intercept = 0;
  std::vector<double> weights;
};

/// Logistic regression on `train`, which has rows.
///
/// Columns are scaled to mean 0 and variance 1 over `train` (constant ones to 0). The weights w
/// and the intercept minimise |w|^2 / 2 + `inverse_strength` * the sum of the logistic losses, as
/// scikit-learn's LogisticRegression(C=inverse_strength) after a StandardScaler. Newton's method
/// with halved steps, until the gradient is below 1e-8, at most 100 steps. Time per step: rows *
/// columns^2 / 2 + columns^3 / 6 multiplications; memory 8 bytes * columns^2. `inverse_strength` is
/// above 0. Source: T. Hastie, R. Tibshirani, J. Friedman, "The Elements of Statistical Learning",
/// 2nd edition (2009), section 4.4.1.
LogisticRegression FitLogistic(const LabelledRows& train, double inverse_strength);

/// For each row of `test` (its labels are not read) the probability of class 1 according to
/// FitLogistic on `train`.
std::vector<double> LogisticProbabilities(const LabelledRows& train, const LabelledRows& test, double inverse_strength);

}  // namespace continuo
