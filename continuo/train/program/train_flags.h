#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "continuo/train/trainer.h"

namespace continuo {

/// The flags of a training run, whatever it trains on.
struct TrainFlags {
  TrainOptions options;
  std::string output;
  std::string device = "auto";
  std::string precision = "auto";
  std::string blocks = "all";
  std::string optimizer = "adamw";
  std::string schedule = "onecycle";
  bool no_cycle_momentum = false;
  bool resume = false;
  bool quiet = false;
  bool json = false;
};

/// The defaults shown are those that `flags` holds.
void AddTrainFlags(CLI::App& app, TrainFlags& flags);

/// What a training tells beside its report.
struct TrainNotes {
  std::vector<std::string> lines;
  nlohmann::ordered_json values = nlohmann::ordered_json::object();  // for --json
};

using Training = std::function<Result<TrainReport>(const TrainOptions&, const std::filesystem::path& run,
                                                   TrainObserver&, Communicator&, TrainNotes&)>;

/// Reads the flags, calls `train` and prints what came of it. Returns the program's exit code. SIGINT and SIGTERM end
/// the update under way; a second one ends the program. Where mpirun or srun started several processes, they train
/// together.
int RunTraining(TrainFlags& flags, const Training& train);

// Each parses its command line and runs. Returns the program's exit code.
int TrainCommand(int argc, char** argv);
int PretrainCommand(int argc, char** argv);
int BenchCommand(int argc, char** argv);

/// A line on stderr that says how far a run is, where that is a terminal, and its validations and notes, unless
/// `quiet`.
std::unique_ptr<TrainObserver> ShowProgress(bool quiet);

/// Adds --precision and --device.
void AddDeviceFlags(CLI::App& app, std::string& precision, std::string& device);
/// What --precision says; of "auto", what `device` is faster in.
TrainPrecision ChoosePrecision(std::string_view precision, at::Device device);

/// Lets this process keep what it frees, for the next update to take.
void KeepFreedMemory();

/// Parses; nothing where the program is to go on, else its exit code.
std::optional<int> ParseArguments(CLI::App& app, int argc, char** argv);

}  // namespace continuo
