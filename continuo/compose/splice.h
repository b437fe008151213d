#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "continuo/compose/kept_top.h"
#include "continuo/compose/midi_piece.h"
#include "continuo/compose/pitch_constraint.h"
#include "continuo/compose/token_constraint.h"
#include "continuo/compose/voices.h"
#include "continuo/midi/channel_state.h"
#include "continuo/midi/document_edit.h"
#include "continuo/score/bars.h"
#include "continuo/score/score.h"
#include "continuo/token/tokenizer.h"

namespace continuo {

/// What tempo new bars have.
struct TempoRule {
  enum class Kind : uint8_t {
    kKeep,  // within kKeptTempoRange of the mean of the last four bars; the same where all of the piece has one tempo
    kFree,  // what the model writes
    kFixed  // `bpm`
  };
  Kind kind = Kind::kKeep;
  double bpm = 0.0;  // quarter notes per minute
};

/// How far a new tempo may be from the mean.
inline constexpr double kKeptTempoRange = 0.1;

/// How many bars before the new ones the mean is of.
inline constexpr size_t kTempoBars = 4;

/// The bar line at which new bars begin.
struct Seam {
  std::vector<TokenId> ids;  // of the bars before, the first new one opened; empty at the start of the piece
  Tick line = 0;             // in the ticks of the file
  TickFraction exact_line;   // before it was rounded to them
  Tick decoded_line = 0;     // in the ticks of decoded scores
  std::shared_ptr<const TokenConstraint> pitches;                   // of the new bars, a PitchConstraint
  std::vector<std::shared_ptr<const TokenConstraint>> constraints;  // more of them
};

/// Constrains new tempos as a rule says: for TempoRule::kKeep by the tempos of the bars from
/// `first` to `last`. Returns nothing if all tempos are allowed, or for kFixed.
std::shared_ptr<const TokenConstraint> TempoConstraintOf(const TempoRule& rule, const Score& score, Tick first,
                                                         Tick last, const Tokenizer& tokenizer);

/// The notes of a document that begin before `line` and sound there, as PitchConstraint takes them;
/// those alone that share a channel with notes that the model writes.
std::vector<HeldPitch> HeldAt(const MidiDocument& document, const Voices& voices, const Seam& seam,
                              const Tokenizer& tokenizer, std::optional<size_t> voice);

/// What `ids` say of the bars from the seam on but for `kept`, its times counted from there, in the
/// resolution of a file.
Score DecodeFrom(const Seam& seam, std::span<const TokenId> ids, int32_t ticks_per_quarter, const Tokenizer& tokenizer,
                 std::span<const KeptNote> kept = {});

/// Notes that were added to a document.
struct SplicedNotes {
  size_t notes = 0;
  size_t shortened = 0;  // where the pitch is struck again
  size_t dropped = 0;    // where the pitch is held already
};

/// Where new notes go.
struct SplicePlace {
  Tick line = 0;         // from which the times of the part count
  Tick bars_end = 0;     // before which notes begin
  Tick longest_end = 0;  // at which notes that sound longer are cut
};

/// Adds the notes of `part`. A note that rounding to the ticks of the file moves to `bars_end` or
/// later begins one tick before.
SplicedNotes SpliceNotes(MidiDocument& document, const Score& part, const SplicePlace& place, VoiceFinder& finder);

}  // namespace continuo
