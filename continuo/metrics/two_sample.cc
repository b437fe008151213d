#include "continuo/metrics/two_sample.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>
#include <utility>

#include "continuo/core/check.h"
#include "continuo/core/rng.h"
#include "continuo/core/thread_pool.h"
#include "continuo/metrics/classifiers.h"

namespace continuo {
namespace {

constexpr size_t kFolds = 10;
constexpr double kLeastVariance = 1e-12;

// Streams of random numbers. Each forest has 2^32 from its own number on.
constexpr uint64_t kForestStreams = uint64_t{1} << 32;
constexpr uint64_t kShuffleStream = uint64_t{1} << 60;
constexpr uint64_t kBootstrapStream = uint64_t{1} << 61;

/// The places of `count` of `size` pieces, drawn without replacement, in random order.
std::vector<size_t> Draw(size_t size, size_t count, uint64_t seed, uint64_t stream) {
  std::vector<size_t> places(size);
  std::iota(places.begin(), places.end(), size_t{0});
  Rng rng(seed, stream);
  for (size_t i = 0; i < count; ++i) {
    std::swap(places[i], places[i + rng.NextBelow(size - i)]);
  }
  places.resize(count);
  return places;
}

/// The scores of two sets in their order together, equal ones in one group.
class ScoreOrder {
 public:
  ScoreOrder(std::span<const double> lower, std::span<const double> higher) {
    std::vector<std::pair<double, size_t>> scores;
    for (const double score : lower) {
      scores.emplace_back(score, scores.size());
    }
    for (const double score : higher) {
      scores.emplace_back(score, scores.size());
    }
    std::ranges::sort(scores);
    for (size_t i = 0; i < scores.size(); ++i) {
      starts_group_.push_back(i == 0 || scores[i].first != scores[i - 1].first);
      pieces_.push_back(scores[i].second);
    }
    lower_ = lower.size();
  }

  /// The AUC if each piece (those of `lower`, then those of `higher`) counts so many times.
  double AucOf(const std::vector<uint32_t>& times) const {
    double wins = 0;       // pairs in the right order, equal ones half
    double below = 0;      // of `lower`, in the groups before
    double group_low = 0;  // of `lower`, in this group
    double group_high = 0;
    double high = 0;
    const auto end_group = [&] {
      wins += group_high * (below + group_low / 2);
      below += std::exchange(group_low, 0);
      high += std::exchange(group_high, 0);
    };
    for (size_t i = 0; i < pieces_.size(); ++i) {
      if (starts_group_[i]) {
        end_group();
      }
      (pieces_[i] < lower_ ? group_low : group_high) += times[pieces_[i]];
    }
    end_group();
    return wins / (below * high);
  }

 private:
  std::vector<size_t> pieces_;
  std::vector<bool> starts_group_;
  size_t lower_ = 0;
};

// Between the two nearest of `sorted`, in proportion.
double Percentile(const std::vector<double>& sorted, double share) {
  const double place = share * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<size_t>(place);
  const size_t above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (place - static_cast<double>(below)) * (sorted[above] - sorted[below]);
}

/// The pieces that take part, those of the reference as class 0, those of the set as class 1.
struct Pieces {
  std::vector<BarFeatureValues> features;
  std::vector<uint8_t> labels;
  std::vector<size_t> folds;  // each set evenly

  void Add(std::span<const BarFeatureValues> set, size_t count, uint8_t label, uint64_t seed) {
    const std::vector<size_t> drawn = Draw(set.size(), count, seed, kShuffleStream + label);
    for (size_t i = 0; i < drawn.size(); ++i) {
      features.push_back(set[drawn[i]]);
      labels.push_back(label);
      folds.push_back(i % kFolds);
    }
  }
};

/// The pieces of a fold, or all others, with some of their features.
LabelledRows Select(const Pieces& pieces, size_t fold, bool of_fold, std::span<const size_t> columns) {
  LabelledRows rows;
  rows.columns = columns.size();
  std::vector<double> row(columns.size());
  for (size_t i = 0; i < pieces.labels.size(); ++i) {
    if ((pieces.folds[i] == fold) == of_fold) {
      for (size_t c = 0; c < columns.size(); ++c) {
        row[c] = pieces.features[i][columns[c]];
      }
      rows.Add(row, pieces.labels[i]);
    }
  }
  return rows;
}

/// Gives the pieces of a fold, in their order, the scores of a classifier.
void PutScores(const Pieces& pieces, size_t fold, std::span<const double> of_fold, std::vector<double>& scores) {
  size_t next = 0;
  for (size_t i = 0; i < pieces.labels.size(); ++i) {
    if (pieces.folds[i] == fold) {
      scores[i] = of_fold[next++];
    }
  }
}

Auc AucOfScores(const Pieces& pieces, const std::vector<double>& scores, uint64_t seed) {
  std::vector<double> of_reference;
  std::vector<double> of_set;
  for (size_t i = 0; i < scores.size(); ++i) {
    (pieces.labels[i] == 0 ? of_reference : of_set).push_back(scores[i]);
  }
  return MeasureAuc(of_reference, of_set, seed);
}

std::vector<size_t> FeaturePlaces(bool with_form) {
  std::vector<size_t> places;
  for (size_t i = 0; i < kBarFeatures; ++i) {
    if (with_form || !BarFeatureTable()[i].form) {
      places.push_back(i);
    }
  }
  return places;
}

std::vector<FeatureDifference> Differences(std::span<const BarFeatureValues> set,
                                           std::span<const BarFeatureValues> reference) {
  std::vector<FeatureDifference> differences;
  for (size_t feature = 0; feature < kBarFeatures; ++feature) {
    const auto [set_mean, set_variance] = MeanAndVariance(set, feature);
    const auto [reference_mean, reference_variance] = MeanAndVariance(reference, feature);
    const double deviation = std::sqrt((set_variance + reference_variance) / 2 + kLeastVariance);
    differences.push_back({feature, set_mean, std::sqrt(set_variance), reference_mean, std::sqrt(reference_variance),
                           (set_mean - reference_mean) / deviation});
  }
  std::ranges::stable_sort(differences, std::greater(),
                           [](const FeatureDifference& d) { return std::abs(d.difference); });
  return differences;
}

}  // namespace

Auc MeasureAuc(std::span<const double> lower, std::span<const double> higher, uint64_t seed, int resamples) {
  CONTINUO_CHECK(!lower.empty() && !higher.empty() && resamples >= 1);
  const ScoreOrder order(lower, higher);
  std::vector<uint32_t> times(lower.size() + higher.size(), 1);
  Auc auc;
  auc.value = order.AucOf(times);
  std::vector<double> values(static_cast<size_t>(resamples));
  for (size_t i = 0; i < values.size(); ++i) {
    Rng rng(seed, kBootstrapStream + i);
    std::ranges::fill(times, 0);
    for (size_t piece = 0; piece < lower.size(); ++piece) {
      ++times[rng.NextBelow(lower.size())];
    }
    for (size_t piece = 0; piece < higher.size(); ++piece) {
      ++times[lower.size() + rng.NextBelow(higher.size())];
    }
    values[i] = order.AucOf(times);
  }
  std::ranges::sort(values);
  auc.low = Percentile(values, 0.025);
  auc.high = Percentile(values, 0.975);
  return auc;
}

Result<TwoSample> CompareByClassifiers(std::span<const BarFeatureValues> set,
                                       std::span<const BarFeatureValues> reference, const TwoSampleOptions& options,
                                       Progress& progress, const StopToken& stop) {
  const size_t smaller = std::min(set.size(), reference.size());
  if (smaller < kLeastForTwoSample) {
    return Error{
        .message = fmt::format("{} and {} pieces with notes are too few for the two-sample test", set.size(),
                               reference.size()),
        .hint = fmt::format("it needs {} in each set, and about 100 for a narrow interval", kLeastForTwoSample)};
  }
  TwoSample result;
  result.pieces = std::min(smaller, kMostForTwoSample);
  Pieces pieces;
  pieces.Add(reference, result.pieces, 0, options.seed);
  pieces.Add(set, result.pieces, 1, options.seed);

  const std::vector<size_t> all = FeaturePlaces(/*with_form=*/true);
  const std::vector<size_t> without_form = FeaturePlaces(/*with_form=*/false);
  ThreadPool pool(options.threads);
  std::vector<double> forest(pieces.labels.size());
  std::vector<double> forest_without_form(pieces.labels.size());
  std::vector<double> logistic(pieces.labels.size());
  pool.ForEach(kFolds, [&](size_t fold, size_t) {
    if (!stop.stop_requested()) {
      PutScores(pieces, fold,
                LogisticProbabilities(Select(pieces, fold, false, all), Select(pieces, fold, true, all),
                                      kTwoSampleInverseStrength),
                logistic);
    }
  });
  for (size_t fold = 0; fold < kFolds; ++fold) {
    ForestOptions of_fold = {.trees = options.trees, .seed = options.seed, .stream = 2 * fold * kForestStreams};
    CONTINUO_ASSIGN(
        const std::vector<double> with,
        ForestProbabilities(Select(pieces, fold, false, all), Select(pieces, fold, true, all), of_fold, pool, stop));
    PutScores(pieces, fold, with, forest);
    of_fold.stream += kForestStreams;
    CONTINUO_ASSIGN(const std::vector<double> without,
                    ForestProbabilities(Select(pieces, fold, false, without_form),
                                        Select(pieces, fold, true, without_form), of_fold, pool, stop));
    PutScores(pieces, fold, without, forest_without_form);
    progress.Update(fold + 1, kFolds, "");
  }
  result.forest = AucOfScores(pieces, forest, options.seed);
  result.forest_without_form = AucOfScores(pieces, forest_without_form, options.seed);
  result.logistic = AucOfScores(pieces, logistic, options.seed);
  result.differences = Differences(set, reference);
  return result;
}

}  // namespace continuo
