#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "continuo/run/train_settings.h"
#include "continuo/train/trainer.h"

namespace continuo {

/// The flags of a training command besides the settings.
struct RunOptions {
  std::string output;  // the run's directory
  bool resume = false;
  bool quiet = false;
  bool json = false;
};

/// What a command prints at the end of a run, besides the report.
struct TrainNotes {
  std::vector<std::string> lines;
  nlohmann::ordered_json values = nlohmann::ordered_json::object();  // for --json
};

using Training = std::function<Result<TrainReport>(const TrainSettings&, const std::filesystem::path& run,
                                                   TrainObserver&, Communicator&, TrainNotes&)>;

/// Calls `train` and prints its report. Returns the program's exit code. SIGINT and SIGTERM end the
/// run after the current update; a second one ends the program. If mpirun or srun started several
/// processes, they train together.
int RunTraining(const TrainSettings& settings, const RunOptions& options, const Training& train);

// Each parses its command line and runs. Returns the program's exit code.
int TrainCommand(int argc, char** argv);
int PretrainCommand(int argc, char** argv);
int BenchCommand(int argc, char** argv);

/// A line on stderr that shows the progress, if that is a terminal, and a line for each validation
/// and note, unless `quiet`.
std::unique_ptr<TrainObserver> ShowProgress(bool quiet);

/// Lets this process keep freed memory for the next update.
void KeepFreedMemory();

}  // namespace continuo
