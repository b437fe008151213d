#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "continuo/core/result.h"
#include "continuo/train/gpt2.h"
#include "continuo/train/optimizer.h"
#include "continuo/train/train_data.h"

namespace continuo {

/// How far a run is: with the options, the weights and the optimizer's moments, all that a run needs to go on.
/// Random numbers need no state: each draw is named by the seed and its place in the run.
struct TrainState {
  uint64_t step = 0;           // updates made
  uint64_t epoch = 0;          // of the next block
  uint64_t block = 0;          // the next block's place in the epoch's order
  bool short_windows = false;  // the run is in its first part, of short windows
  uint64_t tokens = 0;         // targets trained on
  double seconds = 0;          // spent, without the time between an interruption and its resumption
  double best_nll = 0;         // the lowest validation NLL per token; 0: none yet
  uint64_t best_step = 0;
  uint64_t stale = 0;     // validations since then
  double first_loss = 0;  // of the first update's batch; 0: there was none
};

/// Writes a model directory (config.json, model.safetensors, the data's texts), whole or not at all. Weights are f32,
/// or rounded to bf16.
Status SaveModel(const Gpt2& model, const TrainData& data, bool as_bf16, const std::filesystem::path& directory);

/// A checkpoint: a model directory in f32 with training.json and optimizer.safetensors beside; whole or not
/// at all. `settings` is a JSON object that names the run (see trainer.h).
Status SaveCheckpoint(const Gpt2& model, Optimizer& optimizer, const TrainState& state, const TrainData& data,
                      const std::string& settings, const std::filesystem::path& directory);

/// How the settings that a checkpoint was written with differ from `settings`, as "width was 256, is now 512"; empty
/// where they don't. What the checkpoint does not know of counts as left out. Fails where the checkpoint can't be read.
Result<std::string> SettingsDifference(const std::filesystem::path& directory, const std::string& settings);

/// The precision that a run's newest checkpoint was computed in; none where there is none that can be read.
std::optional<TrainPrecision> SavedPrecision(const std::filesystem::path& run);

/// Reads a checkpoint into a model and an optimizer of the same shapes. Fails, naming the first difference,
/// when `settings` is not what the checkpoint was written with; then nothing was changed.
Result<TrainState> LoadCheckpoint(const std::filesystem::path& directory, const std::string& settings, Gpt2& model,
                                  Optimizer& optimizer);

/// Takes the weights of a Hugging Face GPT-2 directory of the model's own shape, and says in words what it took.
///
/// If its file names the vocabulary `vocab_sha256`, or neither names one, all are taken. If it names none, it is a
/// model of text: blocks, the final norm and the first positions are taken; each column of the token embedding is drawn
/// anew, from `seed`, with the mean and the deviation that it has over the text's ids; a head of its own is left out. A
/// model of another vocabulary of music is refused. On failure nothing was changed.
Result<std::string> LoadWeights(const std::filesystem::path& directory, const std::string& vocab_sha256, uint64_t seed,
                                Gpt2& model);

}  // namespace continuo
