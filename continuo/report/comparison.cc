#include "continuo/report/comparison.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <limits>
#include <map>

#include "continuo/core/check.h"
#include "continuo/metrics/catalogue.h"
#include "continuo/report/grid_cells.h"

namespace continuo {
namespace {

// Smaller relative differences are rounding errors of equal values.
constexpr double kRoundingShare = 1e-9;
constexpr double kUndefined = std::numeric_limits<double>::quiet_NaN();

/// The continued fraction of the incomplete beta function, by Lentz' method. Source: Numerical
/// Recipes, 6.4.
double BetaFraction(double a, double b, double x) {
  constexpr double kTiny = 1e-300;
  constexpr int kMaxTerms = 10000;
  double c = 1;
  double d = 1 - (a + b) * x / (a + 1);
  d = 1 / (std::abs(d) < kTiny ? kTiny : d);
  double fraction = d;
  for (int m = 1; m <= kMaxTerms; ++m) {
    for (const double term : {m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
                              -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))}) {
      d = 1 + term * d;
      d = 1 / (std::abs(d) < kTiny ? kTiny : d);
      c = 1 + term / c;
      c = std::abs(c) < kTiny ? kTiny : c;
      fraction *= d * c;
    }
    if (std::abs(d * c - 1) < 1e-15) {
      break;
    }
  }
  return fraction;
}

/// Regularised incomplete beta function.
double Beta(double a, double b, double x) {
  if (x <= 0 || x >= 1) {
    return x <= 0 ? 0 : 1;
  }
  const double front =
      std::exp(std::lgamma(a + b) - std::lgamma(a) - std::lgamma(b) + a * std::log(x) + b * std::log1p(-x));
  return x < (a + 1) / (a + b + 2) ? front * BetaFraction(a, b, x) / a : 1 - front * BetaFraction(b, a, 1 - x) / b;
}

/// The values of an axis in the order of their first cell; epochs by number.
std::vector<std::string> ValuesOf(const std::vector<GridCell>& cells, const std::string& axis) {
  std::vector<std::string> values;
  for (const GridCell& cell : cells) {
    const std::string& value = cell.at.at(axis);
    if (std::find(values.begin(), values.end(), value) == values.end()) {
      values.push_back(value);
    }
  }
  if (axis == "epoch") {
    std::sort(values.begin(), values.end(),
              [](const std::string& a, const std::string& b) { return std::atoll(a.c_str()) < std::atoll(b.c_str()); });
  }
  return values;
}

double MeanOf(const std::vector<Summary>& metrics) {
  double sum = 0;
  for (const Summary& metric : metrics) {
    sum += metric.mean;
  }
  return sum / static_cast<double>(metrics.size());
}

/// Cells that measured the same songs, as one cell.
Summary AsOneCell(const std::vector<Summary>& cells) {
  Summary one{cells.front().count, 0, 0, kUndefined, kUndefined};
  for (const Summary& cell : cells) {
    one.count = std::min(one.count, cell.count);
    one.mean += cell.mean / static_cast<double>(cells.size());
    one.deviation += cell.deviation / static_cast<double>(cells.size());
  }
  return one;
}

/// Compares two values of an axis in all metrics, over the cells that have the values of `within`.
void AddContrasts(const std::vector<GridCell>& cells, const std::string& axis, const std::string& a,
                  const std::string& b, const Coordinates& within, std::span<const std::string_view> metrics,
                  std::vector<Contrast>& contrasts) {
  std::map<Coordinates, const SetRow*> others;
  std::vector<std::pair<const SetRow*, const SetRow*>> pairs;
  const auto is_within = [&](const GridCell& cell) {
    return std::all_of(within.begin(), within.end(),
                       [&](const auto& item) { return cell.at.at(item.first) == item.second; });
  };
  for (const GridCell& cell : cells) {
    if (cell.at.at(axis) == a && is_within(cell)) {
      others.emplace(Without(cell.at, axis), cell.set);
    }
  }
  for (const GridCell& cell : cells) {
    if (cell.at.at(axis) == b && is_within(cell)) {
      if (const auto other = others.find(Without(cell.at, axis)); other != others.end()) {
        pairs.emplace_back(other->second, cell.set);
      }
    }
  }
  std::string name;
  for (const auto& [key, value] : within) {
    name += (name.empty() ? "" : " ") + value;
  }
  for (const std::string_view metric : metrics) {
    std::vector<Summary> as;
    std::vector<Summary> bs;
    for (const auto& [set_a, set_b] : pairs) {
      const Summary* in_a = FindNamed(set_a->metrics, metric);
      const Summary* in_b = FindNamed(set_b->metrics, metric);
      if (in_a != nullptr && in_b != nullptr) {
        as.push_back(*in_a);
        bs.push_back(*in_b);
      }
    }
    if (as.empty()) {
      continue;
    }
    const size_t count = as.size();
    if (metric.starts_with("valid_")) {
      as = {AsOneCell(as)};
      bs = {AsOneCell(bs)};
    }
    const Difference difference = Compare(as, bs);
    const double half = difference.HalfWidth(0.95);
    contrasts.push_back({axis, a, b, name, std::string(metric), count, MeanOf(as), MeanOf(bs), difference,
                         difference.value - half, difference.value + half, false});
  }
}

}  // namespace

double StudentQuantile(double level, double freedom) {
  CONTINUO_CHECK(level > 0 && level < 1 && freedom > 0);
  // P(|T| > t) = I_x(freedom / 2, 1/2) with x = freedom / (freedom + t^2), which falls in t.
  const auto outside = [freedom](double t) { return Beta(freedom / 2, 0.5, freedom / (freedom + t * t)); };
  double low = 0;
  double high = 1;
  while (outside(high) > 1 - level && high < 1e15) {
    high *= 2;
  }
  for (int step = 0; step < 200 && high - low > 1e-12 * high; ++step) {
    const double middle = (low + high) / 2;
    (outside(middle) > 1 - level ? low : high) = middle;
  }
  return high;
}

double Difference::HalfWidth(double level) const {
  if (std::isnan(error) || std::isnan(freedom)) {
    return kUndefined;
  }
  return error == 0 ? 0 : StudentQuantile(level, freedom) * error;
}

Difference Compare(std::span<const Summary> a, std::span<const Summary> b) {
  Difference difference;
  double variance = 0;
  double squares = 0;
  const auto add = [&](std::span<const Summary> side, double sign) {
    const auto cells = static_cast<double>(side.size());
    for (const Summary& cell : side) {
      difference.value += sign * cell.mean / cells;
      const auto count = static_cast<double>(cell.count);
      const double part = cell.count < 2 ? kUndefined : cell.deviation * cell.deviation / (count * cells * cells);
      variance += part;
      squares += part * part / (count - 1);
    }
  };
  add(a, -1);
  add(b, 1);
  if (a.empty() || b.empty()) {
    return {kUndefined, kUndefined, kUndefined};
  }
  difference.error = std::sqrt(variance);
  difference.freedom = variance == 0 ? 1 : variance * variance / squares;
  return difference;
}

std::vector<Contrast> CompareAxes(const ResultsSnapshot& data, std::span<const std::string_view> metrics) {
  const std::vector<GridCell> cells = GridCells(data, SetKind::kGrid);
  std::vector<Contrast> contrasts;
  if (cells.empty()) {
    return contrasts;
  }
  const std::vector<std::string> models = ValuesOf(cells, "model");
  const std::vector<std::string> tokenizers = ValuesOf(cells, "tokenizer");
  std::vector<std::string> axes = {"epoch", "model", "tokenizer"};
  for (const auto& [key, value] : cells.front().at) {
    if (std::find(axes.begin(), axes.end(), key) == axes.end()) {
      axes.push_back(key);
    }
  }
  for (const std::string& axis : axes) {
    const std::vector<std::string> values = ValuesOf(cells, axis);
    std::vector<Coordinates> groups = {{}};
    if (axis == "epoch") {
      for (const std::string& model : models) {
        for (const std::string& tokenizer : tokenizers) {
          groups.push_back({{"model", model}, {"tokenizer", tokenizer}});
        }
      }
    } else if (axis == "model") {
      for (const std::string& tokenizer : tokenizers) {
        groups.push_back({{"tokenizer", tokenizer}});
      }
    } else {
      for (const std::string& model : models) {
        groups.push_back({{"model", model}});
      }
    }
    if (groups.size() == 2) {
      groups.pop_back();  // equal to the group of all cells
    }
    const size_t first = contrasts.size();
    for (size_t a = 0; a < values.size(); ++a) {
      for (size_t b = a + 1; b < values.size(); ++b) {
        if (axis == "epoch" && (a != 0 || b + 1 != values.size())) {
          continue;
        }
        for (const Coordinates& group : groups) {
          AddContrasts(cells, axis, values[a], values[b], group, metrics, contrasts);
        }
      }
    }
    const auto known = std::count_if(contrasts.begin() + static_cast<std::ptrdiff_t>(first), contrasts.end(),
                                     [](const Contrast& contrast) { return !std::isnan(contrast.low); });
    for (size_t i = first; i < contrasts.size(); ++i) {
      Contrast& contrast = contrasts[i];
      const double half =
          contrast.difference.HalfWidth(1 - 0.05 / static_cast<double>(std::max<std::ptrdiff_t>(1, known)));
      const double size = std::max(std::abs(contrast.mean_a), std::abs(contrast.mean_b));
      contrast.clear = !std::isnan(half) && std::abs(contrast.difference.value) > std::max(half, kRoundingShare * size);
    }
  }
  return contrasts;
}

std::vector<std::string> RunVariants(const ResultsSnapshot& data) {
  std::vector<std::string> free = FreeSettings(data);
  std::erase(free, "model");
  std::erase(free, "tokenizer");
  std::vector<std::string> variants;
  for (const RunRow& run : data.runs) {
    std::string& variant = variants.emplace_back();
    const std::map<std::string, std::string> settings = ScalarFields(run.settings);
    for (const std::string& key : free) {
      if (const auto value = settings.find(key); value != settings.end()) {
        variant += fmt::format("{}{} {}", variant.empty() ? "" : ", ", key, PlainValue(value->second));
      }
    }
  }
  return variants;
}

namespace {

/// The title of a metric inside a sentence: "notes per bar", but "GS" and "NLL per bar".
std::string InSentence(const std::string& name) {
  const MetricRow* metric = FindMetric(name);
  std::string title = metric == nullptr ? name : std::string(metric->title);
  const auto is_lower = [](char c) { return c >= 'a' && c <= 'z'; };
  if (title.size() > 1 && is_lower(title[1])) {
    title[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(title[0])));
  }
  return title;
}

}  // namespace

std::vector<Finding> Findings(const ResultsSnapshot& data, std::span<const Contrast> contrasts) {
  const auto real = std::find_if(data.sets.begin(), data.sets.end(), [](const SetRow& set) {
    return set.kind == SetKind::kReal && set.status == CellStatus::kDone;
  });
  const auto real_value = [&](const std::string& metric) -> const Summary* {
    return real == data.sets.end() ? nullptr : FindNamed(real->metrics, metric);
  };
  std::vector<Finding> findings;
  for (const Contrast& contrast : contrasts) {
    if (!contrast.clear || !contrast.within.empty()) {
      continue;
    }
    const double value = contrast.difference.value;
    const std::string name = InSentence(contrast.metric);
    std::string sentence = contrast.axis == "epoch"
                               ? fmt::format("From epoch {} to epoch {}, {} {} by", contrast.a, contrast.b, name,
                                             value > 0 ? "rises" : "falls")
                               : fmt::format("With {} {}, {} is {} than with {}, by", contrast.axis, contrast.b, name,
                                             value > 0 ? "higher" : "lower", contrast.a);
    const bool rises = value > 0;
    sentence += fmt::format(" {:.3g} (95 % interval {:.3g} to {:.3g}), from {:.4g} to {:.4g}", std::abs(value),
                            rises ? contrast.low : -contrast.high, rises ? contrast.high : -contrast.low,
                            contrast.mean_a, contrast.mean_b);
    if (const Summary* music = real_value(contrast.metric); music != nullptr) {
      sentence += fmt::format("; real music has {:.4g}", music->mean);
    }
    std::string against;
    for (const Contrast& group : contrasts) {
      if (group.clear && !group.within.empty() && group.axis == contrast.axis && group.metric == contrast.metric &&
          group.a == contrast.a && group.b == contrast.b && (group.difference.value > 0) != rises) {
        against += fmt::format("{}{} (by {:.3g})", against.empty() ? "" : ", ", group.within,
                               std::abs(group.difference.value));
      }
    }
    if (!against.empty()) {
      sentence += fmt::format(". Not everywhere: it {} for {}", rises ? "falls" : "rises", against);
    }
    findings.push_back({contrast.axis, contrast.metric, sentence + "."});
  }
  for (const MetricRow& row : MetricCatalogue()) {
    if (row.ranking.empty() || row.better != Better::kHigher) {
      continue;
    }
    const std::string metric(row.name);
    const SetRow* best = nullptr;
    const Summary* best_value = nullptr;
    for (const SetRow& set : data.sets) {
      const Summary* found = FindNamed(set.metrics, metric);
      if (set.kind == SetKind::kGrid && set.status == CellStatus::kDone && found != nullptr &&
          (best == nullptr || found->mean > best_value->mean)) {
        best = &set;
        best_value = found;
      }
    }
    const Summary* music = real_value(metric);
    if (best == nullptr || music == nullptr) {
      continue;
    }
    const Summary& top = *best_value;
    const bool above = top.low > music->high;
    if (above || top.high < music->low) {
      findings.push_back(
          {"best", metric,
           fmt::format("The highest {}, {:.4g} ({}), lies {} that of real music, {:.4g}: their intervals, "
                       "{:.4g} to {:.4g} and {:.4g} to {:.4g}, are apart.",
                       metric, top.mean, best->label, above ? "above" : "below", music->mean, top.low, top.high,
                       music->low, music->high)});
    }
  }
  return findings;
}

}  // namespace continuo
