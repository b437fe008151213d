#include "continuo/train/program/train_flags.h"

#include <malloc.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <initializer_list>
#include <memory>
#include <nlohmann/json.hpp>
#include <string_view>

#include "continuo/train/checkpoint.h"
#include "continuo/train/device.h"
#include "continuo/run/run_directory.h"

namespace continuo {
namespace {

volatile sig_atomic_t g_signal = 0;

void OnSignal(int signal) {
  // A second one ends the program at once.
  struct sigaction usual{};
  usual.sa_handler = SIG_DFL;
  ::sigaction(signal, &usual, nullptr);
  g_signal = signal;
}

void CatchSignals() {
  struct sigaction action{};
  action.sa_handler = OnSignal;
  ::sigaction(SIGINT, &action, nullptr);
  ::sigaction(SIGTERM, &action, nullptr);
}

/// The first of these environment variables that is set, as a number; else 0.
int FirstSet(std::initializer_list<const char*> names) {
  for (const char* name : names) {
    if (const char* value = std::getenv(name)) {
      return std::atoi(value);
    }
  }
  return 0;
}

/// Whether mpirun (of Open MPI, or one that speaks PMI) or srun started several processes of this program.
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

/// One line on stderr that is drawn over while it is a terminal; validations stay on it.
class TerminalObserver : public TrainObserver {
 public:
  explicit TerminalObserver(bool quiet) : quiet_(quiet), terminal_(!quiet && ::isatty(STDERR_FILENO) == 1) {}
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
    fmt::print(
        stderr, "step {}: validation NLL {:.4f} a token{}{}\n", info.step, info.nll_per_token,
        info.nll_per_note > 0 ? fmt::format(", {:.3f} a note, {:.2f} a bar", info.nll_per_note, info.nll_per_bar) : "",
        info.best ? ", the best so far" : "");
  }

  void OnNote(std::string_view note) override {
    if (!quiet_) {
      Clear();
      fmt::print(stderr, "{}\n", note);
    }
  }

  bool ShouldStop() const override { return g_signal != 0; }

 private:
  using Clock = std::chrono::steady_clock;
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

std::unique_ptr<TrainObserver> ShowProgress(bool quiet) { return std::make_unique<TerminalObserver>(quiet); }

// A step frees and asks for the same large tensors again and again. glibc would give each back to the kernel,
// which then clears its pages anew: 7 % of a step of 6 x 256.
void KeepFreedMemory() {
#if defined(__GLIBC__)
  ::mallopt(M_MMAP_THRESHOLD, 1 << 30);
  ::mallopt(M_TRIM_THRESHOLD, -1);
#endif
}

void AddDeviceFlags(CLI::App& app, std::string& precision, std::string& device) {
  app.add_option("--device", device, "auto (a GPU where LibTorch sees one), cpu, cuda or cuda:N")
      ->capture_default_str()
      ->group("Run");
  app.add_option("--precision", precision,
                 "of matrix products: bf16, f32, or auto: bf16 on GPUs and on CPUs that multiply in it, f32 on others; "
                 "with --resume the run's own")
      ->check(CLI::IsMember({"auto", "bf16", "f32"}))
      ->capture_default_str()
      ->group("Run");
}

TrainPrecision ChoosePrecision(std::string_view precision, at::Device device) {
  const bool is_bf16 = precision == "auto" ? MultipliesBf16(device) : precision == "bf16";
  return is_bf16 ? TrainPrecision::kBf16 : TrainPrecision::kF32;
}

void AddTrainFlags(CLI::App& app, TrainFlags& flags) {
  TrainOptions& o = flags.options;
  app.set_config("--config", "", "read flags from a TOML file, as in: layers = 6");
  app.add_option("-o,--output", flags.output, "the run's directory: latest/, best/, epoch-N/, final/, train.jsonl")
      ->required();
  app.add_flag("--resume", flags.resume, "go on from the run's latest checkpoint");
  app.add_flag("-q,--quiet", flags.quiet, "no progress");
  app.add_flag("--json", flags.json, "a JSON line at the end");

  const auto number = [&app](const char* name, auto& value, const char* help) {
    return app.add_option(name, value, help)->capture_default_str();
  };
  number("--layers", o.model.layers, "blocks of the model")->check(CLI::Range(1, 1000))->group("Model");
  number("--heads", o.model.heads, "attention heads")->check(CLI::Range(1, 1000))->group("Model");
  number("--width", o.model.width, "width of the residual stream")->check(CLI::Range(1, 65536))->group("Model");
  number("--context", o.model.context_length, "ids that the model sees at once")
      ->check(CLI::Range(1, 65536))
      ->group("Model");
  number("--dropout", o.model.dropout, "dropout")->check(CLI::Range(0.0, 0.99))->group("Model");

  number("--epochs", o.epochs, "passes over the corpus")->check(CLI::Range(1, 1000000))->group("Length");
  app.add_option("--keep-epochs", o.keep_epochs, "keep the model after so many epochs in epoch-N, as in: 10,30,50")
      ->delimiter(',')
      ->check(CLI::PositiveNumber)
      ->group("Length");
  number("--steps", o.steps, "updates, instead of --epochs")->group("Length");
  number("--minutes", o.minutes, "wall clock, instead of --epochs; the schedule follows the clock")
      ->check(CLI::NonNegativeNumber)
      ->group("Length");

  number("--patience", o.patience, "end after so many validations without a lower NLL; 0: never")->group("Length");

  number("--batch", o.batch, "windows a micro-batch, over all ranks")->check(CLI::Range(1, 1000000))->group("Batches");
  number("--grad-accum", o.grad_accum, "micro-batches an update")->check(CLI::Range(1, 1000000))->group("Batches");
  number("--blocks", flags.blocks, "first: each song's first ids; all: windows that cover the song")
      ->check(CLI::IsMember({"first", "all"}))
      ->group("Batches");
  number("--short-share", o.short_share, "share of the run, at its beginning, on short windows")
      ->check(CLI::Range(0.0, 1.0))
      ->group("Batches");
  number("--short-context", o.short_context, "ids of a short window")->check(CLI::Range(1, 65536))->group("Batches");

  number("--optimizer", flags.optimizer, "adamw or muon")->check(CLI::IsMember({"adamw", "muon"}))->group("Optimizer");
  number("--lr", o.schedule.max_lr, "highest learning rate")->check(CLI::PositiveNumber)->group("Optimizer");
  number("--schedule", flags.schedule, "onecycle, cosine, linear or constant")
      ->check(CLI::IsMember({"onecycle", "cosine", "linear", "constant"}))
      ->group("Optimizer");
  number("--warmup", o.schedule.warmup, "share of the run in which the rate rises")
      ->check(CLI::Range(0.0, 1.0))
      ->group("Optimizer");
  number("--div-factor", o.schedule.div_factor, "onecycle: highest rate / first rate")
      ->check(CLI::PositiveNumber)
      ->group("Optimizer");
  number("--final-div-factor", o.schedule.final_div_factor, "first rate (onecycle) or highest rate / last rate")
      ->check(CLI::PositiveNumber)
      ->group("Optimizer");
  app.add_flag("--no-cycle-momentum", flags.no_cycle_momentum, "onecycle: keep beta1 as it is")->group("Optimizer");
  number("--beta1", o.optimizer.beta1, "AdamW's beta1")->check(CLI::Range(0.0, 0.9999))->group("Optimizer");
  number("--beta2", o.optimizer.beta2, "AdamW's beta2")->check(CLI::Range(0.0, 0.999999))->group("Optimizer");
  number("--epsilon", o.optimizer.epsilon, "AdamW's epsilon")->check(CLI::PositiveNumber)->group("Optimizer");
  number("--weight-decay", o.optimizer.weight_decay, "weight decay")->check(CLI::NonNegativeNumber)->group("Optimizer");
  app.add_flag("--decay-matrices-only", o.optimizer.decay_matrices_only, "no decay of biases and norms")
      ->group("Optimizer");
  number("--label-smoothing", o.label_smoothing, "share of each target that is spread over the vocabulary")
      ->check(CLI::Range(0.0, 0.99))
      ->group("Optimizer");
  number("--ema", o.optimizer.average_decay,
         "decay of a running average of the weights, which best/ and final/ hold; 0: none")
      ->check(CLI::Range(0.0, 0.999999))
      ->group("Optimizer");
  number("--clip", o.clip, "bound of the gradients' norm; 0: none")->check(CLI::NonNegativeNumber)->group("Optimizer");

  AddDeviceFlags(app, flags.precision, flags.device);
  number("--seed", o.seed, "seed of weights, order, dropout and augmentation")->group("Run");
  number("--threads", o.threads, "threads; 0: one per core")->check(CLI::Range(0, 1024))->group("Run");
  number("--valid-every", o.valid_every, "updates between validations; 0: each epoch")->group("Run");
  number("--checkpoint-minutes", o.checkpoint_minutes, "minutes between checkpoints")
      ->check(CLI::PositiveNumber)
      ->group("Run");
  number("--keep", o.keep, "checkpoints to keep, the newest")->check(CLI::Range(1, 1000000))->group("Run");
  app.add_flag("--export-bf16", o.export_bf16, "write best/ and final/ in bf16")->group("Run");
}

int RunTraining(TrainFlags& flags, const Training& train) {
  CatchSignals();
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
  const auto run = [&]() -> Result<TrainReport> {
    TrainOptions& options = flags.options;
    CONTINUO_ASSIGN(options.blocks, ParseBlockMode(flags.blocks));
    CONTINUO_ASSIGN(options.optimizer.kind, ParseOptimizerKind(flags.optimizer));
    CONTINUO_ASSIGN(options.schedule.kind, ParseScheduleKind(flags.schedule));
    options.schedule.cycle_momentum = !flags.no_cycle_momentum;
    CONTINUO_ASSIGN(options.device, ParseDevice(flags.device, LocalRank()));
    const std::filesystem::path folder(flags.output);
    const auto saved = flags.resume && flags.precision == "auto" ? SavedPrecision(folder) : std::nullopt;
    // One for all ranks, whose machines may differ.
    std::array<double, 1> in_bf16 = {
        saved.value_or(ChoosePrecision(flags.precision, options.device)) == TrainPrecision::kBf16 ? 1.0 : 0.0};
    ranks->Sum(in_bf16);
    options.precision = in_bf16[0] == static_cast<double>(ranks->size()) ? TrainPrecision::kBf16 : TrainPrecision::kF32;
    if (!flags.resume && !Checkpoints(folder).empty()) {
      if (const auto directory = RunDirectory::Open(folder); !directory.ok()) {
        return directory.error();  // another training is at work there
      }
      return Error{fmt::format("{}: holds a run already", flags.output),
                   "go on with it by --resume, or name another directory"};
    }
    const std::unique_ptr<TrainObserver> observer = ShowProgress(flags.quiet || ranks->rank() != 0);
    if (ranks->size() > 1 && options.device.is_cuda()) {
      CONTINUO_ASSIGN(const std::unique_ptr<Communicator> gpus, SumOnGpus(*ranks, options.device.index()));
      return train(options, folder, *observer, *gpus, notes);
    }
    return train(options, folder, *observer, *ranks, notes);
  };
  const Result<TrainReport> report = run();
  if (!report.ok()) {
    fmt::print(stderr, "continuo: {}{}\n", ranks->size() > 1 ? fmt::format("rank {}: ", ranks->rank()) : "",
               report.error().ToString());
    if (ranks->size() > 1) {
      ranks->Abort(1);  // the others wait for this one
    }
    return 1;
  }
  const int code = report->interrupted ? 128 + (g_signal != 0 ? g_signal : SIGTERM) : 0;
  if (ranks->rank() != 0) {
    return code;
  }
  if (flags.json) {
    nlohmann::ordered_json line = {{"run", flags.output},
                                   {"steps", report->steps},
                                   {"tokens", report->tokens},
                                   {"seconds", report->seconds},
                                   {"valid_nll", report->valid_nll},
                                   {"best_nll", report->best_nll},
                                   {"interrupted", report->interrupted},
                                   {"stopped_early", report->stopped_early}};
    line.update(notes.values);
    fmt::print("{}\n", line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
  } else if (!flags.quiet) {
    const char* end = report->interrupted     ? "; interrupted, go on with --resume"
                      : report->stopped_early ? "; ended early, the validation NLL fell no more"
                                              : "";
    fmt::print("{}: {} steps, {} tokens in {}{}{}\n", flags.output, report->steps, report->tokens,
               Duration(report->seconds),
               report->best_nll > 0 ? fmt::format(", best validation NLL {:.4f} a token", report->best_nll) : "", end);
    for (const std::string& line : notes.lines) {
      fmt::print("{}\n", line);
    }
  }
  return code;
}

std::optional<int> ParseArguments(CLI::App& app, int argc, char** argv) {
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  return std::nullopt;
}

}  // namespace continuo
