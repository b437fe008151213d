#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "continuo/compose/midi_piece.h"
#include "continuo/compose/splice.h"
#include "continuo/core/result.h"
#include "continuo/token/tokenizer.h"

namespace continuo {

/// The first bars of a piece, as a file and as the ids that a model reads.
struct Prompt {
  MidiDocument kept;  // the events before the bar line, and the ends of the notes that sound across it
  Voices voices;      // of the whole piece
  std::string name;
  Seam seam;     // at the bar line
  Tick end = 0;  // of the new bars
  TempoRule tempo;
  /// That the bar line needs, for it cuts the bar before short.
  std::optional<TimeSignature> signature;
  std::optional<size_t> voice;  // that is read and continued alone, as an index into the score's tracks
};

/// Takes the first `bars` bars (1 or more) of a piece, to which `new_bars` (1 or more) will be
/// added. If `track`, an index into the score's tracks, is given, that track alone is read and
/// continued; all tracks keep their events before the bar line. Fails, naming the piece, if it has
/// fewer bars or no such track, if the tokenizer cannot express a bar (see ReadBars), or if the new
/// bars would end after the last tick.
Result<Prompt> TakePrompt(const MidiPiece& piece, size_t bars, size_t new_bars, const Tokenizer& tokenizer,
                          const TempoRule& tempo = {}, std::optional<size_t> track = std::nullopt);

/// A prompt followed by new bars.
struct Continuation {
  MidiPiece whole;
  SplicedNotes notes;
  std::vector<RaisedLevel> raised;  // levels of channels that had been faded out
};

/// Decodes `ids`, which begin with the prompt's, and adds what is at or after the bar line to the
/// prompt's file: notes on the track and channel of their program (see VoiceFinder), pedals and
/// bends if the tokenizer has them, tempos as the rule says. All channels are reset at the bar line
/// (see ResetChannels).
Result<Continuation> JoinContinuation(const Prompt& prompt, std::span<const TokenId> ids, const Tokenizer& tokenizer);

}  // namespace continuo
