#include <algorithm>
#include <chrono>
#include <fstream>
#include <limits>
#include <thread>

#include "continuo/core/clock.h"
#include "continuo/experiment/steps.h"
#include "continuo/model/model_directory.h"
#include "continuo/os/file.h"
#include "continuo/run/setting.h"
#include "continuo/run/train_log.h"

namespace continuo {
namespace {

namespace fs = std::filesystem;

constexpr auto kPoll = std::chrono::milliseconds(100);
constexpr auto kCurveEvery = std::chrono::seconds(5);
constexpr size_t kMostCurvePoints = 400;  // of updates; validations are all kept

/// What train.jsonl says so far.
struct Curve {
  std::vector<CurvePoint> points;  // of many updates every n-th, with all validations
  int64_t tokens = 0;
  double seconds = 0;
};

Result<Curve> ReadCurve(const fs::path& path, const RunCell& cell) {
  Curve curve;
  if (!fs::exists(path)) {
    return curve;
  }
  CONTINUO_ASSIGN(const TrainLogRecords log, ReadTrainLog(path));
  std::map<uint64_t, double> validations;
  for (const ValidationRecord& record : log.validations) {
    validations[record.step] = record.nll_per_token;
    curve.seconds = std::max(curve.seconds, record.seconds);
  }
  const TrainSettings& settings = cell.train;
  const bool by_progress = cell.unit == CheckpointUnit::kPercent || (settings.minutes == 0 && settings.steps == 0);
  const size_t stride = log.updates.size() / kMostCurvePoints + 1;
  for (size_t i = 0; i < log.updates.size(); ++i) {
    const UpdateRecord& update = log.updates[i];
    curve.tokens = std::max(curve.tokens, static_cast<int64_t>(update.tokens));
    curve.seconds = std::max(curve.seconds, update.seconds);
    const auto valid = validations.find(update.step);
    if (valid != validations.end() || i % stride == 0 || i + 1 == log.updates.size()) {
      CurvePoint& point = curve.points.emplace_back();
      point.step = static_cast<int64_t>(update.step);
      // With its fraction where the run is measured in the unit of its checkpoints.
      point.epoch =
          by_progress ? update.progress * static_cast<double>(cell.epochs()) : static_cast<double>(update.epoch);
      point.train_loss = update.loss;
      point.lr = update.lr;
      point.tokens_per_second = update.tokens_per_second;
      if (valid != validations.end()) {
        point.valid.token = valid->second;
      }
    }
  }
  return curve;
}

std::string LastLine(const fs::path& path) {
  std::ifstream file(path);
  std::string last;
  for (std::string line; std::getline(file, line);) {
    if (!line.empty()) {
      last = line;
    }
  }
  return last;
}

std::vector<std::string> TrainArguments(const ExperimentContext& context, const RunCell& cell) {
  const fs::path run = context.folder.run(cell);
  std::vector<std::string> arguments = FlagsOf(cell.train);
  std::string kept;
  for (const int64_t epoch : context.spec.checkpoints) {
    kept += fmt::format("{}{}", kept.empty() ? "" : ",", epoch);
  }
  const std::vector<std::string> rest = {"--corpus",
                                         context.folder.corpus(context.plan.corpora[cell.corpus_cell]).string(),
                                         "--output",
                                         run.string(),
                                         "--seed",
                                         std::to_string(cell.seed),
                                         "--threads",
                                         std::to_string(context.threads),
                                         cell.unit == CheckpointUnit::kPercent ? "--keep-percents" : "--keep-epochs",
                                         kept,
                                         "--quiet"};
  arguments.insert(arguments.end(), rest.begin(), rest.end());
  const std::string& init_from = context.spec.model(cell.model).init_from;
  if (!init_from.empty()) {
    arguments.insert(arguments.end(), {"--init-from", context.inputs.Resolve(init_from).string()});
  }
  if (fs::exists(run / "latest")) {
    arguments.emplace_back("--resume");
  }
  return arguments;
}

}  // namespace

Result<std::vector<std::string>> BuildCorpusStep(const ExperimentContext& context, const CorpusCell& cell) {
  const fs::path target = context.folder.corpus(cell);
  if (fs::exists(target)) {
    return std::vector<std::string>();
  }
  const CorpusSpec& corpus = context.spec.corpus(cell.corpus);
  const TokenizerSpec& tokenizer = context.spec.tokenizer(cell.tokenizer);
  const ExperimentInputs::Folder& input = context.inputs.corpora.at(cell.corpus);
  const fs::path source = fs::absolute(context.inputs.Resolve(corpus.folder));
  // The songs that were drawn, as links in a folder of their own.
  const fs::path songs = context.folder.songs(input.sha256);
  if (!fs::exists(songs)) {
    CONTINUO_ASSIGN(AtomicDirectory links, AtomicDirectory::Create(songs));
    for (const std::string& file : input.files) {
      const fs::path link = links.path() / file;
      std::error_code code;
      fs::create_directories(link.parent_path(), code);
      fs::create_symlink(source / file, link, code);
      if (code) {
        return MakeError("{}: cannot be made: {}", link.string(), code.message());
      }
    }
    CONTINUO_TRY(links.Commit());
  }
  CONTINUO_ASSIGN(
      const auto loaded,
      Tokenizer::LoadPlainOrTrained(
          tokenizer.is_file ? context.inputs.Resolve(tokenizer.source).string() : tokenizer.source, tokenizer.release));
  CONTINUO_ASSIGN(const CorpusBuildReport report,
                  BuildCorpus(songs, *loaded, target, {.valid_fraction = corpus.valid, .threads = context.threads},
                              NoProgress(), context.stop));
  return report.Lines();
}

Status PutCurveStep(const ExperimentContext& context, const RunCell& cell) {
  CONTINUO_ASSIGN(const Curve curve, ReadCurve(context.folder.run(cell) / "train.jsonl", cell));
  return context.results.PutCurve(cell.id, curve.points, curve.tokens, curve.seconds);
}

Result<std::optional<RunOutcome>> TrainStep(const ExperimentContext& context, const RunCell& cell,
                                            const FileLock& lock) {
  const fs::path run = context.folder.run(cell);
  CONTINUO_TRY(MakeWritableDirectory(run));
  const fs::path log = run / "train.log";
  {
    CONTINUO_ASSIGN(ChildProcess child, ChildProcess::Start({.program = context.trainer,
                                                             .arguments = TrainArguments(context, cell),
                                                             .log = log,
                                                             .inherited = lock.descriptor()}));
    auto written = Clock::now();
    std::optional<int> ended;
    bool asked = false;
    while (!(ended = child.Poll())) {
      if (context.stop.stop_requested() && !asked) {
        child.Terminate();
        asked = true;
      }
      if (Clock::now() - written > kCurveEvery) {
        CONTINUO_TRY(PutCurveStep(context, cell));
        written = Clock::now();
      }
      std::this_thread::sleep_for(kPoll);
    }
    CONTINUO_TRY(PutCurveStep(context, cell));
    if (asked && *ended != 0) {
      return std::optional<RunOutcome>();
    }
    if (*ended != 0) {
      const std::string said = LastLine(log);
      return MakeError("{}: the training ended with {}{}{}", run.string(), *ended, said.empty() ? "" : ": ", said);
    }
  }
  CONTINUO_TRY(PutCurveStep(context, cell));
  CONTINUO_ASSIGN(const Curve curve, ReadCurve(run / "train.jsonl", cell));
  CONTINUO_ASSIGN(const ModelDirectory model, ModelDirectory::Open(run / "final"));
  return std::optional<RunOutcome>({model.table().parameter_count(), curve.tokens, curve.seconds});
}

}  // namespace continuo
