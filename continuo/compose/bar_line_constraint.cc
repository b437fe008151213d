#include "continuo/compose/bar_line_constraint.h"

#include "continuo/compose/bar_position.h"

namespace continuo {

void BarLineConstraint::Restrict(std::span<uint8_t> allowed) const {
  ForbidWhere(vocabulary_->range(TokenType::kMicroTiming), allowed,
              [&](TokenId id) { return AddTicks(state_.tick(), vocabulary_->info(id).value) < line_; });
  if (state_.tick() >= line_) {
    return;
  }
  Forbid(TokenType::kNoShift, *vocabulary_, allowed);
  ForbidWhere(vocabulary_->range(TokenType::kTimeShift), allowed, [&](TokenId id) {
    return state_.tick() + state_.meter().TimeTicks(vocabulary_->info(id).value) < line_;
  });
}

}  // namespace continuo
