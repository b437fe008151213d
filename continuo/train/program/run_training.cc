#include "continuo/train/program/run_training.h"

#include <malloc.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <initializer_list>
#include <memory>
#include <string_view>

#include "continuo/core/clock.h"
#include "continuo/os/console.h"
#include "continuo/os/signals.h"
#include "continuo/run/run_directory.h"
#include "continuo/train/training_model.h"

namespace continuo {
namespace {

/// The first of these environment variables that is set, as a number; else 0.
int FirstSet(std::initializer_list<const char*> names) {
  for (const char* name : names) {
    if (const char* value = std::getenv(name)) {
      return std::atoi(value);
    }
  }
  return 0;
}

/// Whether mpirun (of Open MPI, or one that speaks PMI) or srun started several processes of this
/// program.
bool StartedTogether() {
  return FirstSet({"OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "SLURM_STEP_NUM_TASKS"}) > 1;
}

/// This process's number among those on its machine.
int LocalRank() {
  return std::max(0, FirstSet({"OMPI_COMM_WORLD_LOCAL_RANK", "MPI_LOCALRANKID", "SLURM_LOCALID"}));
}

std::string Duration(double seconds) {
  const auto whole = static_cast<int64_t>(seconds);
  return whole >= 3600 ? fmt::format("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60)
                       : fmt::format("{}:{:02}", whole / 60, whole % 60);
}

/// A line on stderr that is redrawn, if that is a terminal; validations and notes are printed above
/// it.
class TerminalObserver : public TrainObserver {
 public:
  explicit TerminalObserver(bool quiet) : quiet_(quiet), terminal_(!quiet && ErrorIsTerminal()) {}
  ~TerminalObserver() override { Clear(); }

  void OnStep(const StepInfo& info) override {
    const auto now = Clock::now();
    if (!terminal_ || now - drawn_ < std::chrono::milliseconds(200)) {
      return;
    }
    drawn_ = now;
    open_ = true;
    fmt::print(stderr, "\r\033[Kstep {}  epoch {}  {:.0f}%  loss {:.3f}  lr {:.2e}  {:.0f} tokens/s  {} left",
               info.step, info.epoch + 1, 100 * info.progress, info.loss, info.lr, info.tokens_per_second,
               Duration(info.seconds_left));
    std::fflush(stderr);
  }

  void OnValidation(const ValidationInfo& info) override {
    if (quiet_) {
      return;
    }
    Clear();
    fmt::print(stderr, "step {}: validation NLL {:.4f} per token{}{}\n", info.step, info.nll_per_token,
               info.nll_per_note > 0
                   ? fmt::format(", {:.3f} per note, {:.2f} per bar", info.nll_per_note, info.nll_per_bar)
                   : "",
               info.best ? ", the best so far" : "");
  }

  void OnNote(std::string_view note) override {
    if (!quiet_) {
      Clear();
      fmt::print(stderr, "{}\n", note);
    }
  }

  bool ShouldStop() const override { return InterruptSignal() != 0; }

 private:
  void Clear() {
    if (open_) {
      fmt::print(stderr, "\r\033[K");
      open_ = false;
    }
  }
  const bool quiet_;
  const bool terminal_;
  bool open_ = false;
  Clock::time_point drawn_{};
};

}  // namespace

std::unique_ptr<TrainObserver> ShowProgress(bool quiet) {
  return std::make_unique<TerminalObserver>(quiet);
}

// Each update frees and allocates the same large tensors. By default glibc returns each to the
// kernel, which then clears its pages again: 7 % of an update of 6 x 256.
void KeepFreedMemory() {
#if defined(__GLIBC__)
  ::mallopt(M_MMAP_THRESHOLD, 1 << 30);
  ::mallopt(M_TRIM_THRESHOLD, -1);
#endif
}

namespace {

Result<TrainReport> TrainOnDevice(const TrainSettings& requested, const RunOptions& options, const Training& train,
                                  Communicator& ranks, TrainNotes& notes) {
  TrainSettings settings = requested;
  CONTINUO_ASSIGN(const ProcessDevice device, FindDevice(settings.device, LocalRank()));
  settings.device = device.name;
  const std::filesystem::path folder(options.output);
  if (!options.resume && !Checkpoints(folder).empty()) {
    if (const auto directory = RunDirectory::Open(folder); !directory.ok()) {
      return directory.error();  // another training writes to it
    }
    return Error{fmt::format("{}: already holds a run", options.output),
                 "continue it with --resume, or name another directory"};
  }
  const std::unique_ptr<TrainObserver> observer = ShowProgress(options.quiet || ranks.rank() != 0);
  if (ranks.size() > 1 && device.gpu) {
    CONTINUO_ASSIGN(const std::unique_ptr<Communicator> gpus, SumOnGpus(ranks, *device.gpu));
    return train(settings, folder, *observer, *gpus, notes);
  }
  return train(settings, folder, *observer, ranks, notes);
}

void PrintReport(const TrainReport& report, const RunOptions& options, const TrainNotes& notes) {
  if (options.json) {
    nlohmann::ordered_json line = {{"run", options.output},
                                   {"steps", report.steps},
                                   {"tokens", report.tokens},
                                   {"seconds", report.seconds},
                                   {"valid_nll", report.valid_nll},
                                   {"best_nll", report.best_nll},
                                   {"interrupted", report.interrupted},
                                   {"stopped_early", report.stopped_early}};
    line.update(notes.values);
    fmt::print("{}\n", line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
    return;
  }
  if (options.quiet) {
    return;
  }
  const char* end = report.interrupted     ? "; interrupted, continue with --resume"
                    : report.stopped_early ? "; ended early: the validation NLL no longer fell"
                                           : "";
  fmt::print("{}: {} steps, {} tokens in {}{}{}\n", options.output, report.steps, report.tokens,
             Duration(report.seconds),
             report.best_nll > 0 ? fmt::format(", best validation NLL {:.4f} per token", report.best_nll) : "", end);
  for (const std::string& line : notes.lines) {
    fmt::print("{}\n", line);
  }
}

}  // namespace

int RunTraining(const TrainSettings& settings, const RunOptions& options, const Training& train) {
  CatchInterrupts();
  KeepFreedMemory();
  std::unique_ptr<Communicator> ranks = std::make_unique<OneProcess>();
  if (StartedTogether()) {
    auto connected = ConnectRanks();
    if (!connected.ok()) {
      fmt::print(stderr, "continuo: {}\n", connected.error().ToString());
      return 1;
    }
    ranks = std::move(connected).value();
  }
  TrainNotes notes;
  const Result<TrainReport> report = TrainOnDevice(settings, options, train, *ranks, notes);
  if (!report.ok()) {
    fmt::print(stderr, "continuo: {}{}\n", ranks->size() > 1 ? fmt::format("rank {}: ", ranks->rank()) : "",
               report.error().ToString());
    if (ranks->size() > 1) {
      ranks->Abort(1);  // the others wait for this one
    }
    return 1;
  }
  if (ranks->rank() == 0) {
    PrintReport(*report, options, notes);
  }
  if (!report->interrupted) {
    return 0;
  }
  return 128 + (InterruptSignal() != 0 ? InterruptSignal() : SIGTERM);  // another rank may have got the signal
}

}  // namespace continuo
