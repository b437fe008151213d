#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "continuo/core/result.h"
#include "continuo/results/database.h"
#include "continuo/results/rows.h"

namespace continuo {

/// How far a run is.
struct RunProgress {
  std::string id, label, error;
  CellStatus status = CellStatus::kPending;
  double epoch = 0;
  int64_t epochs = 0;
  double loss = 0;               // NaN before the first update
  double tokens_per_second = 0;  // of the latest updates; NaN before the first
  double seconds = 0;            // so far
};

/// How far a set is.
struct SetProgress {
  std::string id, label, error;
  SetKind kind = SetKind::kGrid;
  CellStatus status = CellStatus::kPending;
  double seconds = 0;
};

/// results.db, opened for an experiment that fills it: docs/formats/results.md. Each call is one
/// transaction, stored as a whole or not at all, and survives the end of the process. Any thread
/// may call. Several processes may share a file.
///
/// Runs and sets share one space of ids: an id names a run or a set, never both, so an id alone is
/// enough to find a cell.
class Results {
 public:
  /// Opens a file and creates it if it does not exist. Fails on another version and on other
  /// databases.
  static Result<Results> Create(const std::filesystem::path& path);
  /// Opens a file that exists.
  static Result<Results> Open(const std::filesystem::path& path);

  Status PutMeta(const std::string& key, const std::string& value);
  /// Empty if the key is missing.
  Result<std::string> Meta(const std::string& key) const;

  /// Makes these the cells of the experiment. New cells are pending. Cells that are done stay done;
  /// all others become pending again. Names and labels are updated. Cells that are missing here
  /// become dropped if they are done, and return with their results when they are entered again;
  /// otherwise they are deleted. Fails if an id names a run and a set.
  Status Enter(std::span<const RunEntry> runs, std::span<const SetEntry> sets);
  /// Adds sets to those of Enter in the same way: the continuations, which are chosen after the
  /// grid is done.
  Status EnterSets(std::span<const SetEntry> sets);

  /// The status of each cell that is not dropped, by id.
  Result<std::map<std::string, CellStatus>> Statuses() const;
  /// Sets the status of a run or a set, and its error; an empty one removes it. Fails if no cell
  /// has the id.
  Status SetStatus(const std::string& id, CellStatus status, const std::string& error = {});
  /// Stores what a cell has found and makes it done. A set's earlier pieces and metrics are
  /// replaced.
  Status FinishRun(const std::string& id, const RunOutcome& outcome);
  Status FinishSet(const std::string& id, const SetOutcome& outcome);

  /// Stores the curve of a run so far, with the tokens and seconds that it has taken. NLLs per note
  /// and per bar are left as they are.
  Status PutCurve(const std::string& run, std::span<const CurvePoint> points, int64_t tokens, double seconds);
  /// Adds NLLs per note and per bar of a checkpoint to the point of the curve that is nearest to
  /// its epoch.
  Status PutCheckpointNll(const std::string& run, double epoch, double per_note, double per_bar);

  /// The mean of a metric over a set; empty if it was not measured.
  Result<std::optional<double>> SetMean(const std::string& set, const std::string& metric) const;
  /// The metrics whose names begin with `prefix` of a set that is done and was written by this
  /// checkpoint.
  Result<std::vector<std::pair<std::string, Summary>>> CheckpointMetrics(const std::string& run, int64_t epoch,
                                                                         const std::string& prefix) const;

  Status PutPublished(const PublishedRow& row);

  /// Cells that are not dropped, in the order in which they were entered.
  Result<std::vector<RunProgress>> RunsProgress() const;
  Result<std::vector<SetProgress>> SetsProgress() const;

  /// Stores what a listener chose: {"choices": [{"prompt", "set", "number", "note", "at"}],
  /// "votes": [{"winner", "loser", "at"}]}. Either list may be missing. A piece is named by its set
  /// and number; winner and loser are {"set", "number"}. If anything is wrong, nothing is stored.
  /// `name` stands for the text in messages.
  struct Choices {
    size_t choices = 0;
    size_t votes = 0;
  };
  Result<Choices> TakeChoices(const std::string& json, const std::string& name);

  /// Takes the cells that are done in another results.db, and not here, with all that was found in
  /// them. A cell's id determines its results, so the specs may differ. A file in which no
  /// experiment was run also takes the facts of `source` (`meta`). Votes and choices stay where
  /// they are. With `playable`, what a page of N pieces per row does not show is left out: the
  /// notes of further pieces of the grid, and scape plots. Fails as a whole.
  struct Merged {
    size_t runs = 0;
    size_t sets = 0;
  };
  Result<Merged> Merge(const std::filesystem::path& source, std::optional<size_t> playable = {});
  /// Gives room that is no longer used back to the disk, and puts everything into the one file.
  Status Shrink();

  /// A table with tabs: a header, then one line per set that is done, with its labels and settings,
  /// and the mean, standard deviation and 95 % interval of each metric.
  Result<std::string> ToTsv() const;

 private:
  explicit Results(Database database) : database_(std::make_unique<Database>(std::move(database))) {}
  Status EnterRuns(std::span<const RunEntry> runs);
  Status EnterSetRows(std::span<const SetEntry> sets);

  std::unique_ptr<Database> database_;
  std::unique_ptr<std::mutex> mutex_ = std::make_unique<std::mutex>();
};

}  // namespace continuo
