#include "continuo/compose/id_mask.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "continuo/core/check.h"
#include "continuo/token/trained_vocabulary.h"

namespace continuo {

namespace {

constexpr size_t kMostRemembered = size_t{32} << 20;  // bytes

/// By eight bits: eight bytes of 0 or 1.
std::array<std::array<uint8_t, 8>, 256> MakeSpread() {
  std::array<std::array<uint8_t, 8>, 256> spread{};
  for (size_t bits = 0; bits < spread.size(); ++bits) {
    for (size_t i = 0; i < 8; ++i) {
      spread[bits][i] = static_cast<uint8_t>(bits >> i & 1);
    }
  }
  return spread;
}

/// An eighth of the size, so that a mask comes from the cache rather than from memory.
std::vector<uint8_t> Pack(std::span<const uint8_t> mask) {
  std::vector<uint8_t> bits((mask.size() + 7) / 8);
  for (size_t i = 0; i < mask.size(); ++i) {
    bits[i / 8] = static_cast<uint8_t>(bits[i / 8] | mask[i] << i % 8);
  }
  return bits;
}

void Unpack(std::span<const uint8_t> bits, std::span<uint8_t> mask) {
  static const std::array<std::array<uint8_t, 8>, 256> spread = MakeSpread();
  size_t i = 0;
  for (; i + 8 <= mask.size(); i += 8) {
    std::memcpy(mask.data() + i, spread[bits[i / 8]].data(), 8);
  }
  for (; i < mask.size(); ++i) {
    mask[i] = static_cast<uint8_t>(bits[i / 8] >> i % 8 & 1);
  }
}

}  // namespace

IdMask::IdMask(const Tokenizer& tokenizer) : tokenizer_(tokenizer), trie_(tokenizer.trie()) {
  for (size_t id = 0; id < tokenizer.model_size(); ++id) {
    const auto tokens = tokenizer.trained()->Tokens(static_cast<TokenId>(id));
    if (tokens.empty()) {
      marks_.push_back(static_cast<TokenId>(id));
    } else if (tokens[0] == tokenizer.vocabulary().eos()) {
      eos_ids_.push_back(static_cast<TokenId>(id));
    }
  }
  all_sound_ = tokenizer.NewGrammar();
  if (!all_sound_->TakeAllToSound()) {
    all_sound_.reset();
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
  // Which notes sound is different nearly everywhere, and would be in the key.
  if (all_sound_ == nullptr) {
    RestrictByKey(grammar, allowed);
    return;
  }
  all_sound_->CopyFrom(grammar);
  all_sound_->TakeAllToSound();
  RestrictByKey(*all_sound_, allowed);
  RestrictBySounding(grammar, allowed);
}

void IdMask::RestrictBySounding(const Grammar& grammar, std::span<uint8_t> allowed) {
  now_.assign(tokenizer_.vocabulary().size(), 0);
  later_.assign(now_.size(), 0);
  grammar.CountSounding(now_, later_);
  kept_.clear();
  for (size_t token = 0; token < later_.size(); ++token) {
    if (later_[token] == 0) {
      continue;
    }
    for (const TokenId id : trie_.NeedingFirst(static_cast<TokenId>(token))) {
      const auto needs = trie_.Needs(id);
      if (allowed[static_cast<size_t>(id)] != 0 && std::all_of(needs.begin(), needs.end(), [&](const auto& need) {
            const auto of = static_cast<size_t>(need.token);
            return need.now <= now_[of] && need.later <= later_[of];
          })) {
        kept_.push_back(id);
      }
    }
  }
  for (const TokenId id : trie_.Needing()) {
    allowed[static_cast<size_t>(id)] = 0;
  }
  for (const TokenId id : kept_) {
    allowed[static_cast<size_t>(id)] = 1;
  }
  if (!eos_ids_.empty()) {
    token_allowed_.resize(tokenizer_.vocabulary().size());
    grammar.Allowed(token_allowed_);
    for (const TokenId id : eos_ids_) {
      allowed[static_cast<size_t>(id)] = token_allowed_[static_cast<size_t>(*tokenizer_.vocabulary().eos())];
    }
  }
}

void IdMask::RestrictByKey(const Grammar& grammar, std::span<uint8_t> allowed) {
  key_.clear();
  if (!grammar.AppendKey(trie_.horizon(), key_)) {
    WalkGrammar(grammar, allowed);
    return;
  }
  if (const auto known = by_grammar_.find(key_); known != by_grammar_.end()) {
    Unpack(known->second, allowed);
    return;
  }
  WalkGrammar(grammar, allowed);
  std::vector<uint8_t> bits = Pack(allowed);
  if ((by_grammar_.size() + 1) * bits.size() > kMostRemembered) {
    by_grammar_.clear();
  }
  by_grammar_.emplace(key_, std::move(bits));
}

template <typename Open, typename Copy, typename Take>
void IdMask::Walk(uint32_t first, uint32_t end, std::span<uint8_t> allowed, const Open& open, const Copy& copy,
                  const Take& take) {
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
    size_t depth = ends_.size() - 1;
    if (masks_[depth][static_cast<size_t>(node.token)] == 0) {
      place = node.end;
      continue;
    }
    for (const TokenId id : trie_.ids(node)) {
      allowed[static_cast<size_t>(id)] = 1;
    }
    ++place;
    if (place < node.end) {
      // Below the last node of a depth its state is the last that is needed there.
      if (depth == 0 || node.end < ends_.back()) {
        copy(++depth);
        ends_.push_back(node.end);
      }
      take(depth, node.token);
      open_depth(depth);
    }
  }
}

void IdMask::WalkGrammar(const Grammar& grammar, std::span<uint8_t> allowed) {
  std::fill(allowed.begin(), allowed.end(), uint8_t{0});
  const auto state = [&](size_t depth) -> const Grammar& { return depth == 0 ? grammar : *grammars_[depth - 1]; };
  Walk(
      0, static_cast<uint32_t>(trie_.nodes().size()), allowed,
      [&](size_t depth, std::span<uint8_t> mask) { state(depth).Allowed(mask); },
      [&](size_t depth) {
        if (grammars_.size() < depth) {
          grammars_.push_back(state(depth - 1).Clone());
        } else {
          grammars_[depth - 1]->CopyFrom(state(depth - 1));
        }
      },
      [&](size_t depth, TokenId token) { CONTINUO_CHECK(grammars_[depth - 1]->Advance(token)); });
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
    lists_.push_back(constraints);
  } else {
    lists_[0].CopyFrom(constraints);
  }
  Walk(
      first, end, allowed, [&](size_t depth, std::span<uint8_t> mask) { lists_[depth].Restrict(mask); },
      [&](size_t depth) {
        if (lists_.size() <= depth) {
          lists_.push_back(lists_[depth - 1]);
        } else {
          lists_[depth].CopyFrom(lists_[depth - 1]);
        }
      },
      [&](size_t depth, TokenId token) { lists_[depth].Take(token); });
}

}  // namespace continuo
