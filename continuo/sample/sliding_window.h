#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "continuo/token/tokenizer.h"

namespace continuo {

/// What a model reads of a piece that has outgrown its context: the most of the piece's last bars that fit
/// three quarters of `context` tokens, as Tokenizer::WindowFromBar gives them. The quarter that is left
/// is room to write. Where the last bar alone is longer than that, its end.
std::vector<TokenId> SlidingWindow(const Tokenizer& tokenizer, std::span<const TokenId> ids, size_t context);

}  // namespace continuo
