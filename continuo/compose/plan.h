#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "continuo/core/result.h"
#include "continuo/score/chord_label.h"
#include "continuo/score/score.h"
#include "continuo/token/tokenizer.h"

namespace continuo {

/// What a piece is asked to keep to.
struct Plan {
  /// The chords of each bar, which share it evenly; from the start again where the piece is longer. Empty: as it comes.
  std::vector<std::vector<ChordLabel>> chords;
  std::optional<double> bpm;  // quarters a minute, throughout; within what the tokenizer's tempos span
  bool empty() const { return chords.empty() && !bpm; }
  bool operator==(const Plan&) const = default;
};

/// "C | Am | F G7 | N": bars between strokes, chords as on a lead sheet (see ParseChordName). Fails, naming the bar and
/// what it has.
Result<std::vector<std::vector<ChordLabel>>> ParseChordPlan(std::string_view text);

/// The tokens of a plan; made once for a tokenizer.
class PlanTable {
 public:
  /// Chords need a tokenizer whose tokens hold the harmony (remichord) and bars of one length; a tempo needs tempo
  /// tokens, of which the nearest is written. Fails where the tokenizer has none, or none so slow or fast.
  static Result<PlanTable> Create(const Plan& plan, const Tokenizer& tokenizer);

 private:
  friend class PlanFollower;
  struct Change {
    int position;
    TokenId chord;
  };
  enum class Role : uint8_t { kOther, kBar, kEnd, kPosition, kTempo, kChord };
  std::vector<Role> roles_;     // by id
  std::vector<int> positions_;  // by id, of kPosition
  std::vector<std::vector<Change>> bars_;
  TokenId tempo_ = -1;
};

/// What ids written to a plan say, at exactly the plan's tempo; the ids hold the nearest that they can.
Score DecodePlanned(std::span<const TokenId> ids, const Plan& plan, const Tokenizer& tokenizer);

/// Keeps one piece to a plan: its chords stand where the plan has them and nowhere else, and no note or bar line comes
/// before one that is due. The same for its tempo, at the beginning. A value: a copy goes on from where the original
/// was.
class PlanFollower {
 public:
  /// The table must outlive it.
  explicit PlanFollower(const PlanTable& table) : table_(&table) {}

  /// Takes from what the grammar allows what the plan does not; never all of it.
  void Restrict(std::span<uint8_t> allowed);
  /// Moves on by a token.
  void Advance(TokenId id);

 private:
  const PlanTable::Change* Due() const;

  const PlanTable* table_;
  int64_t bar_ = -1;
  int position_ = -1;
  TokenId in_force_ = -1;
  bool tempo_written_ = false;
  std::vector<uint8_t> kept_;  // scratch
};

}  // namespace continuo
