#include "continuo/metrics/piece_measures.h"

#include "continuo/metrics/catalogue.h"
#include "continuo/score/bars.h"
#include "continuo/score/excerpt.h"

namespace continuo {

Result<PieceMeasures> MeasurePiece(const Score& score, const PieceMeasureOptions& options, const StopToken& stop) {
  PieceMeasures measures;
  const GridPiece grid = PlaceOnGrid(score, options.bars);
  measures.metrics = MeasureBars(grid);
  measures.description = Describe(score, grid);
  measures.form = MeasureForm(grid);
  measures.steps = StepsOf(grid);
  if (options.feature_bars > 0) {
    measures.bar_features = BarFeaturesOf(score, options.feature_bars);
  }
  if (options.structure) {
    const auto bars = static_cast<size_t>(options.bars);
    const bool all = bars == 0 || CountBars(score) <= bars;
    CONTINUO_ASSIGN(measures.structure, MeasureStructure(all ? score : ExcerptBars(score, 0, bars), {}, stop));
    if (!options.scape) {
      measures.structure->scape = {};
    }
  }
  const PieceContext context = {score,
                                options.bars,
                                grid,
                                measures.metrics,
                                measures.description,
                                measures.form,
                                measures.structure ? &*measures.structure : nullptr};
  for (const MetricRow& metric : PieceMetrics()) {
    measures.values.push_back(metric.of_piece(context));
  }
  return measures;
}

}  // namespace continuo
