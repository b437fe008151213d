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
  /// 95 % bootstrap interval of the mean: had other pieces of the same kind been drawn, it would likely lie between.
  double low = std::numeric_limits<double>::quiet_NaN();
  double high = std::numeric_limits<double>::quiet_NaN();
};

struct BootstrapOptions {
  uint64_t seed = 0;
  int resamples = 1000;
};

/// Values that are NaN are left out. The interval is the 2.5th to the 97.5th percentile of the means of resamples with
/// replacement (Efron's percentile method), the same for the same values, order and seed; it needs two values or more.
Summary Summarize(std::span<const double> values, const BootstrapOptions& options = {});

}  // namespace continuo
