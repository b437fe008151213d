#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "continuo/compose/sampling_options.h"
#include "continuo/core/result.h"
#include "continuo/engine/cpu/cpu_model.h"
#include "continuo/metrics/discriminator.h"
#include "continuo/model/language_model.h"
#include "continuo/model/model_directory.h"
#include "continuo/token/tokenizer.h"

namespace continuo {

/// A model and the tokenizer that it was trained with, whose vocabularies agree. One generation at
/// a time may use it.
struct LoadedModel {
  std::filesystem::path directory;  // or the name of one that was made from memory
  std::unique_ptr<Tokenizer> tokenizer;
  std::unique_ptr<LanguageModel> model;
  std::string weights_sha256;
  SamplingOptions sampling;                            // of its generation.json, or kStudySampling
  std::shared_ptr<const Discriminator> discriminator;  // of its discriminator.json; none without that file
  bool reads_both_sides = false;  // trained with gaps, so that it reads what follows bars that are to be written
};

/// What a model directory's generation.json says about how to write with the model.
struct GenerationSettings {
  SamplingOptions sampling = kStudySampling;
  std::optional<NumberFormat> precision;  // to compute in; none: the one that the weights are stored in
  bool both_sides = false;                // LoadedModel::reads_both_sides
};
/// The defaults if there is no such file. Fails, naming the key, on an unknown key or a value out
/// of range.
Result<GenerationSettings> ReadGenerationSettings(const ModelDirectory& directory);

/// Loads a model directory: config.json, model.safetensors, tokenizer.json and, if they are there,
/// generation.json and discriminator.json. Computes in the precision of the options, else in that
/// of generation.json, else in the one that the weights are stored in. Fails, naming file and
/// place, on a file that is missing, damaged or does not match the others.
Result<LoadedModel> LoadModel(const std::filesystem::path& directory, const CpuModelOptions& options = {});
/// The same for a directory that is open, which may be one in memory.
Result<LoadedModel> LoadModel(const ModelDirectory& directory, const CpuModelOptions& options = {});

/// Makes a LanguageModel of a directory's weights, in the precision given or in one of its own
/// choice.
using ModelLoader =
    std::function<Result<std::unique_ptr<LanguageModel>>(const ModelDirectory&, std::optional<NumberFormat>)>;
/// The same, computed by what `load` makes.
Result<LoadedModel> LoadModel(const ModelDirectory& directory, std::optional<NumberFormat> precision,
                              const ModelLoader& load);

}  // namespace continuo
