#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "continuo/compose/bar_position.h"
#include "continuo/compose/token_constraint.h"
#include "continuo/token/plan.h"
#include "continuo/token/tokenizer.h"

namespace continuo {

/// Makes bars that are to repeat an earlier one (Repeat_L of REMIPlan, the model's choice or a
/// form's) have a share of its notes and chords.
///
/// Which ones is drawn when the Repeat comes, from a hash of the piece so far, so that it depends
/// on nothing else: each with a probability that is itself uniform around `recall`, for bars differ
/// in how closely they repeat. The model chooses what stands between them, and velocities and
/// lengths. With `recall` 0.8, 0.8 of the notes return on average. A bar that repeats one without
/// notes is the model's.
///
/// Each bar says which one it repeats, or none (models learn that a plan may be missing), and none
/// repeats a bar before the first of the piece.
class RepeatConstraint final : public TokenConstraint {
 public:
  /// `tokenizer` must have Repeat tokens, and outlive the constraint and its clones. `recall`: 0 to
  /// 1.
  RepeatConstraint(const Tokenizer& tokenizer, double recall);

  void Restrict(std::span<uint8_t> allowed) const override;
  void Advance(TokenId id) override;
  std::unique_ptr<TokenConstraint> Clone() const override;
  bool CopyFrom(const TokenConstraint& other) override { return CopyState(*this, other); }

 private:
  /// A note by its pitch token, or a chord.
  struct Item {
    int position = 0;
    TokenId id = kNoToken;
    bool operator==(const Item&) const = default;
  };
  using Bar = std::vector<Item>;
  struct SourceItem {
    Item item;
    bool returns = false;
    bool written = false;
  };

  void Write(const Item& item);
  void EndBar();
  void BeginRepeat(int lag);

  const Vocabulary* vocabulary_;
  double recall_;
  std::array<std::shared_ptr<const Bar>, kLongestRepeat> bars_{};  // complete bars: b at b % kLongestRepeat
  BarPosition at_;
  Bar written_;                     // of the bar under way
  std::vector<SourceItem> source_;  // of the bar that it repeats
  size_t others_ = 0;               // notes of the bar under way that stand for those that do not return
  bool in_note_ = false;            // a pitch or a velocity came last
  uint64_t hash_ = 0;               // of the tokens so far
};

}  // namespace continuo
