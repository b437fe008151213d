#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "continuo/token/token_tables.h"

namespace continuo {

/// See Tokenizer::BarOffsets.
std::vector<size_t> FindBarOffsets(std::span<const TokenId> ids, const TokenTables& tables);

/// See Tokenizer::WindowFromBar.
std::vector<TokenId> CutWindow(std::span<const TokenId> ids, size_t bar, const TokenTables& tables);

}  // namespace continuo
