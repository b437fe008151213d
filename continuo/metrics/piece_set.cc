#include "continuo/metrics/piece_set.h"

#include <atomic>
#include <cmath>
#include <optional>

#include "continuo/core/thread_pool.h"
#include "continuo/score/score_file.h"

namespace continuo {
namespace {

namespace fs = std::filesystem;

/// Calls `measure(score, repairs)` with each piece, on several threads. What could not be read or
/// measured becomes an Error of `failures`; names and values of the rest are returned in order.
template <typename Value, typename Measure>
Result<std::vector<std::pair<std::string, Value>>> ForEachScore(std::span<const SetPiece> pieces, size_t threads,
                                                                Progress& progress, const StopToken& stop,
                                                                std::vector<Error>& failures, const Measure& measure) {
  std::vector<std::optional<Result<Value>>> results(pieces.size());
  std::atomic<uint64_t> done{0};
  const auto measure_piece = [&](const SetPiece& piece) -> Result<Value> {
    std::optional<ScoreAndWarnings> read;
    if (const fs::path* file = std::get_if<fs::path>(&piece.music)) {
      CONTINUO_ASSIGN(read, ReadScoreAndWarnings(*file));
    }
    static const std::vector<std::string> kNone;
    Result<Value> value = measure(read ? read->score : std::get<Score>(piece.music), read ? read->warnings : kNone);
    if (!value.ok()) {
      Error error = value.error();
      error.message = fmt::format("{}: {}", piece.name, error.message);
      return error;
    }
    return value;
  };
  ThreadPool pool(threads);
  pool.ForEach(pieces.size(), [&](size_t i, size_t) {
    if (!stop.stop_requested()) {
      results[i] = measure_piece(pieces[i]);
      progress.Update(++done, pieces.size(), "");
    }
  });
  if (stop.stop_requested()) {
    return CancelledError();
  }
  std::vector<std::pair<std::string, Value>> values;
  for (size_t i = 0; i < pieces.size(); ++i) {
    if (results[i]->ok()) {
      values.emplace_back(pieces[i].name, std::move(**results[i]));
    } else {
      failures.push_back(results[i]->error());
    }
  }
  return values;
}

}  // namespace

std::vector<SetPiece> PiecesOf(std::span<const fs::path> files) {
  std::vector<SetPiece> pieces;
  for (const fs::path& file : files) {
    pieces.push_back({file.string(), file});
  }
  return pieces;
}

std::vector<Description> MeasuredSet::Descriptions() const {
  std::vector<Description> descriptions;
  for (const PieceMeasures& piece : pieces) {
    descriptions.push_back(piece.description);
  }
  return descriptions;
}

std::vector<BarFeatureValues> MeasuredSet::BarFeatures() const {
  std::vector<BarFeatureValues> features;
  for (const PieceMeasures& piece : pieces) {
    if (piece.bar_features) {
      features.push_back(*piece.bar_features);
    }
  }
  return features;
}

Form MeasuredSet::MeanForm() const {
  Form form;
  for (size_t lag = 1; lag <= kFormLags; ++lag) {
    BarLikeness sum;
    size_t count = 0;
    for (const PieceMeasures& piece : pieces) {
      const BarLikeness& likeness = piece.form.At(lag);
      if (!std::isnan(likeness.exact)) {
        sum.exact += likeness.exact;
        sum.rhythm += likeness.rhythm;
        sum.chroma += likeness.chroma;
        ++count;
      }
    }
    if (count > 0) {
      const auto n = static_cast<double>(count);
      form.lags[lag - 1] = {sum.exact / n, sum.rhythm / n, sum.chroma / n};
    }
  }
  return form;
}

std::vector<Summary> MeasuredSet::Summaries() const {
  std::vector<Summary> summaries;
  for (size_t metric = 0; metric < PieceMetrics().size(); ++metric) {
    std::vector<double> values;
    for (const PieceMeasures& piece : pieces) {
      values.push_back(piece.values[metric]);
    }
    summaries.push_back(Summarize(values));
  }
  return summaries;
}

std::vector<double> MeasuredSet::SetValues() const {
  std::vector<double> values;
  for (const MetricRow& metric : MetricsOf(MetricGroup::kSet)) {
    values.push_back(metric.of_set(pieces));
  }
  return values;
}

std::vector<CopiedRun> MeasuredSet::FindCopies(const CopyIndex& songs) const {
  std::vector<CopiedRun> copies;
  for (const PieceMeasures& piece : pieces) {
    copies.push_back(songs.LongestIn(piece.steps));
  }
  return copies;
}

Result<MeasuredSet> MeasureSet(std::span<const SetPiece> pieces, const SetOptions& options, Progress& progress,
                               const StopToken& stop) {
  MeasuredSet set;
  const auto measure_score = [&](const Score& score) -> Result<PieceMeasures> {
    PieceMeasureOptions of_piece = {.bars = options.bars,
                                    .structure = options.structure,
                                    .scape = options.scape,
                                    .feature_bars = options.feature_bars};
    Result<PieceMeasures> measures = MeasurePiece(score, of_piece, stop);
    if (!measures.ok() && measures.error().code == ErrorCode::kTooLarge && options.skip_long_structure) {
      of_piece.structure = false;
      measures = MeasurePiece(score, of_piece, stop);
    }
    return measures;
  };
  using Measured = std::pair<PieceMeasures, std::vector<std::string>>;
  const auto measure = [&](const Score& score, const std::vector<std::string>& repairs) -> Result<Measured> {
    CONTINUO_ASSIGN(PieceMeasures measures,
                    options.prepare ? measure_score(options.prepare(score)) : measure_score(score));
    return Measured(std::move(measures), repairs);
  };
  CONTINUO_ASSIGN(auto measured,
                  (ForEachScore<Measured>(pieces, options.threads, progress, stop, set.failures, measure)));
  for (auto& [name, of_piece] : measured) {
    set.names.push_back(std::move(name));
    set.pieces.push_back(std::move(of_piece.first));
    set.repairs.push_back(std::move(of_piece.second));
  }
  return set;
}

Result<SongIndex> IndexSongs(std::span<const SetPiece> songs, size_t threads, Progress& progress,
                             const StopToken& stop) {
  std::vector<Error> failures;
  CONTINUO_ASSIGN(auto read,
                  (ForEachScore<NoteSteps>(songs, threads, progress, stop, failures,
                                           [](const Score& score, const auto&) { return Result(StepsOf(score)); })));
  std::vector<std::string> names;
  std::vector<NoteSteps> steps;
  for (auto& [name, of_song] : read) {
    names.push_back(std::move(name));
    steps.push_back(std::move(of_song));
  }
  CONTINUO_ASSIGN(CopyIndex index, CopyIndex::Build(steps));
  return SongIndex{std::move(names), std::move(index), std::move(failures)};
}

}  // namespace continuo
