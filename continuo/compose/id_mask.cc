#include "continuo/compose/id_mask.h"

#include <algorithm>

#include "continuo/core/check.h"
#include "continuo/token/trained_vocabulary.h"

namespace continuo {

namespace {

constexpr size_t kMostRemembered = size_t{32} << 20;  // bytes

}  // namespace

IdMask::IdMask(const Tokenizer& tokenizer) : tokenizer_(tokenizer), trie_(tokenizer.trie()) {
  for (size_t id = 0; id < tokenizer.model_size(); ++id) {
    if (tokenizer.trained()->Tokens(static_cast<TokenId>(id)).empty()) {
      marks_.push_back(static_cast<TokenId>(id));
    }
  }
}

bool IdMask::Restrict(const ConstraintList& constraints, std::span<const TokenId> begun, bool after_mark,
                      std::span<uint8_t> allowed) {
  const auto any = [&] { return std::find(allowed.begin(), allowed.end(), 1) != allowed.end(); };
  if (begun.empty()) {
    RestrictByGrammar(constraints.grammar(), allowed);
  }
  if (!begun.empty() || !constraints.RestrictIds(trie_, allowed)) {
    WalkAll(constraints, begun, allowed);
  }
  if (!any()) {
    return false;
  }
  for (const TokenId mark : marks_) {
    allowed[static_cast<size_t>(mark)] = after_mark ? 0 : 1;
  }
  return true;
}

void IdMask::RestrictByGrammar(const Grammar& grammar, std::span<uint8_t> allowed) {
  key_.clear();
  if (!grammar.AppendKey(trie_.horizon(), key_)) {
    WalkGrammar(grammar, allowed);
    return;
  }
  if (const auto known = by_grammar_.find(key_); known != by_grammar_.end()) {
    std::copy(known->second.begin(), known->second.end(), allowed.begin());
    return;
  }
  WalkGrammar(grammar, allowed);
  if ((by_grammar_.size() + 1) * allowed.size() > kMostRemembered) {
    by_grammar_.clear();
  }
  by_grammar_.emplace(key_, std::vector<uint8_t>(allowed.begin(), allowed.end()));
}

template <typename Open, typename Enter>
void IdMask::Walk(uint32_t first, uint32_t end, std::span<uint8_t> allowed, const Open& open, const Enter& enter) {
  const auto nodes = trie_.nodes();
  const auto open_depth = [&](size_t depth) {
    if (masks_.size() <= depth) {
      masks_.emplace_back(tokenizer_.vocabulary().size());
    }
    open(depth, std::span<uint8_t>(masks_[depth]));
  };
  ends_.assign(1, end);
  open_depth(0);
  for (uint32_t place = first; place < end;) {
    while (place == ends_.back()) {
      ends_.pop_back();
    }
    const IdTrie::Node& node = nodes[place];
    const size_t depth = ends_.size() - 1;
    if (masks_[depth][static_cast<size_t>(node.token)] == 0) {
      place = node.end;
      continue;
    }
    for (const TokenId id : trie_.ids(node)) {
      allowed[static_cast<size_t>(id)] = 1;
    }
    ++place;
    if (place < node.end) {
      enter(depth + 1, node.token);
      ends_.push_back(node.end);
      open_depth(depth + 1);
    }
  }
}

void IdMask::WalkGrammar(const Grammar& grammar, std::span<uint8_t> allowed) {
  std::fill(allowed.begin(), allowed.end(), uint8_t{0});
  const auto state = [&](size_t depth) -> const Grammar& { return depth == 0 ? grammar : *grammars_[depth - 1]; };
  Walk(
      0, static_cast<uint32_t>(trie_.nodes().size()), allowed,
      [&](size_t depth, std::span<uint8_t> mask) { state(depth).Allowed(mask); },
      [&](size_t depth, TokenId token) {
        if (grammars_.size() < depth) {
          grammars_.push_back(state(depth - 1).Clone());
        } else {
          grammars_[depth - 1]->CopyFrom(state(depth - 1));
        }
        CONTINUO_CHECK(grammars_[depth - 1]->Advance(token));
      });
}

void IdMask::WalkAll(const ConstraintList& constraints, std::span<const TokenId> begun, std::span<uint8_t> allowed) {
  std::fill(allowed.begin(), allowed.end(), uint8_t{0});
  // Where the tokens that are begun lead to.
  uint32_t first = 0;
  auto end = static_cast<uint32_t>(trie_.nodes().size());
  for (const TokenId token : begun) {
    const uint32_t child = trie_.FindChild(first, end, token);
    if (child == end) {
      return;
    }
    const IdTrie::Node& node = trie_.nodes()[child];
    for (const TokenId id : trie_.ids(node)) {
      allowed[static_cast<size_t>(id)] = 1;
    }
    first = child + 1;
    end = node.end;
  }
  if (lists_.empty()) {
    lists_.push_back(constraints.Clone());
  } else {
    lists_[0].CopyFrom(constraints);
  }
  Walk(
      first, end, allowed, [&](size_t depth, std::span<uint8_t> mask) { lists_[depth].Restrict(mask); },
      [&](size_t depth, TokenId token) {
        if (lists_.size() <= depth) {
          lists_.push_back(lists_[depth - 1].Clone());
        } else {
          lists_[depth].CopyFrom(lists_[depth - 1]);
        }
        lists_[depth].Take(token);
      });
}

}  // namespace continuo
