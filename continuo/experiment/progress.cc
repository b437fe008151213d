#include "continuo/experiment/progress.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "continuo/os/machine.h"

namespace continuo {
namespace {

namespace fs = std::filesystem;

constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();

// REMI tokens per byte of MIDI in Pop1K7 (8.9 million in 22 MB), and per bar.
constexpr double kTokensPerByte = 0.4;
constexpr double kTokensPerBar = 45;
// Operations per second of a core in training, from docs/training.md at 6 x 256 and 39 million per
// token: 3,619 tokens per second in bf16, 2,321 in f32, 659 in bf16 where the processor has no
// instruction for it.
constexpr double kFlopsBf16 = 140e9;
constexpr double kFlopsF32 = 90e9;
constexpr double kFlopsWidenedBf16 = 26e9;
// Writing 8 pieces at once: 6,113 tokens per second of a core at 13 million operations each.
constexpr double kFlopsWriting = 79e9;

double Mean(const std::vector<double>& values, double otherwise) {
  double sum = 0;
  for (const double value : values) {
    sum += value;
  }
  return values.empty() ? otherwise : sum / static_cast<double>(values.size());
}

}  // namespace

size_t ExperimentProgress::CountRuns(CellStatus status) const {
  return static_cast<size_t>(
      std::count_if(runs.begin(), runs.end(), [status](const RunProgress& run) { return run.status == status; }));
}

size_t ExperimentProgress::CountSets(SetKind kind) const {
  return static_cast<size_t>(
      std::count_if(sets.begin(), sets.end(), [kind](const SetProgress& set) { return set.kind == kind; }));
}

size_t ExperimentProgress::CountSets(SetKind kind, CellStatus status) const {
  return static_cast<size_t>(std::count_if(
      sets.begin(), sets.end(), [&](const SetProgress& set) { return set.kind == kind && set.status == status; }));
}

Result<ExperimentProgress> ReadProgress(const Results& results) {
  ExperimentProgress progress;
  CONTINUO_ASSIGN(progress.name, results.Meta("name"));
  CONTINUO_ASSIGN(progress.title, results.Meta("title"));
  CONTINUO_ASSIGN(progress.runs, results.RunsProgress());
  CONTINUO_ASSIGN(progress.sets, results.SetsProgress());
  CONTINUO_ASSIGN(const std::string continuations, results.Meta("continuations"));
  CONTINUO_ASSIGN(const std::string workers, results.Meta("workers"));
  progress.continuations = static_cast<size_t>(std::atoll(continuations.c_str()));
  progress.workers = std::max<size_t>(1, static_cast<size_t>(std::atoll(workers.c_str())));
  progress.seconds_left = SecondsLeft(progress);
  return progress;
}

double SecondsLeft(const ExperimentProgress& progress) {
  // The time of a whole training: measured, or extrapolated from its progress.
  std::vector<double> whole;
  for (const RunProgress& run : progress.runs) {
    const double share = run.epochs > 0 ? run.epoch / static_cast<double>(run.epochs) : 0;
    if (run.status == CellStatus::kDone) {
      whole.push_back(run.seconds);
    } else if (share > 0.005 && run.seconds > 0) {
      whole.push_back(run.seconds / share);
    }
  }
  const double usual_run = Mean(whole, kUnknown);
  double left = 0;
  for (const RunProgress& run : progress.runs) {
    if (run.status == CellStatus::kPending || run.status == CellStatus::kRunning) {
      const double share = run.epochs > 0 ? std::min(1.0, run.epoch / static_cast<double>(run.epochs)) : 0;
      left += (share > 0.005 && run.seconds > 0 ? run.seconds / share : usual_run) * (1 - share);
    }
  }
  std::map<SetKind, std::vector<double>> seconds;  // of finished sets, by kind
  for (const SetProgress& set : progress.sets) {
    if (set.status == CellStatus::kDone) {
      seconds[set.kind].push_back(set.seconds);
    }
  }
  // Before the first set of a kind is done, a grid set counts as a tenth of a training, and
  // continuations as a tenth of a grid set.
  const double usual_grid = Mean(seconds[SetKind::kGrid], 0.1 * usual_run);
  const double usual_continuation = Mean(seconds[SetKind::kContinuation], 0.1 * usual_grid);
  const auto open = [&](SetKind kind) {
    return static_cast<double>(progress.CountSets(kind, CellStatus::kPending) +
                               progress.CountSets(kind, CellStatus::kRunning));
  };
  if (open(SetKind::kGrid) > 0) {
    left += open(SetKind::kGrid) * usual_grid;
  }
  const double continuations =
      std::max(open(SetKind::kContinuation), static_cast<double>(progress.continuations) -
                                                 static_cast<double>(seconds[SetKind::kContinuation].size()));
  if (continuations > 0) {
    left += continuations * usual_continuation;
  }
  return left / static_cast<double>(progress.workers);
}

size_t ContinuationCount(const ExperimentSpec& spec) {
  const ExperimentSpec::Continuations& continuations = spec.continuations;
  const size_t chosen = continuations.best.empty() ? continuations.checkpoints.size() : GridTokenizers(spec).size();
  return chosen * continuations.sampling.size() * continuations.prompts.size() * continuations.seeds.size();
}

double GuessSeconds(const ExperimentSpec& spec, const ExperimentInputs& inputs, const ExperimentPlan& plan,
                    size_t threads) {
  std::map<std::string, std::vector<double>> song_tokens;  // by corpus
  for (const auto& [name, folder] : inputs.corpora) {
    for (const std::string& file : folder.files) {
      std::error_code code;
      const uintmax_t bytes = fs::file_size(inputs.Resolve(spec.corpus(name).folder) / file, code);
      song_tokens[name].push_back(code ? 0 : kTokensPerByte * static_cast<double>(bytes));
    }
  }
  const auto flops_per_token = [](const TrainSettings& settings) {  // of a forward pass
    const auto width = static_cast<double>(settings.model.width);
    const auto layers = static_cast<double>(settings.model.layers);
    const auto context = static_cast<double>(settings.model.context_length);
    return 2 * (12 * layers * width * width + 400 * width) + 2 * layers * context * width;
  };
  double seconds = 0;        // of one thread
  double clock_seconds = 0;  // of runs limited by minutes
  for (const RunCell& run : plan.runs) {
    const TrainSettings& settings = run.train;
    const auto context = static_cast<double>(settings.model.context_length);
    double tokens = 0;
    for (const double song : song_tokens[run.corpus]) {
      tokens += settings.blocks == BlockMode::kFirst ? std::min(song, context) : song;
    }
    tokens *= (1 - spec.corpus(run.corpus).valid) * static_cast<double>(settings.epochs);
    if (settings.steps > 0) {
      tokens = static_cast<double>(settings.steps * settings.batch * settings.grad_accum) * context;
    }
    if (settings.minutes > 0) {
      clock_seconds += 60 * settings.minutes;
    } else {
      const double speed = settings.precision == PrecisionChoice::kF32 ? kFlopsF32
                           : MultipliesBf16()                          ? kFlopsBf16
                                                                       : kFlopsWidenedBf16;
      seconds += 3 * flops_per_token(settings) * tokens / speed;
    }
  }
  double flops = 0;  // of writing
  double mean_flops = 0;
  for (const SetCell& set : plan.sets) {
    if (set.run) {
      const double of_token = flops_per_token(plan.runs[*set.run].train);
      flops += of_token * kTokensPerBar * static_cast<double>(set.count * spec.generate.bars);
      mean_flops = of_token;
    }
  }
  flops += mean_flops * kTokensPerBar * static_cast<double>(ContinuationCount(spec)) *
           static_cast<double>(spec.continuations.pieces * (spec.continuations.bars + spec.continuations.prompt_bars));
  seconds += flops / kFlopsWriting;
  return clock_seconds + seconds / static_cast<double>(threads);
}

}  // namespace continuo
