#pragma once

#include <c10/core/Device.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "continuo/core/result.h"
#include "continuo/corpus/blocks.h"
#include "continuo/corpus/corpus.h"
#include "continuo/model/gpt2_config.h"
#include "continuo/train/communicator.h"
#include "continuo/train/gpt2.h"
#include "continuo/train/optimizer.h"
#include "continuo/run/schedule.h"
#include "continuo/train/train_data.h"

namespace continuo {

/// A training run. The defaults are the study's.
struct TrainOptions {
  Gpt2Config model;  // vocab_size is the data's
  TrainPrecision precision = TrainPrecision::kBf16;
  at::Device device = at::kCPU;
  BlockMode blocks = BlockMode::kAll;
  bool augment_transpose = false;
  bool augment_velocity = false;
  bool augment_tempo = false;
  size_t batch = 8;       // windows a micro-batch
  size_t grad_accum = 1;  // micro-batches an update
  OptimizerOptions optimizer;
  ScheduleOptions schedule;
  std::filesystem::path init_from;  // a model directory whose weights the run begins with; empty: random ones
  double label_smoothing = 0;       // share of each target that is spread over the vocabulary
  double clip = 1.0;                // of the gradients' norm; 0: none
  uint64_t seed = 1;

  // How long: the first of these that is not 0.
  double minutes = 0;  // of wall clock; the schedule follows the clock, so a run ends annealed
  uint64_t steps = 0;  // updates
  uint64_t epochs = 100;
  std::vector<uint64_t> keep_epochs;  // after how many epochs the model is kept in epoch-N, besides what else is
  size_t keep = 2;                    // checkpoints, the newest

  /// The first `short_share` of the run sees windows of `short_context` ids, more of them a batch, so that
  /// a batch has the same number of ids, at positions drawn for each batch.
  double short_share = 0;
  size_t short_context = 512;

  /// Ends the run after so many validations in a row without a lower NLL; 0: never.
  uint64_t patience = 0;

  uint64_t valid_every = 0;        // updates between validations; 0: at the end of each epoch
  double checkpoint_minutes = 10;  // between checkpoints, besides those after validations
  bool export_bf16 = false;        // `best` and `final` in bf16
  size_t threads = 0;              // 0: one per core
};

/// What a run tells while it goes. Called on the training thread.
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
    double tokens_per_second = 0;  // of the last updates
    double seconds_left = 0;
  };
  virtual void OnStep(const StepInfo&) {}
  struct ValidationInfo {
    uint64_t step = 0;
    double nll_per_token = 0;  // in nats
    double nll_per_note = 0;   // 0: there are no notes
    double nll_per_bar = 0;    // of text: per line
    bool best = false;
  };
  virtual void OnValidation(const ValidationInfo&) {}
  /// What was taken from `init_from`, in words.
  virtual void OnNote(std::string_view /*note*/) {}
  /// True when the user asked to stop: the update under way is finished and a checkpoint written.
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

/// Trains and writes into `run`: checkpoints (see run_directory.h) with `latest` the newest, `best` (the model of the
/// lowest validation NLL; where nothing is held out, the last), `epoch-N` where asked for, at the end `final`, and
/// train.jsonl, one line an update and a validation. With `resume`, goes on from the newest checkpoint that can be read;
/// the result has the same bytes as that of a run that was never interrupted, unless it is bound by minutes. A
/// checkpoint of other settings is refused.
/// Stops with an error, and leaves the last checkpoint, when the loss is not finite or far above that of guessing.
/// Beside train.jsonl stand the same figures as TensorBoard's event files. Holds the directory's lock meanwhile.
///
/// With several ranks, each calls this with the same arguments and takes its share of every batch and of the
/// validation; the batch is that of all ranks together, so that a run may go on with another number of them. Rank 0
/// writes. An error on one rank is for the caller to end the others by.
Result<TrainReport> Train(const TrainData& data, const TrainOptions& options, const std::filesystem::path& run,
                          bool resume, TrainObserver& observer, Communicator& ranks);

/// The same in this process alone.
Result<TrainReport> Train(const TrainData& data, const TrainOptions& options, const std::filesystem::path& run,
                          bool resume, TrainObserver& observer);

/// The same, on a corpus of music.
Result<TrainReport> Train(const Corpus& corpus, const TrainOptions& options, const std::filesystem::path& run,
                          bool resume, TrainObserver& observer);

}  // namespace continuo
