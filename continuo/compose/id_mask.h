#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "continuo/compose/token_constraint.h"
#include "continuo/token/tokenizer.h"

namespace continuo {

/// Finds which ids of a trained vocabulary may come next: those all of whose tokens may come one
/// after the other, each with the state that the tokens before it lead to. Constraints that know at
/// a glance what they forbid are asked once; else the tree of tokens is walked with all of them.
/// What the grammar allows is remembered by its key. Not thread-safe.
class IdMask {
 public:
  /// Of a tokenizer that is trained and outlives the object.
  explicit IdMask(const Tokenizer& tokenizer);

  /// Sets allowed[id] to 1 for ids that may come next and to 0 for the others. `allowed` has the
  /// vocabulary's size. `begun` are tokens that `constraints` have taken and no id stands for yet:
  /// ids that begin with them may come, and those that stand for a part of them. The mark that
  /// begins a word may come where another id may, but not with `after_mark`. False if none may:
  /// only a vocabulary without an id for each token has such places.
  bool Restrict(const ConstraintList& constraints, std::span<const TokenId> begun, bool after_mark,
                std::span<uint8_t> allowed);

 private:
  void RestrictByGrammar(const Grammar& grammar, std::span<uint8_t> allowed);
  /// Of a state that has a key.
  void RestrictByKey(const Grammar& grammar, std::span<uint8_t> allowed);
  /// Forbids ids that end notes which do not sound in `grammar`, and allows its EOS.
  void RestrictBySounding(const Grammar& grammar, std::span<uint8_t> allowed);
  void WalkGrammar(const Grammar& grammar, std::span<uint8_t> allowed);
  void WalkAll(const ConstraintList& constraints, std::span<const TokenId> begun, std::span<uint8_t> allowed);
  /// Walks the nodes from `first` to `end`. `open(depth)` makes the mask of that depth's state, the
  /// first being 0; `copy(depth)` makes the state of a depth that of the one above;
  /// `take(depth, token)` moves it on.
  template <typename Open, typename Copy, typename Take>
  void Walk(uint32_t first, uint32_t end, std::span<uint8_t> allowed, const Open& open, const Copy& copy,
            const Take& take);

  const Tokenizer& tokenizer_;
  const IdTrie& trie_;
  std::vector<TokenId> marks_;    // ids that stand for nothing
  std::vector<TokenId> eos_ids_;  // ids that stand for EOS

  // Where a grammar can take all notes to sound:
  std::unique_ptr<Grammar> all_sound_;
  std::vector<uint8_t> token_allowed_;
  std::vector<uint16_t> now_;
  std::vector<uint16_t> later_;
  std::vector<TokenId> kept_;

  std::unordered_map<std::string, std::vector<uint8_t>> by_grammar_;  // a bit for each id
  std::string key_;
  // By depth, for walks.
  std::vector<std::vector<uint8_t>> masks_;
  std::vector<uint32_t> ends_;
  std::vector<ConstraintList> lists_;
  std::vector<std::unique_ptr<Grammar>> grammars_;
};

}  // namespace continuo
