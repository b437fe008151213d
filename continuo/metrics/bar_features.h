#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include "continuo/score/score.h"

namespace continuo {

inline constexpr size_t kBarFeatures = 177;

/// One of the numbers by which a classifier tells pieces apart.
struct BarFeature {
  std::string id;     // "js8", for programs
  std::string words;  // "share of a bar's notes that return after 8 bars", for a musician
  bool form = false;  // it compares bars with bars further on
};

/// All features, in the order of BarFeatureValues.
std::span<const BarFeature> BarFeatureTable();

using BarFeatureValues = std::array<double, kBarFeatures>;

/// Of more bars, features see only the first.
inline constexpr int64_t kMostFeatureBars = 1024;

/// The features of the first `bars` bars of a piece, from 1 to kMostFeatureBars; bars after its end
/// are empty bars. All are finite. nullopt if no note begins in these bars.
///
/// A bar is four quarter notes, whatever the time signatures of the score; all tracks count as one,
/// drums too. An onset counts at the nearest sixteenth of its bar (halves at the even one, one past
/// the last at the first); onsets within the same 1/64 of a bar are one chord. The features are
/// those of Continuo's reference script of the two-sample test, which computes them with numpy:
/// notes per bar; percentiles of pitch, velocity and duration; positions; pitch classes; sizes of
/// chords and intervals within them; steps of the highest and of the lowest voice; gaps between
/// onsets; and form: how alike bars are that stand 1 to 24 bars apart (see LikenessAtLag; a
/// distance of `bars` or more gives 0).
std::optional<BarFeatureValues> BarFeaturesOf(const Score& score, int64_t bars);

/// The mean of a feature over pieces, of which there is at least one, and its variance (n).
std::pair<double, double> MeanAndVariance(std::span<const BarFeatureValues> pieces, size_t feature);

}  // namespace continuo
