#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <string>

#include "continuo/core/progress.h"
#include "continuo/core/result.h"
#include "continuo/experiment/plan.h"

namespace continuo {

struct RunnerOptions {
  std::filesystem::path folder;   // the experiment's
  std::filesystem::path trainer;  // the program continuo-train
  std::string version;            // of this program, for the results
  size_t workers = 1;             // steps side by side
  size_t threads = 0;             // of all of them together; 0: one a core
  size_t shard = 0;               // of `shards`: takes the runs whose number leaves this rest
  size_t shards = 1;
};

struct RunnerReport {
  size_t done = 0;     // cells that were finished now
  size_t skipped = 0;  // that were there already
  size_t failed = 0;
  size_t left = 0;  // not begun: the user stopped it, a step before them failed, or another shard's
  bool stopped = false;
};

/// What happens, in lines for people, from any thread.
using RunnerNotes = std::function<void(const std::string&)>;

/// Makes all cells of an experiment that are not there yet: corpora, trainings, the pieces of their checkpoints, then
/// the continuations. Steps that failed are told and recorded; all that does not need them goes on. Each cell is
/// claimed by a lock that ends with its process, so that any number of processes may work in one folder. A cell's
/// results are written at once, at its end; a training is resumed from its last checkpoint. Stops with an error where
/// the disk is full or the results can't be written; what was finished is kept, and calling again goes on.
Result<RunnerReport> RunExperiment(const ExperimentSpec& spec, const ExperimentInputs& inputs,
                                   const ExperimentPlan& plan, const RunnerOptions& options, const RunnerNotes& notes,
                                   Progress& stop);

}  // namespace continuo
