#include <algorithm>
#include <chrono>
#include <cmath>
#include <fstream>
#include <limits>
#include <thread>

#include "continuo/experiment/settings.h"
#include "continuo/experiment/steps.h"
#include "continuo/model/model_directory.h"
#include "continuo/os/file.h"

namespace continuo {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;
using Clock = std::chrono::steady_clock;

constexpr auto kPoll = std::chrono::milliseconds(100);
constexpr auto kCurveEvery = std::chrono::seconds(5);
constexpr size_t kMostCurvePoints = 400;  // of updates; validations are all kept

/// The updates and validations of a train.jsonl, of many updates every n-th.
struct TrainLogLines {
  std::vector<CurvePoint> points;
  int64_t tokens = 0;
  double seconds = 0;
};
TrainLogLines ReadTrainLog(const fs::path& path, int64_t epochs) {
  std::vector<CurvePoint> updates;
  std::map<int64_t, double> validations;
  TrainLogLines log;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    const Json json = Json::parse(line, nullptr, /*allow_exceptions=*/false);
    if (!json.is_object() || !json.contains("step")) {
      continue;  // a line that is being written
    }
    const auto number = [&json](const char* key) {
      const auto found = json.find(key);
      return found != json.end() && found->is_number() ? found->get<double>()
                                                       : std::numeric_limits<double>::quiet_NaN();
    };
    const auto step = static_cast<int64_t>(number("step"));
    log.tokens = std::max(log.tokens, static_cast<int64_t>(number("tokens")));
    log.seconds = std::max(log.seconds, number("seconds"));
    if (json.contains("valid_nll")) {
      validations[step] = number("valid_nll");
    } else {
      updates.push_back({.step = step,
                         .epoch = number("progress") * static_cast<double>(epochs),
                         .train_loss = number("loss"),
                         .lr = number("lr"),
                         .tokens_per_second = number("tokens_per_second")});
    }
  }
  const size_t stride = updates.size() / kMostCurvePoints + 1;
  for (size_t i = 0; i < updates.size(); ++i) {
    const auto valid = validations.find(updates[i].step);
    if (valid != validations.end()) {
      updates[i].valid.token = valid->second;
    }
    if (valid != validations.end() || i % stride == 0 || i + 1 == updates.size()) {
      log.points.push_back(updates[i]);
    }
  }
  return log;
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

int64_t ParametersOf(const Gpt2Config& config) {
  int64_t count = 0;
  for (const WeightShape& weight : Gpt2WeightShapes(config)) {
    int64_t size = 1;
    for (const int64_t extent : weight.shape) {
      size *= extent;
    }
    count += size;
  }
  return count;
}

std::vector<std::string> TrainArguments(const ExperimentContext& context, const RunCell& cell) {
  const fs::path run = context.folder.run(cell);
  std::vector<std::string> arguments = TrainFlags(cell.settings);
  std::string kept;
  for (const int64_t epoch : context.spec.checkpoints) {
    kept += fmt::format("{}{}", kept.empty() ? "" : ",", epoch);
  }
  const std::vector<std::string> rest = {
      "--corpus",      context.folder.corpus(context.plan.corpora[cell.corpus_cell]).string(),
      "--output",      run.string(),
      "--seed",        std::to_string(cell.seed),
      "--threads",     std::to_string(context.threads),
      "--keep-epochs", kept,
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

Status BuildCorpusStep(const ExperimentContext& context, const CorpusCell& cell) {
  const fs::path target = context.folder.corpus(cell);
  if (fs::exists(target)) {
    return {};
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
      Tokenizer::Load(tokenizer.is_file ? context.inputs.Resolve(tokenizer.source).string() : tokenizer.source,
                      tokenizer.release));
  const Result<CorpusBuildReport> report =
      BuildCorpus(songs, *loaded, target, {.valid_fraction = corpus.valid, .threads = context.threads}, context.stop);
  if (!report.ok()) {
    return report.error();
  }
  return {};
}

Status PutCurveStep(const ExperimentContext& context, const RunCell& cell) {
  const TrainLogLines log = ReadTrainLog(context.folder.run(cell) / "train.jsonl", cell.epochs());
  return context.results.PutCurve(cell.id, log.points, log.tokens, log.seconds);
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
      if (context.stop.ShouldStop() && !asked) {
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
  const TrainLogLines lines = ReadTrainLog(run / "train.jsonl", cell.epochs());
  CONTINUO_ASSIGN(const ModelDirectory model, ModelDirectory::Open(run / "final"));
  return std::optional<RunOutcome>({ParametersOf(model.config()), lines.tokens, lines.seconds});
}

}  // namespace continuo
