#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "continuo/core/result.h"
#include "continuo/metrics/description.h"

namespace continuo {

/// How far a set of pieces is from a reference set in one feature. Distances are Euclidean, between
/// the features of two pieces. If the set is like the reference, its pieces are as far from the
/// reference's as these are from each other.
struct SetDistance {
  std::string_view feature;
  double within_reference = 0;  // mean distance of two of the reference's pieces
  double between = 0;           // mean distance of a piece of the set and one of the reference
  /// The area under both densities of these distances: 1 if they are equal, 0 if they are disjoint.
  double overlap = 0;
  /// The Kullback-Leibler divergence, in nats, of the density within the reference from the one
  /// between the sets: 0 if they are equal.
  double divergence = 0;
};

/// One SetDistance for each feature: pitches used, pitch range, pitch classes and their
/// transitions, mean interval, notes per bar, mean onset gap, onset gaps, note lengths and their
/// transitions. Pieces for which a feature is not defined are left out of it. Of more than 2,000
/// pieces only every second, third and so on is used. Densities are Gaussian kernel estimates with
/// Scott's bandwidth, on a grid of 4,096 points; a density is at least 1e-12 of its peak in the
/// divergence, which keeps that finite. Takes 1 s for 100 against 1,747 pieces. Fails if the
/// reference has fewer than three pieces with notes, or the set none. Source: Yang and Lerch, "On
/// the evaluation of generative models in music", Neural Computing and Applications 32 (2020).
Result<std::vector<SetDistance>> CompareSets(std::span<const Description> set, std::span<const Description> reference);

/// Overlap and divergence of the densities of two samples of distances; neither may be empty.
struct DensityComparison {
  double overlap = 0;
  double divergence = 0;  // of `a` from `b`
};
DensityComparison CompareDensities(std::span<const double> a, std::span<const double> b);

}  // namespace continuo
