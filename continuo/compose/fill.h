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

/// Bars [first, last) of a piece that are to be rewritten.
struct Gap {
  Score score;  // the piece
  size_t first = 0;
  size_t last = 0;
  size_t bars = 0;  // of the piece
  Tick begin = 0;   // the gap's first and last bar line, in the score's ticks
  Tick end = 0;
  std::vector<TokenId> prompt;  // the ids of the bars before, for Generate with `last` bars
};

/// Bars are those of the tokenizer, as for TakePrompt. Fails, naming the piece by `name`, unless
/// first < last <= the bars of the score.
Result<Gap> MakeGap(const Score& score, size_t first, size_t last, const Tokenizer& tokenizer, std::string_view name);

/// The piece with the notes of `ids` in the gap; `ids` are those of a piece of Generate and include
/// the prompt's. Notes that begin before or after the gap keep their ticks, as do tempos,
/// signatures and all controllers but the sustain pedal: it is released where the gap begins and,
/// if the piece has it down where the gap ends, pressed again there. New notes end with the gap.
/// Tracks that the tokenizer cannot read (drums, for one of single tracks) do not change.
Score FillGap(const Gap& gap, std::span<const TokenId> ids, const Tokenizer& tokenizer);

/// The mean negative log-likelihood, in nats per token, of the eight bars after the gap given those
/// before them in `filled`; if the piece ends with the gap, of the gap's own bars. Less is better.
/// Fails if there are no such tokens, and as MeasureLikelihood does.
Result<double> FollowingNll(const Gap& gap, const Score& filled, const LanguageModel& model,
                            const Tokenizer& tokenizer);

}  // namespace continuo
