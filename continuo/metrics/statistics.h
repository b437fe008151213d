#pragma once

#include <cstdint>
#include <limits>
#include <span>

namespace continuo {

/// A metric over a set of pieces.
struct Summary {
  int64_t count = 0;  // pieces for which it is defined
  double mean = std::numeric_limits<double>::quiet_NaN();
  double deviation = std::numeric_limits<double>::quiet_NaN();  // of a sample: n - 1
  /// 95 % bootstrap interval of the mean: where the mean of other pieces of the same kind would
  /// likely be.
  double low = std::numeric_limits<double>::quiet_NaN();
  double high = std::numeric_limits<double>::quiet_NaN();
};

struct BootstrapOptions {
  uint64_t seed = 0;
  int resamples = 1000;
};

/// Summarizes the values that are not NaN. The interval is the 2.5th to the 97.5th percentile of
/// the means of resamples with replacement (Efron's percentile method). It is the same for the same
/// values, order and seed, and needs at least two values.
Summary Summarize(std::span<const double> values, const BootstrapOptions& options = {});

}  // namespace continuo
