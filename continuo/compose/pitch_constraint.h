#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "continuo/compose/token_constraint.h"
#include "continuo/token/stream_state.h"
#include "continuo/token/tokenizer.h"

namespace continuo {

/// A note of a piece that new notes must leave alone.
struct HeldPitch {
  std::optional<int> program;  // as Program tokens have it, -1 for drums; none: of all
  int pitch = 0;
  int32_t begin = 0;  // in the ticks of decoded scores
  int32_t end = 0;
};

/// Forbids to strike a pitch twice at one time, and a pitch that a kept note holds.
class PitchConstraint final : public TokenConstraint {
 public:
  /// `tokenizer` must outlive the constraint and its clones.
  explicit PitchConstraint(const Tokenizer& tokenizer, std::vector<HeldPitch> held = {});

  void Restrict(std::span<uint8_t> allowed) const override;
  void Advance(TokenId id) override;
  std::unique_ptr<TokenConstraint> Clone() const override;
  bool CopyFrom(const TokenConstraint& other) override { return CopyState(*this, other); }
  bool RestrictIds(const IdTrie& trie, std::span<uint8_t> allowed) const override;

 private:
  struct Struck {
    int program;
    int pitch;
    int32_t tick;   // that the stream had come to
    int32_t onset;  // the same but in PerTok
  };

  /// In BEAT: the keys of a beat, and what they do in its quarters.
  void RestrictBeat(std::span<uint8_t> allowed) const;
  /// In PerTok: when the note that has just begun does.
  void RestrictOnset(std::span<uint8_t> allowed) const;

  const Vocabulary* vocabulary_;
  std::shared_ptr<const std::vector<HeldPitch>> held_;
  StreamState state_;
  int32_t last_held_ = 0;     // the last end of `held_`
  int32_t most_shifted_ = 0;  // by how many ticks a MicroTiming moves a note at most
  bool begins_ = false;       // the last token began the note that is the last of `struck_`
  std::vector<Struck> struck_;
};

}  // namespace continuo
