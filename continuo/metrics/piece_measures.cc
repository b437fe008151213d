#include "continuo/metrics/piece_measures.h"

#include <array>
#include <cmath>

namespace continuo {
namespace {

constexpr std::array<MeasureColumn, 9> kMetricColumns = {{
    {"bars", [](const PieceMeasures& m) { return static_cast<double>(m.metrics.bars); }, 0},
    {"notes", [](const PieceMeasures& m) { return static_cast<double>(m.metrics.notes); }, 0},
    {"H1", [](const PieceMeasures& m) { return m.metrics.h1; }, 3},
    {"H4", [](const PieceMeasures& m) { return m.metrics.h4; }, 3},
    {"GS", [](const PieceMeasures& m) { return m.metrics.gs; }, 3},
    {"CPI", [](const PieceMeasures& m) { return m.metrics.cpi; }, 3},
    {"SI_short", [](const PieceMeasures& m) { return m.has_structure ? m.structure.si_short : NAN; }, 3},
    {"SI_mid", [](const PieceMeasures& m) { return m.has_structure ? m.structure.si_mid : NAN; }, 3},
    {"SI_long", [](const PieceMeasures& m) { return m.has_structure ? m.structure.si_long : NAN; }, 3},
}};
constexpr std::array<MeasureColumn, 11> kDescriptionColumns = {{
    {"notes_per_bar", [](const PieceMeasures& m) { return m.description.notes_per_bar; }, 2},
    {"polyphony", [](const PieceMeasures& m) { return m.description.polyphony; }, 2},
    {"empty_bars", [](const PieceMeasures& m) { return m.description.empty_bars; }, 3},
    {"lowest_pitch", [](const PieceMeasures& m) { return m.description.lowest_pitch; }, 0},
    {"highest_pitch", [](const PieceMeasures& m) { return m.description.highest_pitch; }, 0},
    {"pitches_used", [](const PieceMeasures& m) { return m.description.pitches_used; }, 0},
    {"scale_consistency", [](const PieceMeasures& m) { return m.description.scale_consistency; }, 3},
    {"tempo_mean", [](const PieceMeasures& m) { return m.description.tempo_mean; }, 1},
    {"tempo_deviation", [](const PieceMeasures& m) { return m.description.tempo_deviation; }, 1},
    {"mean_interval", [](const PieceMeasures& m) { return m.description.mean_interval; }, 2},
    {"mean_onset_gap", [](const PieceMeasures& m) { return m.description.mean_onset_gap; }, 3},
}};

}  // namespace

Result<PieceMeasures> MeasurePiece(const Score& score, const PieceMeasureOptions& options, Progress& progress) {
  PieceMeasures measures;
  measures.metrics = MeasureBars(score, options.bars);
  measures.description = Describe(score, options.bars);
  if (options.steps) {
    measures.steps = StepsOf(score, options.bars);
  }
  if (options.structure) {
    CONTINUO_ASSIGN(measures.structure, MeasureStructure(score, {}, progress));
    measures.has_structure = true;
    if (!options.scape) {
      measures.structure.scape = {};
    }
  }
  return measures;
}

std::span<const MeasureColumn> MetricColumns() {
  return kMetricColumns;
}

std::span<const MeasureColumn> DescriptionColumns() {
  return kDescriptionColumns;
}

}  // namespace continuo
