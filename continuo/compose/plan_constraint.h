#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "continuo/compose/piece_plan.h"
#include "continuo/compose/token_constraint.h"
#include "continuo/core/result.h"
#include "continuo/token/tokenizer.h"

namespace continuo {

/// Gives each new bar the plan tokens that are asked for (see PlanBars). Tokens of a kind that is
/// not asked for are the model's choice, as in other bars.
class PlanConstraint final : public TokenConstraint {
 public:
  /// `plan` is of `bars` bars from `first_bar` on. Fails as PlanBars does, and if the tokenizer has
  /// no tokens for a part of the plan (only REMIPlan has). `tokenizer` must outlive the result and
  /// its clones.
  static Result<PlanConstraint> Create(const PiecePlan& plan, const Tokenizer& tokenizer, size_t first_bar,
                                       size_t bars);

  void Restrict(std::span<uint8_t> allowed) const override;
  void Advance(TokenId id) override;
  std::unique_ptr<TokenConstraint> Clone() const override;

 private:
  static constexpr size_t kKinds = 3;          // Repeat, Density, Loudness, in the order of the stream
  using Wanted = std::array<TokenId, kKinds>;  // kNoToken: not asked for

  PlanConstraint(const Vocabulary& vocabulary, std::vector<Wanted> bars, size_t first_bar);

  const Vocabulary* vocabulary_;
  std::shared_ptr<const std::vector<Wanted>> bars_;
  int64_t first_bar_;
  int64_t bar_ = -1;
  size_t next_ = kKinds;  // the first kind that may still come in the bar; kKinds: none
};

}  // namespace continuo
