#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "continuo/token/vocabulary.h"

namespace continuo {

/// Limits whose passing shows that a model is stuck. The defaults lie just beyond the extremes of
/// the 1,747 songs of Pop1K7: at most 4 bars in a row without an onset, 3 equal bars in a row, 12
/// notes that begin together.
struct GuardLimits {
  size_t silent_bars = 4;     // in a row, in which no note begins
  size_t equal_bars = 4;      // in a row, apart from velocities and tempo
  size_t notes_at_once = 16;  // that begin together
  bool operator==(const GuardLimits&) const = default;
};

enum class GuardKind { kSilence, kRepetition, kCrowd };

/// "silence", "repetition", "crowd".
std::string_view GuardName(GuardKind kind);

/// A bar, counted from 0, at whose end a limit was passed.
struct GuardEvent {
  size_t bar = 0;
  GuardKind kind = GuardKind::kSilence;
  bool operator==(const GuardEvent&) const = default;
};

/// Follows one piece token by token. A copy continues from the same state.
class BarGuard {
 public:
  /// `vocabulary` must outlive the guard.
  BarGuard(const Vocabulary& vocabulary, const GuardLimits& limits) : vocabulary_(&vocabulary), limits_(limits) {}

  void Add(TokenId id);
  /// Ends the bar. Returns the limit that is passed, the first in the order of GuardKind.
  std::optional<GuardKind> CloseBar();

 private:
  const Vocabulary* vocabulary_;
  GuardLimits limits_;
  std::vector<TokenId> bar_;  // of the bar under way, without velocities and tempo
  std::vector<TokenId> last_bar_;
  size_t notes_ = 0;
  size_t at_once_ = 0;
  bool crowded_ = false;
  size_t silent_run_ = 0;
  size_t equal_run_ = 1;
};

}  // namespace continuo
