#include "continuo/compose/pitch_constraint.h"

#include <algorithm>
#include <utility>

namespace continuo {

PitchConstraint::PitchConstraint(const Tokenizer& tokenizer, std::vector<HeldPitch> held)
    : vocabulary_(&tokenizer.vocabulary()),
      held_(std::make_shared<const std::vector<HeldPitch>>(std::move(held))),
      state_(tokenizer.NewState()) {
  for (const HeldPitch& note : *held_) {
    last_held_ = std::max(last_held_, note.end);
  }
}

void PitchConstraint::Restrict(std::span<uint8_t> allowed) const {
  const int32_t tick = state_.tick();
  const int program = state_.program();
  const auto forbid = [&](int pitch) {
    for (const TokenType type : {TokenType::kPitch, TokenType::kPitchDrum}) {
      if (const std::optional<TokenId> id = vocabulary_->id(type, pitch)) {
        allowed[static_cast<size_t>(*id)] = 0;
      }
    }
  };
  if (tick == tick_) {
    for (const auto& [struck_program, pitch] : struck_) {
      if (struck_program == program) {
        forbid(pitch);
      }
    }
  }
  for (const HeldPitch& note : *held_) {
    if (note.program == program && note.begin <= tick && tick < note.end) {
      forbid(note.pitch);
    }
  }
}

void PitchConstraint::Advance(TokenId id) {
  state_.Advance(id);
  if (!vocabulary_->begins_note(id)) {
    return;
  }
  if (state_.tick() != tick_) {
    tick_ = state_.tick();
    struck_.clear();
  }
  struck_.emplace_back(state_.program(), vocabulary_->info(id).value);
}

bool PitchConstraint::RestrictIds(const IdTrie& trie, std::span<uint8_t> allowed) const {
  const int32_t tick = state_.tick();
  if (vocabulary_->has(TokenType::kProgram) || last_held_ > tick) {
    return false;
  }
  const auto forbid = [&](std::span<const TokenId> ids) {
    for (const TokenId id : ids) {
      allowed[static_cast<size_t>(id)] = 0;
    }
  };
  if (tick == tick_) {
    for (const auto& struck : struck_) {
      for (const TokenType type : {TokenType::kPitch, TokenType::kPitchDrum}) {
        if (const std::optional<TokenId> token = vocabulary_->id(type, struck.second)) {
          forbid(trie.StrikingFirst(*token));
        }
      }
    }
  }
  forbid(trie.StrikingTwice());
  return true;
}

std::unique_ptr<TokenConstraint> PitchConstraint::Clone() const {
  return std::make_unique<PitchConstraint>(*this);
}

}  // namespace continuo
