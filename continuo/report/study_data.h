#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "continuo/core/result.h"

namespace continuo {

/// A metric over the pieces of a set. NaN is what was not measured.
struct SetMetric {
  int64_t count = 0;
  double mean = 0;
  double deviation = 0;
  double low = 0;  // 95 % interval of the mean
  double high = 0;
};

struct StudyRun {
  struct Point {
    double epoch = 0;
    double train_loss = 0;
    std::array<double, 3> valid_nll{};  // a token, a note, a bar
  };

  std::string id;
  std::string model;
  std::string tokenizer;
  std::string corpus;
  int64_t seed = 0;
  std::map<std::string, std::string>
      settings;  // as JSON writes the values; what is no number, text or switch is left out
  std::string status;
  std::string error;
  std::optional<int64_t> epochs;
  std::optional<int64_t> parameters;
  std::optional<int64_t> tokens;
  double seconds = 0;
  std::vector<Point> curve;
};

struct StudyPiece {
  int64_t id = 0;
  int64_t number = 0;
  std::string name;
  std::vector<uint8_t> midi;  // empty: not kept
  std::optional<int64_t> bars;
  int64_t prompt_bars = 0;
  std::optional<int64_t> notes;
  std::array<double, 3> nll{};  // a token, a note, a bar
  std::optional<int64_t> copied_notes;
  std::string copied_from;
  std::vector<uint8_t> scape;
  std::map<std::string, double> metrics;
};

struct StudySet {
  std::string id;
  std::string kind;  // real, grid, continuation
  std::optional<size_t> run;
  std::optional<int64_t> epoch;
  std::string setting;
  std::map<std::string, std::string> sampling;  // as StudyRun::settings
  std::string prompt;
  std::string label;
  int64_t seed = 0;
  std::string status;
  std::string error;
  double seconds = 0;
  std::vector<StudyPiece> pieces;
  std::map<std::string, SetMetric> metrics;
  struct Distance {
    double overlap = 0;
    double divergence = 0;
  };
  std::map<std::string, Distance> distances;  // to real music, by feature
};

/// A piece by the place of its set and its own among the set's pieces.
struct PiecePlace {
  size_t set = 0;
  size_t piece = 0;
  auto operator<=>(const PiecePlace&) const = default;
};

/// What results.db holds of one experiment, in the order in which it was entered. Cells that were dropped are left out,
/// and so is what refers to something that isn't there.
struct StudyData {
  struct Published {
    std::string model;
    std::string tokenizer;
    int64_t epoch = 0;
    std::string metric;
    double value = 0;
  };
  struct Vote {
    PiecePlace winner;
    PiecePlace loser;
    std::string at;
  };
  struct Choice {
    std::string prompt;
    PiecePlace piece;
    std::string note;
    std::string at;
  };

  std::map<std::string, std::string> meta;
  std::vector<StudyRun> runs;
  std::vector<StudySet> sets;
  std::vector<Published> published;
  std::vector<Vote> votes;
  std::vector<Choice> choices;
};

/// Reads a results.db (docs/formats/results.md). Refuses another version. Blobs over 16 MiB are left out.
Result<StudyData> ReadStudyData(const std::filesystem::path& path);

/// The results of shards of one experiment as one. Of a cell that is in several, one that is done counts, else the
/// first; of a prompt's choices the latest. Fails where two are not of the same spec. `names` stand for the shards in
/// messages.
Result<StudyData> MergeStudyData(std::vector<StudyData> shards, std::span<const std::string> names);

}  // namespace continuo
