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
  size_t continuations = 0;  // that there will be
  size_t workers = 1;
  double seconds_left = 0;  // NaN while nothing is known

  size_t CountRuns(CellStatus status) const;
  size_t CountSets(SetKind kind) const;
  size_t CountSets(SetKind kind, CellStatus status) const;
};

Result<ExperimentProgress> ReadProgress(const Results& results);

/// Seconds that are left: trainings as their own begun part and the others tell, sets as those of their kind. NaN where
/// no training has begun.
double SecondsLeft(const ExperimentProgress& progress);

/// How many continuations a spec asks for.
size_t ContinuationCount(const ExperimentSpec& spec);

/// A guess of the seconds that a plan takes from its beginning, before anything has run: of the arithmetic of its
/// models over the songs' bytes, at 30 GFLOP/s a thread.
double GuessSeconds(const ExperimentSpec& spec, const ExperimentInputs& inputs, const ExperimentPlan& plan,
                    size_t threads);

}  // namespace continuo
