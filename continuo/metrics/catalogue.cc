#include "continuo/metrics/catalogue.h"

#include <algorithm>
#include <cmath>
#include <iterator>

#include "continuo/metrics/piece_measures.h"

namespace continuo {
namespace {

// Notes in a run, where the pieces of a set are searched for runs that occur again.
constexpr size_t kDistinctRun = 8;

double OfStructure(const PieceContext& piece, double Structure::* value) {
  return piece.structure == nullptr ? NAN : piece.structure->*value;
}

double DistinctRunsOf(std::span<const PieceMeasures> pieces) {
  std::vector<NoteSteps> steps;
  for (const PieceMeasures& piece : pieces) {
    steps.push_back(piece.steps);
  }
  return DistinctRuns(steps, kDistinctRun);
}

constexpr MetricRow kCatalogue[] = {
    {.name = "bars",
     .group = MetricGroup::kBars,
     .title = "Bars",
     .description = "bars per piece",
     .decimals = 0,
     .of_piece = [](const PieceContext& p) { return static_cast<double>(p.metrics.bars); }},
    {.name = "notes",
     .group = MetricGroup::kBars,
     .title = "Notes",
     .description = "notes per piece",
     .decimals = 0,
     .of_piece = [](const PieceContext& p) { return static_cast<double>(p.metrics.notes); }},
    {.name = "H1",
     .group = MetricGroup::kBars,
     .title = "H1",
     .description = "entropy of pitch classes within a bar, in bits",
     .better = Better::kHigher,
     .usual = true,
     .compared = true,
     .of_piece = [](const PieceContext& p) { return p.metrics.h1; }},
    {.name = "H4",
     .group = MetricGroup::kBars,
     .title = "H4",
     .description = "entropy of pitch classes within four bars, in bits",
     .better = Better::kHigher,
     .usual = true,
     .compared = true,
     .ranking = "as the study ranks",
     .of_piece = [](const PieceContext& p) { return p.metrics.h4; }},
    {.name = "GS",
     .group = MetricGroup::kBars,
     .title = "GS",
     .description = "grooving similarity of all pairs of bars, 0 to 1",
     .better = Better::kHigher,
     .usual = true,
     .compared = true,
     .ranking = "as the study ranks",
     .of_piece = [](const PieceContext& p) { return p.metrics.gs; }},
    {.name = "CPI",
     .group = MetricGroup::kBars,
     .title = "CPI",
     .description = "chord progression irregularity, 0 to 1",
     .usual = true,
     .compared = true,
     .of_piece = [](const PieceContext& p) { return p.metrics.cpi; }},
    {.name = "SI_short",
     .group = MetricGroup::kBars,
     .title = "SI short",
     .description = "repetition over 3 to 8 seconds, 0 to 1",
     .usual = true,
     .compared = true,
     .of_piece = [](const PieceContext& p) { return OfStructure(p, &Structure::si_short); }},
    {.name = "SI_mid",
     .group = MetricGroup::kBars,
     .title = "SI mid",
     .description = "repetition over 8 to 15 seconds, 0 to 1",
     .usual = true,
     .compared = true,
     .of_piece = [](const PieceContext& p) { return OfStructure(p, &Structure::si_mid); }},
    {.name = "SI_long",
     .group = MetricGroup::kBars,
     .title = "SI long",
     .description = "repetition over 15 to 128 seconds, 0 to 1",
     .usual = true,
     .compared = true,
     .of_piece = [](const PieceContext& p) { return OfStructure(p, &Structure::si_long); }},

    {.name = "notes_per_bar",
     .group = MetricGroup::kDescription,
     .title = "Notes per bar",
     .description = "notes that begin in a bar",
     .decimals = 2,
     .compared = true,
     .of_piece = [](const PieceContext& p) { return p.description.notes_per_bar; }},
    {.name = "polyphony",
     .group = MetricGroup::kDescription,
     .title = "Polyphony",
     .description = "notes that sound at once",
     .decimals = 2,
     .of_piece = [](const PieceContext& p) { return p.description.polyphony; }},
    {.name = "empty_bars",
     .group = MetricGroup::kDescription,
     .title = "Empty bars",
     .description = "share of bars in which no note begins",
     .of_piece = [](const PieceContext& p) { return p.description.empty_bars; }},
    {.name = "lowest_pitch",
     .group = MetricGroup::kDescription,
     .title = "Lowest",
     .description = "lowest MIDI key",
     .decimals = 0,
     .of_piece = [](const PieceContext& p) { return p.description.lowest_pitch; }},
    {.name = "highest_pitch",
     .group = MetricGroup::kDescription,
     .title = "Highest",
     .description = "highest MIDI key",
     .decimals = 0,
     .of_piece = [](const PieceContext& p) { return p.description.highest_pitch; }},
    {.name = "pitches_used",
     .group = MetricGroup::kDescription,
     .title = "Pitches",
     .description = "different keys used",
     .decimals = 0,
     .of_piece = [](const PieceContext& p) { return p.description.pitches_used; }},
    {.name = "scale_consistency",
     .group = MetricGroup::kDescription,
     .title = "In scale",
     .description = "largest share of notes within one major scale",
     .of_piece = [](const PieceContext& p) { return p.description.scale_consistency; }},
    {.name = "tempo_mean",
     .group = MetricGroup::kDescription,
     .title = "Tempo",
     .description = "quarters per minute",
     .decimals = 1,
     .of_piece = [](const PieceContext& p) { return p.description.tempo_mean; }},
    {.name = "tempo_deviation",
     .group = MetricGroup::kDescription,
     .title = "Tempo spread",
     .description = "standard deviation of the tempo within a piece",
     .decimals = 1,
     .of_piece = [](const PieceContext& p) { return p.description.tempo_deviation; }},
    {.name = "mean_interval",
     .group = MetricGroup::kDescription,
     .title = "Interval",
     .description = "semitones from a note to the next",
     .decimals = 2,
     .of_piece = [](const PieceContext& p) { return p.description.mean_interval; }},
    {.name = "mean_onset_gap",
     .group = MetricGroup::kDescription,
     .title = "Onset gap",
     .description = "quarters from an onset to the next",
     .of_piece = [](const PieceContext& p) { return p.description.mean_onset_gap; }},

    {.name = "recurrence_4",
     .group = MetricGroup::kDescription,
     .title = "Returns 4",
     .description = "share of a bar's exact notes that return four bars later, 0 to 1",
     .usual = true,
     .of_piece = [](const PieceContext& p) { return p.form.At(4).exact; }},
    {.name = "recurrence_8",
     .group = MetricGroup::kDescription,
     .title = "Returns 8",
     .description = "share of a bar's exact notes that return eight bars later, 0 to 1",
     .usual = true,
     .of_piece = [](const PieceContext& p) { return p.form.At(8).exact; }},
    {.name = "recurrence_16",
     .group = MetricGroup::kDescription,
     .title = "Returns 16",
     .description = "share of a bar's exact notes that return sixteen bars later, 0 to 1",
     .usual = true,
     .of_piece = [](const PieceContext& p) { return p.form.At(16).exact; }},
    {.name = "doubled_onsets",
     .group = MetricGroup::kDescription,
     .title = "Doubled",
     .description = "share of notes that strike a key which another note strikes at the same moment",
     .decimals = 4,
     .of_piece = [](const PieceContext& p) { return DoubledOnsets(p.grid); }},
    {.name = "overlapping_notes",
     .group = MetricGroup::kDescription,
     .title = "Overlapping",
     .description = "share of notes that strike a key which still sounds",
     .of_piece = [](const PieceContext& p) { return OverlappingNotes(p.grid); }},

    {.name = "distinct_runs",
     .group = MetricGroup::kSet,
     .title = "Distinct",
     .description = "share of the runs of eight notes that occur once in the set",
     .of_set = DistinctRunsOf},

    {.name = "overlap",
     .title = "Overlap",
     .description = "area shared with the histograms of real music, mean of features",
     .better = Better::kHigher,
     .usual = true,
     .ranking = "likeness to real music"},
    {.name = "divergence",
     .title = "KL",
     .description = "divergence from the histograms of real music, mean of features, in nats",
     .better = Better::kLower},
    {.name = "auc",
     .title = "AUC",
     .description = "how well a random forest tells the pieces from real music: 0.5 it guesses, 1 always",
     .better = Better::kLower,
     .usual = true,
     .ranking = "hardest to tell from real music"},
    {.name = "auc_without_form",
     .title = "AUC without form",
     .description = "the same, from features that do not compare bars with later bars",
     .better = Better::kLower},
    {.name = "valid_nll_bar",
     .title = "NLL per bar",
     .description = "negative log-likelihood of unseen songs, in nats per bar",
     .decimals = 2,
     .better = Better::kLower,
     .usual = true,
     .compared = true,
     .ranking = "how well music is predicted"},
    {.name = "valid_nll_note",
     .title = "NLL per note",
     .description = "negative log-likelihood of unseen songs, in nats per note",
     .better = Better::kLower,
     .compared = true},
    {.name = "valid_nll_token",
     .title = "NLL per token",
     .description = "negative log-likelihood of unseen songs, in nats per token; compare within a tokenizer",
     .better = Better::kLower},
    {.name = "nll_token",
     .title = "Own NLL",
     .description = "negative log-likelihood of its own pieces, in nats per token"},
    {.name = "copied_notes",
     .title = "Copied",
     .description = "longest run of notes shared with a training song",
     .decimals = 0,
     .usual = true},
};

static_assert(std::ranges::is_sorted(kCatalogue, {}, &MetricRow::group), "the rows of a group stand together");

}  // namespace

std::span<const MetricRow> MetricCatalogue() {
  return kCatalogue;
}

std::span<const MetricRow> MetricsOf(MetricGroup group) {
  const auto* const first = std::ranges::lower_bound(kCatalogue, group, {}, &MetricRow::group);
  return {first, std::ranges::upper_bound(kCatalogue, group, {}, &MetricRow::group)};
}

std::span<const MetricRow> PieceMetrics() {
  const size_t count = MetricsOf(MetricGroup::kBars).size() + MetricsOf(MetricGroup::kDescription).size();
  return MetricCatalogue().first(count);
}

const MetricRow* FindMetric(std::string_view name) {
  const auto found = std::ranges::find(kCatalogue, name, &MetricRow::name);
  return found == std::end(kCatalogue) ? nullptr : found;
}

}  // namespace continuo
