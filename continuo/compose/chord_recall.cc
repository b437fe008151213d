#include "continuo/compose/chord_recall.h"

#include <algorithm>

#include "continuo/core/check.h"
#include "continuo/core/rng.h"

namespace continuo {
namespace {

// A bar's probability to return from as far as the previous bar: 7 bars in a row on average. With
// the distances' shares, the chords of pieces return about as often as in Pop1K7
// (docs/results/models.md).
constexpr double kGoesOn = 0.85;

struct Distance {
  int64_t bars;
  double share;
};
constexpr std::array<Distance, 3> kDistances = {{{4, 0.45}, {8, 0.32}, {16, 0.23}}};

}  // namespace

ChordRecallConstraint::ChordRecallConstraint(const Tokenizer& tokenizer, double share)
    : vocabulary_(&tokenizer.vocabulary()), share_(share) {
  CONTINUO_CHECK(vocabulary_->has(TokenType::kChord));
}

std::optional<DueChord> ChordRecallConstraint::Due() const {
  const auto due = std::find_if(source_->chords.begin(), source_->chords.end(), [&](const DueChord& chord) {
    return chord.position >= at_.position && chord.chord != in_force_;
  });
  return due == source_->chords.end() ? std::nullopt : std::optional(*due);
}

void ChordRecallConstraint::Restrict(std::span<uint8_t> allowed) const {
  if (source_) {
    RestrictChords(Due(), at_, *vocabulary_, allowed);
  }
}

void ChordRecallConstraint::Advance(TokenId id) {
  hash_ = Rng(hash_, static_cast<uint64_t>(id)).NextU64();
  const TokenInfo& token = vocabulary_->info(id);
  if (token.type == TokenType::kBar) {
    NextBar();
  }
  at_.Advance(token);
  if (token.type == TokenType::kTimeSig) {
    bar_.signature = id;
    if (source_ && source_->signature != id) {
      source_.reset();
    }
  } else if (token.type == TokenType::kRepeat && token.value != kNoRepeat) {
    source_.reset();
  } else if (token.type == TokenType::kChord) {
    in_force_ = id;
    const int position = std::max(at_.position, 0);
    if (!bar_.chords.empty() && bar_.chords.back().position == position) {
      bar_.chords.pop_back();
    }
    bar_.chords.push_back({position, id});
  }
}

void ChordRecallConstraint::NextBar() {
  if (at_.bar >= 0) {
    bars_[static_cast<size_t>(at_.bar % kLongest)] = std::make_shared<const Bar>(std::move(bar_));
  }
  const int64_t bar = at_.bar + 1;
  bar_ = {};
  if (in_force_ != kNoToken) {
    bar_.chords.push_back({0, in_force_});
  }
  Rng rng(hash_, 0);
  if (rng.NextDouble() >= kGoesOn || bar == 0) {
    distance_ = 0;
    double below = rng.NextDouble();
    for (const Distance& distance : kDistances) {
      below -= share_ * distance.share;
      if (below < 0.0) {
        distance_ = distance.bars;
        break;
      }
    }
  }
  source_ = distance_ > 0 && distance_ <= bar ? bars_[static_cast<size_t>((bar - distance_) % kLongest)] : nullptr;
}

std::unique_ptr<TokenConstraint> ChordRecallConstraint::Clone() const {
  return std::make_unique<ChordRecallConstraint>(*this);
}

}  // namespace continuo
