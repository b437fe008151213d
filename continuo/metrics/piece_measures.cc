#include "continuo/metrics/piece_measures.h"

#include "continuo/metrics/catalogue.h"

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
    CONTINUO_ASSIGN(measures.structure, MeasureStructure(score, {}, stop));
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
