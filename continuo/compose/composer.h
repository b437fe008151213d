#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <variant>
#include <vector>

#include "continuo/compose/chord_constraint.h"
#include "continuo/compose/generate.h"
#include "continuo/compose/loaded_model.h"
#include "continuo/compose/midi_piece.h"
#include "continuo/compose/music_limits.h"
#include "continuo/compose/piece_plan.h"
#include "continuo/core/progress.h"
#include "continuo/core/result.h"
#include "continuo/core/stop_token.h"
#include "continuo/midi/channel_state.h"

namespace continuo {

/// Asks for new pieces.
struct NewRequest {
  size_t bars = 32;  // 1 to kMaxBars
};

/// Asks for the first bars of a piece, followed by new ones. Everything before the bar line between
/// them is kept, everything after it is dropped.
struct ContinueRequest {
  MidiPiece piece;
  size_t prompt_bars = 8;            // kept; 1 to the bars of the piece
  size_t bars = 24;                  // new; at least 1, with the prompt's at most kMaxBars
  std::optional<size_t> track = {};  // read and continued alone, counted from 0; none: all tracks
};

/// Asks for a piece with the bars [first, last), counted from 0, written again. Everything is kept
/// but the notes that begin in them.
struct FillRequest {
  MidiPiece piece;
  size_t first = 0;
  size_t last = 0;
};

/// Bars are those of the piece (BarGrid). One that the model's tokens cannot express is an error.
using Request = std::variant<NewRequest, ContinueRequest, FillRequest>;

/// How pieces are written. The defaults suit any model.
struct ComposeOptions {
  size_t count = 1;     // pieces; of a FillRequest: candidates
  size_t keep = 0;      // only the best pieces, see Composer; 0: all, of a FillRequest the best one
  uint64_t seed = 1;    // piece i draws from the random stream (seed, i)
  size_t batch = 0;     // pieces written at a time; affects the speed only; 0: as many as suit the model
  StopToken stop = {};  // asked before each token
  std::optional<SamplingOptions> sampling = {};  // none: the model's own
  ChordProgression chords = {};                  // from the first new bar on; empty: the model's choice
  PiecePlan plan = {};                           // of the new bars
  /// Quarter notes per minute of a new piece, or of the new bars of a ContinueRequest.
  std::optional<double> bpm = {};
  bool free_tempo = false;  // the new bars of a ContinueRequest need not keep the tempo of the piece
  GuardLimits guards = {};
  size_t retries = 0;  // how often a piece may go back when a guard finds it stuck
  MusicLimits limits = {};
  /// More constraints, after those that the options above stand for; each piece gets clones.
  std::vector<std::shared_ptr<const TokenConstraint>> constraints = {};
};

struct WrittenPiece {
  size_t index = 0;  // below ComposeOptions::count; names the piece's random stream
  MidiPiece piece;   // all of it: new; the prompt with its new bars; the given piece with bars written again
  std::optional<MidiPiece> new_bars;  // of a ContinueRequest: the new bars alone, from tick 0, as they sound in `piece`
  size_t new_notes = 0;               // that the model wrote, and that any reader of the file finds
  std::vector<RaisedLevel> raised = {};  // of a ContinueRequest: levels that were faded out, raised at the bar line
  GeneratedPiece generated;              // what the model read and wrote
  std::optional<double> following_nll;   // of a FillRequest: see Composer; none if there are no tokens to measure
};

/// A note that became known with a bar. Times are from the start of WrittenPiece::piece.
struct TimedNote {
  Note note;  // in the piece's ticks
  uint8_t program = 0;
  bool is_drum = false;
  double seconds = 0.0;
  double duration_seconds = 0.0;
};

/// A piece under way has `bars` complete bars, the prompt's included. `notes` are those that were
/// not known at the update before: those of the new bar or bars, save a note that still sounds in a
/// representation of note-offs, which comes when it ends. A note that sounds into the next bar may
/// end earlier than it says, where the next note of its pitch begins.
///
/// If a piece goes back (ComposeOptions::retries), its next update has no more bars than an earlier
/// one, and replaces all earlier updates with as many or more.
struct BarUpdate {
  size_t index = 0;  // of the piece
  size_t bars = 0;
  std::vector<TimedNote> notes;
};

using PieceSink = std::function<Status(WrittenPiece piece)>;
using BarSink = std::function<Status(const BarUpdate& update)>;

/// A complete piece and the number that pieces are ranked by.
struct RankedPiece {
  size_t index = 0;
  double nll = 0.0;  // per token: GeneratedPiece::nll; of a FillRequest: WrittenPiece::following_nll
};

struct ComposeReport {
  std::vector<RankedPiece> ranking;  // of all complete pieces, best first
  size_t delivered = 0;              // how many of them went to the sink
  bool best_first = false;           // in which order: best first, or as they were completed
  bool stopped = false;              // by ComposeOptions::stop, before all were complete
};

/// Writes music with a model: the one entry point of programs and language bindings.
///
/// Pieces are ranked by the model itself, the likeliest per token first, equals by index.
/// Candidates of a FillRequest are ranked by the mean negative log-likelihood per token, in nats,
/// of the next eight bars of the piece given the new ones; if nothing follows the gap, of the new
/// ones.
///
/// No pitch sounds twice on a channel: a new note ends where the next new one of its pitch begins,
/// and none begins while a note of its pitch that is kept sounds.
///
/// Piece i of a request is the same, byte for byte, whatever `count`, `keep`, `batch` and the
/// number of threads.
class Composer {
 public:
  /// `model` must outlive the Composer, and is used by one call at a time.
  explicit Composer(const LoadedModel& model) : model_(model) {}

  /// Fails, naming what is wrong, where Write would fail before it writes: a request or options out
  /// of range, too few bars in the piece, chords, tempo, a plan or a grid that the model has no
  /// tokens for, limits that leave no note. Costs what tokenizing the piece costs.
  Status Check(const Request& request, const ComposeOptions& options) const;

  /// Hands each piece to `sink`: where all are kept, as soon as it is complete, else at the end,
  /// best first. `on_bar`, which may be empty, is called while pieces are written; each call costs
  /// decoding the piece so far. Both are called from the calling thread, and an error that they
  /// return ends the call and is returned. `progress` counts bars. If a stop is requested, pieces
  /// under way are dropped and those complete count.
  Result<ComposeReport> Write(const Request& request, const ComposeOptions& options, const PieceSink& sink,
                              Progress& progress = NoProgress(), const BarSink& on_bar = {}) const;

  /// The kept pieces together, best first; by index where all are kept. Fewer if a stop was
  /// requested.
  Result<std::vector<WrittenPiece>> Write(const Request& request, const ComposeOptions& options = {},
                                          Progress& progress = NoProgress()) const;

 private:
  const LoadedModel& model_;
};

/// The part of Composer::Check that depends on the tokenizer alone, for callers without a model.
Status CheckRequest(const Request& request, const Tokenizer& tokenizer);

}  // namespace continuo
