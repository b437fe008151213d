#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "continuo/core/result.h"
#include "continuo/core/stop_token.h"
#include "continuo/experiment/plan.h"

namespace continuo {

struct RunnerOptions {
  std::filesystem::path folder = {};   // the experiment's
  std::filesystem::path trainer = {};  // the program continuo-train
  std::string version = {};            // of this program, for the results
  size_t workers = 1;                  // steps at a time
  size_t threads = 0;                  // of all workers together; 0: one per core
  size_t shard = 0;                    // runs only trainings with index % shards == shard, and their pieces
  size_t shards = 1;
  std::vector<std::string> only =
      {};  // runs only trainings with one of these labels or ids, and their pieces; empty: all
};

struct RunnerReport {
  size_t done = 0;     // cells finished by this call
  size_t skipped = 0;  // cells finished before
  size_t failed = 0;
  size_t left = 0;  // not finished: stopped, waiting for a step that failed, or of another shard
  bool stopped = false;
};

/// Receives progress messages, one line each, from any thread.
using RunnerNotes = std::function<void(const std::string&)>;

/// Works on all cells of an experiment that are not done: corpora, trainings, the pieces of their
/// checkpoints, then the continuations. A step that fails is reported and recorded; cells that do
/// not need it are still done. Each cell is claimed by a lock that ends with its process, so any
/// number of processes may work in one folder. The results of a cell are written at once, at its
/// end; a training resumes from its last checkpoint. Fails if the disk is full or the results
/// cannot be written; finished cells are kept, and another call resumes.
Result<RunnerReport> RunExperiment(const ExperimentSpec& spec, const ExperimentInputs& inputs,
                                   const ExperimentPlan& plan, const RunnerOptions& options, const RunnerNotes& notes,
                                   const StopToken& stop);

}  // namespace continuo
