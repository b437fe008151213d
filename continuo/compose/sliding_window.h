#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "continuo/token/tokenizer.h"

namespace continuo {

/// What a model reads of a piece that has outgrown its context: as many of the last bars as fit
/// half of `context` ids, as Tokenizer::WindowFromBar gives them; if not even the last bar fits,
/// its end. `ids` are of the tokenizer's vocabulary, the result those that the model reads. The
/// other half is room to write. (With three quarters kept, the window slid twice as often, and the
/// shipped model, which reads the window again each time, took twice as long to score long songs,
/// for 0.08 % less NLL.)
std::vector<TokenId> SlidingWindow(const Tokenizer& tokenizer, std::span<const TokenId> ids, size_t context);

}  // namespace continuo
