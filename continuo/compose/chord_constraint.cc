#include "continuo/compose/chord_constraint.h"

#include <algorithm>
#include <utility>

namespace continuo {
namespace {

std::string_view Trim(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t");
  return first == std::string_view::npos ? std::string_view()
                                         : text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

}  // namespace

Result<ChordProgression> ParseChordProgression(std::string_view text) {
  ChordProgression bars;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find('|', begin), text.size());
    std::string_view cell = Trim(text.substr(begin, end - begin));
    begin = end + 1;
    if (cell.empty()) {
      return MakeError("chords: bar {} is empty, expected chords like \"C | Am | F G7\"", bars.size() + 1);
    }
    std::vector<Chord>& bar = bars.emplace_back();
    while (!cell.empty()) {
      const std::string_view name = cell.substr(0, cell.find_first_of(" \t"));
      const std::optional<Chord> chord = ParseChordName(name);
      if (!chord) {
        return MakeError("chords: bar {} has '{}', expected a chord like C, F#m7, Bbmaj7, Gsus4, Bdim, or N for none",
                         bars.size(), name);
      }
      bar.push_back(*chord);
      cell = Trim(cell.substr(name.size()));
    }
  }
  return bars;
}

void RestrictChords(const std::optional<DueChord>& due, const BarPosition& at, const Vocabulary& vocabulary,
                    std::span<uint8_t> allowed) {
  if (due && due->position == at.position && allowed[static_cast<size_t>(due->chord)] != 0) {
    AllowOnly(due->chord, allowed);
    return;
  }
  Forbid(TokenType::kChord, vocabulary, allowed);
  if (due) {
    at.ForbidPassing(due->position, vocabulary, allowed);
  }
}

Result<ChordConstraint> ChordConstraint::Create(const ChordProgression& chords, const Tokenizer& tokenizer,
                                                size_t first_bar) {
  CONTINUO_CHECK(!chords.empty());
  const Vocabulary& vocabulary = tokenizer.vocabulary();
  if (!vocabulary.has(TokenType::kChord)) {
    return Error{
        fmt::format("the model's tokens ({}) have no chords to ask for", RepresentationName(tokenizer.config())),
        "chords need a model of the tokenizer remichord or remiplan"};
  }
  int positions_per_beat = 1;
  for (const BeatRange& range : tokenizer.config().beat_res) {
    positions_per_beat = std::max(positions_per_beat, range.resolution);
  }
  int fewest_beats = 4;
  const IdRange signatures = vocabulary.range(TokenType::kTimeSig);
  for (TokenId id = signatures.first; id < signatures.end(); ++id) {
    fewest_beats = std::min(fewest_beats, vocabulary.time_signature(id).numerator);
  }
  const int positions = fewest_beats * positions_per_beat;
  auto bars = std::make_shared<Bars>();
  for (const std::vector<Chord>& of_bar : chords) {
    std::vector<Change>& bar = bars->emplace_back();
    if (of_bar.empty() || of_bar.size() > static_cast<size_t>(positions)) {
      return MakeError("chords: bar {} has {} of them, expected 1 to {}", bars->size(), of_bar.size(), positions);
    }
    for (size_t i = 0; i < of_bar.size(); ++i) {
      const std::optional<TokenId> id = vocabulary.id(TokenType::kChord, static_cast<int32_t>(of_bar[i].index()));
      if (!id) {
        return MakeError("chords: the model has no token for {}", of_bar[i].Text());
      }
      bar.push_back({i, of_bar.size(), *id});
    }
  }
  return ChordConstraint(vocabulary, std::move(bars), first_bar, positions_per_beat);
}

std::optional<DueChord> ChordConstraint::Due() const {
  if (at_.bar < first_bar_) {
    return std::nullopt;
  }
  for (const Change& change : (*bars_)[static_cast<size_t>(at_.bar - first_bar_) % bars_->size()]) {
    if (PositionOf(change) >= at_.position && change.chord != in_force_) {
      return DueChord{PositionOf(change), change.chord};
    }
  }
  return std::nullopt;
}

void ChordConstraint::Restrict(std::span<uint8_t> allowed) const {
  RestrictChords(Due(), at_, *vocabulary_, allowed);
}

void ChordConstraint::Advance(TokenId id) {
  const TokenInfo& token = vocabulary_->info(id);
  at_.Advance(token);
  if (token.type == TokenType::kChord) {
    in_force_ = id;
  } else if (token.type == TokenType::kTimeSig) {
    beats_ = vocabulary_->time_signature(id).numerator;
  }
}

std::unique_ptr<TokenConstraint> ChordConstraint::Clone() const {
  return std::make_unique<ChordConstraint>(*this);
}

}  // namespace continuo
