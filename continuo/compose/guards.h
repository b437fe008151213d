#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "continuo/token/tokenizer.h"

namespace continuo {

/// Signs that a model is stuck. The defaults lie just beyond what the 1,747 songs of Pop1K7 do: at most 4 bars in a row
/// without an onset, at most 3 equal bars in a row, at most 12 notes that begin together.
struct GuardLimits {
  size_t silent_bars = 4;     // in a row, in which no note begins
  size_t equal_bars = 4;      // in a row, apart from velocities and tempo
  size_t notes_at_once = 16;  // that begin together
  bool operator==(const GuardLimits&) const = default;
};

enum class GuardKind { kSilence, kRepetition, kCrowd };

/// "silence", "repetition", "crowd".
std::string_view GuardName(GuardKind kind);

/// A bar, counted from 0, after which a limit was passed.
struct GuardEvent {
  size_t bar = 0;
  GuardKind kind = GuardKind::kSilence;
  bool operator==(const GuardEvent&) const = default;
};

/// What a token means to the guards; made once for a vocabulary.
class GuardTable {
 public:
  explicit GuardTable(const Vocabulary& vocabulary);

 private:
  friend class BarGuard;
  enum class Role : uint8_t { kOther, kNote, kTime, kPassedOver };
  std::vector<Role> roles_;  // by id
};

/// Watches a piece token by token. A value: a copy goes on from where the original was.
class BarGuard {
 public:
  /// The table must outlive it.
  BarGuard(const GuardTable& table, const GuardLimits& limits) : table_(&table), limits_(limits) {}

  void Add(TokenId id);
  /// Ends the bar: the limit that it has passed, the first in the order of GuardKind.
  std::optional<GuardKind> CloseBar();

 private:
  const GuardTable* table_;
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
