#include "continuo/compose/repeat_constraint.h"

#include <algorithm>

#include "continuo/core/check.h"
#include "continuo/core/rng.h"

namespace continuo {

RepeatConstraint::RepeatConstraint(const Tokenizer& tokenizer, double recall)
    : vocabulary_(&tokenizer.vocabulary()), recall_(recall) {
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
  if (source_.empty() || in_note_) {
    return;
  }
  size_t replaced = 0;  // notes before the next item that returns, which do not
  const auto next = std::find_if(source_.begin(), source_.end(), [&](const SourceItem& source) {
    replaced += !source.returns && vocabulary_->begins_note(source.item.id) ? 1 : 0;
    return source.returns && (source.item.position > at_.position ||
                              (source.item.position == at_.position &&
                               allowed[static_cast<size_t>(source.item.id)] != 0 && !source.written));
  });
  if (next != source_.end() && next->item.position == at_.position) {
    AllowOnly(next->item.id, allowed);
    return;
  }
  if (next != source_.end()) {
    at_.ForbidPassing(next->item.position, *vocabulary_, allowed);
  }
  if (others_ < replaced) {
    return;
  }
  ForbidWhere(vocabulary_->range(TokenType::kPosition), allowed,
              [&](TokenId id) { return next == source_.end() || vocabulary_->info(id).value != next->item.position; });
  for (const TokenType type : {TokenType::kPitch, TokenType::kPitchDrum, TokenType::kChord, TokenType::kTempo}) {
    Forbid(type, *vocabulary_, allowed);
  }
}

void RepeatConstraint::Advance(TokenId id) {
  hash_ = Rng(hash_, static_cast<uint64_t>(id)).NextU64();
  const TokenInfo& token = vocabulary_->info(id);
  if (token.type == TokenType::kBar) {
    EndBar();
  }
  at_.Advance(token);
  in_note_ = vocabulary_->begins_note(id) || token.type == TokenType::kVelocity;
  if (token.type == TokenType::kRepeat) {
    BeginRepeat(token.value);
  } else if (vocabulary_->begins_note(id) || token.type == TokenType::kChord) {
    Write({at_.position, id});
  }
}

void RepeatConstraint::Write(const Item& item) {
  bool returns = false;
  for (SourceItem& source : source_) {
    if (source.returns && source.item == item) {
      source.written = true;
      returns = true;
    }
  }
  others_ += !returns && vocabulary_->begins_note(item.id) ? 1 : 0;
  written_.push_back(item);
}

void RepeatConstraint::EndBar() {
  if (at_.bar >= 0) {
    bars_[static_cast<size_t>(at_.bar) % bars_.size()] = std::make_shared<const Bar>(std::move(written_));
  }
  written_.clear();
  source_.clear();
  others_ = 0;
}

void RepeatConstraint::BeginRepeat(int lag) {
  if (lag == kNoRepeat || lag > at_.bar) {
    return;
  }
  const Bar& source = *bars_[static_cast<size_t>(at_.bar - lag) % bars_.size()];
  if (std::none_of(source.begin(), source.end(), [&](const Item& item) { return vocabulary_->begins_note(item.id); })) {
    return;  // to take over its silence would leave no room for the notes of the plan
  }
  Rng rng(hash_, 0);
  const double spread = std::min(recall_, 1.0 - recall_);
  const double share = recall_ + spread * (2.0 * rng.NextDouble() - 1.0);
  for (const Item& item : source) {
    source_.push_back({item, rng.NextDouble() < share});
  }
}

std::unique_ptr<TokenConstraint> RepeatConstraint::Clone() const {
  return std::make_unique<RepeatConstraint>(*this);
}

}  // namespace continuo
