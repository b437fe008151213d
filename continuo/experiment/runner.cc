#include "continuo/experiment/runner.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <map>
#include <mutex>
#include <set>
#include <sstream>
#include <thread>

#include "continuo/core/hash.h"
#include "continuo/core/thread_pool.h"
#include "continuo/experiment/progress.h"
#include "continuo/experiment/steps.h"
#include "continuo/metrics/catalogue.h"
#include "continuo/os/file.h"
#include "continuo/os/lock.h"
#include "continuo/os/machine.h"
#include "continuo/results/results.h"

namespace continuo {
namespace {

namespace fs = std::filesystem;

constexpr auto kPause = std::chrono::milliseconds(300);
constexpr uintmax_t kLeastRoom = uintmax_t{32} << 20;

/// A step that a worker can claim.
struct Task {
  enum class Kind { kCorpus, kReal, kRun, kSet } kind;
  size_t index;
  std::string id;
};

/// Stores values that somebody published: a TSV with a header, the columns model, tokenizer and
/// epoch, and metrics of the catalogue. Other columns are ignored.
Status TakePublished(const fs::path& path, Results& results) {
  CONTINUO_ASSIGN(const std::string text, ReadTextFile(path, uint64_t{1} << 24));
  std::istringstream lines(text);
  std::vector<std::string> header;
  for (std::string line; std::getline(lines, line);) {
    std::vector<std::string> cells;
    std::istringstream fields(line);
    for (std::string cell; std::getline(fields, cell, '\t');) {
      cells.push_back(cell);
    }
    if (header.empty()) {
      header = cells;
      continue;
    }
    std::map<std::string, std::string> row;
    for (size_t i = 0; i < std::min(header.size(), cells.size()); ++i) {
      row[header[i]] = cells[i];
    }
    for (const auto& [metric, value] : row) {
      if (FindMetric(metric) != nullptr && !value.empty()) {
        CONTINUO_TRY(results.PutPublished(
            {row["model"], row["tokenizer"], std::atoll(row["epoch"].c_str()), metric, std::atof(value.c_str())}));
      }
    }
  }
  return {};
}

std::string Machine(size_t threads) {
  const std::string name = CpuName();
  return fmt::format("{}{} threads", name.empty() ? "" : name + ", ", threads);
}

class Runner {
 public:
  Runner(const ExperimentSpec& spec, const ExperimentInputs& inputs, const ExperimentPlan& plan,
         const RunnerOptions& options, const RunnerNotes& notes, const StopToken& stop, Results& results)
      : spec_(spec),
        plan_(plan),
        options_(options),
        notes_(notes),
        results_(results),
        folder_(options.folder),
        stop_([this, user = stop] { return halted_ || user.stop_requested(); }),
        context_{spec,
                 inputs,
                 plan,
                 folder_,
                 results,
                 options.trainer,
                 std::max<size_t>(1, ThreadCount(options.threads) / options.workers),
                 stop_},
        real_(context_),
        sets_(plan.sets) {}

  Result<RunnerReport> Go();

 private:
  struct Claim {
    Task task;
    FileLock lock;
  };
  enum class Search { kFound, kWait, kNothing };

  bool Mine(size_t run) const {
    const auto is_named = [&](const std::string& name) {
      return name == plan_.runs[run].label || name == plan_.runs[run].id;
    };
    return run % options_.shards == options_.shard &&
           (options_.only.empty() || std::any_of(options_.only.begin(), options_.only.end(), is_named));
  }
  void Work();
  Result<Search> Next(std::optional<Claim>& claim);
  Result<std::optional<Claim>> TryClaim(const Task& task);
  bool CanDo(const Task& task) const;
  std::vector<Task> OpenTasks(const std::map<std::string, CellStatus>& statuses) const;
  Status AddContinuations(const std::map<std::string, CellStatus>& statuses);
  Status Do(const Task& task, const FileLock& lock);
  Status Failed(const Task& task, const Error& error);
  std::string LabelOf(const Task& task) const;
  void Halt(const Error& error);

  const ExperimentSpec& spec_;
  const ExperimentPlan& plan_;
  const RunnerOptions& options_;
  const RunnerNotes& notes_;
  Results& results_;
  const ExperimentFolder folder_;
  std::atomic<bool> halted_ = false;
  const StopToken stop_;
  const ExperimentContext context_;
  RealMusic real_;

  std::mutex mutex_;  // guards what follows
  std::vector<SetCell> sets_;
  bool continuations_entered_ = false;
  std::set<std::string> busy_;    // ids that this process works on
  std::set<std::string> failed_;  // ids that failed now
  RunnerReport report_;
  std::optional<Error> error_;
};

void Runner::Halt(const Error& error) {
  const std::lock_guard lock(mutex_);
  halted_ = true;
  if (!error_) {
    error_ = error;
  }
}

std::string Runner::LabelOf(const Task& task) const {
  switch (task.kind) {
    case Task::Kind::kCorpus:
      return fmt::format("corpus {} {}", plan_.corpora[task.index].corpus, plan_.corpora[task.index].tokenizer);
    case Task::Kind::kRun:
      return fmt::format("training {}", plan_.runs[task.index].label);
    case Task::Kind::kReal:
    case Task::Kind::kSet:
      return sets_[task.index].label;
  }
  return "";
}

/// Whether everything that a task needs exists.
bool Runner::CanDo(const Task& task) const {
  switch (task.kind) {
    case Task::Kind::kCorpus:
      return true;
    case Task::Kind::kReal:
      return !spec_.measure.copying || fs::exists(folder_.corpus(plan_.corpora.front()));
    case Task::Kind::kRun:
      return fs::exists(folder_.corpus(plan_.corpora[plan_.runs[task.index].corpus_cell]));
    case Task::Kind::kSet: {
      const SetCell& set = sets_[task.index];
      return fs::exists(folder_.checkpoint(plan_.runs[*set.run], set.epoch));
    }
  }
  return false;
}

/// Tasks that are not done, in the order in which workers claim them: first corpora, which others
/// wait for, then sets, since their results show how the experiment goes.
std::vector<Task> Runner::OpenTasks(const std::map<std::string, CellStatus>& statuses) const {
  const auto open = [&](const std::string& id) {
    const auto found = statuses.find(id);
    return (found == statuses.end() || found->second != CellStatus::kDone) && !failed_.contains(id);
  };
  std::vector<Task> tasks;
  for (size_t i = 0; i < plan_.corpora.size(); ++i) {
    bool wanted = std::any_of(sets_.begin(), sets_.end(), [&](const SetCell& set) {
      return open(set.id) && (set.run ? Mine(*set.run) && plan_.runs[*set.run].corpus_cell == i : i == 0);
    });
    for (size_t run = 0; run < plan_.runs.size(); ++run) {
      wanted |= plan_.runs[run].corpus_cell == i && Mine(run) && open(plan_.runs[run].id);
    }
    if (wanted && !failed_.contains(plan_.corpora[i].id) && !fs::exists(folder_.corpus(plan_.corpora[i]))) {
      tasks.push_back({Task::Kind::kCorpus, i, plan_.corpora[i].id});
    }
  }
  for (size_t i = 0; i < sets_.size(); ++i) {
    if (open(sets_[i].id) && (!sets_[i].run || Mine(*sets_[i].run))) {
      tasks.push_back({sets_[i].run ? Task::Kind::kSet : Task::Kind::kReal, i, sets_[i].id});
    }
  }
  for (size_t i = 0; i < plan_.runs.size(); ++i) {
    if (open(plan_.runs[i].id) && Mine(i)) {
      tasks.push_back({Task::Kind::kRun, i, plan_.runs[i].id});
    }
  }
  return tasks;
}

/// Enters the continuations once their checkpoints are known: at once if the spec names them, else
/// when the grid is done.
Status Runner::AddContinuations(const std::map<std::string, CellStatus>& statuses) {
  if (continuations_entered_ || spec_.continuations.prompts.empty()) {
    return {};
  }
  std::vector<std::pair<size_t, int64_t>> chosen;
  if (spec_.continuations.best.empty()) {
    for (const CheckpointSpec& checkpoint : spec_.continuations.checkpoints) {
      chosen.push_back(*FindCheckpoint(plan_, checkpoint));
    }
  } else {
    std::map<std::string, std::pair<double, std::pair<size_t, int64_t>>> best;  // by tokenizer
    for (const SetCell& set : plan_.sets) {
      if (!set.run) {
        continue;
      }
      const auto status = statuses.find(set.id);
      const bool done = status != statuses.end() && status->second == CellStatus::kDone;
      if (!done && !failed_.contains(set.id) && !failed_.contains(plan_.runs[*set.run].id)) {
        return {};  // the best is not known yet
      }
      CONTINUO_ASSIGN(const std::optional<double> value, results_.SetMean(set.id, spec_.continuations.best));
      if (!done || !value) {
        continue;
      }
      const std::string& tokenizer = plan_.runs[*set.run].tokenizer;
      const auto found = best.find(tokenizer);
      if (found == best.end() || *value < found->second.first) {
        best[tokenizer] = {*value, {*set.run, set.epoch}};
      }
    }
    for (const std::string& tokenizer : GridTokenizers(spec_)) {
      if (const auto found = best.find(tokenizer); found != best.end()) {
        chosen.push_back(found->second.second);
      }
    }
  }
  continuations_entered_ = true;
  if (chosen.empty()) {
    notes_(fmt::format("no continuations: no checkpoint has {}", spec_.continuations.best));
  }
  const std::vector<SetCell> cells = ContinuationCells(spec_, context_.inputs, plan_, chosen);
  CONTINUO_TRY(results_.EnterSets(SetEntries(spec_, plan_, cells)));
  sets_.insert(sets_.end(), cells.begin(), cells.end());
  return {};
}

Result<std::optional<Runner::Claim>> Runner::TryClaim(const Task& task) {
  // Corpora of the same songs share the folder of songs, so they are built one at a time.
  const std::string name = task.kind == Task::Kind::kCorpus ? "songs-" + plan_.corpora[task.index].corpus : task.id;
  CONTINUO_ASSIGN(std::optional<FileLock> lock, FileLock::Try(folder_.lock(name)));
  if (!lock) {
    return std::optional<Claim>();
  }
  // Another process may have finished the cell since.
  CONTINUO_ASSIGN(const auto statuses, results_.Statuses());
  const auto found = statuses.find(task.id);
  if (found != statuses.end() && found->second == CellStatus::kDone) {
    return std::optional<Claim>();
  }
  return std::optional<Claim>(Claim{task, std::move(*lock)});
}

Result<Runner::Search> Runner::Next(std::optional<Claim>& claim) {
  CONTINUO_ASSIGN(auto statuses, results_.Statuses());
  const std::lock_guard lock(mutex_);
  CONTINUO_TRY(AddContinuations(statuses));
  CONTINUO_ASSIGN(statuses, results_.Statuses());
  const std::vector<Task> tasks = OpenTasks(statuses);
  bool others = !busy_.empty();
  for (const Task& task : tasks) {
    if (busy_.contains(task.id) || !CanDo(task)) {
      continue;
    }
    CONTINUO_ASSIGN(claim, TryClaim(task));
    if (claim) {
      busy_.insert(task.id);
      return Search::kFound;
    }
    others = true;  // another process works on it or has just finished it
  }
  return others ? Search::kWait : Search::kNothing;
}

Status Runner::Failed(const Task& task, const Error& error) {
  notes_(fmt::format("{} failed: {}", LabelOf(task), error.ToString()));
  std::error_code code;
  const fs::space_info space = fs::space(folder_.root(), code);
  if (!code && space.available < kLeastRoom) {
    return Error{fmt::format("{}: the disk is full: {}", folder_.root().string(), error.message),
                 "free some disk space and start again; finished cells are kept"};
  }
  if (task.kind != Task::Kind::kCorpus) {
    CONTINUO_TRY(results_.SetStatus(task.id, CellStatus::kFailed, error.ToString()));
  }
  const std::lock_guard lock(mutex_);
  failed_.insert(task.id);
  ++report_.failed;
  return {};
}

/// Runs a task. Failures of the task are recorded; an Error concerns the whole experiment.
Status Runner::Do(const Task& task, const FileLock& lock) {
  SetCell set;
  {
    const std::lock_guard guard(mutex_);
    if (task.kind == Task::Kind::kReal || task.kind == Task::Kind::kSet) {
      set = sets_[task.index];
    }
    notes_(LabelOf(task));
  }
  bool done = true;
  if (task.kind == Task::Kind::kCorpus) {
    const auto lines = BuildCorpusStep(context_, plan_.corpora[task.index]);
    if (!lines.ok()) {
      return lines.error().code == ErrorCode::kCancelled ? Status() : Failed(task, lines.error());
    }
    for (const std::string& line : *lines) {
      notes_(line);
    }
  } else if (task.kind == Task::Kind::kRun) {
    CONTINUO_TRY(results_.SetStatus(task.id, CellStatus::kRunning));
    const auto result = TrainStep(context_, plan_.runs[task.index], lock);
    if (!result.ok()) {
      return Failed(task, result.error());
    }
    done = result->has_value();
    if (done) {
      CONTINUO_TRY(results_.FinishRun(task.id, **result));
    } else {
      CONTINUO_TRY(results_.SetStatus(task.id, CellStatus::kPending));
    }
  } else {
    CONTINUO_TRY(results_.SetStatus(task.id, CellStatus::kRunning));
    const Result<SetOutcome> outcome = set.run ? PiecesStep(context_, real_, set) : RealSetStep(context_, real_);
    done = outcome.ok();
    if (done) {
      CONTINUO_TRY(results_.FinishSet(task.id, *outcome));
    } else if (outcome.error().code == ErrorCode::kCancelled) {
      CONTINUO_TRY(results_.SetStatus(task.id, CellStatus::kPending));
    } else {
      return Failed(task, outcome.error());
    }
  }
  const std::lock_guard guard(mutex_);
  report_.done += done && task.kind != Task::Kind::kCorpus ? 1 : 0;
  return {};
}

void Runner::Work() {
  while (!stop_.stop_requested()) {
    std::optional<Claim> claim;
    const Result<Search> search = Next(claim);
    if (!search.ok()) {
      return Halt(search.error());
    }
    if (*search == Search::kNothing) {
      return;
    }
    if (*search == Search::kWait) {
      std::this_thread::sleep_for(kPause);
      continue;
    }
    const Status status = Do(claim->task, claim->lock);
    if (!status.ok()) {
      Halt(status.error());
    }
    const std::lock_guard lock(mutex_);
    busy_.erase(claim->task.id);
  }
}

Result<RunnerReport> Runner::Go() {
  CONTINUO_ASSIGN(const auto before, results_.Statuses());
  for (const auto& [id, status] : before) {  // cells that another process works on
    CONTINUO_ASSIGN(const std::optional<FileLock> lock, FileLock::Try(folder_.lock(id)));
    if (status != CellStatus::kDone && !lock) {
      CONTINUO_TRY(results_.SetStatus(id, CellStatus::kRunning));
    }
  }
  report_.skipped = static_cast<size_t>(std::count_if(
      before.begin(), before.end(), [](const auto& status) { return status.second == CellStatus::kDone; }));
  std::vector<std::thread> threads;
  for (size_t i = 0; i < options_.workers; ++i) {
    threads.emplace_back([this] { Work(); });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  if (error_) {
    return *error_;
  }
  report_.stopped = stop_.stop_requested();
  CONTINUO_ASSIGN(const auto after, results_.Statuses());
  report_.left = static_cast<size_t>(std::count_if(after.begin(), after.end(), [](const auto& status) {
    return status.second == CellStatus::kPending || status.second == CellStatus::kRunning;
  }));
  return report_;
}

}  // namespace

Result<RunnerReport> RunExperiment(const ExperimentSpec& spec, const ExperimentInputs& inputs,
                                   const ExperimentPlan& plan, const RunnerOptions& options, const RunnerNotes& notes,
                                   const StopToken& stop) {
  CONTINUO_CHECK(options.workers > 0 && options.shard < options.shards);
  for (const CheckpointSpec& checkpoint : spec.continuations.checkpoints) {
    if (!FindCheckpoint(plan, checkpoint)) {
      return MakeError("continue.checkpoints: the grid has no run of {} with {}", checkpoint.model,
                       checkpoint.tokenizer);
    }
  }
  for (const std::string& name : options.only) {
    if (std::none_of(plan.runs.begin(), plan.runs.end(),
                     [&name](const RunCell& run) { return run.label == name || run.id == name; })) {
      return Error{fmt::format("the grid has no training '{}'", name), "--dry-run lists them, with their ids"};
    }
  }
  std::error_code code;
  if (!fs::exists(options.trainer, code)) {
    return Error{fmt::format("{}: was not built", options.trainer.string()),
                 "install LibTorch with tools/bootstrap.sh and build again"};
  }
  const ExperimentFolder folder(options.folder);
  CONTINUO_TRY(MakeWritableDirectory(folder.root()));
  for (const char* name : {"locks", "corpora", "runs"}) {
    CONTINUO_TRY(MakeWritableDirectory(folder.root() / name));
  }
  CONTINUO_ASSIGN(Results results, Results::Create(folder.results()));
  CONTINUO_TRY(results.Enter(RunEntries(plan), SetEntries(spec, plan, plan.sets)));
  const size_t threads = ThreadCount(options.threads);
  for (const auto& [key, value] :
       std::map<std::string, std::string>{{"name", spec.name},
                                          {"title", spec.title},
                                          {"spec", spec.text},
                                          {"spec_sha256", Sha256Hex(spec.text)},
                                          {"scaled_down", spec.scaled_down},
                                          {"continuo_version", options.version},
                                          {"machine", Machine(threads)},
                                          {"workers", std::to_string(options.workers)},
                                          {"checkpoint_unit", std::string(ToString(spec.unit))},
                                          {"claims", ClaimsToJson(spec.claims)},
                                          {"continuations", std::to_string(ContinuationCount(spec))}}) {
    CONTINUO_TRY(results.PutMeta(key, value));
  }
  if (!spec.published.empty()) {
    CONTINUO_TRY(TakePublished(spec.published, results));
  }
  Runner runner(spec, inputs, plan, options, notes, stop, results);
  return runner.Go();
}

}  // namespace continuo
