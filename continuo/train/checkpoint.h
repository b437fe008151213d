#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "continuo/core/result.h"
#include "continuo/engine/torch/transformer.h"
#include "continuo/run/training_state.h"
#include "continuo/train/optimizer.h"
#include "continuo/train/train_data.h"

namespace continuo {

/// Writes a model directory (config.json, model.safetensors, the data's texts), whole or not at
/// all. Weights are f32, or rounded to bf16.
Status SaveModel(const Transformer& model, const TrainData& data, bool as_bf16, const std::filesystem::path& directory);

/// Writes a checkpoint: a model directory in f32, with training.json and optimizer.safetensors;
/// whole or not at all.
Status SaveCheckpoint(const Transformer& model, Optimizer& optimizer, const TrainingFile& training,
                      const TrainData& data, const std::filesystem::path& directory);

/// Reads a checkpoint of `step` updates into a model and an optimizer of the same shapes. On
/// failure nothing was changed.
Status LoadCheckpoint(const std::filesystem::path& directory, uint64_t step, Transformer& model, Optimizer& optimizer);

/// Copies the weights of a Hugging Face directory of the model's own shape, and returns a
/// sentence that says what was taken.
///
/// If its file or else the tokenizer.json beside it names the vocabulary `vocab_sha256`, or none
/// names one, all weights are taken, but for the rows of ids that pad the vocabulary. If the file
/// names none, it is a model of text: blocks, the final norm and the first learned positions are
/// taken; each column of the token embedding is drawn from `seed` with the mean and the deviation
/// that it has over the text's ids; a separate head is left out. A model of another vocabulary of
/// music is an error. On failure nothing was changed.
Result<std::string> LoadWeights(const std::filesystem::path& directory, const std::string& vocab_sha256, uint64_t seed,
                                Transformer& model);

}  // namespace continuo
