#pragma once

#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

#include "continuo/core/result.h"
#include "continuo/model/language_model.h"
#include "continuo/score/score.h"
#include "continuo/token/tokenizer.h"

namespace continuo {

/// Bars [first, last) of a piece, which are to be written anew.
struct Gap {
  Score score;  // the piece
  size_t first = 0;
  size_t last = 0;
  size_t bars = 0;  // of the piece
  Tick begin = 0;   // the gap's bar lines, in the score's ticks
  Tick end = 0;
  std::vector<TokenId> prompt;  // what stands before, for Generate with `last` bars
};

/// Bars are those of the tokenizer, as for TakePrompt. Fails, naming `name`, unless first < last <= the score's bars.
Result<Gap> MakeGap(const Score& score, size_t first, size_t last, const Tokenizer& tokenizer, std::string_view name);

/// The piece with the notes of `ids` (a piece of Generate, the prompt's ids among them) in the gap. What begins before
/// or after it stays to the tick, as do tempos, signatures and all controllers but the sustain pedal, which is released
/// at the gap's beginning and, where the piece has it down at the end, pressed again there. New notes end with the gap.
/// Tracks that the tokenizer can't read (drums, for one of single tracks) stay.
Score FillGap(const Gap& gap, std::span<const TokenId> ids, const Tokenizer& tokenizer);

/// The mean negative log-likelihood of the tokens of the next eight bars behind the gap, in nats, as the piece `filled`
/// leads there; of the gap's own where the piece ends with it. Less is better. Fails as MeasureLikelihood does.
Result<double> FollowingNll(const Gap& gap, const Score& filled, const LanguageModel& model,
                            const Tokenizer& tokenizer);

}  // namespace continuo
