#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "continuo/core/result.h"
#include "continuo/score/score.h"
#include "continuo/token/tokenizer.h"

namespace continuo {

/// The first bars of a piece, as music and as what a model reads.
struct Prompt {
  Score score;  // what starts before the bar line, untouched: notes that sound across it are whole
  size_t bars = 0;
  Tick bar_line = 0;            // where new bars begin, in the score's ticks
  std::vector<TokenId> ids;     // up to the bar line, the first new bar opened; for Generate
  std::optional<size_t> track;  // the one that was read and is continued; none: all
};

/// Takes the first `bars` bars (1 or more) of a score. Bars are those of the tokenizer: of the time signatures
/// if it has tokens for them, of 4/4 from the start otherwise. A tokenizer of single tracks sees
/// all tracks but drums as one, unless `track` (counted from 0) names one: then that alone is read and continued, while
/// the others keep what they have before the bar line. `name` stands for the file in messages. Fails where the score
/// has fewer bars or no such track.
Result<Prompt> TakePrompt(const Score& score, size_t bars, const Tokenizer& tokenizer, std::string_view name,
                          std::optional<size_t> track = std::nullopt);

/// A prompt with new bars behind it, and the new bars alone, from tick 0.
struct Continuation {
  Score whole;
  Score new_bars;
};

/// Decodes `ids`, which begin with the prompt's, and puts all that starts at or after the bar line behind the
/// prompt. The new notes go to the prompt's first track that is no drum track; a pedal that is down
/// is released at the bar line.
Continuation JoinContinuation(const Prompt& prompt, std::span<const TokenId> ids, const Tokenizer& tokenizer);

}  // namespace continuo
