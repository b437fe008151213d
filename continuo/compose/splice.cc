#include "continuo/compose/splice.h"

#include <algorithm>
#include <cstdint>
#include <limits>

#include "continuo/compose/score_parts.h"
#include "continuo/compose/tempo_range.h"
#include "continuo/midi/note_pairs.h"
#include "continuo/token/stream_state.h"

namespace continuo {

std::shared_ptr<const TokenConstraint> TempoConstraintOf(const TempoRule& rule, const Score& score, Tick first,
                                                         Tick last, const Tokenizer& tokenizer) {
  if (rule.kind != TempoRule::Kind::kKeep || !tokenizer.vocabulary().has(TokenType::kTempo)) {
    return nullptr;
  }
  // The mean over time of the tempos in force.
  double sum = 0.0;
  bool constant = true;
  double in_force = Tempo().qpm();
  Tick since = first;
  for (const Tempo& tempo : score.tempos) {
    if (tempo.time > first && tempo.time < last) {
      sum += in_force * (tempo.time - since);
      since = tempo.time;
    }
    if (tempo.time < last) {
      constant = constant && (tempo.time == 0 || tempo.qpm() == in_force);
      in_force = tempo.qpm();
    }
  }
  sum += in_force * (last - since);
  if (constant || last <= first) {
    return std::make_shared<TempoRangeConstraint>(tokenizer.vocabulary(), 1.0, 0.0);
  }
  const double mean = sum / (last - first);
  return std::make_shared<TempoRangeConstraint>(tokenizer.vocabulary(), mean * (1 - kKeptTempoRange),
                                                mean * (1 + kKeptTempoRange));
}

std::vector<HeldPitch> HeldAt(const MidiDocument& document, const Voices& voices, const Seam& seam,
                              const Tokenizer& tokenizer, std::optional<size_t> voice) {
  const bool by_program = WritesPrograms(tokenizer);
  const int64_t decoded_resolution = tokenizer.NewState().ticks_per_quarter();
  const int64_t resolution = document.ticks_per_quarter();
  const Voice* main = MainVoice(voices, tokenizer, voice);
  std::vector<HeldPitch> held;
  for (const MidiNote& note : PairNotes(document)) {
    const bool sounds = note.begin < static_cast<uint32_t>(seam.line) && note.end > static_cast<uint32_t>(seam.line);
    if (!sounds || (main != nullptr && note.channel != main->channel)) {
      continue;
    }
    const int64_t ticks = int64_t{note.end} - seam.line;
    const int64_t decoded = (ticks * decoded_resolution + resolution - 1) / resolution;
    const int program = note.channel == kDrumChannel ? -1 : voices.ProgramOf(note);
    held.push_back({by_program ? std::optional(program) : std::nullopt, note.pitch, seam.decoded_line,
                    static_cast<int32_t>(std::min<int64_t>(seam.decoded_line + decoded, INT32_MAX))});
  }
  return held;
}

Score DecodeFrom(const Seam& seam, std::span<const TokenId> ids, int32_t ticks_per_quarter, const Tokenizer& tokenizer,
                 std::span<const KeptNote> kept) {
  const std::vector<std::vector<TokenId>> streams(1, {ids.begin(), ids.end()});
  Score decoded = tokenizer.Decode(streams);
  RemoveKept(decoded, kept);
  return NewPart(decoded, seam.decoded_line, ticks_per_quarter, Difference(seam.exact_line, {seam.line, 1}));
}

SplicedNotes SpliceNotes(MidiDocument& document, const Score& part, const SplicePlace& place, VoiceFinder& finder) {
  std::vector<NewMidiNote> notes;
  for (const Track& track : part.tracks) {
    for (const Note& note : track.notes) {
      const int64_t begin = std::min<int64_t>(int64_t{place.line} + note.time, place.bars_end - 1);
      const int64_t end = std::min<int64_t>(begin + std::max<Tick>(note.duration, 1), place.longest_end);
      const VoiceFinder::Place voice = finder.Find(track.program, track.is_drum, static_cast<uint32_t>(begin));
      notes.push_back({.track = voice.track,
                       .begin = static_cast<uint32_t>(begin),
                       .end = static_cast<uint32_t>(end),
                       .channel = voice.channel,
                       .pitch = note.pitch,
                       .velocity = std::clamp<uint8_t>(note.velocity, 1, 127)});
    }
  }
  const FittedNotes fitted = FitNotes(document, std::move(notes));
  InsertNotes(document, fitted.notes);
  return {fitted.notes.size(), fitted.shortened, fitted.dropped};
}

}  // namespace continuo
