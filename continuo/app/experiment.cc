#include <chrono>
#include <memory>
#include <mutex>

#include "continuo/app/command.h"
#include "continuo/app/terminal.h"
#include "continuo/core/thread_pool.h"
#include "continuo/experiment/plan.h"
#include "continuo/experiment/results.h"
#include "continuo/experiment/runner.h"
#include "continuo/experiment/spec.h"
#include "continuo/experiment/steps.h"

namespace continuo {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

struct RunFlags {
  std::string spec;
  std::string output;
  std::string data = "data";
  std::string shard = "0/1";
  size_t workers = 1;
  size_t threads = 0;
  bool dry_run = false;
};

Status ParseShard(const std::string& text, RunnerOptions& options) {
  const size_t slash = text.find('/');
  const auto number = [&text](size_t from, size_t to) -> std::optional<size_t> {
    const std::string digits = text.substr(from, to - from);
    if (digits.empty() || digits.size() > 6 || digits.find_first_not_of("0123456789") != std::string::npos) {
      return std::nullopt;
    }
    return std::stoul(digits);
  };
  const auto shard = slash == std::string::npos ? std::nullopt : number(0, slash);
  const auto shards = slash == std::string::npos ? std::nullopt : number(slash + 1, text.size());
  if (!shard || !shards || *shard >= *shards) {
    return MakeError("--shard is '{}', expected I/N with I from 0 to N - 1", text);
  }
  options.shard = *shard;
  options.shards = *shards;
  return {};
}

Status PrintPlan(const ExperimentSpec& spec, const ExperimentPlan& plan, const AppContext& context) {
  const size_t chosen = spec.board.best.empty() ? spec.board.checkpoints.size() : spec.tokenizers.size();
  const size_t continuations =
      chosen * spec.board.sampling.size() * spec.board.prompts.size() * spec.board.seeds.size();
  if (context.json) {
    Json runs = Json::array();
    for (const RunCell& run : plan.runs) {
      runs.push_back({{"id", run.id}, {"label", run.label}, {"settings", run.settings}});
    }
    Json sets = Json::array();
    for (const SetCell& set : plan.sets) {
      sets.push_back({{"id", set.id}, {"kind", set.kind}, {"label", set.label}});
    }
    return PrintJson({{"name", spec.name}, {"runs", runs}, {"sets", sets}, {"continuations", continuations}});
  }
  for (const RunCell& run : plan.runs) {
    CONTINUO_TRY(PrintLine(fmt::format("{}  training      {}", run.id, run.label)));
  }
  for (const SetCell& set : plan.sets) {
    CONTINUO_TRY(PrintLine(fmt::format("{}  {:<12}  {}", set.id, set.kind, set.label)));
  }
  return PrintLine(
      fmt::format("{} trainings, {} sets, {} continuations", plan.runs.size(), plan.sets.size(), continuations));
}

Status RunRun(const RunFlags& flags, const AppContext& context) {
  RunnerOptions options;
  CONTINUO_TRY(ParseShard(flags.shard, options));
  CONTINUO_ASSIGN(const ExperimentSpec spec, ReadSpec(flags.spec));
  CONTINUO_ASSIGN(const ExperimentInputs inputs, FindInputs(spec, flags.data));
  const ExperimentPlan plan = MakePlan(spec, inputs);
  if (flags.dry_run) {
    return PrintPlan(spec, plan, context);
  }
  options.folder = flags.output;
  options.trainer = ProgramFolder() / "continuo-train";
  options.version = Version();
  options.workers = flags.workers;
  options.threads = flags.threads;
  class Stopper : public Progress {
   public:
    bool ShouldStop() const override { return InterruptSignal() != 0; }
  } stopper;
  const auto start = std::chrono::steady_clock::now();
  std::mutex mutex;
  const auto note = [&](const std::string& line) {
    const std::lock_guard lock(mutex);
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    PrintNote(context, fmt::format("{:>8}  {}", FormatDuration(seconds), line));
  };
  CONTINUO_ASSIGN(const RunnerReport report, RunExperiment(spec, inputs, plan, options, note, stopper));
  if (context.json) {
    CONTINUO_TRY(PrintJson({{"experiment", flags.output},
                            {"done", report.done},
                            {"skipped", report.skipped},
                            {"failed", report.failed},
                            {"left", report.left},
                            {"stopped", report.stopped}}));
  } else {
    CONTINUO_TRY(PrintLine(fmt::format("{}: {} cells done, {} were there, {} failed, {} left{}", flags.output,
                                       report.done, report.skipped, report.failed, report.left,
                                       report.stopped ? "; stopped, the same command goes on" : "")));
  }
  if (report.failed > 0) {
    return MakeError("{}: {} cells failed; `continuo experiment status` says why", flags.output, report.failed);
  }
  return {};
}

}  // namespace

void AddExperimentCommand(CLI::App& app, AppContext& context) {
  CLI::App* experiment = app.add_subcommand("experiment", "Train, write and measure over a grid of settings");
  experiment->require_subcommand(1);

  CLI::App* run = experiment->add_subcommand("run", "Do all that a spec asks for and that is not done yet");
  run->footer(
      "Interrupt it at any time; the same command goes on.\n\n"
      "Example:\n"
      "  continuo experiment run experiments/study-small.toml --data data -o runs/study-small");
  auto flags = std::make_shared<RunFlags>();
  run->add_option("spec", flags->spec, "the experiment, in TOML (docs/experiments.md)")->required();
  run->add_option("-o,--output", flags->output, "the experiment's folder: results.db, corpora, runs")->required();
  run->add_option("--data", flags->data, "the folder in which the spec's relative paths begin")->capture_default_str();
  run->add_option("--workers", flags->workers, "steps done side by side")
      ->check(CLI::Range(1, 256))
      ->capture_default_str();
  run->add_option("--threads", flags->threads, "threads of all workers together; 0: one for each core")
      ->check(CLI::Range(0, 4096))
      ->capture_default_str();
  run->add_option("--shard", flags->shard, "do only the trainings I, I + N, ... and their pieces, as in 0/4")
      ->capture_default_str();
  run->add_flag("--dry-run", flags->dry_run, "list the cells and estimate the time, and do nothing");
  run->callback([flags, &context] { context.run = [flags, &context] { return RunRun(*flags, context); }; });
}

}  // namespace continuo
