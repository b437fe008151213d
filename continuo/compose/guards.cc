#include "continuo/compose/guards.h"

#include <array>
#include <utility>

namespace continuo {

std::string_view GuardName(GuardKind kind) {
  constexpr std::array<std::string_view, 3> kNames = {"silence", "repetition", "crowd"};
  return kNames[static_cast<size_t>(kind)];
}

void BarGuard::Add(TokenId id) {
  switch (vocabulary_->info(id).type) {
    case TokenType::kVelocity:
    case TokenType::kTempo:
    case TokenType::kBar:
    case TokenType::kBarEnd:
      return;
    case TokenType::kPitch:
    case TokenType::kPitchDrum:
    case TokenType::kKey:
    case TokenType::kDrumKey:
      ++notes_;
      crowded_ = ++at_once_ > limits_.notes_at_once || crowded_;
      break;
    case TokenType::kPosition:
    case TokenType::kBeat:
    case TokenType::kTimeShift:
    case TokenType::kRest:
      at_once_ = 0;
      break;
    default:
      break;
  }
  bar_.push_back(id);
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
