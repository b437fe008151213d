#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "continuo/compose/continuation.h"
#include "continuo/compose/generate.h"
#include "continuo/core/progress.h"
#include "continuo/core/result.h"
#include "continuo/infer/cpu_model.h"
#include "continuo/model/model_directory.h"
#include "continuo/score/score.h"
#include "continuo/token/tokenizer.h"

namespace continuo {

/// The sampling of the study that the defaults come from, for models that bring none.
inline constexpr SamplingOptions kStudySampling = {.temperature = 1.2, .top_k = 5, .repetition_penalty = 1.2};

/// A model and the tokenizer it was trained with, whose vocabularies agree. One generation at a time may use it.
struct LoadedModel {
  std::filesystem::path directory;
  std::unique_ptr<Tokenizer> tokenizer;
  std::unique_ptr<LanguageModel> model;
  std::string weights_sha256;
  SamplingOptions sampling;  // of its generation.json, or kStudySampling
};

/// What a model directory's generation.json says of how to write with it.
struct GenerationSettings {
  SamplingOptions sampling = kStudySampling;
  std::optional<Precision> precision;  // to compute in; if not set, what the weights are stored in
};
/// The defaults where there is no such file. Fails, naming the key, on what it doesn't know.
Result<GenerationSettings> ReadGenerationSettings(const ModelDirectory& directory);

/// Loads a model directory: config.json, model.safetensors, tokenizer.json and, if it is there, generation.json;
/// computes in the precision of the options, else in that of generation.json, else in what the weights are stored in.
/// Fails, naming file and place, on what is missing, damaged or does not fit together.
Result<LoadedModel> LoadModel(const std::filesystem::path& directory, const CpuModelOptions& options = {});

/// Makes a model of a directory's weights, in the precision given or in one of its own choice.
using ModelLoader =
    std::function<Result<std::unique_ptr<LanguageModel>>(const ModelDirectory&, std::optional<Precision>)>;
/// The same, computed by what `load` makes, in `precision`.
Result<LoadedModel> LoadModel(const std::filesystem::path& directory, std::optional<Precision> precision,
                              const ModelLoader& load);

/// Writes `options.count` new pieces, in order. Where `progress` asks to stop, those that are whole.
Result<std::vector<Score>> Compose(const LoadedModel& model, const GenerationOptions& options,
                                   Progress& progress = NoProgress());

/// Goes on from the first `prompt_bars` bars of a score, to `options.bars` bars in all; `options.count` times.
Result<std::vector<Continuation>> ContinueScore(const LoadedModel& model, const Score& score, size_t prompt_bars,
                                                const GenerationOptions& options, Progress& progress = NoProgress());

}  // namespace continuo
