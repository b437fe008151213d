#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "continuo/core/result.h"
#include "continuo/core/stop_token.h"
#include "continuo/metrics/bar_features.h"
#include "continuo/metrics/copying.h"
#include "continuo/metrics/description.h"
#include "continuo/metrics/form.h"
#include "continuo/metrics/grid_piece.h"
#include "continuo/metrics/metrics.h"
#include "continuo/metrics/structure.h"
#include "continuo/score/score.h"

namespace continuo {

/// What the metrics of a piece are computed from, valid during the call of MetricRow::of_piece.
struct PieceContext {
  const Score& score;
  int64_t bars;           // measured from the start; 0: all
  const GridPiece& grid;  // of these bars
  const Metrics& metrics;
  const Description& description;
  const Form& form;
  const Structure* structure;  // nullptr: not measured
};

/// What is measured of a piece alone.
struct PieceMeasures {
  std::vector<double> values;  // one for each row of PieceMetrics(), in the same order
  Metrics metrics;
  std::optional<Structure> structure;  // of the bars measured
  Description description;
  Form form;
  NoteSteps steps;
  /// Not set without notes in the first PieceMeasureOptions::feature_bars.
  std::optional<BarFeatureValues> bar_features;
};

struct PieceMeasureOptions {
  int64_t bars = 0;        // from the start; 0: all
  bool structure = false;  // SI, which takes up to half a second
  bool scape = false;      // keep the fitness of every segment
  /// The bars of 4/4 of which bar features are measured, at most kMostFeatureBars; 0: none.
  int64_t feature_bars = 0;
};

/// Fails on a piece that is too long for SI (ErrorCode::kTooLarge), and when `stop` requests it
/// while SI is measured.
Result<PieceMeasures> MeasurePiece(const Score& score, const PieceMeasureOptions& options, const StopToken& stop = {});

}  // namespace continuo
