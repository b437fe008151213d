#include "continuo/compose/continuation.h"

#include <algorithm>
#include <bitset>
#include <cmath>
#include <iterator>
#include <limits>
#include <utility>

#include "continuo/compose/bar_line_constraint.h"
#include "continuo/compose/readable_bars.h"
#include "continuo/compose/signature_constraint.h"
#include "continuo/midi/midi_format.h"
#include "continuo/score/bars.h"

namespace continuo {
namespace {

constexpr Tick kLast = std::numeric_limits<Tick>::max();

/// The signature, tempos, pedals and bends of the new bars. `part` counts from the bar line.
void SpliceEvents(MidiDocument& document, const Prompt& prompt, const Score& part, VoiceFinder& finder) {
  if (document.tracks.empty()) {
    document.tracks.emplace_back();
  }
  std::vector<MidiInsertion> insertions;
  const auto time_of = [&](int64_t time) {
    return static_cast<uint32_t>(std::min<int64_t>(int64_t{prompt.seam.line} + time, kLast));
  };
  const auto append = [&](uint32_t track, const MidiEvent& event) { insertions.push_back({track, 0, event}); };
  if (prompt.signature) {
    const TimeSignature& signature = *prompt.signature;
    append(0, document.NewMeta(time_of(0), kMetaTimeSignature,
                               TimeSignatureData(signature.numerator, signature.denominator)));
  }
  if (prompt.tempo.kind == TempoRule::Kind::kFixed) {
    const auto us_per_quarter = static_cast<int32_t>(std::lround(60e6 / prompt.tempo.bpm));
    append(0, document.NewMeta(time_of(0), kMetaTempo, TempoData(us_per_quarter)));
  } else {
    for (const Tempo& tempo : part.tempos) {
      append(0, document.NewMeta(time_of(tempo.time), kMetaTempo, TempoData(tempo.us_per_quarter)));
    }
  }
  for (const Track& track : part.tracks) {
    for (const Pedal& pedal : track.pedals) {
      const VoiceFinder::Place place = finder.Find(track.program, track.is_drum, time_of(pedal.time));
      const auto status = static_cast<uint8_t>(kControlChange | place.channel);
      append(place.track, NewMessage(time_of(pedal.time), status, kSustainPedal, 127));
      append(place.track, NewMessage(time_of(int64_t{pedal.time} + pedal.duration), status, kSustainPedal, 0));
    }
    for (const PitchBend& bend : track.pitch_bends) {
      const VoiceFinder::Place place = finder.Find(track.program, track.is_drum, time_of(bend.time));
      const auto status = static_cast<uint8_t>(kPitchBend | place.channel);
      const int value = std::clamp(bend.value + kPitchBendCentre, 0, 16383);
      append(place.track, NewMessage(time_of(bend.time), status, static_cast<uint8_t>(value & 0x7F),
                                     static_cast<uint8_t>(value >> 7)));
    }
  }
  // After what a track has at that time, which includes what the finder has inserted.
  for (MidiInsertion& insertion : insertions) {
    insertion.index = FirstAfter(document.tracks[insertion.track], insertion.event.time);
  }
  InsertEvents(document, std::move(insertions));
}

}  // namespace

Result<Prompt> TakePrompt(const MidiPiece& piece, size_t bars, size_t new_bars, const Tokenizer& tokenizer,
                          const TempoRule& tempo, std::optional<size_t> track) {
  CONTINUO_CHECK(bars >= 1 && new_bars >= 1);
  const Score& score = piece.score();
  const size_t there = CountBars(score);
  if (there < bars) {
    return Error{fmt::format("{}: has {} {}, but the prompt is to be its first {}", piece.name(), there,
                             there == 1 ? "bar" : "bars", bars),
                 there == 0 ? "it has no notes" : fmt::format("ask for at most {} prompt bars", there)};
  }
  if (track && *track >= score.tracks.size()) {
    return MakeError("{}: has {} tracks, no track {}", piece.name(), score.tracks.size(), *track + 1);
  }
  const BarGrid grid(score);
  const Tick line = grid.Line(bars);
  // New bars have the last bar's signature. If the bar line cuts that bar short, they have the one
  // that does.
  Score before;
  before.ticks_per_quarter = score.ticks_per_quarter;
  std::copy_if(score.time_signatures.begin(), score.time_signatures.end(), std::back_inserter(before.time_signatures),
               [line](const TimeSignature& signature) { return signature.time < line; });
  const bool cut = grid.IsCut(bars - 1);
  if (cut) {
    before.time_signatures.push_back(grid.Signature(bars));
  }
  const BarGrid continued(before);
  CONTINUO_ASSIGN(const std::vector<TimeSignature> signatures,
                  ReadSignatures(score.ticks_per_quarter, continued, bars + 1, tokenizer, piece.name()));
  if (continued.Line(bars + new_bars + 1) == kLast) {
    return MakeError("{}: {} new bars after tick {} would end after the last tick of a MIDI file, {}", piece.name(),
                     new_bars, line, kLast);
  }

  Prompt prompt{.kept = piece.document(),
                .voices = Voices(piece.document(), static_cast<uint32_t>(line)),
                .name = piece.name(),
                .seam = {},
                .end = continued.Line(bars + new_bars),
                .tempo = tempo,
                .signature = cut ? std::optional(grid.Signature(bars)) : std::nullopt,
                .voice = track};
  Seam& seam = prompt.seam;
  seam.line = line;
  seam.exact_line = continued.ExactLine(bars);
  CONTINUO_ASSIGN(ReadableBars read, ReadBars(score, continued, signatures, tokenizer, piece.name(), track));
  seam.ids = std::move(read.ids);
  seam.decoded_line = read.line;

  KeepBefore(prompt.kept, static_cast<uint32_t>(line));
  seam.pitches =
      std::make_shared<PitchConstraint>(tokenizer, HeldAt(prompt.kept, prompt.voices, seam, tokenizer, track));
  if (auto range = TempoConstraintOf(tempo, score, grid.Line(bars - std::min(bars, kTempoBars)), line, tokenizer)) {
    seam.constraints.push_back(std::move(range));
  }
  if (BarLineConstraint::Needed(tokenizer.vocabulary())) {
    seam.constraints.push_back(std::make_shared<BarLineConstraint>(tokenizer, seam.decoded_line));
  }
  if (tokenizer.config().use_time_signatures) {
    seam.constraints.push_back(std::make_shared<SignatureConstraint>(tokenizer, bars, std::span(signatures).last(1)));
  }
  return prompt;
}

Result<Continuation> JoinContinuation(const Prompt& prompt, std::span<const TokenId> ids, const Tokenizer& tokenizer) {
  const Score part = DecodeFrom(prompt.seam, ids, prompt.kept.ticks_per_quarter(), tokenizer);
  const auto line = static_cast<uint32_t>(prompt.seam.line);

  MidiDocument document = prompt.kept;
  VoiceFinder finder(document, prompt.voices, tokenizer, line, prompt.voice);
  std::bitset<kMidiChannels> sounding;
  for (const Track& track : part.tracks) {
    if (!track.notes.empty()) {
      sounding.set(finder.Find(track.program, track.is_drum, line).channel);
    }
  }
  Continuation joined;
  joined.raised = ResetChannels(document, line, sounding);
  SpliceEvents(document, prompt, part, finder);
  joined.notes = SpliceNotes(document, part, {prompt.seam.line, prompt.end, kLast}, finder);
  CONTINUO_ASSIGN(joined.whole, MidiPiece::FromDocument(std::move(document), prompt.name));
  return joined;
}

}  // namespace continuo
