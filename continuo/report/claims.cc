#include "continuo/report/claims.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <optional>
#include <set>

#include "continuo/metrics/catalogue.h"
#include "continuo/report/comparison.h"
#include "continuo/report/grid_cells.h"

namespace continuo {
namespace {

constexpr double kUndefined = std::numeric_limits<double>::quiet_NaN();
constexpr double kLevel = 0.05;  // of one interval: how often the truth lies outside
/// Axes on which one training has several values.
constexpr std::array<std::string_view, 5> kWithinRun = {"epoch", "sampling", "window", "pieces' seed", "prompt"};

bool IsWithinRun(std::string_view axis) {
  return std::find(kWithinRun.begin(), kWithinRun.end(), axis) != kWithinRun.end();
}

bool Contains(const std::vector<std::string>& list, const std::string& item) {
  return std::find(list.begin(), list.end(), item) != list.end();
}

/// The name of an axis within Coordinates.
std::string AxisOf(const std::string& name) {
  return name == "checkpoint" ? "epoch" : name;
}

/// A number with its variance and the degrees of freedom of that.
struct Uncertain {
  double value = 0;
  double variance = 0;
  double freedom = 0;
};

/// How a metric of a set becomes a number of which differences are taken: as it is, or its distance
/// from real music; its logarithm if the claim is relative.
struct Scale {
  std::string metric;
  bool relative = false;
  std::optional<double> real;  // set: distances from it count
  int sign = 1;                // of the direction of the claim

  /// Empty where the metric is missing or has no logarithm.
  std::optional<Uncertain> Of(const Summary& summary) const {
    double value = real ? std::abs(summary.mean - *real) : summary.mean;
    double variance = kUndefined;
    if (summary.count >= 2 && std::isfinite(summary.deviation)) {
      variance = summary.deviation * summary.deviation / static_cast<double>(summary.count);
    } else if (std::isfinite(summary.low) && std::isfinite(summary.high)) {
      const double half = (summary.high - summary.low) / 2 / 1.959964;
      variance = half * half;
    }
    if (relative) {
      if (!(value > 0)) {
        return std::nullopt;
      }
      variance /= value * value;
      value = std::log(value);
    }
    return std::isfinite(value) ? std::optional<Uncertain>(
                                      {value, variance, static_cast<double>(std::max<int64_t>(1, summary.count - 1))})
                                : std::nullopt;
  }
  /// A difference as the claim states it.
  double Stated(double difference) const { return sign * (relative ? std::exp(difference) - 1 : difference); }
};

/// How far an axis, its values and what else varies select cells.
struct Selection {
  std::string axis;
  std::vector<std::string> value;
  std::vector<std::string> against;

  std::vector<std::string> Both() const {
    std::vector<std::string> both = value;
    both.insert(both.end(), against.begin(), against.end());
    return both;
  }
};

/// A training as a claim sees it: for each combination of its other axes within the run, a number:
/// the metric, or where the axis lies within the run, the difference along it.
struct RunNumbers {
  Coordinates cell;  // the run's coordinates without its seed
  std::map<Coordinates, Uncertain> at;
};

/// The mean over some of its combinations. Of songs that are the same everywhere the variance does
/// not shrink with the number of combinations.
Uncertain MeanAt(const RunNumbers& run, const std::set<Coordinates>& keys, bool same_songs) {
  Uncertain mean;
  const auto count = static_cast<double>(keys.size());
  for (const Coordinates& key : keys) {
    const Uncertain& number = run.at.at(key);
    mean.value += number.value / count;
    mean.variance += number.variance / (same_songs ? count : count * count);
    mean.freedom += same_songs ? number.freedom / count : number.freedom;
  }
  return mean;
}

std::set<Coordinates> CommonKeys(const std::vector<const RunNumbers*>& runs) {
  std::set<Coordinates> common;
  for (const auto& [key, number] : runs.front()->at) {
    if (std::all_of(runs.begin(), runs.end(), [&key = key](const RunNumbers* run) { return run->at.contains(key); })) {
      common.insert(key);
    }
  }
  return common;
}

/// Splits coordinates into those of the run without its seed, and those within the run.
std::pair<Coordinates, Coordinates> Split(const Coordinates& at) {
  std::pair<Coordinates, Coordinates> parts;
  for (const auto& [axis, value] : at) {
    if (axis != "seed") {
      (IsWithinRun(axis) ? parts.second : parts.first)[axis] = value;
    }
  }
  return parts;
}

/// The mean of the numbers of some values of an axis; empty if one is missing.
std::optional<Uncertain> MeanOver(const std::map<std::string, Uncertain>& by_value,
                                  const std::vector<std::string>& values, bool same_songs) {
  Uncertain mean;
  const auto count = static_cast<double>(values.size());
  for (const std::string& value : values) {
    const auto found = by_value.find(value);
    if (found == by_value.end()) {
      return std::nullopt;
    }
    mean.value += found->second.value / count;
    mean.variance += found->second.variance / (same_songs ? count : count * count);
    mean.freedom += found->second.freedom;
  }
  return mean;
}

/// The numbers of each run, from the cells that pass `where` on the axes within a run.
std::vector<RunNumbers> NumbersOf(const std::vector<GridCell>& cells, const Claim& claim, const Selection& selection,
                                  const Scale& scale, bool same_songs) {
  const bool within = IsWithinRun(selection.axis);
  std::map<size_t, RunNumbers> by_run;
  std::map<size_t, std::map<Coordinates, std::map<std::string, Uncertain>>> sides;
  for (const GridCell& cell : cells) {
    const bool passes = std::all_of(claim.where.begin(), claim.where.end(), [&cell](const auto& item) {
      const std::string axis = AxisOf(item.first);
      const auto at = cell.at.find(axis);
      return !IsWithinRun(axis) || (at != cell.at.end() && Contains(item.second, at->second));
    });
    const Summary* summary = FindNamed(cell.set->metrics, scale.metric);
    const std::optional<Uncertain> number = passes && summary != nullptr ? scale.Of(*summary) : std::nullopt;
    if (!number) {
      continue;
    }
    const auto [run_at, key] = Split(cell.at);
    RunNumbers& run = by_run[*cell.set->run];
    run.cell = run_at;
    if (within) {
      sides[*cell.set->run][Without(key, selection.axis)][key.at(selection.axis)] = *number;
    } else {
      run.at[key] = *number;
    }
  }
  for (const auto& [run, by_key] : sides) {
    for (const auto& [key, by_value] : by_key) {
      const auto value = MeanOver(by_value, selection.value, same_songs);
      const auto against = MeanOver(by_value, selection.against, same_songs);
      if (value && against) {
        by_run[run].at[key] = {value->value - against->value, value->variance + against->variance,
                               value->freedom + against->freedom};
      }
    }
  }
  std::vector<RunNumbers> runs;
  for (auto& [index, run] : by_run) {
    if (!run.at.empty()) {
      runs.push_back(std::move(run));
    }
  }
  return runs;
}

/// The variance among trainings that differ in their seed alone, pieces and all, pooled over cells.
/// No freedom: no cell has several seeds.
Uncertain VarianceOfSeeds(const std::vector<RunNumbers>& runs, bool same_songs) {
  std::map<Coordinates, std::vector<const RunNumbers*>> by_cell;
  for (const RunNumbers& run : runs) {
    by_cell[run.cell].push_back(&run);
  }
  double squares = 0;
  double freedom = 0;
  for (const auto& [cell, seeds] : by_cell) {
    const std::set<Coordinates> keys = CommonKeys(seeds);
    if (seeds.size() < 2 || keys.empty()) {
      continue;
    }
    double mean = 0;
    for (const RunNumbers* run : seeds) {
      mean += MeanAt(*run, keys, same_songs).value / static_cast<double>(seeds.size());
    }
    for (const RunNumbers* run : seeds) {
      const double value = MeanAt(*run, keys, same_songs).value;
      squares += (value - mean) * (value - mean);
    }
    freedom += static_cast<double>(seeds.size() - 1);
  }
  return freedom > 0 ? Uncertain{squares / freedom, 0, freedom} : Uncertain();
}

/// The weighted sum of the numbers of trainings. `seeds` is what VarianceOfSeeds returns.
class Sum {
 public:
  Sum(const Uncertain& seeds, bool same_songs) : seeds_(seeds), same_songs_(same_songs) {}
  void Add(const Uncertain& number, double weight) {
    value_ += weight * number.value;
    double variance = number.variance;
    if (seeds_.freedom > 0) {
      variance = same_songs_ ? seeds_.value : std::max(seeds_.value, variance);
    }
    const double part = weight * weight * variance;
    variance_ += part;
    squares_ += part * part / number.freedom;
  }
  Uncertain Total() const {
    const double by_satterthwaite = variance_ > 0 ? variance_ * variance_ / squares_ : 1;
    return {value_, variance_, seeds_.freedom > 0 ? seeds_.freedom : by_satterthwaite};
  }

 private:
  const Uncertain seeds_;
  const bool same_songs_;
  double value_ = 0;
  double variance_ = 0;
  double squares_ = 0;
};

/// Whether a run's own axes are those that the claim speaks of.
bool IsMeant(const RunNumbers& run, const Claim& claim) {
  return std::all_of(claim.where.begin(), claim.where.end(), [&run](const auto& item) {
    const std::string axis = AxisOf(item.first);
    const auto at = run.cell.find(axis);
    return IsWithinRun(axis) || (at != run.cell.end() && Contains(item.second, at->second));
  });
}

struct Compared {
  Uncertain total;
  size_t trainings = 0;
};

/// The difference within runs: the mean over cells of the mean over seeds.
std::optional<Compared> CompareWithin(const std::vector<RunNumbers>& runs, const Claim& claim,
                                      const Uncertain& seeds_variance, bool same_songs) {
  std::map<Coordinates, std::vector<const RunNumbers*>> by_cell;
  for (const RunNumbers& run : runs) {
    if (IsMeant(run, claim)) {
      by_cell[run.cell].push_back(&run);
    }
  }
  Sum sum(seeds_variance, same_songs);
  Compared compared;
  for (const auto& [cell, seeds] : by_cell) {
    for (const RunNumbers* run : seeds) {
      std::set<Coordinates> keys;
      for (const auto& [key, number] : run->at) {
        keys.insert(key);
      }
      sum.Add(MeanAt(*run, keys, same_songs), 1.0 / static_cast<double>(by_cell.size() * seeds.size()));
      ++compared.trainings;
    }
  }
  compared.total = sum.Total();
  return compared.trainings > 0 ? std::optional<Compared>(compared) : std::nullopt;
}

/// The difference between runs that differ in the axis and their seeds alone.
std::optional<Compared> CompareBetween(const std::vector<RunNumbers>& runs, const Claim& claim,
                                       const Selection& selection, const Uncertain& seeds_variance, bool same_songs) {
  std::map<Coordinates, std::map<std::string, std::vector<const RunNumbers*>>> groups;
  for (const RunNumbers& run : runs) {
    const auto at = run.cell.find(selection.axis);
    if (at != run.cell.end() && IsMeant(run, claim) && Contains(selection.Both(), at->second)) {
      groups[Without(run.cell, selection.axis)][at->second].push_back(&run);
    }
  }
  const auto has_all = [](const auto& by_value, const std::vector<std::string>& values) {
    return std::all_of(values.begin(), values.end(), [&](const std::string& one) { return by_value.contains(one); });
  };
  std::vector<std::pair<const std::map<std::string, std::vector<const RunNumbers*>>*, std::set<Coordinates>>> whole;
  for (const auto& [at, by_value] : groups) {
    if (!has_all(by_value, selection.value) || !has_all(by_value, selection.against)) {
      continue;
    }
    std::vector<const RunNumbers*> all;
    for (const auto& [value, seeds] : by_value) {
      all.insert(all.end(), seeds.begin(), seeds.end());
    }
    std::set<Coordinates> keys = CommonKeys(all);
    if (!keys.empty()) {
      whole.emplace_back(&by_value, std::move(keys));
    }
  }
  Sum sum(seeds_variance, same_songs);
  Compared compared;
  for (const auto& [by_value, keys] : whole) {
    for (const auto& [values, sign] : {std::pair(&selection.value, 1.0), std::pair(&selection.against, -1.0)}) {
      for (const std::string& value : *values) {
        const std::vector<const RunNumbers*>& seeds = by_value->at(value);
        for (const RunNumbers* run : seeds) {
          sum.Add(MeanAt(*run, keys, same_songs),
                  sign / static_cast<double>(whole.size() * values->size() * seeds.size()));
          ++compared.trainings;
        }
      }
    }
  }
  compared.total = sum.Total();
  return compared.trainings > 0 ? std::optional<Compared>(compared) : std::nullopt;
}

/// The mean of a metric over the cells that a claim speaks of and that have one of these values.
double PlainMean(const std::vector<GridCell>& cells, const Claim& claim, const Selection& selection,
                 const std::vector<std::string>& values, const std::string& metric) {
  double sum = 0;
  double count = 0;
  for (const GridCell& cell : cells) {
    const bool passes = std::all_of(claim.where.begin(), claim.where.end(), [&cell](const auto& item) {
      const auto at = cell.at.find(AxisOf(item.first));
      return at != cell.at.end() && Contains(item.second, at->second);
    });
    const auto at = cell.at.find(selection.axis);
    const Summary* summary = FindNamed(cell.set->metrics, metric);
    if (passes && at != cell.at.end() && Contains(values, at->second) && summary != nullptr) {
      sum += summary->mean;
      ++count;
    }
  }
  return count > 0 ? sum / count : kUndefined;
}

/// The same difference in the values that somebody published.
double PublishedDifference(const ResultsSnapshot& data, const Claim& claim, const Selection& selection,
                           const Scale& scale) {
  std::map<Coordinates, std::map<std::string, Uncertain>> by_key;
  for (const PublishedRow& row : data.published) {
    Coordinates at = {{"model", row.model}, {"tokenizer", row.tokenizer}, {"epoch", std::to_string(row.epoch)}};
    const bool passes = std::all_of(claim.where.begin(), claim.where.end(), [&at](const auto& item) {
      const auto found = at.find(AxisOf(item.first));
      return found == at.end() || Contains(item.second, found->second);
    });
    const auto number = scale.Of({.count = 1, .mean = row.value});
    if (row.metric == scale.metric && passes && at.contains(selection.axis) && number) {
      by_key[Without(at, selection.axis)][at[selection.axis]] = *number;
    }
  }
  double sum = 0;
  double count = 0;
  for (const auto& [key, by_value] : by_key) {
    const auto value = MeanOver(by_value, selection.value, false);
    const auto against = MeanOver(by_value, selection.against, false);
    if (value && against) {
      sum += value->value - against->value;
      ++count;
    }
  }
  return claim.kind == SetKind::kGrid && count > 0 ? scale.Stated(sum / count) : kUndefined;
}

/// The comparisons of a claim: with what it names, or with each other value of the axis.
std::vector<Selection> SelectionsOf(const std::vector<GridCell>& cells, const Claim& claim) {
  const std::string axis = AxisOf(claim.axis);
  if (!claim.against.empty()) {
    return {{axis, claim.value, claim.against}};
  }
  std::vector<Selection> selections;
  const auto only = claim.where.find(claim.axis);
  for (const GridCell& cell : cells) {
    const auto at = cell.at.find(axis);
    if (at == cell.at.end() || Contains(claim.value, at->second) ||
        (only != claim.where.end() && !Contains(only->second, at->second)) ||
        std::any_of(selections.begin(), selections.end(),
                    [&](const Selection& known) { return known.against.front() == at->second; })) {
      continue;
    }
    selections.push_back({axis, claim.value, {at->second}});
  }
  return selections;
}

/// The scale of a metric in a claim; empty if it needs real music that was not measured.
std::optional<Scale> ScaleOf(const ResultsSnapshot& data, const Claim& claim, const std::string& metric) {
  const MetricRow* row = FindMetric(metric);
  const Better better = row == nullptr ? Better::kNeither : row->better;
  Scale scale{metric, claim.relative, std::nullopt, 1};
  const bool follows_catalogue = claim.sense == ClaimSense::kBetter || claim.sense == ClaimSense::kWorse;
  if (claim.sense == ClaimSense::kNearer || (follows_catalogue && better == Better::kNeither)) {
    for (const SetRow& set : data.sets) {
      const Summary* summary = FindNamed(set.metrics, metric);
      if (set.kind == SetKind::kReal && set.status == CellStatus::kDone && summary != nullptr) {
        scale.real = summary->mean;
      }
    }
    if (!scale.real) {
      return std::nullopt;
    }
    scale.sign = -1;
  } else {
    scale.sign = claim.sense == ClaimSense::kLower || (follows_catalogue && better == Better::kLower) ? -1 : 1;
  }
  scale.sign *= claim.sense == ClaimSense::kWorse ? -1 : 1;
  return scale;
}

/// An interval of the difference as the claim states it.
struct Interval {
  double low = kUndefined;
  double high = kUndefined;
};

Interval IntervalOf(const Uncertain& total, const Scale& scale, double level) {
  if (!std::isfinite(total.variance)) {
    return {};
  }
  const double half =
      total.variance == 0 ? 0 : StudentQuantile(level, std::max(1.0, total.freedom)) * std::sqrt(total.variance);
  const double ends[] = {scale.Stated(total.value - half), scale.Stated(total.value + half)};
  return {std::min(ends[0], ends[1]), std::max(ends[0], ends[1])};
}

/// That all parts hold needs no correction for their number. That any of them fails does: `wide` is
/// corrected.
Verdict VerdictOf(const Interval& interval, const Interval& wide, const Claim& claim) {
  if (interval.low > claim.least && interval.high < claim.most) {
    return Verdict::kHolds;
  }
  return wide.high <= claim.least || wide.low >= claim.most ? Verdict::kFails : Verdict::kOpen;
}

ClaimResult Evaluate(const ResultsSnapshot& data, const Claim& claim) {
  ClaimResult result;
  result.claim = claim;
  const std::vector<GridCell> cells = GridCells(data, claim.kind);
  const std::vector<Selection> selections = SelectionsOf(cells, claim);
  const auto expected = static_cast<double>(std::max<size_t>(1, claim.metrics.size() * selections.size()));
  bool has_seeds = true;
  bool misses = selections.empty();
  for (const std::string& metric : claim.metrics) {
    for (const Selection& selection : selections) {
      const std::optional<Scale> scale = ScaleOf(data, claim, metric);
      const bool same_songs = metric.starts_with("valid_");
      std::optional<Compared> compared;
      if (scale) {
        const std::vector<RunNumbers> runs = NumbersOf(cells, claim, selection, *scale, same_songs);
        const Uncertain seeds = VarianceOfSeeds(runs, same_songs);
        compared = IsWithinRun(selection.axis) ? CompareWithin(runs, claim, seeds, same_songs)
                                               : CompareBetween(runs, claim, selection, seeds, same_songs);
        has_seeds &= !compared || seeds.freedom > 0;
      }
      if (!compared) {
        misses = true;
        continue;
      }
      const Uncertain& total = compared->total;
      const Interval interval = IntervalOf(total, *scale, 1 - kLevel);
      const Interval wide = IntervalOf(total, *scale, 1 - kLevel / expected);
      result.parts.push_back({metric, fmt::format("{}", fmt::join(selection.value, ", ")),
                              fmt::format("{}", fmt::join(selection.against, ", ")),
                              PlainMean(cells, claim, selection, selection.value, metric),
                              PlainMean(cells, claim, selection, selection.against, metric), compared->trainings,
                              scale->Stated(total.value), interval.low, interval.high,
                              PublishedDifference(data, claim, selection, *scale), VerdictOf(interval, wide, claim)});
    }
  }
  const auto any = [&result](Verdict verdict) {
    return std::any_of(result.parts.begin(), result.parts.end(),
                       [verdict](const ClaimPart& part) { return part.verdict == verdict; });
  };
  if (any(Verdict::kFails)) {
    result.verdict = Verdict::kFails;
  } else if (!misses && !any(Verdict::kOpen)) {
    result.verdict = Verdict::kHolds;
  }
  if (misses) {
    result.note = "Not everything that it compares is finished or was measured.";
  }
  if (!has_seeds && !result.parts.empty()) {
    result.note += fmt::format("{}No cell ran with two seeds: the intervals do not cover another training.",
                               result.note.empty() ? "" : " ");
  }
  return result;
}

}  // namespace

std::string_view ToString(Verdict verdict) {
  constexpr std::array<std::string_view, 3> kNames = {"holds", "does not hold", "cannot be decided"};
  return kNames[static_cast<size_t>(verdict)];
}

std::vector<ClaimResult> EvaluateClaims(const ResultsSnapshot& data, std::span<const Claim> claims) {
  std::vector<ClaimResult> results;
  for (const Claim& claim : claims) {
    results.push_back(Evaluate(data, claim));
  }
  return results;
}

}  // namespace continuo
