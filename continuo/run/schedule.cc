#include "continuo/run/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace continuo {
namespace {

// PyTorch's base_momentum and max_momentum.
constexpr double kBaseMomentum = 0.85;
constexpr double kMaxMomentum = 0.95;

/// From `start` to `end` along half a cosine wave, share in [0, 1].
double CosineAnneal(double start, double end, double share) {
  return end + (start - end) / 2.0 * (std::cos(std::numbers::pi * share) + 1.0);
}

ScheduleValue OneCycle(const ScheduleOptions& options, double step, double total) {
  const double initial_lr = options.max_lr / options.div_factor;
  const double final_lr = initial_lr / options.final_div_factor;
  const double peak = options.warmup * total - 1.0;
  const double last = total - 1.0;
  const bool rising = step <= peak;
  // A phase of length 0 (warmup 0, or a single step) is at its end.
  const double start = rising ? 0.0 : peak;
  const double length = (rising ? peak : last) - start;
  const double share = length > 0 ? std::clamp((step - start) / length, 0.0, 1.0) : 1.0;
  ScheduleValue value;
  value.lr = rising ? CosineAnneal(initial_lr, options.max_lr, share) : CosineAnneal(options.max_lr, final_lr, share);
  if (options.cycle_momentum) {
    value.beta1 =
        rising ? CosineAnneal(kMaxMomentum, kBaseMomentum, share) : CosineAnneal(kBaseMomentum, kMaxMomentum, share);
  }
  return value;
}

}  // namespace

ScheduleValue ScheduleAt(const ScheduleOptions& options, double step, double total) {
  if (options.kind == ScheduleKind::kOneCycle) {
    return OneCycle(options, step, total);
  }
  const double warmup = options.warmup * total;
  if (step < warmup) {
    return {.lr = options.max_lr * (step + 1.0) / (warmup + 1.0)};
  }
  const double length = total - 1.0 - warmup;
  const double share = length > 0 ? std::clamp((step - warmup) / length, 0.0, 1.0) : 1.0;
  const double final_lr = options.max_lr / options.final_div_factor;
  switch (options.kind) {
    case ScheduleKind::kCosine:
      return {.lr = CosineAnneal(options.max_lr, final_lr, share)};
    case ScheduleKind::kLinear:
      return {.lr = options.max_lr + (final_lr - options.max_lr) * share};
    default:
      return {.lr = options.max_lr};
  }
}

}  // namespace continuo
