#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "continuo/app/command.h"
#include "continuo/compose/compose.h"
#include "continuo/compose/generate.h"

namespace continuo {

/// What `generate` and `continue` share: the model, how to sample, how many pieces, where to.
struct GenerationFlags {
  std::string model;
  std::string output;
  size_t threads = 0;
  std::string device = "cpu";
  std::string precision;  // empty: as the model says
  size_t keep = 0;        // of the pieces, those that the model finds likeliest; 0: all
  std::string rank = "nll";
  GenerationOptions options;
  // Sampling as asked for on the command line; what is not stays as the model's generation.json has it.
  std::optional<double> temperature;
  std::optional<int64_t> top_k;
  std::optional<double> top_p;
  std::optional<double> min_p;
  std::optional<double> repetition_penalty;
};

void AddGenerationFlags(CLI::App& command, GenerationFlags& flags);
/// --device and --precision alone, for what does not generate.
void AddComputeFlags(CLI::App& command, GenerationFlags& flags);
/// --device alone.
void AddDeviceFlag(CLI::App& command, std::string& device);

/// How many of `count` pieces are written at a time; at least 1.
size_t SideBySide(size_t batch, size_t count);

/// Fails if a model and the keys and values of `sequences` side by side would not fit into memory. `model` stands for
/// it in the message.
Status CheckMemory(const Gpt2Config& config, Precision precision, size_t sequences, std::string_view model);

/// Becomes continuo-torch, with the same command line. Returns only on failure.
Status BecomeTorchProgram(const AppContext& context);

/// The model that the flags name, or the one that ships. Fails before anything is loaded if it and the keys and values
/// of `sequences` side by side would not fit into memory. For a GPU the process becomes continuo-torch, with the same
/// command line, unless it is that already.
Result<LoadedModel> LoadModel(const GenerationFlags& flags, size_t sequences, const AppContext& context);

/// The flags' sampling over the model's over the study's (top-k 5, temperature 1.2, repetition penalty 1.2).
Result<SamplingOptions> ChooseSampling(const GenerationFlags& flags, const LoadedModel& model);

/// Says what was made and how, one row a piece, in manifest.json beside the pieces.
class Manifest {
 public:
  Manifest(const GenerationFlags& flags, const GenerationOptions& options, const LoadedModel& model,
           const AppContext& context);
  void AddPiece(size_t index, const std::string& file, const GeneratedPiece& piece);
  /// One more entry of the manifest.
  void Set(const std::string& key, nlohmann::ordered_json value) { header_[key] = std::move(value); }
  Status Write(const std::filesystem::path& folder) const;

 private:
  nlohmann::ordered_json header_;
  std::map<size_t, nlohmann::ordered_json> rows_;  // by the piece's index
};

/// Generate, with each piece that is to be kept handed to `write`: as soon as it is whole, or, where only the best are
/// kept, in the end, the likeliest first. A progress bar stands meanwhile. On Ctrl-C what is whole counts.
Status GenerateKept(const GenerationFlags& flags, const GenerationOptions& options, const LoadedModel& model,
                    std::span<const TokenId> prompt, const AppContext& context, const PieceSink& write,
                    const BarSink& on_bar = {});

/// "piece-001" for piece 0.
std::string PieceName(size_t index);

}  // namespace continuo
