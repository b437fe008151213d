#pragma once

#include <cstdint>
#include <span>

#include "continuo/core/progress.h"
#include "continuo/core/result.h"
#include "continuo/metrics/copying.h"
#include "continuo/metrics/description.h"
#include "continuo/metrics/metrics.h"
#include "continuo/metrics/structure.h"
#include "continuo/score/score.h"

namespace continuo {

/// What is measured of a piece, beside what needs other pieces.
struct PieceMeasures {
  Metrics metrics;
  bool has_structure = false;
  Structure structure;  // of the whole piece, whatever `bars`
  Description description;
  NoteSteps steps;
};

struct PieceMeasureOptions {
  int64_t bars = 0;        // from the start; 0: all
  bool structure = false;  // SI, which takes up to half a second
  bool scape = false;      // keep the fitness of every segment
  bool steps = true;       // for copies
};

/// Fails on a piece too long for SI, and where `progress` asks to stop while SI is measured.
Result<PieceMeasures> MeasurePiece(const Score& score, const PieceMeasureOptions& options,
                                   Progress& progress = NoProgress());

/// A number of a piece by the name under which tables show it; NaN where it is not defined.
struct MeasureColumn {
  const char* name;
  double (*value)(const PieceMeasures&);
  int decimals;  // that are worth showing
};
/// bars, notes, H1, H4, GS, CPI, SI_short, SI_mid, SI_long.
std::span<const MeasureColumn> MetricColumns();
/// Density, polyphony, range, scale, tempo: those of Description that are one number.
std::span<const MeasureColumn> DescriptionColumns();

}  // namespace continuo
