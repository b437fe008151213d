#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "continuo/core/result.h"
#include "continuo/core/stop_token.h"
#include "continuo/corpus/corpus.h"
#include "continuo/experiment/plan.h"
#include "continuo/metrics/bar_features.h"
#include "continuo/metrics/description.h"
#include "continuo/metrics/piece_set.h"
#include "continuo/os/lock.h"
#include "continuo/os/process.h"
#include "continuo/results/results.h"
#include "continuo/token/tokenizer.h"

namespace continuo {

/// The paths of what the steps of an experiment make, in its folder.
class ExperimentFolder {
 public:
  explicit ExperimentFolder(std::filesystem::path root) : root_(std::move(root)) {}
  const std::filesystem::path& root() const { return root_; }
  std::filesystem::path results() const { return root_ / "results.db"; }
  std::filesystem::path songs(const std::string& corpus_sha256) const {
    return root_ / "corpora" / ("songs-" + corpus_sha256.substr(0, 16));
  }
  std::filesystem::path corpus(const CorpusCell& cell) const {
    return root_ / "corpora" / (cell.tokenizer + "-" + cell.id);
  }
  std::filesystem::path run(const RunCell& cell) const { return root_ / "runs" / cell.id; }
  /// The model of a checkpoint. Of a run that ended before it, by steps, minutes or patience, its
  /// final model.
  std::filesystem::path checkpoint(const RunCell& cell, int64_t epoch) const {
    const std::filesystem::path kept = run(cell) / fmt::format("{}-{}", ToString(cell.unit), epoch);
    const std::filesystem::path last = run(cell) / "final";
    const bool may_end_early = cell.train.steps > 0 || cell.train.minutes > 0 || cell.train.patience > 0;
    return may_end_early && !std::filesystem::exists(kept) && std::filesystem::exists(last) ? last : kept;
  }
  std::filesystem::path lock(const std::string& id) const { return root_ / "locks" / id; }

 private:
  std::filesystem::path root_;
};

/// What every step of an experiment needs.
struct ExperimentContext {
  const ExperimentSpec& spec;
  const ExperimentInputs& inputs;
  const ExperimentPlan& plan;
  const ExperimentFolder& folder;
  Results& results;
  std::filesystem::path trainer;  // the program continuo-train
  size_t threads = 1;             // of each step
  const StopToken& stop;
};

/// Builds a corpus, unless it exists. Returns a line for each file that it skipped or repaired.
Result<std::vector<std::string>> BuildCorpusStep(const ExperimentContext& context, const CorpusCell& cell);

/// Trains a run to its end, from its last checkpoint if it was begun, and writes its curve to the
/// results as it grows. `lock` goes to the program, so that nobody else begins while it still runs.
/// Fails with the last line that the program wrote. Returns nothing where it was asked to stop.
Result<std::optional<RunOutcome>> TrainStep(const ExperimentContext& context, const RunCell& cell,
                                            const FileLock& lock);

/// Stores the curve of a run so far.
Status PutCurveStep(const ExperimentContext& context, const RunCell& cell);

/// Real music that sets are compared with, read when it is first asked for. Any thread may call.
/// What it returns is valid as long as the object.
class RealMusic {
 public:
  explicit RealMusic(const ExperimentContext& context) : context_(context) {}
  /// Descriptions of the first bars of the real songs.
  Result<const std::vector<Description>*> Descriptions();
  /// Bar features of the first bars of the real songs after they were turned into the tokens of a
  /// tokenizer and back, so that what these tokens cannot express does not count as a difference.
  /// Fails with CancelledError() on a stop.
  Result<const std::vector<BarFeatureValues>*> BarFeatures(const Tokenizer& tokenizer);
  /// The songs that runs of a corpus trained on, to find copies of.
  Result<const SongIndex*> SongsOf(size_t corpus_cell);
  /// The names of the songs that are measured as real music, which are of the first corpus.
  std::vector<std::string> Names() const;

 private:
  const ExperimentContext& context_;
  std::mutex mutex_;
  std::optional<std::vector<Description>> descriptions_;
  std::map<std::string, std::vector<BarFeatureValues>> bar_features_;  // by the tokenizer's configuration
  std::map<std::string, SongIndex> songs_;                             // by corpus
};

/// Measures real music, the first bars of each song. Its MIDI is not kept. Fails with
/// CancelledError() on a stop.
Result<SetOutcome> RealSetStep(const ExperimentContext& context, RealMusic& real);

/// Writes the pieces or continuations of a set with its checkpoint, and measures them. Fails with
/// CancelledError() on a stop.
Result<SetOutcome> PiecesStep(const ExperimentContext& context, RealMusic& real, const SetCell& cell);

}  // namespace continuo
