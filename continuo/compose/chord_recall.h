#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "continuo/compose/bar_position.h"
#include "continuo/compose/chord_constraint.h"
#include "continuo/compose/token_constraint.h"
#include "continuo/token/plan.h"
#include "continuo/token/tokenizer.h"

namespace continuo {

/// Makes the chords of a share of the bars return from 4, 8 or 16 bars before.
///
/// Each bar draws, from a hash of the piece so far: mostly it goes on as the previous bar, so that
/// phrases return, else it takes a new distance, or none. Where chords return they are at the
/// positions of the earlier bar and nowhere else; its notes are the model's. A bar that repeats
/// another (Repeat_L of REMIPlan) or has another time signature is left alone.
class ChordRecallConstraint final : public TokenConstraint {
 public:
  /// `tokenizer` must have chord tokens, and outlive the constraint and its clones. `share`: 0 to
  /// 1.
  ChordRecallConstraint(const Tokenizer& tokenizer, double share);

  void Restrict(std::span<uint8_t> allowed) const override;
  void Advance(TokenId id) override;
  std::unique_ptr<TokenConstraint> Clone() const override;
  bool CopyFrom(const TokenConstraint& other) override { return CopyState(*this, other); }

 private:
  static constexpr int64_t kLongest = 16;  // bars that chords may return after

  struct Bar {
    TokenId signature = kNoToken;
    std::vector<DueChord> chords;  // the first at position 0, unless no chord is in force there
  };

  void NextBar();
  /// The next chord of the source that the bar under way does not have yet.
  std::optional<DueChord> Due() const;

  const Vocabulary* vocabulary_;
  double share_;
  std::array<std::shared_ptr<const Bar>, kLongest> bars_{};  // complete bars: b at b % kLongest
  BarPosition at_;
  Bar bar_;  // under way
  std::shared_ptr<const Bar> source_;
  int64_t distance_ = 0;  // of the bars that return now; 0: none
  TokenId in_force_ = kNoToken;
  uint64_t hash_ = 0;  // of the tokens so far
};

}  // namespace continuo
