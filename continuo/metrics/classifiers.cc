#include "continuo/metrics/classifiers.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>

#include "continuo/core/check.h"
#include "continuo/core/rng.h"

namespace continuo {
namespace {

// Values that are no further apart count as equal (scikit-learn's FEATURE_THRESHOLD).
constexpr float kLeastDifference = 1e-7F;
// A node of less impurity is pure (scikit-learn's EPSILON).
constexpr double kLeastImpurity = std::numeric_limits<double>::epsilon();

/// The rows of a table, column by column, with their places in the order of each column's values.
/// Trees sort the rows of a node by these places.
class ColumnOrder {
 public:
  explicit ColumnOrder(const LabelledRows& table) : rows_(table.rows()), ranks_(table.values.size()) {
    values_.resize(table.values.size());
    std::vector<float> column(rows_);
    for (size_t c = 0; c < table.columns; ++c) {
      for (size_t row = 0; row < rows_; ++row) {
        column[row] = static_cast<float>(table.values[row * table.columns + c]);
      }
      std::vector<uint32_t> order(rows_);
      std::iota(order.begin(), order.end(), 0U);
      std::ranges::sort(order, {}, [&column](uint32_t row) { return std::pair(column[row], row); });
      for (size_t place = 0; place < rows_; ++place) {
        ranks_[c * rows_ + order[place]] = static_cast<uint32_t>(place);
        values_[c * rows_ + place] = column[order[place]];
      }
    }
  }

  uint32_t RankOf(size_t column, uint32_t row) const { return ranks_[column * rows_ + row]; }
  float ValueAt(size_t column, uint32_t rank) const { return values_[column * rows_ + rank]; }

 private:
  size_t rows_;
  std::vector<uint32_t> ranks_;  // [column, row]
  std::vector<float> values_;    // [column, rank], rising
};

struct Node {
  uint32_t column = 0;
  uint32_t left = 0;  // 0: a leaf; the right child is the next
  double threshold = 0;
  double probability = 0;  // of class 1
};

/// Grows one tree.
class TreeGrower {
 public:
  TreeGrower(const LabelledRows& table, const ColumnOrder& order, size_t least_in_leaf, Rng rng)
      : table_(table), order_(order), least_in_leaf_(least_in_leaf), rng_(rng), weights_(table.rows()) {
    tried_columns_ = std::max<size_t>(1, static_cast<size_t>(std::sqrt(static_cast<double>(table.columns))));
    columns_.resize(table.columns);
    std::iota(columns_.begin(), columns_.end(), 0U);
  }

  std::vector<Node> Grow() {
    DrawRows();
    nodes_.emplace_back();
    struct Open {
      uint32_t node;
      size_t begin;
      size_t end;
    };
    std::vector<Open> open = {{0, 0, rows_.size()}};
    while (!open.empty()) {
      const auto [node, begin, end] = open.back();
      open.pop_back();
      const Counts counts = CountsOf(begin, end);
      nodes_[node].probability = counts.ones / counts.all;
      Split best;
      if (end - begin >= 2 * least_in_leaf_ && counts.Impurity() > kLeastImpurity) {
        best = BestSplit(begin, end, counts);
      }
      if (!best.found) {
        continue;
      }
      const auto left = static_cast<uint32_t>(nodes_.size());
      nodes_[node].column = best.column;
      nodes_[node].threshold = best.threshold;
      nodes_[node].left = left;
      nodes_.emplace_back();
      nodes_.emplace_back();
      const auto middle = std::partition(
          rows_.begin() + static_cast<std::ptrdiff_t>(begin), rows_.begin() + static_cast<std::ptrdiff_t>(end),
          [&](uint32_t row) { return order_.RankOf(best.column, row) <= best.last_left; });
      const auto cut = static_cast<size_t>(middle - rows_.begin());
      open.push_back({left, begin, cut});
      open.push_back({left + 1, cut, end});
    }
    return std::move(nodes_);
  }

 private:
  struct Counts {  // of drawn rows
    double all = 0;
    double ones = 0;
    double Impurity() const { return 2 * (ones / all) * (1 - ones / all); }
    /// What the sum over two children is to be largest of, for the least impurity.
    double Purity() const { return (ones * ones + (all - ones) * (all - ones)) / all; }
  };
  struct Split {
    bool found = false;
    uint32_t column = 0;
    uint32_t last_left = 0;  // the highest rank that goes left
    double threshold = 0;
    double purity = -1;
  };

  void DrawRows() {
    for (size_t i = 0; i < weights_.size(); ++i) {
      ++weights_[rng_.NextBelow(weights_.size())];
    }
    for (uint32_t row = 0; row < weights_.size(); ++row) {
      if (weights_[row] > 0) {
        rows_.push_back(row);
      }
    }
  }

  Counts CountsOf(size_t begin, size_t end) const {
    Counts counts;
    for (size_t i = begin; i < end; ++i) {
      counts.all += weights_[rows_[i]];
      counts.ones += table_.labels[rows_[i]] * weights_[rows_[i]];
    }
    return counts;
  }

  Split BestSplit(size_t begin, size_t end, const Counts& counts) {
    Split best;
    bool varied = false;
    for (size_t tried = 0; tried < columns_.size() && (tried < tried_columns_ || !varied); ++tried) {
      std::swap(columns_[tried], columns_[tried + rng_.NextBelow(columns_.size() - tried)]);
      varied |= TryColumn(columns_[tried], begin, end, counts, best);
    }
    return best;
  }

  /// Whether the values of the column differ. Improves `best` if one of its splits is better.
  bool TryColumn(uint32_t column, size_t begin, size_t end, const Counts& counts, Split& best) {
    sorted_.clear();
    for (size_t i = begin; i < end; ++i) {
      sorted_.push_back(static_cast<uint64_t>(order_.RankOf(column, rows_[i])) << 32 | rows_[i]);
    }
    std::ranges::sort(sorted_);
    const auto rank_at = [this](size_t i) { return static_cast<uint32_t>(sorted_[i] >> 32); };
    const auto value_at = [&](size_t i) { return order_.ValueAt(column, rank_at(i)); };
    if (value_at(sorted_.size() - 1) <= value_at(0) + kLeastDifference) {
      return false;
    }
    Counts left;
    for (size_t i = 1; i < sorted_.size(); ++i) {
      const auto row = static_cast<uint32_t>(sorted_[i - 1]);
      left.all += weights_[row];
      left.ones += table_.labels[row] * weights_[row];
      if (i < least_in_leaf_ || sorted_.size() - i < least_in_leaf_ ||
          value_at(i) <= value_at(i - 1) + kLeastDifference) {
        continue;
      }
      const Counts right = {counts.all - left.all, counts.ones - left.ones};
      const double purity = left.Purity() + right.Purity();
      if (purity > best.purity) {
        const double below = value_at(i - 1);
        best = {true, column, rank_at(i - 1), below / 2 + double{value_at(i)} / 2, purity};
      }
    }
    return true;
  }

  const LabelledRows& table_;
  const ColumnOrder& order_;
  size_t least_in_leaf_;
  Rng rng_;
  size_t tried_columns_ = 1;
  std::vector<uint32_t> weights_;  // how often each row was drawn
  std::vector<uint32_t> rows_;     // that were drawn, those of a node side by side
  std::vector<uint32_t> columns_;  // in the order in which they were tried last
  std::vector<uint64_t> sorted_;   // rank and row
  std::vector<Node> nodes_;
};

double Predict(const std::vector<Node>& tree, std::span<const double> row) {
  const Node* node = tree.data();
  while (node->left != 0) {
    const auto value = static_cast<float>(row[node->column]);
    node = &tree[node->left + (value <= node->threshold ? 0 : 1)];
  }
  return node->probability;
}

// Logistic regression.

constexpr int kMostSteps = 100;
constexpr int kMostHalvings = 40;
constexpr double kLeastGradient = 1e-8;

/// Mean and deviation of each column, to scale it by.
class Scaler {
 public:
  explicit Scaler(const LabelledRows& table) : mean_(table.columns), scale_(table.columns) {
    const auto rows = static_cast<double>(table.rows());
    for (size_t c = 0; c < table.columns; ++c) {
      double sum = 0;
      for (size_t row = 0; row < table.rows(); ++row) {
        sum += table.Row(row)[c];
      }
      mean_[c] = sum / rows;
      double squares = 0;
      for (size_t row = 0; row < table.rows(); ++row) {
        const double from_mean = table.Row(row)[c] - mean_[c];
        squares += from_mean * from_mean;
      }
      const double variance = squares / rows;
      // What rounding can make of a constant column; scikit-learn's bound.
      constexpr double kEpsilon = std::numeric_limits<double>::epsilon();
      const double rounding = rows * kEpsilon * variance + std::pow(rows * mean_[c] * kEpsilon, 2);
      scale_[c] = variance <= rounding ? 1 : std::sqrt(variance);
    }
  }
  /// The scaled row, and 1 for the intercept.
  std::vector<double> Scale(std::span<const double> row) const {
    std::vector<double> scaled(row.size() + 1, 1.0);
    for (size_t c = 0; c < row.size(); ++c) {
      scaled[c] = (row[c] - mean_[c]) / scale_[c];
    }
    return scaled;
  }
  /// What `weights` of scaled rows, the last of them the intercept, are for rows as they were.
  LogisticRegression Unscale(std::span<const double> weights) const {
    LogisticRegression unscaled = {.intercept = weights.back(), .weights = {}};
    for (size_t c = 0; c < mean_.size(); ++c) {
      unscaled.weights.push_back(weights[c] / scale_[c]);
      unscaled.intercept -= unscaled.weights[c] * mean_[c];
    }
    return unscaled;
  }

 private:
  std::vector<double> mean_;
  std::vector<double> scale_;
};

double Dot(std::span<const double> a, std::span<const double> b) {
  return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
}

double Sigmoid(double x) {
  return x >= 0 ? 1 / (1 + std::exp(-x)) : std::exp(x) / (1 + std::exp(x));
}

/// log(1 + exp(x)).
double SoftPlus(double x) {
  return std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x)));
}

/// Solves a * x = b for a symmetric positive definite matrix (its lower half, row by row, which is
/// overwritten), by Cholesky's method.
std::vector<double> Solve(std::vector<double>& a, std::vector<double> b) {
  const size_t n = b.size();
  for (size_t i = 0; i < n; ++i) {
    for (size_t j = 0; j <= i; ++j) {
      const double rest = a[i * n + j] - Dot({&a[i * n], j}, {&a[j * n], j});
      a[i * n + j] = i == j ? std::sqrt(rest) : rest / a[j * n + j];
    }
    b[i] = (b[i] - Dot({&a[i * n], i}, {b.data(), i})) / a[i * n + i];
  }
  for (size_t i = n; i-- > 0;) {
    for (size_t j = i + 1; j < n; ++j) {
      b[i] -= a[j * n + i] * b[j];
    }
    b[i] /= a[i * n + i];
  }
  return b;
}

/// What LogisticProbabilities minimises.
class LogisticLoss {
 public:
  LogisticLoss(const LabelledRows& train, const Scaler& scaler, double strength)
      : labels_(train.labels), strength_(strength) {
    for (size_t row = 0; row < train.rows(); ++row) {
      rows_.push_back(scaler.Scale(train.Row(row)));
    }
  }

  double At(const std::vector<double>& weights) const {
    double loss = 0;
    for (size_t i = 0; i < rows_.size(); ++i) {
      const double x = Dot(rows_[i], weights);
      loss += SoftPlus(labels_[i] == 1 ? -x : x);
    }
    const std::span inner = std::span(weights).first(weights.size() - 1);
    return Dot(inner, inner) / 2 + strength_ * loss;
  }

  std::vector<double> Gradient(const std::vector<double>& weights) const {
    std::vector<double> gradient = weights;
    gradient.back() = 0;
    for (size_t i = 0; i < rows_.size(); ++i) {
      const double error = strength_ * (Sigmoid(Dot(rows_[i], weights)) - labels_[i]);
      for (size_t c = 0; c < gradient.size(); ++c) {
        gradient[c] += error * rows_[i][c];
      }
    }
    return gradient;
  }

  /// The lower half, row by row.
  std::vector<double> Hessian(const std::vector<double>& weights) const {
    const size_t n = weights.size();
    std::vector<double> hessian(n * n);
    for (const std::vector<double>& row : rows_) {
      const double p = Sigmoid(Dot(row, weights));
      for (size_t i = 0; i < n; ++i) {
        const double factor = strength_ * p * (1 - p) * row[i];
        for (size_t j = 0; j <= i; ++j) {
          hessian[i * n + j] += factor * row[j];
        }
      }
    }
    for (size_t i = 0; i + 1 < n; ++i) {
      hessian[i * n + i] += 1;
    }
    // So that it stays positive definite where all probabilities are 0 or 1.
    hessian[n * n - 1] += 1e-12;
    return hessian;
  }

 private:
  const std::vector<uint8_t>& labels_;
  double strength_;
  std::vector<std::vector<double>> rows_;
};

std::vector<double> Minimise(const LogisticLoss& loss, size_t size) {
  std::vector<double> weights(size);
  double now = loss.At(weights);
  for (int step = 0; step < kMostSteps; ++step) {
    const std::vector<double> gradient = loss.Gradient(weights);
    if (std::ranges::all_of(gradient, [](double part) { return std::abs(part) < kLeastGradient; })) {
      break;
    }
    std::vector<double> hessian = loss.Hessian(weights);
    const std::vector<double> direction = Solve(hessian, gradient);
    bool lower = false;
    double length = 1;
    for (int halving = 0; halving < kMostHalvings && !lower; ++halving, length /= 2) {
      std::vector<double> next = weights;
      for (size_t c = 0; c < size; ++c) {
        next[c] -= length * direction[c];
      }
      const double then = loss.At(next);
      if (then < now) {
        weights = std::move(next);
        now = then;
        lower = true;
      }
    }
    if (!lower) {
      break;  // as low as doubles can express
    }
  }
  return weights;
}

}  // namespace

void LabelledRows::Add(std::span<const double> row, uint8_t label) {
  CONTINUO_CHECK(row.size() == columns && label <= 1);
  values.insert(values.end(), row.begin(), row.end());
  labels.push_back(label);
}

Result<std::vector<double>> ForestProbabilities(const LabelledRows& train, const LabelledRows& test,
                                                const ForestOptions& options, ThreadPool& pool, const StopToken& stop) {
  CONTINUO_CHECK(train.rows() > 0 && train.columns > 0 && train.columns == test.columns);
  CONTINUO_CHECK(options.trees > 0 && options.least_in_leaf > 0);
  const ColumnOrder order(train);
  std::vector<double> of_trees(options.trees * test.rows());
  pool.ForEach(options.trees, [&](size_t tree, size_t) {
    if (stop.stop_requested()) {
      return;
    }
    TreeGrower grower(train, order, options.least_in_leaf, Rng(options.seed, options.stream + tree));
    const std::vector<Node> nodes = grower.Grow();
    for (size_t row = 0; row < test.rows(); ++row) {
      of_trees[tree * test.rows() + row] = Predict(nodes, test.Row(row));
    }
  });
  if (stop.stop_requested()) {
    return CancelledError();
  }
  std::vector<double> probabilities(test.rows());
  for (size_t tree = 0; tree < options.trees; ++tree) {
    for (size_t row = 0; row < test.rows(); ++row) {
      probabilities[row] += of_trees[tree * test.rows() + row] / static_cast<double>(options.trees);
    }
  }
  return probabilities;
}

LogisticRegression FitLogistic(const LabelledRows& train, double inverse_strength) {
  CONTINUO_CHECK(train.rows() > 0 && inverse_strength > 0);
  const Scaler scaler(train);
  return scaler.Unscale(Minimise(LogisticLoss(train, scaler, inverse_strength), train.columns + 1));
}

std::vector<double> LogisticProbabilities(const LabelledRows& train, const LabelledRows& test,
                                          double inverse_strength) {
  CONTINUO_CHECK(train.columns == test.columns);
  const LogisticRegression regression = FitLogistic(train, inverse_strength);
  std::vector<double> probabilities;
  for (size_t row = 0; row < test.rows(); ++row) {
    probabilities.push_back(Sigmoid(regression.intercept + Dot(test.Row(row), regression.weights)));
  }
  return probabilities;
}

}  // namespace continuo
