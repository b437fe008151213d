#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "continuo/core/result.h"
#include "continuo/metrics/bar_features.h"
#include "continuo/score/score.h"

namespace continuo {

/// Logistic regressions that tell written music from real music by the features of its last bars
/// (BarFeaturesOf), one for each of several numbers of bars. Immutable; any number of threads may
/// use one.
class Discriminator {
 public:
  /// The regressions are of as many bars, of twice as many, and so on.
  static constexpr int64_t kStepBars = 2;
  static constexpr int64_t kMostBars = 64;

  /// Reads what ToJson writes. Fails, naming `name`, the key and the value, on anything else.
  static Result<Discriminator> Parse(std::string_view json, std::string_view name);
  std::string ToJson() const;
  /// The most bars that there is a regression for.
  int64_t bars() const { return static_cast<int64_t>(regressions_.size()) * kStepBars; }

  /// The log odds, in nats, that the bars before bar `end` are real music: of the most bars that
  /// there is a regression for, up to `end`. Negative infinity if no note begins in them; nullopt
  /// if there are fewer than kStepBars, or one of them is not four quarter notes long.
  std::optional<double> LogOdds(const Score& score, size_t end) const;

 private:
  friend Result<Discriminator> FitDiscriminator(std::span<const Score> written, std::span<const Score> songs,
                                                int64_t bars, const Discriminator* before);
  /// A feature counts by how many of the songs' deviations it is from their mean, at most
  /// kMostDeviations, and by the square of that: too much may be as unlike them as too little.
  struct Regression {
    double intercept = 0;
    BarFeatureValues means{};
    BarFeatureValues deviations{};  // 1 where songs do not differ
    BarFeatureValues linear{};
    BarFeatureValues squared{};

    /// The means and deviations of songs.
    explicit Regression(std::span<const BarFeatureValues> songs);
    Regression() = default;
    /// What the weights are for: the deviations from the mean, then their squares.
    std::array<double, 2 * kBarFeatures> Terms(const BarFeatureValues& features) const;
  };
  static constexpr double kMostDeviations = 3;
  static const std::array<std::pair<const char*, BarFeatureValues Regression::*>, 4> kLists;  // by their names in files
  std::vector<Regression> regressions_;  // of kStepBars, 2 * kStepBars, ... bars
};

/// Fits regressions of up to `bars` bars, a multiple of kStepBars up to kMostBars, to the first
/// bars of what a model wrote and of real songs. Pieces without a note in these bars, or with bars
/// that are not four quarter notes long, are left out. The regression is FitLogistic's with the
/// strength of the two-sample test (two_sample.h); the odds are those of as many songs as written
/// pieces. Fails if fewer than kLeastForTwoSample pieces of either kind remain.
///
/// `before`, which may be null, is what drafts of the written pieces were compared by: to its log
/// odds those are added by which the pieces can still be told from songs. It must have as many
/// regressions.
Result<Discriminator> FitDiscriminator(std::span<const Score> written, std::span<const Score> songs, int64_t bars,
                                       const Discriminator* before = nullptr);

}  // namespace continuo
