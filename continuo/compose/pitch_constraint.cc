#include "continuo/compose/pitch_constraint.h"

#include <algorithm>
#include <utility>

#include "continuo/compose/bar_position.h"
#include "continuo/token/beat_pattern.h"

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
  if (vocabulary_->has(TokenType::kPattern)) {
    RestrictBeat(allowed);
    return;
  }
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
    if (note.program.value_or(program) == program && note.begin <= tick && tick < note.end) {
      forbid(note.pitch);
    }
  }
}

void PitchConstraint::RestrictBeat(std::span<uint8_t> allowed) const {
  const int program = state_.program();
  const auto struck = [&](int key) {
    return state_.tick() == tick_ &&
           std::find(struck_.begin(), struck_.end(), std::pair(program, key)) != struck_.end();
  };
  for (const TokenType type : {TokenType::kKey, TokenType::kDrumKey}) {
    ForbidWhere(vocabulary_->range(type), allowed,
                [&](TokenId id) { return struck(state_.KeyAfter(vocabulary_->info(id))); });
  }
  const int32_t step = state_.meter().ticks_per_beat() / kBeatSteps;
  for (const HeldPitch& note : *held_) {
    if (note.program.value_or(program) != program || note.pitch != state_.key()) {
      continue;
    }
    ForbidWhere(vocabulary_->range(TokenType::kPattern), allowed, [&](TokenId id) {
      for (size_t i = 0; i < kBeatPlaces.size(); ++i) {
        const int32_t tick = state_.tick() + static_cast<int32_t>(i) * step;
        if (BeatDigitOf(vocabulary_->info(id).value, i) == kOnsetStep && note.begin <= tick && tick < note.end) {
          return true;
        }
      }
      return false;
    });
  }
}

void PitchConstraint::Advance(TokenId id) {
  state_.Advance(id);
  const bool is_pattern = vocabulary_->info(id).type == TokenType::kPattern;
  if (!vocabulary_->begins_note(id) && !is_pattern) {
    return;
  }
  if (state_.tick() != tick_) {
    tick_ = state_.tick();
    struck_.clear();
  }
  struck_.emplace_back(state_.program(), is_pattern ? state_.key() : vocabulary_->info(id).value);
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
