#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "continuo/core/result.h"
#include "continuo/experiment/plan.h"
#include "continuo/results/results.h"

namespace continuo {

/// How far an experiment is.
struct ExperimentProgress {
  std::string name;
  std::string title;
  std::vector<RunProgress> runs;
  std::vector<SetProgress> sets;
  size_t continuations = 0;  // how many there will be
  size_t workers = 1;
  double seconds_left = 0;  // NaN if unknown

  size_t CountRuns(CellStatus status) const;
  size_t CountSets(SetKind kind) const;
  size_t CountSets(SetKind kind, CellStatus status) const;
};

Result<ExperimentProgress> ReadProgress(const Results& results);

/// An estimate of the seconds left: trainings from their own progress and the finished ones, sets
/// from finished sets of their kind. NaN if no training has begun.
double SecondsLeft(const ExperimentProgress& progress);

/// How many continuations a spec asks for.
size_t ContinuationCount(const ExperimentSpec& spec);

/// A rough estimate of the seconds that a whole plan takes, before anything has run: from the
/// floating-point operations of its models and the sizes of the songs, at 30 GFLOP/s per thread.
double GuessSeconds(const ExperimentSpec& spec, const ExperimentInputs& inputs, const ExperimentPlan& plan,
                    size_t threads);

}  // namespace continuo
