#include "continuo/compose/guards.h"

#include <array>
#include <utility>

namespace continuo {
namespace {

bool StartsWithAny(std::string_view token, std::initializer_list<std::string_view> prefixes) {
  for (const std::string_view prefix : prefixes) {
    if (token.starts_with(prefix)) {
      return true;
    }
  }
  return false;
}

}  // namespace

std::string_view GuardName(GuardKind kind) {
  constexpr std::array<std::string_view, 3> kNames = {"silence", "repetition", "crowd"};
  return kNames[static_cast<size_t>(kind)];
}

GuardTable::GuardTable(const Vocabulary& vocabulary) : roles_(vocabulary.size(), Role::kOther) {
  for (size_t id = 0; id < roles_.size(); ++id) {
    const std::string& token = vocabulary.token(static_cast<TokenId>(id));
    if (StartsWithAny(token, {"Pitch_", "PitchDrum_", "NoteOn_", "DrumOn_"})) {
      roles_[id] = Role::kNote;
    } else if (StartsWithAny(token, {"Position_", "TimeShift_", "Rest_"})) {
      roles_[id] = Role::kTime;
    } else if (StartsWithAny(token, {"Velocity_", "Tempo_", "Bar_"})) {
      roles_[id] = Role::kPassedOver;
    }
  }
}

void BarGuard::Add(TokenId id) {
  using Role = GuardTable::Role;
  const Role role = table_->roles_[static_cast<size_t>(id)];
  if (role == Role::kNote) {
    ++notes_;
    crowded_ = ++at_once_ > limits_.notes_at_once || crowded_;
  } else if (role == Role::kTime) {
    at_once_ = 0;
  }
  if (role != Role::kPassedOver) {
    bar_.push_back(id);
  }
}

std::optional<GuardKind> BarGuard::CloseBar() {
  silent_run_ = notes_ == 0 ? silent_run_ + 1 : 0;
  equal_run_ = notes_ > 0 && bar_ == last_bar_ ? equal_run_ + 1 : 1;
  std::optional<GuardKind> passed;
  if (silent_run_ > limits_.silent_bars) {
    passed = GuardKind::kSilence;
  } else if (equal_run_ > limits_.equal_bars) {
    passed = GuardKind::kRepetition;
  } else if (crowded_) {
    passed = GuardKind::kCrowd;
  }
  last_bar_ = std::exchange(bar_, {});
  notes_ = 0;
  at_once_ = 0;
  crowded_ = false;
  return passed;
}

}  // namespace continuo
