#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "continuo/core/result.h"
#include "continuo/score/bars.h"
#include "continuo/score/score.h"
#include "continuo/token/tokenizer.h"

namespace continuo {

/// The first bars of a piece as a model reads them.
struct ReadableBars {
  std::vector<TokenId> ids;  // up to the bar line after them, the next bar opened
  Tick line = 0;             // of that bar line, in the ticks of decoded scores
};

/// The time signatures of a tokenizer, "2/4, 3/4, 4/4"; "4/4" for one without.
std::string SignatureNames(const Tokenizer& tokenizer);

/// The TimeSig token of a time signature, or of another one whose bars are as long; kNoToken if
/// there is none.
TokenId SignatureToken(const Tokenizer& tokenizer, const TimeSignature& signature);

/// The decoded ticks of bars of these signatures.
int64_t DecodedTicks(std::span<const TimeSignature> signatures, const Tokenizer& tokenizer);

/// The time signatures that the first `bars` bars are read as, one per bar. A bar that the next
/// signature cuts short is read as a bar of its length. Fails, naming the piece by `name`, the bar,
/// its tick and its signature, if the tokenizer cannot express one.
Result<std::vector<TimeSignature>> ReadSignatures(int32_t ticks_per_quarter, const BarGrid& grid, size_t bars,
                                                  const Tokenizer& tokenizer, std::string_view name);

/// Reads the first bars of a score, whose grid is `grid`: one fewer than there are `signatures`,
/// but at least one. `signatures` are those that ReadSignatures gives for the bars, and that of the
/// bar that follows. A tokenizer of single tracks reads all tracks but drums as one. If `track`, an
/// index into the score's tracks, is given, that track alone is read. Fails, naming the piece, if
/// the tokens do not reach the bar line.
Result<ReadableBars> ReadBars(const Score& score, const BarGrid& grid, std::span<const TimeSignature> signatures,
                              const Tokenizer& tokenizer, std::string_view name,
                              std::optional<size_t> track = std::nullopt);

}  // namespace continuo
