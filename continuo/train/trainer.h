#pragma once

#include <cstdint>
#include <filesystem>
#include <string_view>

#include "continuo/core/result.h"
#include "continuo/corpus/corpus.h"
#include "continuo/run/train_settings.h"
#include "continuo/train/communicator.h"
#include "continuo/train/train_data.h"

namespace continuo {

/// What a run reports while it trains. Called on the training thread.
class TrainObserver {
 public:
  virtual ~TrainObserver() = default;
  struct StepInfo {
    uint64_t step = 0;  // updates made
    uint64_t epoch = 0;
    double progress = 0;  // share of the run that is done, in [0, 1]
    double loss = 0;      // NLL per token of this update's batch, in nats
    double lr = 0;
    double gradient_norm = 0;
    double tokens_per_second = 0;  // smoothed over the last updates
    double seconds_left = 0;
  };
  virtual void OnStep(const StepInfo&) {}
  struct ValidationInfo {
    uint64_t step = 0;
    double nll_per_token = 0;  // in nats
    double nll_per_note = 0;   // 0: the data have no notes
    double nll_per_bar = 0;    // of text: per line
    bool best = false;
  };
  virtual void OnValidation(const ValidationInfo&) {}
  /// A message for the user, such as what was taken from `init_from`.
  virtual void OnNote(std::string_view /*note*/) {}
  /// True when the user asked to stop: the current update is finished and a checkpoint written.
  virtual bool ShouldStop() const { return false; }
};

struct TrainReport {
  uint64_t steps = 0;
  uint64_t tokens = 0;
  double seconds = 0;
  double valid_nll = 0;  // of the last validation, per token; 0: there was none
  double best_nll = 0;
  bool interrupted = false;
  bool stopped_early = false;  // by `patience`
};

/// Trains and writes into `run` (docs/formats/checkpoint.md): checkpoints with `latest` the newest,
/// `best` (the model of the lowest validation NLL, or the last if no song is held out), `epoch-N`
/// for `keep_epochs`, `percent-N` for `keep_percents`, `final` at the end, train.jsonl and
/// TensorBoard's event files. Holds the directory's lock meanwhile. Settings that do not pass
/// Check, and a device that is missing, are errors.
///
/// With `resume`, continues from the newest checkpoint that can be read. The result has the same
/// bytes as that of a run that was never interrupted, unless it is limited by minutes. A checkpoint
/// of other settings is an error.
///
/// Stops with an error, and keeps the last checkpoint, when the loss is not finite or far above
/// that of guessing.
///
/// With several ranks, each calls this with the same arguments and takes its share of every batch
/// and of the validation. The batch is that of all ranks together, so a run may be resumed with
/// another number of them. Rank 0 writes. If one rank fails, the caller must abort the others.
Result<TrainReport> Train(const TrainData& data, const TrainSettings& settings, const std::filesystem::path& run,
                          bool resume, TrainObserver& observer, Communicator& ranks);

/// The same in this process alone.
Result<TrainReport> Train(const TrainData& data, const TrainSettings& settings, const std::filesystem::path& run,
                          bool resume, TrainObserver& observer);

/// The same, on a corpus of music.
Result<TrainReport> Train(const Corpus& corpus, const TrainSettings& settings, const std::filesystem::path& run,
                          bool resume, TrainObserver& observer);

}  // namespace continuo
