#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "continuo/core/progress.h"
#include "continuo/core/result.h"
#include "continuo/core/stop_token.h"
#include "continuo/metrics/bar_features.h"

namespace continuo {

/// How well a classifier tells the pieces of two sets apart: the probability that of a random pair,
/// one piece of each, it finds the right one. 0.5: it guesses, 1: always.
struct Auc {
  double value = 0;
  double low = 0;  // 95 % bootstrap interval
  double high = 0;
};

/// `scores` of the pieces of either set; neither may be empty. Equal to the Mann-Whitney statistic
/// over the number of pairs, with equal scores counted half (J. A. Hanley, B. J. McNeil, "The
/// meaning and use of the area under a receiver operating characteristic curve", Radiology 143,
/// 1982). The interval is the 2.5th to the 97.5th percentile over `resamples` draws of pieces with
/// replacement, in each set by itself (B. Efron, R. J. Tibshirani, "An Introduction to the
/// Bootstrap", 1993, chapter 13), the same for the same seed. The classifiers are not trained again
/// for a draw.
Auc MeasureAuc(std::span<const double> lower, std::span<const double> higher, uint64_t seed, int resamples = 1000);

/// A feature in which two sets differ.
struct FeatureDifference {
  size_t feature = 0;  // its place in BarFeatureTable()
  double set_mean = 0;
  double set_deviation = 0;  // of a population (n), as below
  double reference_mean = 0;
  double reference_deviation = 0;
  /// (set_mean - reference_mean) over the root of the mean of both variances (Cohen's d).
  double difference = 0;
};

struct TwoSampleOptions {
  uint64_t seed = 0;
  size_t trees = 500;
  size_t threads = 1;  // at least 1
};

/// Fewer pieces in either set are not compared.
inline constexpr size_t kLeastForTwoSample = 10;
/// Of the logistic regression.
inline constexpr double kTwoSampleInverseStrength = 0.05;
/// Of more pieces, as many are drawn.
inline constexpr size_t kMostForTwoSample = 1000;

struct TwoSample {
  size_t pieces = 0;  // of each set: as many as the smaller has, at most kMostForTwoSample
  Auc forest;
  Auc forest_without_form;
  Auc logistic;
  std::vector<FeatureDifference> differences;  // of all features and all pieces, the largest first
};

/// The classifier two-sample test: classifiers learn to tell pieces of a set from those of a
/// reference set, and are asked about pieces that they did not learn from. If they can do no better
/// than guess, the set is like the reference in all that the features show.
///
/// Both sets are shuffled and the larger one cut, then divided into ten parts, each set evenly.
/// Each part is classified after training on the other nine. The AUC is that of all these answers
/// together. The classifiers are a random forest of 500 trees with at least 3 pieces in a leaf, the
/// same without the features of form, and logistic regression with C = 0.05 (classifiers.h).
///
/// The same for any number of threads. 300 against 300 pieces take 9 s of CPU time.
/// `progress` counts the ten parts. Fails if either set has fewer than ten pieces, with
/// CancelledError() on a stop. Source: D. Lopez-Paz, M. Oquab, "Revisiting classifier two-sample
/// tests", ICLR 2017.
Result<TwoSample> CompareByClassifiers(std::span<const BarFeatureValues> set,
                                       std::span<const BarFeatureValues> reference, const TwoSampleOptions& options,
                                       Progress& progress = NoProgress(), const StopToken& stop = {});

}  // namespace continuo
