#include "continuo/compose/repeat_constraint.h"

#include <algorithm>

#include "continuo/core/check.h"
#include "continuo/core/rng.h"
#include "continuo/token/plan.h"

namespace continuo {

RepeatConstraint::RepeatConstraint(const Tokenizer& tokenizer, double recall)
    : vocabulary_(&tokenizer.vocabulary()), recall_(recall) {
  static_assert(std::tuple_size_v<decltype(bars_)> == kLongestRepeat);
  CONTINUO_CHECK(vocabulary_->has(TokenType::kRepeat));
}

void RepeatConstraint::Restrict(std::span<uint8_t> allowed) const {
  const IdRange& repeats = vocabulary_->range(TokenType::kRepeat);
  if (std::count(allowed.begin() + repeats.first, allowed.begin() + repeats.end(), 1) > 0) {
    for (TokenId id = 0; id < static_cast<TokenId>(allowed.size()); ++id) {
      if (!repeats.Contains(id) || vocabulary_->info(id).value > at_.bar) {
        allowed[static_cast<size_t>(id)] = 0;
      }
    }
    return;
  }
  if (wanted_.empty() || in_note_) {
    return;
  }
  const auto written = [&](const Item& item) {
    return std::find(written_.begin(), written_.end(), item) != written_.end();
  };
  for (const Item& item : wanted_) {
    if (item.position > at_.position) {
      at_.ForbidPassing(item.position, *vocabulary_, allowed);
      return;
    }
    if (item.position == at_.position && allowed[static_cast<size_t>(item.id)] != 0 && !written(item)) {
      AllowOnly(item.id, allowed);
      return;
    }
  }
}

void RepeatConstraint::Advance(TokenId id) {
  hash_ = Rng(hash_, static_cast<uint64_t>(id)).NextU64();
  const TokenInfo& token = vocabulary_->info(id);
  if (token.type == TokenType::kBar) {
    EndBar();
  }
  at_.Advance(token);
  in_note_ = token.type == TokenType::kPitch || token.type == TokenType::kVelocity;
  if (token.type == TokenType::kRepeat) {
    BeginRepeat(token.value);
  } else if (token.type == TokenType::kPitch || token.type == TokenType::kChord) {
    written_.push_back({at_.position, id});
  }
}

void RepeatConstraint::EndBar() {
  if (at_.bar >= 0) {
    bars_[static_cast<size_t>(at_.bar) % bars_.size()] = std::make_shared<const Bar>(std::move(written_));
  }
  written_.clear();
  wanted_.clear();
}

void RepeatConstraint::BeginRepeat(int lag) {
  if (lag == kNoRepeat || lag > at_.bar) {
    return;
  }
  Rng rng(hash_, 0);
  const double spread = std::min(recall_, 1.0 - recall_);
  const double share = recall_ + spread * (2.0 * rng.NextDouble() - 1.0);
  for (const Item& item : *bars_[static_cast<size_t>(at_.bar - lag) % bars_.size()]) {
    if (rng.NextDouble() < share) {
      wanted_.push_back(item);
    }
  }
}

std::unique_ptr<TokenConstraint> RepeatConstraint::Clone() const {
  return std::make_unique<RepeatConstraint>(*this);
}

}  // namespace continuo
