#pragma once

#include <cstddef>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "continuo/app/command.h"
#include "continuo/app/model_flags.h"
#include "continuo/app/plan_flags.h"
#include "continuo/compose/composer.h"

namespace continuo {

/// The flags that `generate`, `continue` and `fill` share.
struct GenerationFlags {
  ModelFlags model;
  std::string output;
  std::string rank = "nll";
  ComposeOptions options;                       // all but `sampling`, `chords` and `plan`
  std::vector<std::optional<double>> sampling;  // by SamplingFields(); none: the model's own
  PlanFlags plan;
  std::vector<std::vector<std::string>> limits;  // by LimitFields()
};

void AddGenerationFlags(CLI::App& command, GenerationFlags& flags);

/// How many of `count` pieces are written at a time; at least 1.
size_t PiecesAtATime(size_t batch, size_t count);

/// The options of the flags, with sampling from the flags, the model and the study's defaults, in
/// this order.
Result<ComposeOptions> ChooseOptions(const GenerationFlags& flags, const LoadedModel& model);

/// What was made and how, one row for each piece, for manifest.json beside the pieces.
class Manifest {
 public:
  /// `bars` of each piece, the prompt's included.
  Manifest(const GenerationFlags& flags, const ComposeOptions& options, size_t bars, const LoadedModel& model,
           const AppContext& context);
  /// Rows are in the order of `number`.
  void AddPiece(size_t number, const std::string& file, const WrittenPiece& piece);
  /// Adds an entry.
  void Set(const std::string& key, nlohmann::ordered_json value) { header_[key] = std::move(value); }
  Status Write(const std::filesystem::path& folder) const;

 private:
  nlohmann::ordered_json header_;
  std::map<size_t, nlohmann::ordered_json> rows_;
};

/// Makes the folder for pieces, and prints a note if an earlier run has written there.
Status MakePieceFolder(const std::filesystem::path& folder, const AppContext& context);

/// Composer::Write with a progress bar on stderr, which Ctrl-C stops.
Result<ComposeReport> WritePieces(const LoadedModel& model, const Request& request, const ComposeOptions& options,
                                  const AppContext& context, const PieceSink& sink, const BarSink& on_bar = {});

/// "piece-001" for piece 0.
std::string PieceName(size_t number);

}  // namespace continuo
