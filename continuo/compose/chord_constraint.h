#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "continuo/compose/bar_position.h"
#include "continuo/compose/token_constraint.h"
#include "continuo/core/result.h"
#include "continuo/score/chord.h"
#include "continuo/token/tokenizer.h"

namespace continuo {

/// The chords of each bar, which share the bar evenly.
using ChordProgression = std::vector<std::vector<Chord>>;

/// Reads "C | Am | F G7 | N": bars between strokes, chords as ParseChordName reads them. Fails,
/// naming the bar and what it has.
Result<ChordProgression> ParseChordProgression(std::string_view text);

/// A chord and its position in the bar under way.
struct DueChord {
  int position = 0;
  TokenId chord = kNoToken;
};

/// Allows a chord only where it is due, and nothing that passes its position. `due`: the next chord
/// that must come in the bar.
void RestrictChords(const std::optional<DueChord>& due, const BarPosition& at, const Vocabulary& vocabulary,
                    std::span<uint8_t> allowed);

/// Makes a piece follow a chord progression: its chord tokens are at the positions of the
/// progression and nowhere else, and no note or bar line comes before a chord that is due. A chord
/// that is already in force is not repeated.
class ChordConstraint final : public TokenConstraint {
 public:
  /// The progression, which is not empty, begins in bar `first_bar` and repeats until the end; bars
  /// before are free. Fails if the tokenizer has no chord tokens of this kind (only REMIChord and
  /// REMIPlan have), or a bar without a position for each chord. `tokenizer` must outlive the
  /// result and its clones.
  static Result<ChordConstraint> Create(const ChordProgression& chords, const Tokenizer& tokenizer,
                                        size_t first_bar = 0);

  void Restrict(std::span<uint8_t> allowed) const override;
  void Advance(TokenId id) override;
  std::unique_ptr<TokenConstraint> Clone() const override;
  bool CopyFrom(const TokenConstraint& other) override { return CopyState(*this, other); }

 private:
  /// The i-th of the n chords of a bar.
  struct Change {
    size_t i;
    size_t n;
    TokenId chord;
  };
  using Bars = std::vector<std::vector<Change>>;

  ChordConstraint(const Vocabulary& vocabulary, std::shared_ptr<const Bars> bars, size_t first_bar,
                  int positions_per_beat)
      : vocabulary_(&vocabulary),
        bars_(std::move(bars)),
        first_bar_(static_cast<int64_t>(first_bar)),
        positions_per_beat_(positions_per_beat) {}
  int PositionOf(const Change& change) const {
    return static_cast<int>(change.i * static_cast<size_t>(beats_ * positions_per_beat_) / change.n);
  }
  /// The next change of the bar under way that the stream does not have yet.
  std::optional<DueChord> Due() const;

  const Vocabulary* vocabulary_;
  std::shared_ptr<const Bars> bars_;
  int64_t first_bar_;
  int positions_per_beat_;
  int beats_ = 4;  // of the bar under way
  BarPosition at_;
  TokenId in_force_ = kNoToken;
};

}  // namespace continuo
