#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace continuo {

struct PieceContext;
struct PieceMeasures;

/// Which end of a metric a report calls better. kNeither: the value of real music is the best.
enum class Better { kNeither, kHigher, kLower };

/// Where the values of a metric come from, and which table of `eval` shows them.
enum class MetricGroup {
  kBars,         // of a piece, in the main table
  kDescription,  // of a piece, in the table of --describe
  kSet,          // of the pieces of a set together
  kElsewhere,    // computed by a caller: likelihoods, copies, distances to a reference
};

/// One metric: everything that tables, results and reports know of it.
struct MetricRow {
  std::string_view name;  // in tables, JSON and results.db: "SI_short"
  MetricGroup group = MetricGroup::kElsewhere;
  std::string_view title;        // in a heading: "SI short"
  std::string_view description;  // what it measures, with its unit
  int decimals = 3;              // worth showing of a piece's value; a mean has at least 1
  Better better = Better::kNeither;
  bool usual = false;     // a report shows it first
  bool compared = false;  // a report tests whether cells differ in it
  /// Why a report ranks cells by it, in a few words. Empty: it does not.
  std::string_view ranking = {};
  /// The value of a piece; NaN where it is undefined. Set in the groups kBars and kDescription.
  double (*of_piece)(const PieceContext& piece) = nullptr;
  /// The value of a set; NaN where it is undefined. Set in the group kSet.
  double (*of_set)(std::span<const PieceMeasures> pieces) = nullptr;
};

/// All metrics, the rows of a group next to each other, in the order of MetricGroup.
/// docs/metrics.md defines them.
std::span<const MetricRow> MetricCatalogue();

/// The rows of one group.
std::span<const MetricRow> MetricsOf(MetricGroup group);

/// The rows of the groups kBars and kDescription: PieceMeasures::values has one value for each.
std::span<const MetricRow> PieceMetrics();

/// nullptr if no metric has this name.
const MetricRow* FindMetric(std::string_view name);

}  // namespace continuo
