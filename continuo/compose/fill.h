#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "continuo/compose/midi_piece.h"
#include "continuo/compose/splice.h"
#include "continuo/core/result.h"
#include "continuo/model/language_model.h"
#include "continuo/token/tokenizer.h"

namespace continuo {

/// Bars [first, last) of a piece that are to be rewritten.
struct Gap {
  MidiDocument kept;  // the piece without the notes that begin in the gap, except those that the tokenizer cannot read
  Voices voices;      // of the piece
  std::string name;
  Seam seam;                       // where the gap begins
  std::vector<KeptNote> kept_top;  // the top notes of the gap, if they stay in `kept`; in the order of time
  size_t first = 0;
  size_t last = 0;
  size_t bars = 0;  // of the piece
  Tick end = 0;     // the gap's last bar line, in the file's ticks
  /// As ReadBars takes them: of the bars up to eight after the gap, and of the one that follows.
  std::vector<TimeSignature> signatures;
  std::vector<TokenId> own;    // the ids of its bars in the piece; empty if the tokens do not reach them
  std::vector<TokenId> after;  // the ids of up to eight bars after the gap
  int32_t last_bar_tick = 0;   // where the gap's last bar begins, in the ticks of decoded scores
};

/// `keep_top` keeps the gap's top notes (see TopNotes) too. Fails, naming the piece, unless first <
/// last <= its bars, and if the tokenizer cannot express a bar up to eight bars after the gap (see
/// ReadBars).
Result<Gap> MakeGap(const MidiPiece& piece, size_t first, size_t last, const Tokenizer& tokenizer,
                    bool keep_top = false);

/// What a model trained with gaps (token/gap.h) reads before it fills this one: as many bars
/// before it as there is room for, then those after it. Empty, so that the model reads the bars
/// before the gap alone, if nothing follows the gap, if it has more than kMostGapBars bars, if
/// the vocabulary lacks BOS or MASK, or if `context` ids are too few.
std::vector<TokenId> ReadBothSides(const Gap& gap, const Tokenizer& tokenizer, size_t context);

/// How likely the bars are that the piece has in a gap: negative log-likelihoods, in nats, of their
/// ids but those that open the first of them.
struct GapLikelihood {
  double before = 0;           // given the bars before the gap
  std::optional<double> both;  // given both sides; none if ReadBothSides has none
};

/// Fails, naming the piece, if the gap has no tokens in it or does not fit the context.
Result<GapLikelihood> MeasureGap(const Gap& gap, const LanguageModel& model, const Tokenizer& tokenizer);

/// A piece with new notes in the gap.
struct Filled {
  MidiPiece whole;
  SplicedNotes notes;
};

/// The piece with the notes of `ids` in the gap; `ids` are those of a piece of Generate and include
/// the prompt's. New notes end with the gap. Nothing but notes is added.
Result<Filled> FillGap(const Gap& gap, std::span<const TokenId> ids, const Tokenizer& tokenizer);

/// The mean negative log-likelihood, in nats per token, of the eight bars after the gap given those
/// before them in `filled`; if these have no tokens, of the gap's own bars. Less is better. Nothing
/// if neither have tokens. Fails as MeasureLikelihood does.
Result<std::optional<double>> FollowingNll(const Gap& gap, const Score& filled, const LanguageModel& model,
                                           const Tokenizer& tokenizer);

}  // namespace continuo
