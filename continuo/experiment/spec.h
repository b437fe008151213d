#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "continuo/compose/sampling_options.h"
#include "continuo/core/result.h"
#include "continuo/engine/cpu/packed_matrix.h"
#include "continuo/results/claim.h"
#include "continuo/run/train_settings.h"
#include "continuo/token/tokenizer_config.h"

namespace continuo {

struct CorpusSpec {
  std::string name;
  std::string folder;  // of MIDI files; relative paths are within the data folder
  int64_t songs = 0;   // at most this many of them, drawn by their names; 0: all
  double valid = 0.05;
};

struct TokenizerSpec {
  std::string name;
  std::string source;  // a preset, or a tokenizer.json within the data folder
  bool is_file = false;
  MidiTokRelease release = MidiTokRelease::k3_1_0;
};

struct ModelSpec {
  std::string name;
  std::string init_from;            // a model directory within the data folder; empty: random weights
  nlohmann::ordered_json settings;  // its own training settings, by key
};

struct SamplingSpec {
  std::string name;
  SamplingOptions options;
};

/// A training setting of [grid] and its values.
struct SettingAxis {
  std::string key;
  std::vector<nlohmann::ordered_json> values;
};

/// Every combination of all lists is a training. Only `settings` may be empty.
struct GridSpec {
  std::vector<std::string> models;
  std::vector<std::string> tokenizers;
  std::vector<std::string> corpora;
  std::vector<int64_t> seeds;
  std::vector<SettingAxis> settings;
};

struct PromptSpec {
  std::string name;
  std::string file;  // within the data folder
};

/// How much of a piece is kept: kSlide: all of it, the model's context slides along. kCut: the bars
/// that fit into the context.
enum class Window { kSlide, kCut };
/// "slide", "cut".
std::string_view ToString(Window window);

/// What the checkpoints of a run are counted in: epochs, or percent of the run, whatever its length
/// is measured in.
enum class CheckpointUnit { kEpoch, kPercent };
/// "epoch", "percent".
std::string_view ToString(CheckpointUnit unit);

/// A checkpoint by the names of its run.
struct CheckpointSpec {
  std::string model;
  std::string tokenizer;
  int64_t epoch = 0;  // in the experiment's CheckpointUnit
};

/// An experiment as its TOML file states it (docs/experiments.md). Names that refer to a table do
/// so, and the settings of every run have passed Check.
struct ExperimentSpec {
  std::string name;
  std::string title;
  std::string scaled_down;          // what was made smaller than in the study, for the report's head
  std::filesystem::path published;  // a TSV of published values, found beside the spec; may be empty

  std::vector<CorpusSpec> corpora;
  std::vector<TokenizerSpec> tokenizers;
  std::vector<ModelSpec> models;
  std::vector<SamplingSpec> samplings;

  TrainSettings train;                           // of every run, unless its model or the grid has another value
  std::vector<int64_t> checkpoints;              // after which pieces are written, ascending
  CheckpointUnit unit = CheckpointUnit::kEpoch;  // of all checkpoints
  GridSpec grid;
  std::vector<GridSpec> also;  // smaller grids beside it: more seeds of some cells, a tokenizer of one model

  /// The pieces written from each checkpoint, once for each combination of sampling, window and
  /// seed.
  struct Generate {
    int64_t pieces = 20;
    int64_t bars = 32;
    std::vector<std::string> sampling;
    std::vector<Window> windows = {Window::kSlide};
    std::vector<int64_t> seeds = {1};
    /// What models compute in, here and in continuations; if not set, what their weights are stored
    /// in.
    std::optional<NumberFormat> precision;
  } generate;

  struct Measure {
    bool structure = true;
    bool copying = true;
    int64_t validation_songs = 0;  // for the NLL of each checkpoint; 0: all of the split
    int64_t validation_bars = 0;   // of each of them, from the start; 0: all
  } measure;

  struct Real {
    int64_t songs = 0;  // of the first corpus, drawn by their names; 0: all
  } real;

  /// The continuations: each prompt by each chosen checkpoint with each setting.
  struct Continuations {
    std::string best;  // the metric whose lowest mean chooses one checkpoint for each tokenizer; empty: `checkpoints`
    std::vector<CheckpointSpec> checkpoints;
    std::vector<std::string> sampling;
    std::vector<PromptSpec> prompts;  // none: no continuations
    int64_t prompt_bars = 8;
    int64_t bars = 24;  // new ones
    int64_t pieces = 1;
    std::vector<int64_t> seeds = {1};
  } continuations;

  std::vector<Claim> claims;  // what is expected, for the report

  std::string text;  // the TOML

  const CorpusSpec& corpus(std::string_view name) const;
  const TokenizerSpec& tokenizer(std::string_view name) const;
  const ModelSpec& model(std::string_view name) const;
  const SamplingSpec& sampling(std::string_view name) const;
};

/// One training of the grid.
struct GridRun {
  std::string model;
  std::string tokenizer;
  std::string corpus;
  int64_t seed = 1;
  nlohmann::ordered_json axes;  // the value of each SettingAxis, by key
  TrainSettings settings;       // all of them, with the seed
};

/// Every combination of the grid: by model, then tokenizer, corpus, seed and the other settings in
/// the order of the table of settings. Then those of each grid of `also`.
std::vector<GridRun> GridRuns(const ExperimentSpec& spec);

/// The tokenizers of all runs, in the order of their first run.
std::vector<std::string> GridTokenizers(const ExperimentSpec& spec);

/// Parses a spec. An unknown key, a wrong type, a value out of range, a name that refers to nothing
/// and settings that do not fit each other are errors that state the line and the key. `name` is
/// the file's, for messages.
Result<ExperimentSpec> ParseSpec(std::string_view text, std::string_view name);
Result<ExperimentSpec> ReadSpec(const std::filesystem::path& path);

}  // namespace continuo
