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

/// The first bars of a piece, as music and as the ids that a model reads.
struct Prompt {
  Score score;  // the events before the bar line, unchanged: notes that sound across it have their full length
  size_t bars = 0;
  Tick bar_line = 0;            // where the new bars begin, in the score's ticks
  std::vector<TokenId> ids;     // up to the bar line, the first new bar opened; for Generate
  std::optional<size_t> track;  // read and continued alone; none: all tracks
};

/// Takes the first `bars` bars (1 or more) of a score. Bars are those of the tokenizer: of the time
/// signatures if it has tokens for them, of 4/4 from the start otherwise. A tokenizer of single
/// tracks reads all tracks but drums as one. If `track` (counted from 0) is given, that track alone
/// is read and continued; the others keep their events before the bar line. `name` stands for the
/// piece in messages. Fails if the score has fewer bars or no such track.
Result<Prompt> TakePrompt(const Score& score, size_t bars, const Tokenizer& tokenizer, std::string_view name,
                          std::optional<size_t> track = std::nullopt);

/// A prompt followed by new bars, and the new bars alone, from tick 0.
struct Continuation {
  Score whole;
  Score new_bars;
};

/// Decodes `ids`, which begin with the prompt's, and appends to the prompt the events at or after
/// the bar line. New notes join the track of their program, see HomeOf; a sustain pedal that is
/// down is released at the bar line.
Continuation JoinContinuation(const Prompt& prompt, std::span<const TokenId> ids, const Tokenizer& tokenizer);

}  // namespace continuo
