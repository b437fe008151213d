#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "continuo/core/result.h"
#include "continuo/experiment/database.h"
#include "continuo/experiment/plan.h"
#include "continuo/metrics/scape_plot.h"
#include "continuo/metrics/set_distance.h"
#include "continuo/metrics/statistics.h"

namespace continuo {

/// A line of a learning curve. NaN is what was not measured there.
struct CurvePoint {
  int64_t step = 0;
  double epoch = 0;
  double train_loss = 0;
  double valid_nll = 0;
  double lr = 0;
  double tokens_per_second = 0;
};

struct RunResult {
  int64_t parameters = 0;
  int64_t tokens = 0;
  double seconds = 0;
};

struct PieceResult {
  std::string name;
  std::vector<uint8_t> midi;  // empty: not kept
  int64_t bars = 0;
  int64_t prompt_bars = 0;
  int64_t notes = 0;
  std::optional<int64_t> tokens;
  double nll_token = 0;  // the new ones under the model itself; NaN where there is no model
  double nll_note = 0;
  double nll_bar = 0;
  std::optional<int64_t> copied_notes;
  std::string copied_from;
  std::vector<uint8_t> scape;  // PackScape's
  std::vector<std::pair<std::string, double>> metrics;
};

struct SetResult {
  std::vector<PieceResult> pieces;
  std::vector<std::pair<std::string, Summary>> metrics;
  std::vector<SetDistance> distances;
  double seconds = 0;
};

enum class CellStatus { kPending, kRunning, kDone, kFailed };
std::string_view ToString(CellStatus status);

/// How much there is and how far it is, for people who wait.
struct RunProgress {
  std::string id, label, status, error;
  double epoch = 0;
  int64_t epochs = 0;
  double loss = 0;
  double tokens_per_second = 0;
  double seconds = 0;
};
struct SetProgress {
  std::string id, kind, label, status, error;
  double seconds = 0;
  std::optional<std::string> run;
};

/// results.db: what an experiment has found so far (docs/formats/results.md). Each call is a transaction: it is there
/// whole or not at all, and stays, whatever happens to the process afterwards. Any thread may call; several processes
/// may share a file.
class Results {
 public:
  /// Opens a file, made if it isn't there. One of another version, or that is something else, is refused.
  static Result<Results> Create(const std::filesystem::path& path);
  /// Opens one that is there.
  static Result<Results> Open(const std::filesystem::path& path);

  Status PutMeta(const std::string& key, const std::string& value);
  Result<std::string> Meta(const std::string& key) const;

  /// Makes the rows of cells that have none yet, as pending, and brings names and labels up to date. What is no longer
  /// in the plan becomes "dropped" if it has results, which come back with it, and goes if it has none.
  Status Enter(const ExperimentSpec& spec, const ExperimentPlan& plan);
  /// Adds continuations to what Enter made.
  Status EnterSets(const ExperimentSpec& spec, const ExperimentPlan& plan, const std::vector<SetCell>& sets);

  Result<std::map<std::string, CellStatus>> Statuses() const;
  Status SetRunStatus(const std::string& id, CellStatus status, const std::string& error = {});
  Status SetSetStatus(const std::string& id, CellStatus status, const std::string& error = {});
  Status FinishRun(const std::string& id, const RunResult& result);
  Status FinishSet(const std::string& id, const SetResult& result);

  /// Puts a run's curve so far, and how long it took.
  Status PutCurve(const std::string& run, const std::vector<CurvePoint>& points, int64_t tokens, double seconds);
  /// What was measured of a checkpoint on the validation songs, beside its place in the curve.
  Status PutCheckpointNll(const std::string& run, double epoch, double per_note, double per_bar);

  /// The mean of a metric over a set, if it has it.
  Result<std::optional<double>> SetMean(const std::string& set, const std::string& metric) const;
  /// All summaries of some set of (run, epoch) whose metric begins with `prefix`.
  Result<std::vector<std::pair<std::string, Summary>>> MetricsOf(const std::string& run, int64_t epoch,
                                                                 const std::string& prefix) const;

  Status PutPublished(const std::string& model, const std::string& tokenizer, int64_t epoch, const std::string& metric,
                      double value);

  Result<std::vector<RunProgress>> RunsProgress() const;
  Result<std::vector<SetProgress>> SetsProgress() const;

  /// Takes in what a listener chose: {"choices": [{"prompt", "set", "number", "note", "at"}], "votes": [{"winner",
  /// "loser", "at"}]}, either of which may be missing; a piece is named by its set and number, winner and loser as
  /// {"set", "number"}. Where anything is wrong nothing is taken.
  struct Choices {
    size_t choices = 0;
    size_t votes = 0;
  };
  Result<Choices> TakeChoices(const std::string& json, const std::string& name);

  /// One line a set, with a head: labels, settings, mean, deviation and interval of each metric, tabs between.
  Result<std::string> ToTsv() const;

 private:
  explicit Results(Database database) : database_(std::make_unique<Database>(std::move(database))) {}
  Status EnterRows(const ExperimentSpec& spec, const ExperimentPlan& plan, const std::vector<SetCell>& sets);

  std::unique_ptr<Database> database_;
  std::unique_ptr<std::mutex> mutex_ = std::make_unique<std::mutex>();
};

/// The bytes of pieces.scape: a u32 n, little-endian, then for each length 1..n the fitness of each segment of so many
/// frames, from 0 to 255 for 0 to 1. Lengths that were not measured are 0.
std::vector<uint8_t> PackScape(const ScapePlot& scape);

}  // namespace continuo
