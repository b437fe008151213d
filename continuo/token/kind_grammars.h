#pragma once

#include <memory>

#include "continuo/token/grammar.h"
#include "continuo/token/token_tables.h"

namespace continuo {

/// The grammars of streams with bars and positions, and of streams with time shifts. `tables` must
/// outlive the grammar and its clones.
std::unique_ptr<Grammar> NewRemiGrammar(const TokenTables& tables, const GrammarTarget& target);
std::unique_ptr<Grammar> NewShiftGrammar(const TokenTables& tables, const GrammarTarget& target);

}  // namespace continuo
