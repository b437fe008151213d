#include "continuo/metrics/set_distance.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "continuo/core/check.h"

namespace continuo {
namespace {

constexpr size_t kGridPoints = 4096;
constexpr size_t kMostPieces = 2000;
constexpr double kReach = 7.5;  // bandwidths, beyond which a kernel is below kLeastDensity of its peak
constexpr double kLeastDensity = 1e-12;

// A feature of a piece: numbers that are compared as one vector.
using Values = std::span<const double>;
struct Feature {
  std::string_view name;
  Values (*values)(const Description&, double& single);  // `single` is room for one that is not stored as such
};

constexpr std::array<Feature, 10> kFeatures = {{
    {"pitches used", [](const Description& d, double&) { return Values(&d.pitches_used, 1); }},
    {"pitch range",
     [](const Description& d, double& single) {
       single = d.highest_pitch - d.lowest_pitch;
       return Values(&single, 1);
     }},
    {"pitch classes", [](const Description& d, double&) { return Values(d.pitch_classes); }},
    {"pitch class transitions", [](const Description& d, double&) { return Values(d.pitch_class_transitions); }},
    {"mean interval", [](const Description& d, double&) { return Values(&d.mean_interval, 1); }},
    {"notes per bar", [](const Description& d, double&) { return Values(&d.notes_per_bar, 1); }},
    {"mean onset gap", [](const Description& d, double&) { return Values(&d.mean_onset_gap, 1); }},
    {"onset gaps", [](const Description& d, double&) { return Values(d.onset_gaps); }},
    {"note lengths", [](const Description& d, double&) { return Values(d.note_lengths); }},
    {"note length transitions", [](const Description& d, double&) { return Values(d.note_length_transitions); }},
}};

double Mean(std::span<const double> values) {
  double sum = 0;
  for (const double value : values) {
    sum += value;
  }
  return sum / static_cast<double>(values.size());
}

// Scott's rule, as scipy.stats.gaussian_kde has it.
double Bandwidth(std::span<const double> values) {
  const double mean = Mean(values);
  double squares = 0;
  for (const double value : values) {
    squares += (value - mean) * (value - mean);
  }
  const auto count = static_cast<double>(values.size());
  return count > 1 ? std::pow(count, -0.2) * std::sqrt(squares / (count - 1)) : 0;
}

// The density of `values` at the points of a grid from `low` in steps of `step`, summing to 1. Each
// value is shared out between the two points that it lies between, and each point spread by the
// kernel.
std::vector<double> Density(std::span<const double> values, double bandwidth, double low, double step) {
  std::vector<double> counts(kGridPoints, 0);
  for (const double value : values) {
    const double place = (value - low) / step;
    const size_t below = std::min(static_cast<size_t>(std::max(place, 0.0)), kGridPoints - 2);
    const double share = place - static_cast<double>(below);
    counts[below] += 1 - share;
    counts[below + 1] += share;
  }
  const double width = bandwidth / step;
  const auto reach = static_cast<size_t>(std::ceil(kReach * width));
  std::vector<double> kernel(reach + 1);
  for (size_t i = 0; i <= reach; ++i) {
    const double z = static_cast<double>(i) / width;
    kernel[i] = std::exp(-0.5 * z * z);
  }
  std::vector<double> density(kGridPoints, 0);
  for (size_t i = 0; i < kGridPoints; ++i) {
    if (counts[i] == 0) {
      continue;
    }
    const size_t from = i > reach ? i - reach : 0;
    const size_t to = std::min(i + reach, kGridPoints - 1);
    for (size_t j = from; j <= to; ++j) {
      density[j] += counts[i] * kernel[j > i ? j - i : i - j];
    }
  }
  double sum = 0;
  for (const double value : density) {
    sum += value;
  }
  for (double& value : density) {
    value /= sum;
  }
  return density;
}

// A feature of the pieces that have it, a row a piece.
struct Table {
  size_t rows = 0;
  size_t columns = 0;
  std::vector<double> values;

  Values Row(size_t row) const { return Values(values).subspan(row * columns, columns); }
};

Table Tabulate(std::span<const Description> pieces, const Feature& feature) {
  Table table;
  const size_t stride = (pieces.size() + kMostPieces - 1) / kMostPieces;
  for (size_t i = 0; i < pieces.size(); i += stride) {
    double single = 0;
    const Values values = feature.values(pieces[i], single);
    if (!std::isnan(pieces[i].lowest_pitch) && !std::isnan(values[0])) {
      table.values.insert(table.values.end(), values.begin(), values.end());
      table.columns = values.size();
      ++table.rows;
    }
  }
  return table;
}

double Distance(Values a, Values b) {
  double squares = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    squares += (a[i] - b[i]) * (a[i] - b[i]);
  }
  return std::sqrt(squares);
}

}  // namespace

DensityComparison CompareDensities(std::span<const double> a, std::span<const double> b) {
  CONTINUO_CHECK(!a.empty() && !b.empty());
  const auto [low_a, high_a] = std::minmax_element(a.begin(), a.end());
  const auto [low_b, high_b] = std::minmax_element(b.begin(), b.end());
  double low = std::min(*low_a, *low_b);
  double high = std::max(*high_a, *high_b);
  if (low == high) {
    return {1, 0};
  }
  double bandwidth_a = Bandwidth(a);
  double bandwidth_b = Bandwidth(b);
  const double margin = kReach * std::max(bandwidth_a, bandwidth_b) + (high - low) / 100;
  low -= margin;
  high += margin;
  const double step = (high - low) / static_cast<double>(kGridPoints - 1);
  bandwidth_a = std::max(bandwidth_a, step);
  bandwidth_b = std::max(bandwidth_b, step);
  const std::vector<double> density_a = Density(a, bandwidth_a, low, step);
  const std::vector<double> density_b = Density(b, bandwidth_b, low, step);
  const double least = kLeastDensity * *std::max_element(density_b.begin(), density_b.end());
  DensityComparison comparison;
  for (size_t i = 0; i < kGridPoints; ++i) {
    comparison.overlap += std::min(density_a[i], density_b[i]);
    if (density_a[i] > 0) {
      comparison.divergence += density_a[i] * std::log(density_a[i] / std::max(density_b[i], least));
    }
  }
  return comparison;
}

Result<std::vector<SetDistance>> CompareSets(std::span<const Description> set, std::span<const Description> reference) {
  std::vector<SetDistance> distances;
  for (const Feature& feature : kFeatures) {
    const Table ours = Tabulate(set, feature);
    const Table theirs = Tabulate(reference, feature);
    if (ours.rows < 1 || theirs.rows < 3) {
      return MakeError("{} of {} pieces and {} of {} reference pieces have a value of \"{}\", expected 1 and 3 or more",
                       ours.rows, set.size(), theirs.rows, reference.size(), feature.name);
    }
    std::vector<double> within;
    std::vector<double> between;
    for (size_t i = 0; i < theirs.rows; ++i) {
      for (size_t j = i + 1; j < theirs.rows; ++j) {
        within.push_back(Distance(theirs.Row(i), theirs.Row(j)));
      }
      for (size_t j = 0; j < ours.rows; ++j) {
        between.push_back(Distance(theirs.Row(i), ours.Row(j)));
      }
    }
    const DensityComparison comparison = CompareDensities(within, between);
    distances.push_back({feature.name, Mean(within), Mean(between), comparison.overlap, comparison.divergence});
  }
  return distances;
}

}  // namespace continuo
