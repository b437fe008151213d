#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <exception>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "continuo/core/clock.h"
#include "continuo/core/rng.h"
#include "continuo/os/machine.h"
#include "continuo/run/setting.h"
#include "continuo/train/program/train_flags.h"
#include "continuo/train/training_model.h"

namespace continuo {
namespace {

struct BenchOptions {
  uint64_t updates = 5;
  bool quiet = false;
  bool json = false;
};

/// Windows of random ids, each the target of itself.
Batch RandomBatch(const TrainSettings& settings) {
  Batch batch;
  batch.rows = settings.batch;
  batch.context = static_cast<size_t>(settings.model.context_length);
  batch.target_count = batch.rows * batch.context;
  Rng rng(1, 0);
  std::generate_n(std::back_inserter(batch.ids), batch.target_count, [&] {
    return static_cast<int64_t>(rng.NextBelow(static_cast<uint64_t>(settings.model.vocab_size)));
  });
  batch.targets = batch.ids;
  return batch;
}

/// Seconds of each update.
struct Times {
  std::vector<double> wall;
  std::vector<double> processor;  // of all threads: the fairer measure on a machine that does other work
};

/// Makes the trainer's updates on the same ids. Returns the times of each but the first, in which
/// LibTorch initializes itself.
Times TimeUpdates(const TrainSettings& settings, const BenchOptions& options, TrainObserver& observer) {
  constexpr ScheduleValue kValue = {.lr = 1e-4, .beta1 = 0.9};
  OneProcess alone;
  TrainingModel model(settings, alone);
  const Batch batch = RandomBatch(settings);
  const auto count = static_cast<double>(batch.target_count);
  Times times;
  for (uint64_t step = 0; step <= options.updates; ++step) {
    const auto start = Clock::now();
    const std::clock_t processor_start = std::clock();
    const double nll =
        model.AccumulateGradients(batch, {.rows = batch.rows, .step = step, .targets = batch.target_count});
    const double norm = model.GradientNorm();
    model.Update(norm, kValue);
    const double took = SecondsSince(start);
    if (step > 0) {
      times.wall.push_back(took);
      times.processor.push_back(static_cast<double>(std::clock() - processor_start) / CLOCKS_PER_SEC);
    }
    observer.OnStep({.step = step + 1,
                     .progress = static_cast<double>(step + 1) / static_cast<double>(options.updates + 1),
                     .loss = nll / count,
                     .lr = kValue.lr,
                     .gradient_norm = norm,
                     .tokens_per_second = count / took,
                     .seconds_left = static_cast<double>(options.updates - step) * took});
  }
  return times;
}

void PrintTimes(const TrainSettings& settings, const BenchOptions& options) {
  Times times = TimeUpdates(settings, options, *ShowProgress(options.quiet));
  std::sort(times.wall.begin(), times.wall.end());
  std::sort(times.processor.begin(), times.processor.end());
  const double tokens = static_cast<double>(settings.batch) * static_cast<double>(settings.model.context_length);
  const double median = tokens / times.wall[times.wall.size() / 2];
  const double best = tokens / times.wall.front();
  const double of_processor = tokens / times.processor[times.processor.size() / 2];
  const double peak = static_cast<double>(PeakResidentMemory()) / 1e6;
  const std::string_view precision = kPrecisionNames[static_cast<size_t>(settings.precision)];
  const size_t threads = ThreadCount(settings.threads);
  if (options.json) {
    const nlohmann::ordered_json line = {{"tokens_per_second", median},
                                         {"best_tokens_per_second", best},
                                         {"tokens_per_processor_second", of_processor},
                                         {"peak_mb", peak},
                                         {"precision", precision},
                                         {"device", settings.device},
                                         {"architecture", ToString(settings.model.architecture)},
                                         {"batch", settings.batch},
                                         {"tokens", settings.model.context_length},
                                         {"threads", threads}};
    fmt::print("{}\n", line.dump());
    return;
  }
  fmt::print(
      "{}, {} x {} in {} on {}, {} x {} ids per update, {} threads: {:.0f} tokens per second (the fastest update: "
      "{:.0f}), {:.0f} per second of processor time, {:.0f} MB at most\n",
      ToString(settings.model.architecture), settings.model.layers, settings.model.width, precision, settings.device,
      settings.batch, settings.model.context_length, threads, median, best, of_processor, peak);
}

Status RunBench(TrainSettings& settings, const BenchOptions& options) {
  CONTINUO_ASSIGN(const ProcessDevice device, FindDevice(settings.device, 0));
  settings.device = device.name;
  CONTINUO_ASSIGN(settings.precision, PrecisionOn(settings.precision, settings.device));
  CONTINUO_TRY(PrepareLibTorch(settings.device, settings.threads));
  try {
    PrintTimes(settings, options);
  } catch (const std::exception& error) {
    return MakeError("LibTorch: {}", std::string_view(error.what()).substr(0, 400));
  }
  return {};
}

}  // namespace

int BenchCommand(int argc, char** argv) {
  CLI::App app("Measures the tokens per second of a training's updates, on random ids.", "continuo bench train");
  app.footer(
      "Examples:\n"
      "  continuo bench train --layers 6 --heads 4 --width 256 --batch 8 --tokens 512\n"
      "  continuo bench train --precision f32 --threads 2");
  TrainSettings settings;
  settings.batch = 2;
  settings.model.vocab_size = 512;
  BenchOptions options;
  AddSettingFlags(app, settings,
                  {"architecture", "layers", "heads", "kv_heads", "width", "feed_width", "dropout", "batch", "device",
                   "precision", "threads"});
  app.add_option("--vocab", settings.model.vocab_size, "ids of the vocabulary")
      ->check(CLI::Range(1, 65536))
      ->capture_default_str();
  app.add_option("--tokens", settings.model.context_length, "ids of a window")
      ->check(CLI::Range(1, 65536))
      ->capture_default_str();
  app.add_option("--steps", options.updates, "updates to measure, after one that is not")
      ->check(CLI::Range(1, 1000000))
      ->capture_default_str();
  app.add_flag("-q,--quiet", options.quiet, "no progress");
  app.add_flag("--json", options.json, "a JSON line");
  if (const auto code = ParseArguments(app, argc, argv)) {
    return *code;
  }
  KeepFreedMemory();
  if (const Status status = RunBench(settings, options); !status.ok()) {
    fmt::print(stderr, "continuo: bench train: {}\n", status.error().ToString());
    return 1;
  }
  return 0;
}

}  // namespace continuo
