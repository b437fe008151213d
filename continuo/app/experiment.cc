#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <map>
#include <memory>
#include <mutex>
#include <thread>

#include "continuo/app/command.h"
#include "continuo/app/terminal.h"
#include "continuo/core/clock.h"
#include "continuo/core/thread_pool.h"
#include "continuo/experiment/plan.h"
#include "continuo/experiment/progress.h"
#include "continuo/experiment/runner.h"
#include "continuo/experiment/spec.h"
#include "continuo/experiment/steps.h"
#include "continuo/os/file.h"
#include "continuo/os/machine.h"
#include "continuo/os/process.h"
#include "continuo/os/signals.h"
#include "continuo/results/results.h"

namespace continuo {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

struct RunFlags {
  std::string spec;
  std::string output;
  std::string data = "data";
  std::string shard = "0/1";
  std::vector<std::string> only;
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

/// The time left of an experiment that has begun, else a rough estimate.
Result<double> EstimatedSeconds(const ExperimentSpec& spec, const ExperimentInputs& inputs, const ExperimentPlan& plan,
                                const RunFlags& flags) {
  const fs::path file = ExperimentFolder(flags.output).results();
  std::error_code code;
  if (fs::exists(file, code)) {
    CONTINUO_ASSIGN(const Results results, Results::Open(file));
    CONTINUO_ASSIGN(const ExperimentProgress progress, ReadProgress(results));
    CONTINUO_ASSIGN(const std::string text, results.Meta("spec"));
    if (text == spec.text && !std::isnan(progress.seconds_left)) {
      return progress.seconds_left;
    }
  }
  return GuessSeconds(spec, inputs, plan, ThreadCount(flags.threads));
}

/// The statuses of the cells in a folder, if it exists.
Result<std::map<std::string, CellStatus>> KnownStatuses(const RunFlags& flags) {
  const fs::path file = ExperimentFolder(flags.output).results();
  std::error_code code;
  if (!fs::exists(file, code)) {
    return std::map<std::string, CellStatus>();
  }
  CONTINUO_ASSIGN(const Results results, Results::Open(file));
  return results.Statuses();
}

Status PrintPlan(const ExperimentSpec& spec, const ExperimentInputs& inputs, const ExperimentPlan& plan,
                 const RunFlags& flags, const AppContext& context) {
  CONTINUO_ASSIGN(const double seconds, EstimatedSeconds(spec, inputs, plan, flags));
  CONTINUO_ASSIGN(const auto statuses, KnownStatuses(flags));
  const auto status = [&statuses](const std::string& id) {
    const auto found = statuses.find(id);
    return ToString(found == statuses.end() ? CellStatus::kPending : found->second);
  };
  if (context.json) {
    Json runs = Json::array();
    for (const RunCell& run : plan.runs) {
      runs.push_back({{"id", run.id}, {"label", run.label}, {"status", status(run.id)}, {"settings", run.settings}});
    }
    Json sets = Json::array();
    for (const SetCell& set : plan.sets) {
      sets.push_back({{"id", set.id}, {"kind", ToString(set.kind)}, {"label", set.label}, {"status", status(set.id)}});
    }
    return PrintJson({{"name", spec.name},
                      {"runs", runs},
                      {"sets", sets},
                      {"continuations", ContinuationCount(spec)},
                      {"prompt_notes", inputs.prompt_notes},
                      {"seconds", seconds}});
  }
  for (const RunCell& run : plan.runs) {
    CONTINUO_TRY(PrintLine(fmt::format("{}  {:<8} training      {}", run.id, status(run.id), run.label)));
  }
  for (const SetCell& set : plan.sets) {
    CONTINUO_TRY(PrintLine(fmt::format("{}  {:<8} {:<12}  {}", set.id, status(set.id), ToString(set.kind), set.label)));
  }
  return PrintLine(fmt::format("{} trainings, {} sets of pieces, {} continuations; about {} on {} threads",
                               plan.runs.size(), plan.sets.size(), ContinuationCount(spec), FormatDuration(seconds),
                               ThreadCount(flags.threads)));
}

Status RunRun(const RunFlags& flags, const AppContext& context) {
  RunnerOptions options;
  CONTINUO_TRY(ParseShard(flags.shard, options));
  CONTINUO_ASSIGN(const ExperimentSpec spec, ReadSpec(flags.spec));
  CONTINUO_ASSIGN(const ExperimentInputs inputs, FindInputs(spec, flags.data));
  for (const auto& [name, folder] : inputs.corpora) {
    for (const std::string& skipped : folder.skipped) {
      PrintNote(context, fmt::format("{}: skipped {}", name, skipped));
    }
  }
  for (const std::string& note : inputs.prompt_notes) {
    PrintNote(context, note);
  }
  const ExperimentPlan plan = MakePlan(spec, inputs);
  if (flags.dry_run) {
    return PrintPlan(spec, inputs, plan, flags, context);
  }
  options.folder = flags.output;
  options.trainer = ProgramFolder() / "continuo-train";
  options.version = Version();
  options.only = flags.only;
  options.workers = flags.workers;
  options.threads = flags.threads;
  const auto start = Clock::now();
  std::mutex mutex;
  const auto note = [&](const std::string& line) {
    const std::lock_guard lock(mutex);
    const double seconds = SecondsSince(start);
    PrintNote(context, fmt::format("{:>8}  {}", FormatDuration(seconds), line));
  };
  CONTINUO_ASSIGN(const RunnerReport report, RunExperiment(spec, inputs, plan, options, note, SignalStop()));
  if (context.json) {
    CONTINUO_TRY(PrintJson({{"experiment", flags.output},
                            {"done", report.done},
                            {"skipped", report.skipped},
                            {"failed", report.failed},
                            {"left", report.left},
                            {"prompt_notes", inputs.prompt_notes},
                            {"stopped", report.stopped}}));
  } else {
    CONTINUO_TRY(PrintLine(fmt::format("{}: {} cells done, {} done before, {} failed, {} left{}", flags.output,
                                       report.done, report.skipped, report.failed, report.left,
                                       report.stopped ? "; stopped, the same command resumes" : "")));
  }
  if (report.failed > 0) {
    return MakeError("{}: {} cells failed; `continuo experiment status` shows why", flags.output, report.failed);
  }
  return {};
}

struct StatusFlags {
  std::string folder;
  bool tsv = false;
  bool watch = false;
};

std::string TimeLeft(double seconds) {
  return std::isnan(seconds) ? std::string("unknown") : FormatDuration(seconds);
}

Status PrintProgress(const ExperimentProgress& progress) {
  CONTINUO_TRY(PrintLine(fmt::format("{}: {}", progress.name, progress.title)));
  size_t width = 8;
  for (const RunProgress& run : progress.runs) {
    width = std::max(width, run.label.size());
  }
  for (const RunProgress& run : progress.runs) {
    std::string line = fmt::format("  {:<{}}  {:<8}", run.label, width, ToString(run.status));
    if (run.epoch > 0) {
      line += fmt::format("  epoch {:.1f} of {}  loss {:.3f}  {:.0f} tokens/s", run.epoch, run.epochs, run.loss,
                          run.tokens_per_second);
    }
    if (!run.error.empty()) {
      line += "  " + run.error;
    }
    CONTINUO_TRY(PrintLine(line));
  }
  const auto print = [](const char* name, size_t all, const auto& count) {
    const size_t running = count(CellStatus::kRunning);
    const size_t failed = count(CellStatus::kFailed);
    return PrintLine(fmt::format("{:<15} {:>4} of {:<4} done{}{}", name, count(CellStatus::kDone), all,
                                 running > 0 ? fmt::format(", {} running", running) : "",
                                 failed > 0 ? fmt::format(", {} failed", failed) : ""));
  };
  const auto sets = [&progress](SetKind kind) {
    return [&progress, kind](CellStatus status) { return progress.CountSets(kind, status); };
  };
  CONTINUO_TRY(
      print("trainings", progress.runs.size(), [&progress](CellStatus status) { return progress.CountRuns(status); }));
  CONTINUO_TRY(print("real music", progress.CountSets(SetKind::kReal), sets(SetKind::kReal)));
  CONTINUO_TRY(print("sets of pieces", progress.CountSets(SetKind::kGrid), sets(SetKind::kGrid)));
  CONTINUO_TRY(print("continuations", std::max(progress.CountSets(SetKind::kContinuation), progress.continuations),
                     sets(SetKind::kContinuation)));
  for (const SetProgress& set : progress.sets) {
    if (set.status == CellStatus::kRunning) {
      CONTINUO_TRY(PrintLine(fmt::format("  now: {}", set.label)));
    }
    if (set.status == CellStatus::kFailed) {
      CONTINUO_TRY(PrintLine(fmt::format("  {} failed: {}", set.label, set.error)));
    }
  }
  return PrintLine(fmt::format("time left       {}", TimeLeft(progress.seconds_left)));
}

Status PrintProgressAsJson(const ExperimentProgress& progress) {
  Json runs = Json::array();
  for (const RunProgress& run : progress.runs) {
    runs.push_back({{"id", run.id},
                    {"label", run.label},
                    {"status", ToString(run.status)},
                    {"epoch", run.epoch},
                    {"epochs", run.epochs},
                    {"error", run.error}});
  }
  Json sets = Json::array();
  for (const SetProgress& set : progress.sets) {
    sets.push_back({{"id", set.id},
                    {"kind", ToString(set.kind)},
                    {"label", set.label},
                    {"status", ToString(set.status)},
                    {"error", set.error}});
  }
  return PrintJson({{"name", progress.name},
                    {"runs", runs},
                    {"sets", sets},
                    {"seconds_left", std::isnan(progress.seconds_left) ? Json() : Json(progress.seconds_left)}});
}

Status RunStatus(const StatusFlags& flags, const AppContext& context) {
  CONTINUO_ASSIGN(const Results results, Results::Open(ExperimentFolder(flags.folder).results()));
  if (flags.tsv) {
    CONTINUO_ASSIGN(const std::string table, results.ToTsv());
    return PrintLine(std::string_view(table).substr(0, table.size() - 1));
  }
  for (;;) {
    CONTINUO_ASSIGN(const ExperimentProgress progress, ReadProgress(results));
    if (context.json) {
      return PrintProgressAsJson(progress);
    }
    if (flags.watch) {
      std::fputs("\033[2J\033[H", stdout);
    }
    CONTINUO_TRY(PrintProgress(progress));
    if (!flags.watch) {
      return {};
    }
    std::fflush(stdout);
    for (int i = 0; i < 20; ++i) {
      if (InterruptSignal() != 0) {
        return {};
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
  }
}

Status RunChoose(const std::string& folder, const std::string& file, const AppContext& context) {
  CONTINUO_ASSIGN(Results results, Results::Open(ExperimentFolder(folder).results()));
  CONTINUO_ASSIGN(const std::string text, ReadTextFile(file, uint64_t{1} << 26));
  CONTINUO_ASSIGN(const Results::Choices taken, results.TakeChoices(text, file));
  if (context.json) {
    return PrintJson({{"choices", taken.choices}, {"votes", taken.votes}});
  }
  return PrintLine(fmt::format("{}: stored {} choices and {} votes", folder, taken.choices, taken.votes));
}

struct MergeFlags {
  std::vector<std::string> sources;
  std::string output;
  std::optional<size_t> playable;
};

Status RunMerge(const MergeFlags& flags, const AppContext& context) {
  std::error_code code;
  std::vector<fs::path> files;
  for (const fs::path source : flags.sources) {
    files.push_back(fs::is_directory(source, code) ? ExperimentFolder(source).results() : source);
    if (!fs::exists(files.back(), code)) {
      return Error{fmt::format("{}: does not exist", files.back().string()), "`continuo experiment run` creates it"};
    }
  }
  CONTINUO_TRY(MakeWritableDirectory(flags.output));
  const fs::path target = ExperimentFolder(flags.output).results();
  CONTINUO_ASSIGN(Results results, Results::Create(target));
  Results::Merged all;
  for (const fs::path& file : files) {
    if (fs::equivalent(file, target, code)) {
      return MakeError("{}: is the folder that takes the cells", file.string());
    }
    CONTINUO_ASSIGN(const Results::Merged merged, results.Merge(file, flags.playable));
    all.runs += merged.runs;
    all.sets += merged.sets;
  }
  CONTINUO_TRY(results.Shrink());
  const auto bytes = fs::file_size(target, code);
  if (context.json) {
    return PrintJson({{"experiment", flags.output}, {"trainings", all.runs}, {"sets", all.sets}, {"bytes", bytes}});
  }
  return PrintLine(fmt::format("{}: took {} trainings and {} sets; {:.1f} MB", target.string(), all.runs, all.sets,
                               static_cast<double>(bytes) / 1e6));
}

}  // namespace

void AddExperimentCommand(CLI::App& app, AppContext& context) {
  CLI::App* experiment = app.add_subcommand("experiment", "Train, generate and measure over a grid of settings");
  experiment->require_subcommand(1);

  CLI::App* run = experiment->add_subcommand("run", "Work on all cells of a spec that are not done");
  run->footer(
      "It can be interrupted at any time; the same command resumes.\n\n"
      "Example:\n"
      "  continuo experiment run experiments/study-small.toml --data data -o runs/study-small");
  auto flags = std::make_shared<RunFlags>();
  run->add_option("spec", flags->spec, "the experiment, in TOML (docs/experiments.md)")->required();
  run->add_option("-o,--output", flags->output, "the experiment's folder: results.db, corpora, runs")->required();
  run->add_option("--data", flags->data, "the folder that relative paths of the spec start from")
      ->capture_default_str();
  run->add_option("--workers", flags->workers, "steps at a time")->check(CLI::Range(1, 256))->capture_default_str();
  run->add_option("--threads", flags->threads, "threads of all workers together; 0: one for each core")
      ->check(CLI::Range(0, 4096))
      ->capture_default_str();
  run->add_option("--shard", flags->shard, "only trainings with index % N == I and their pieces, as in 0/4")
      ->capture_default_str();
  run->add_option("--only", flags->only, "only this training, by its label or id, and its pieces; may be repeated")
      ->allow_extra_args(false);
  run->add_flag("--dry-run", flags->dry_run, "only list the cells and estimate the time");
  run->callback([flags, &context] { context.run = [flags, &context] { return RunRun(*flags, context); }; });

  CLI::App* status = experiment->add_subcommand("status", "Show how far an experiment is");
  status->footer(
      "Examples:\n"
      "  continuo experiment status runs/study-small --watch\n"
      "  continuo experiment status runs/study-small --tsv > results.tsv");
  auto status_flags = std::make_shared<StatusFlags>();
  status->add_option("folder", status_flags->folder, "the experiment's folder")->required();
  status->add_flag("--tsv", status_flags->tsv, "print the results so far as a table with tabs");
  status->add_flag("--watch", status_flags->watch, "update until Ctrl-C");
  status->callback([status_flags, &context] {
    context.run = [status_flags, &context] { return RunStatus(*status_flags, context); };
  });

  CLI::App* merge = experiment->add_subcommand("merge", "Take the finished cells of other folders");
  merge->footer(
      "The cells are found again by the next run in the folder. With --playable the file is small enough to keep in\n"
      "a repository: notes of further pieces and scape plots that the page does not show are left out.\n\n"
      "Examples:\n"
      "  continuo experiment merge machine-1 machine-2 -o runs/study\n"
      "  continuo experiment merge runs/study --playable 4 -o kept/study");
  auto merge_flags = std::make_shared<MergeFlags>();
  merge->add_option("sources", merge_flags->sources, "folders of experiments, or results.db files")->required();
  merge->add_option("-o,--output", merge_flags->output, "the folder whose results.db takes the cells")->required();
  merge->add_option("--playable", merge_flags->playable, "keep the notes of N pieces of each set of the grid");
  merge->callback(
      [merge_flags, &context] { context.run = [merge_flags, &context] { return RunMerge(*merge_flags, context); }; });

  CLI::App* choose = experiment->add_subcommand("choose", "Store what a listener chose on the report page");
  choose->footer(
      "Example:\n"
      "  continuo experiment choose runs/study-small choices.json");
  auto names = std::make_shared<std::pair<std::string, std::string>>();
  choose->add_option("folder", names->first, "the experiment's folder")->required();
  choose->add_option("choices", names->second, "the file that the page exported")->required();
  choose->callback([names, &context] {
    context.run = [names, &context] { return RunChoose(names->first, names->second, context); };
  });
}

}  // namespace continuo
