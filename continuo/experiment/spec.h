#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "continuo/compose/sampling_options.h"
#include "continuo/core/result.h"
#include "continuo/infer/packed_matrix.h"
#include "continuo/token/tokenizer_config.h"

namespace continuo {

struct CorpusSpec {
  std::string name;
  std::string folder;  // of MIDI files; relative paths are within the data folder
  int64_t songs = 0;   // only so many of them, drawn by their names; 0: all
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
  nlohmann::ordered_json settings;  // those of TrainSettings that it sets itself
};

struct SamplingSpec {
  std::string name;
  SamplingOptions options;
};

/// A key of [grid] and what it takes on. Every combination of all axes is a training.
struct GridAxis {
  std::string name;  // model, tokenizer, corpus, seed, or one of TrainSettings
  std::vector<nlohmann::ordered_json> values;
};

struct PromptSpec {
  std::string name;
  std::string file;  // within the data folder
};

/// How much of a piece is kept: kSlide: all of it, the model's context slides along. kCut: the bars that fit into the
/// context.
enum class Window { kSlide, kCut };
/// "slide", "cut".
std::string_view ToString(Window window);

/// A checkpoint by the names of its run.
struct CheckpointSpec {
  std::string model;
  std::string tokenizer;
  int64_t epoch = 0;
};

/// An experiment as its TOML file states it (docs/experiments.md). Names that stand for something are known to exist.
struct ExperimentSpec {
  std::string name;
  std::string title;
  std::string scaled_down;          // what was made smaller than in the study, for the report's head
  std::filesystem::path published;  // a TSV of published values, found beside the spec; may be empty

  std::vector<CorpusSpec> corpora;
  std::vector<TokenizerSpec> tokenizers;
  std::vector<ModelSpec> models;
  std::vector<SamplingSpec> samplings;

  nlohmann::ordered_json train;  // every setting
  std::vector<int64_t> checkpoints;
  std::vector<GridAxis> grid;  // model, tokenizer, corpus and seed are always there

  /// The pieces written from each checkpoint, once for each combination of sampling, window and seed.
  struct Generate {
    int64_t pieces = 20;
    int64_t bars = 32;
    std::vector<std::string> sampling;
    std::vector<Window> windows = {Window::kSlide};
    std::vector<int64_t> seeds = {1};
    /// What models compute in, here and in continuations; if not set, what their weights are stored in.
    std::optional<Precision> precision;
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

  std::string text;  // the TOML

  const CorpusSpec& corpus(std::string_view name) const;
  const TokenizerSpec& tokenizer(std::string_view name) const;
  const ModelSpec& model(std::string_view name) const;
  const SamplingSpec& sampling(std::string_view name) const;
};

/// Strict: an unknown key, a wrong type, a value out of range or a name that stands for nothing is an error that gives
/// the line and the key. `name` stands for the file in messages.
Result<ExperimentSpec> ParseSpec(std::string_view text, std::string_view name);
Result<ExperimentSpec> ReadSpec(const std::filesystem::path& path);

}  // namespace continuo
