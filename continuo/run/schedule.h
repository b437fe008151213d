#pragma once

#include <array>
#include <string_view>

namespace continuo {

enum class ScheduleKind { kOneCycle, kCosine, kLinear, kConstant };

/// By ScheduleKind.
inline constexpr std::array<std::string_view, 4> kScheduleNames = {"onecycle", "cosine", "linear", "constant"};

/// How the learning rate changes over a training run.
struct ScheduleOptions {
  ScheduleKind kind = ScheduleKind::kOneCycle;
  double max_lr = 4e-4;
  /// Share of the run in which the rate rises: OneCycle's pct_start, the others' warm-up.
  double warmup = 0.3;
  /// OneCycle: the first rate is max_lr / div_factor.
  double div_factor = 25;
  /// OneCycle: the last rate is the first / final_div_factor. Cosine and linear end at max_lr /
  /// final_div_factor.
  double final_div_factor = 1e4;
  /// OneCycle: Adam's beta1 falls from 0.95 to 0.85 while the rate rises, and rises again
  /// afterwards, as in PyTorch.
  bool cycle_momentum = true;
};

struct ScheduleValue {
  double lr = 0;
  double beta1 = 0;  // 0: use the optimizer's
};

/// The values of step `step` of `total`, step in [0, total - 1]. Fractions are allowed: a run
/// limited by time passes (elapsed / budget) * (total - 1) with any total.
///
/// OneCycle is torch.optim.lr_scheduler.OneCycleLR with anneal_strategy "cos", two phases: Smith
/// and Topin, "Super-convergence", arXiv:1708.07120. The others rise linearly from 0; then cosine
/// falls along half a cosine wave and linear along a straight line, and constant stays.
ScheduleValue ScheduleAt(const ScheduleOptions& options, double step, double total);

}  // namespace continuo
