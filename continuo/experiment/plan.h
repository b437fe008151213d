#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "continuo/core/result.h"
#include "continuo/experiment/spec.h"
#include "continuo/results/rows.h"

namespace continuo {

/// The files that a spec names, resolved, with a SHA-256 of each.
struct ExperimentInputs {
  std::filesystem::path data;
  struct Folder {
    std::vector<std::string> files;         // MIDI files, drawn as the spec asks, in the order of their names
    std::string sha256;                     // over their names and bytes
    std::vector<std::string> skipped = {};  // entries of the folder that could not be taken, each with the reason
  };
  std::map<std::string, Folder> corpora;           // by the name in the spec
  std::map<std::string, std::string> prompts;      // SHA-256 by name
  std::map<std::string, std::string> init_models;  // SHA-256 of the weights by the model's name
  std::map<std::string, std::string> tokenizers;   // SHA-256 of the configuration by name
  /// A line for each prompt that was repaired, and for each tokenizer that can't continue a prompt.
  std::vector<std::string> prompt_notes;

  /// A path of the spec: relative to the data folder, unless it is absolute.
  std::filesystem::path Resolve(const std::string& path) const { return data / path; }
};

/// Finds everything that the spec names. Fails, naming the key and the path, on the first that does
/// not exist, on a folder without MIDI files, and on a prompt that has too few bars. A prompt that
/// some tokenizers can't continue fails only where it is to be continued.
Result<ExperimentInputs> FindInputs(const ExperimentSpec& spec, const std::filesystem::path& data);

/// A corpus to build: the songs of one [corpora] with one tokenizer.
struct CorpusCell {
  std::string id;
  std::string corpus;
  std::string tokenizer;
};

/// One training.
struct RunCell {
  std::string id;
  std::string model;
  std::string tokenizer;
  std::string corpus;
  int64_t seed = 1;
  TrainSettings train;
  nlohmann::ordered_json settings;  // what its id is made from: the axes, and the training settings by key
  size_t corpus_cell = 0;
  std::string label;  // "gpt2 remi", then the values of other axes that vary
  CheckpointUnit unit = CheckpointUnit::kEpoch;
  /// The length of the run in the unit of its checkpoints.
  int64_t epochs() const { return unit == CheckpointUnit::kPercent ? 100 : static_cast<int64_t>(train.epochs); }
};

/// Pieces that are measured together.
struct SetCell {
  std::string id;
  SetKind kind = SetKind::kGrid;
  std::optional<size_t> run;
  int64_t epoch = 0;    // the checkpoint, in the run's unit
  std::string setting;  // the sampling's name
  Window window = Window::kSlide;
  std::string prompt;  // its name; of continuations only
  int64_t seed = 1;
  int64_t count = 0;
  std::string label;
};

/// Every cell that a spec asks for, in the order in which they are listed. An id is a hash of
/// everything that determines the cell's result, so a cell keeps its result until one of these
/// changes.
struct ExperimentPlan {
  std::vector<CorpusCell> corpora;
  std::vector<RunCell> runs;
  std::vector<SetCell> sets;  // real music first, then the grid
};

ExperimentPlan MakePlan(const ExperimentSpec& spec, const ExperimentInputs& inputs);

/// The run and epoch of a checkpoint that [continue] names: the first of several runs of that model
/// and tokenizer.
std::optional<std::pair<size_t, int64_t>> FindCheckpoint(const ExperimentPlan& plan, const CheckpointSpec& checkpoint);

/// The continuations of each prompt by the chosen (run, epoch).
std::vector<SetCell> ContinuationCells(const ExperimentSpec& spec, const ExperimentInputs& inputs,
                                       const ExperimentPlan& plan,
                                       const std::vector<std::pair<size_t, int64_t>>& chosen);

/// The cells as rows of results.db.
std::vector<RunEntry> RunEntries(const ExperimentPlan& plan);
std::vector<SetEntry> SetEntries(const ExperimentSpec& spec, const ExperimentPlan& plan,
                                 const std::vector<SetCell>& sets);

}  // namespace continuo
