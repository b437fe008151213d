#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "continuo/core/result.h"
#include "continuo/run/train_settings.h"

namespace continuo {

/// How far a run is. With the settings, the weights and the optimizer's moments, this is all that a
/// run needs to continue: random numbers have no state, since each draw is a function of the seed
/// and of its place in the run.
struct TrainState {
  uint64_t step = 0;           // updates made
  uint64_t epoch = 0;          // of the next block
  uint64_t block = 0;          // the next block's place in the epoch's order
  bool short_windows = false;  // the run is in its first part, of short windows
  uint64_t tokens = 0;         // targets trained on
  double seconds = 0;          // of wall clock, without the time between an interruption and its resumption
  double best_nll = 0;         // the lowest validation NLL per token; 0: none yet
  uint64_t best_step = 0;
  uint64_t stale = 0;     // validations since best_step
  double first_loss = 0;  // of the first update's batch; 0: there was none
};

/// What identifies the data of a run.
struct DataIdentity {
  std::string vocab_sha256;
  uint64_t songs = 0;
  std::string data_sha256;  // of all ids and of the split
  uint64_t vocab_size = 0;
};

/// The content of a checkpoint's training.json (docs/formats/checkpoint.md).
struct TrainingFile {
  std::string identity;  // see RunIdentity
  TrainState state;
};

/// What decides the weights of a run: its data and every setting of Effect::kWeights by key.
/// --resume compares it. A JSON object, as text.
std::string RunIdentity(const TrainSettings& settings, const DataIdentity& data);

/// The first difference between two identities, as "--width was 256, is now 512"; empty if there is
/// none. A setting that `saved` lacks, because its program did not have it yet, counts as the
/// default.
std::string FirstDifference(std::string_view saved, std::string_view wanted);

/// Writes training.json into a checkpoint's directory.
Status WriteTrainingFile(const std::filesystem::path& checkpoint, const TrainingFile& file);

/// Reads training.json, also of version 1, whose names of settings it translates. Fails if it is
/// missing or damaged.
Result<TrainingFile> ReadTrainingFile(const std::filesystem::path& checkpoint);

/// The precision that a run's newest checkpoint was computed in; none if no checkpoint can be read.
std::optional<PrecisionChoice> SavedPrecision(const std::filesystem::path& run);

}  // namespace continuo
