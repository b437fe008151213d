#include "continuo/metrics/statistics.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "continuo/core/check.h"
#include "continuo/core/rng.h"

namespace continuo {
namespace {

// Between the two nearest of `sorted`, in proportion.
double Percentile(const std::vector<double>& sorted, double share) {
  const double place = share * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<size_t>(place);
  const size_t above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (place - static_cast<double>(below)) * (sorted[above] - sorted[below]);
}

}  // namespace

Summary Summarize(std::span<const double> values, const BootstrapOptions& options) {
  CONTINUO_CHECK(options.resamples >= 1);
  std::vector<double> defined;
  std::copy_if(values.begin(), values.end(), std::back_inserter(defined),
               [](double value) { return !std::isnan(value); });
  Summary summary;
  summary.count = static_cast<int64_t>(defined.size());
  if (defined.empty()) {
    return summary;
  }
  const auto count = static_cast<double>(defined.size());
  double sum = 0;
  for (const double value : defined) {
    sum += value;
  }
  summary.mean = sum / count;
  if (defined.size() < 2) {
    return summary;
  }
  double squares = 0;
  for (const double value : defined) {
    squares += (value - summary.mean) * (value - summary.mean);
  }
  summary.deviation = std::sqrt(squares / (count - 1));

  std::vector<double> means(static_cast<size_t>(options.resamples));
  for (size_t i = 0; i < means.size(); ++i) {
    Rng rng(options.seed, i);
    double total = 0;
    for (size_t j = 0; j < defined.size(); ++j) {
      total += defined[rng.NextBelow(defined.size())];
    }
    means[i] = total / count;
  }
  std::sort(means.begin(), means.end());
  summary.low = Percentile(means, 0.025);
  summary.high = Percentile(means, 0.975);
  return summary;
}

}  // namespace continuo
