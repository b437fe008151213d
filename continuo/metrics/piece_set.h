#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "continuo/core/progress.h"
#include "continuo/core/result.h"
#include "continuo/core/stop_token.h"
#include "continuo/metrics/bar_features.h"
#include "continuo/metrics/catalogue.h"
#include "continuo/metrics/copying.h"
#include "continuo/metrics/description.h"
#include "continuo/metrics/form.h"
#include "continuo/metrics/piece_measures.h"
#include "continuo/metrics/statistics.h"
#include "continuo/score/score.h"

namespace continuo {

/// A piece of a set: a score, or a MIDI file that is read when it is measured.
struct SetPiece {
  std::string name;
  std::variant<std::filesystem::path, Score> music;
};

/// Files as pieces that are named by their paths.
std::vector<SetPiece> PiecesOf(std::span<const std::filesystem::path> files);

struct SetOptions {
  int64_t bars = 0;        // of each piece, from the start; 0: all
  bool structure = false;  // SI, of whole pieces
  bool scape = false;      // keep the fitness of every segment
  /// The bars of 4/4 of which bar features are measured, at most kMostFeatureBars; 0: none.
  int64_t feature_bars = 0;
  /// Measures pieces that are too long for SI without it. Otherwise they fail.
  bool skip_long_structure = false;
  size_t threads = 1;  // at least 1
  /// If set, what it makes of each score is measured instead. It is called on several threads.
  std::function<Score(const Score&)> prepare = {};
};

/// What is measured of a set. The lists are as long as the set less its failures, in its order.
struct MeasuredSet {
  std::vector<std::string> names;
  std::vector<PieceMeasures> pieces;
  std::vector<std::vector<std::string>> repairs;  // what was repaired in each file to read it
  std::vector<Error> failures;                    // of pieces that could not be read or measured

  std::vector<Description> Descriptions() const;
  /// Of the pieces that have some.
  std::vector<BarFeatureValues> BarFeatures() const;
  /// Means over the pieces for which a likeness is defined.
  Form MeanForm() const;
  /// The summary of each row of PieceMetrics() over the pieces, in the same order.
  std::vector<Summary> Summaries() const;
  /// The value of each row of MetricsOf(MetricGroup::kSet), in the same order.
  std::vector<double> SetValues() const;
  /// The longest run of notes that each piece shares with the songs of an index.
  std::vector<CopiedRun> FindCopies(const CopyIndex& songs) const;
};

/// Measures pieces, several at a time; the result does not depend on how many. `progress` counts
/// pieces. Returns CancelledError() if `stop` requests it.
Result<MeasuredSet> MeasureSet(std::span<const SetPiece> pieces, const SetOptions& options,
                               Progress& progress = NoProgress(), const StopToken& stop = {});

/// Songs in which copies are searched for.
struct SongIndex {
  std::vector<std::string> names;  // CopiedRun::song is a place in it
  CopyIndex index;
  std::vector<Error> failures;  // of songs that could not be read, which are left out
};

/// Indexes the notes of whole songs. `progress`, `stop` and `threads` as for MeasureSet. Fails
/// beyond 2^30 notes.
Result<SongIndex> IndexSongs(std::span<const SetPiece> songs, size_t threads, Progress& progress = NoProgress(),
                             const StopToken& stop = {});

}  // namespace continuo
