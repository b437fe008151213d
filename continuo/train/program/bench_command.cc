#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <chrono>
#include <exception>
#include <memory>
#include <string_view>
#include <vector>

#include "continuo/core/rng.h"
#include "continuo/core/thread_pool.h"
#include "continuo/os/machine.h"
#include "continuo/train/device.h"
#include "continuo/train/gpt2.h"
#include "continuo/train/optimizer.h"
#include "continuo/train/program/train_flags.h"

namespace continuo {
namespace {

struct BenchFlags {
  Gpt2Config model;
  std::string precision = "auto";
  std::string device = "auto";
  size_t batch = 2;
  size_t threads = 0;
  size_t steps = 5;
  bool quiet = false;
  bool json = false;
};

/// int64 [batch, time]
at::Tensor RandomIds(const BenchFlags& flags) {
  Rng rng(1, 0);
  at::Tensor ids = at::empty({static_cast<int64_t>(flags.batch), flags.model.context_length}, at::kLong);
  std::generate_n(ids.data_ptr<int64_t>(), ids.numel(),
                  [&] { return static_cast<int64_t>(rng.NextBelow(static_cast<uint64_t>(flags.model.vocab_size))); });
  return ids;
}

/// What the trainer does in an update, over and over on the same ids. Returns the seconds that each took but the first,
/// in which LibTorch makes itself ready.
std::vector<double> TimeUpdates(const BenchFlags& flags, at::Device device, TrainPrecision precision,
                                TrainObserver& observer) {
  using Clock = std::chrono::steady_clock;
  at::set_num_threads(static_cast<int>(ThreadCount(flags.threads)));
  MakeDeterministic(device);
  Gpt2 model(flags.model, precision, /*seed=*/1, LayersFor(device));
  Optimizer optimizer(model, {});
  const at::Tensor ids = RandomIds(flags);
  std::vector<double> seconds;
  for (uint64_t step = 0; step <= flags.steps; ++step) {
    const auto start = Clock::now();
    model.ZeroGradients();
    const auto count = static_cast<double>(ids.numel());
    const double nll = model.AccumulateGradients(ids, ids, 1.0 / count, step);
    const double norm = GradientNorm(model.parameters());
    ClipGradients(model.parameters(), norm, 1.0);
    optimizer.Step(1e-4, 0.9);
    model.RefreshCompute();
    const double took = std::chrono::duration<double>(Clock::now() - start).count();
    if (step > 0) {
      seconds.push_back(took);
    }
    observer.OnStep({.step = step + 1,
                     .progress = static_cast<double>(step + 1) / static_cast<double>(flags.steps + 1),
                     .loss = nll / count,
                     .lr = 1e-4,
                     .gradient_norm = norm,
                     .tokens_per_second = count / took,
                     .seconds_left = static_cast<double>(flags.steps - step) * took});
  }
  return seconds;
}

void PrintTimes(const BenchFlags& flags, at::Device device) {
  const TrainPrecision precision = ChoosePrecision(flags.precision, device);
  std::vector<double> seconds = TimeUpdates(flags, device, precision, *ShowProgress(flags.quiet));
  std::sort(seconds.begin(), seconds.end());
  const double tokens = static_cast<double>(flags.batch) * static_cast<double>(flags.model.context_length);
  const double median = tokens / seconds[seconds.size() / 2];
  const double best = tokens / seconds.front();
  const double peak = static_cast<double>(PeakResidentMemory()) / 1e6;
  const char* name = precision == TrainPrecision::kBf16 ? "bf16" : "f32";
  if (flags.json) {
    const nlohmann::ordered_json line = {{"tokens_per_second", median},
                                         {"best_tokens_per_second", best},
                                         {"peak_mb", peak},
                                         {"precision", name},
                                         {"device", device.str()},
                                         {"batch", flags.batch},
                                         {"tokens", flags.model.context_length},
                                         {"threads", at::get_num_threads()}};
    fmt::print("{}\n", line.dump());
    return;
  }
  fmt::print(
      "{} x {} in {} on {}, {} x {} ids an update, {} threads: {:.0f} tokens a second (the fastest update: {:.0f}), "
      "{:.0f} MB at most\n",
      flags.model.layers, flags.model.width, name, device.str(), flags.batch, flags.model.context_length,
      at::get_num_threads(), median, best, peak);
}

}  // namespace

int BenchCommand(int argc, char** argv) {
  CLI::App app("Tokens a second of a training's updates, on random ids.", "continuo bench train");
  app.footer(
      "Examples:\n"
      "  continuo bench train --layers 6 --heads 4 --width 256 --batch 8 --tokens 512\n"
      "  continuo bench train --precision f32 --threads 2");
  BenchFlags flags;
  flags.model.vocab_size = 512;
  const auto number = [&app](const char* name, auto& value, const char* help) {
    return app.add_option(name, value, help)->capture_default_str();
  };
  number("--layers", flags.model.layers, "blocks of the model");
  number("--heads", flags.model.heads, "attention heads");
  number("--width", flags.model.width, "width of the residual stream");
  number("--vocab", flags.model.vocab_size, "ids of the vocabulary");
  number("--dropout", flags.model.dropout, "dropout")->check(CLI::Range(0.0, 0.99));
  number("--batch", flags.batch, "windows an update")->check(CLI::Range(1, 1000000));
  number("--tokens", flags.model.context_length, "ids of a window")->check(CLI::Range(1, 65536));
  number("--steps", flags.steps, "updates to measure, behind one that is not")->check(CLI::Range(1, 1000000));
  number("--threads", flags.threads, "threads; 0: one per core")->check(CLI::Range(0, 1024));
  AddDeviceFlags(app, flags.precision, flags.device);
  app.add_flag("-q,--quiet", flags.quiet, "no progress");
  app.add_flag("--json", flags.json, "a JSON line");
  if (const auto code = ParseArguments(app, argc, argv)) {
    return *code;
  }
  KeepFreedMemory();
  const auto run = [&flags]() -> Status {
    CONTINUO_TRY(CheckGpt2Config(flags.model));
    CONTINUO_ASSIGN(const at::Device device, ParseDevice(flags.device, 0));
    try {
      PrintTimes(flags, device);
    } catch (const std::exception& error) {
      return MakeError("LibTorch: {}", std::string_view(error.what()).substr(0, 400));
    }
    return {};
  };
  const Status status = run();
  if (!status.ok()) {
    fmt::print(stderr, "continuo: bench train: {}\n", status.error().ToString());
    return 1;
  }
  return 0;
}

}  // namespace continuo
