#include "continuo/compose/pitch_constraint.h"

#include <algorithm>
#include <cstdlib>
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
  const IdRange timings = vocabulary_->range(TokenType::kMicroTiming);
  for (TokenId id = timings.first; id < timings.end(); ++id) {
    most_shifted_ = std::max(most_shifted_, std::abs(vocabulary_->info(id).value));
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
  for (const Struck& note : struck_) {
    if ((note.tick == tick || note.onset == tick) && note.program == program) {
      forbid(note.pitch);
    }
  }
  for (const HeldPitch& note : *held_) {
    if (note.program.value_or(program) == program && note.begin <= tick && tick < note.end) {
      forbid(note.pitch);
    }
  }
  if (begins_) {
    RestrictOnset(allowed);
  }
}

void PitchConstraint::RestrictOnset(std::span<uint8_t> allowed) const {
  const Struck& begun = struck_.back();
  const auto others = std::span(struck_).first(struck_.size() - 1);
  ForbidWhere(vocabulary_->range(TokenType::kMicroTiming), allowed, [&](TokenId id) {
    const int32_t onset = AddTicks(begun.tick, vocabulary_->info(id).value);
    return std::any_of(others.begin(), others.end(),
                       [&](const Struck& note) {
                         return note.program == begun.program && note.pitch == begun.pitch && note.onset == onset;
                       }) ||
           std::any_of(held_->begin(), held_->end(), [&](const HeldPitch& note) {
             return note.program.value_or(begun.program) == begun.program && note.pitch == begun.pitch &&
                    note.begin <= onset && onset < note.end;
           });
  });
}

void PitchConstraint::RestrictBeat(std::span<uint8_t> allowed) const {
  const int program = state_.program();
  const auto struck = [&](int key) {
    return std::any_of(struck_.begin(), struck_.end(), [&](const Struck& note) {
      return note.tick == state_.tick() && note.program == program && note.pitch == key;
    });
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
  const TokenInfo& info = vocabulary_->info(id);
  const int32_t tick = state_.tick();
  if (begins_ && info.type == TokenType::kMicroTiming) {
    struck_.back().onset = AddTicks(tick, info.value);
  }
  const bool is_pattern = info.type == TokenType::kPattern;
  begins_ = vocabulary_->begins_note(id);
  if (!begins_ && !is_pattern) {
    return;
  }
  std::erase_if(struck_, [&](const Struck& note) { return std::abs(note.tick - tick) > 2 * most_shifted_; });
  struck_.push_back({state_.program(), is_pattern ? state_.key() : info.value, tick, tick});
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
  for (const Struck& note : struck_) {
    for (const TokenType type : {TokenType::kPitch, TokenType::kPitchDrum}) {
      const std::optional<TokenId> token = vocabulary_->id(type, note.pitch);
      if (note.tick == tick && token) {
        forbid(trie.StrikingFirst(*token));
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
