#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "continuo/compose/token_constraint.h"
#include "continuo/token/stream_state.h"
#include "continuo/token/tokenizer.h"

namespace continuo {

/// Keeps new notes from beginning before the first new bar: where the time of a note is its first
/// token (Structured), so that a prompt ends with its last note, and where a note may begin before
/// the time that the stream has come to (PerTok).
class BarLineConstraint final : public TokenConstraint {
 public:
  /// `line` is in ticks of decoded scores. `tokenizer` must outlive the constraint and its clones.
  BarLineConstraint(const Tokenizer& tokenizer, int32_t line)
      : vocabulary_(&tokenizer.vocabulary()), line_(line), state_(tokenizer.NewState()) {}

  static bool Needed(const Vocabulary& vocabulary) {
    return vocabulary.has(TokenType::kNoShift) || vocabulary.has(TokenType::kMicroTiming);
  }

  void Restrict(std::span<uint8_t> allowed) const override;
  void Advance(TokenId id) override { state_.Advance(id); }
  std::unique_ptr<TokenConstraint> Clone() const override { return std::make_unique<BarLineConstraint>(*this); }
  bool CopyFrom(const TokenConstraint& other) override { return CopyState(*this, other); }

 private:
  const Vocabulary* vocabulary_;
  int32_t line_;
  StreamState state_;
};

}  // namespace continuo
