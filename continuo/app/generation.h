#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "continuo/app/command.h"
#include "continuo/model/language_model.h"
#include "continuo/sample/generate.h"

namespace continuo {

/// What `generate` and `continue` share: the model, how to sample, how many pieces, where to.
struct GenerationFlags {
  std::string model;
  std::string output;
  size_t threads = 0;
  std::string precision;  // empty: as the model is stored
  GenerationOptions options;
  // Sampling as asked for on the command line; what is not stays as the model's generation.json has it.
  std::optional<double> temperature;
  std::optional<int64_t> top_k;
  std::optional<double> top_p;
  std::optional<double> min_p;
  std::optional<double> repetition_penalty;
};

void AddGenerationFlags(CLI::App& command, GenerationFlags& flags);

/// A model and the tokenizer it was trained with, whose vocabularies agree.
struct LoadedModel {
  std::filesystem::path directory;
  std::unique_ptr<Tokenizer> tokenizer;
  std::unique_ptr<LanguageModel> model;
  std::string weights_sha256;
  SamplingOptions sampling;  // of its generation.json
};
Result<LoadedModel> LoadModel(const GenerationFlags& flags);

/// The flags' sampling over the model's over the study's (top-k 5, temperature 1.2, repetition penalty 1.2).
Result<SamplingOptions> ChooseSampling(const GenerationFlags& flags, const LoadedModel& model);

/// Says what was made and how, one row a piece, in manifest.json beside the pieces.
class Manifest {
 public:
  Manifest(const GenerationFlags& flags, const GenerationOptions& options, const LoadedModel& model,
           const AppContext& context);
  void AddPiece(size_t index, const std::string& file, const GeneratedPiece& piece);
  Status Write(const std::filesystem::path& folder) const;

 private:
  nlohmann::ordered_json header_;
  std::map<size_t, nlohmann::ordered_json> rows_;  // by the piece's index
};

/// "piece-001" for piece 0.
std::string PieceName(size_t index);

}  // namespace continuo
