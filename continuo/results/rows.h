#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "continuo/metrics/statistics.h"
#include "continuo/results/cell.h"

namespace continuo {

// The rows of results.db (docs/formats/results.md) with what belongs to them. In all of them NaN,
// an empty optional, an empty text and empty bytes mean "not measured" or "not there"; they are
// stored as NULL.

/// A negative log-likelihood in nats: per token, per note and per bar.
struct Nll {
  double token = std::numeric_limits<double>::quiet_NaN();
  double note = std::numeric_limits<double>::quiet_NaN();
  double bar = std::numeric_limits<double>::quiet_NaN();
};

/// A point of a learning curve: an update of a training, or a validation.
struct CurvePoint {
  int64_t step = 0;
  double epoch = 0;  // with its fraction
  double train_loss = std::numeric_limits<double>::quiet_NaN();
  Nll valid = {};  // of songs that were not trained on
  double lr = std::numeric_limits<double>::quiet_NaN();
  double tokens_per_second = std::numeric_limits<double>::quiet_NaN();
};

/// What is known of a run, one training, before it begins.
struct RunEntry {
  std::string id;
  std::string model;
  std::string tokenizer;
  std::string corpus;
  int64_t seed = 1;
  std::string settings;  // a JSON object: every axis and setting
  std::optional<int64_t> epochs;
};

/// What a run has found, so far or at its end.
struct RunOutcome {
  std::optional<int64_t> parameters = {};
  std::optional<int64_t> tokens = {};
  double seconds = std::numeric_limits<double>::quiet_NaN();
};

struct RunRow : RunEntry, RunOutcome {
  CellStatus status = CellStatus::kPending;
  std::string error;
  std::vector<CurvePoint> curve;
};

/// What is known of a set, pieces that are measured together, before they are written.
struct SetEntry {
  std::string id;
  SetKind kind = SetKind::kGrid;
  std::string run_id;  // of the run that writes it; empty for real music
  std::optional<int64_t> epoch;
  std::string setting;   // the sampling's name
  std::string sampling;  // a JSON object: the sampling's options and the window
  std::string prompt;    // its name, of continuations
  std::string label;
  int64_t seed = 1;
};

struct PieceRow {
  int64_t number = 0;  // from 0; FinishSet counts by itself
  std::string name;
  std::vector<uint8_t> midi;    // empty: not kept
  std::optional<int64_t> bars;  // with the prompt's
  int64_t prompt_bars = 0;
  std::optional<int64_t> notes;   // without the prompt's
  std::optional<int64_t> tokens;  // with the prompt's
  Nll nll = {};                   // of what is new, under the model itself
  std::optional<int64_t> copied_notes;
  std::string copied_from;
  std::vector<uint8_t> scape;                           // see scape_bytes.h
  std::vector<std::pair<std::string, double>> metrics;  // in the order of measurement
};

/// How far a set is from real music in one feature.
struct DistanceRow {
  std::string feature;
  double overlap = std::numeric_limits<double>::quiet_NaN();
  double divergence = std::numeric_limits<double>::quiet_NaN();  // nats
};

/// What a set has found.
struct SetOutcome {
  std::vector<PieceRow> pieces;
  std::vector<std::pair<std::string, Summary>> metrics;  // over the pieces, in the order of measurement
  std::vector<DistanceRow> distances;
  double seconds = std::numeric_limits<double>::quiet_NaN();
};

struct SetRow : SetEntry, SetOutcome {
  CellStatus status = CellStatus::kPending;
  std::string error;
  std::optional<size_t> run;  // its place among the runs of a ResultsSnapshot
};

/// A value that somebody published of the same cell.
struct PublishedRow {
  std::string model;
  std::string tokenizer;
  int64_t epoch = 0;
  std::string metric;
  double value = 0;
};

/// The value of a name in one of the lists above; nullptr where it is missing.
template <typename Value>
const Value* FindNamed(const std::vector<std::pair<std::string, Value>>& list, std::string_view name) {
  for (const auto& [known, value] : list) {
    if (known == name) {
      return &value;
    }
  }
  return nullptr;
}

/// The members of a JSON object, such as RunEntry::settings, that are a number, a text or a
/// Boolean, each as JSON writes it. Empty if `json` is not an object.
std::map<std::string, std::string> ScalarFields(const std::string& json);

}  // namespace continuo
