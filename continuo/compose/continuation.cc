#include "continuo/compose/continuation.h"

#include <algorithm>

#include "continuo/compose/score_parts.h"
#include "continuo/score/bars.h"

namespace continuo {
namespace {

/// The ids of a score that ends at `bar_line`, including those that open the bar there.
std::vector<TokenId> PromptIds(Score score, size_t bars, Tick bar_line, const Tokenizer& tokenizer) {
  // A note at the bar line makes the tokenizer write everything that leads there: empty bars, time
  // shifts.
  score.tracks.front().notes.push_back({bar_line, score.ticks_per_quarter, 60, 64});
  std::vector<std::vector<TokenId>> streams = tokenizer.Encode(score);
  CONTINUO_CHECK(streams.size() == 1);
  std::vector<TokenId>& ids = streams.front();
  const std::vector<size_t> offsets = tokenizer.BarOffsets(ids);
  CONTINUO_CHECK(offsets.size() > bars);
  size_t end = offsets[bars];
  // The tokens that open the bar and those that end notes there belong to the prompt.
  const auto opens = [&](TokenId id) {
    switch (tokenizer.vocabulary().info(id).type) {
      case TokenType::kBar:
      case TokenType::kBarEnd:
      case TokenType::kTimeSig:
      case TokenType::kNoteOff:
      case TokenType::kDrumOff:
        return true;
      default:
        return false;
    }
  };
  while (end < ids.size() && opens(ids[end])) {
    ++end;
  }
  ids.resize(end);
  return ids;
}

}  // namespace

Result<Prompt> TakePrompt(const Score& score, size_t bars, const Tokenizer& tokenizer, std::string_view name,
                          std::optional<size_t> track) {
  CONTINUO_CHECK(bars >= 1);
  const size_t there = CountBars(score, BySignature(tokenizer));
  if (there < bars) {
    return MakeError("{}: has {} bars, but the prompt is to be its first {}", name, there, bars);
  }
  if (track && *track >= score.tracks.size()) {
    return MakeError("{}: has {} tracks, no track {}", name, score.tracks.size(), *track + 1);
  }
  Prompt prompt;
  prompt.track = track;
  prompt.bars = bars;
  prompt.bar_line = BarLine(score, bars, BySignature(tokenizer));
  prompt.score = SelectScore(score, [&](Tick time) { return time < prompt.bar_line; }, [](auto&) {});

  prompt.ids = PromptIds(ReadableScore(prompt.score, tokenizer, track), bars, prompt.bar_line, tokenizer);
  return prompt;
}

Continuation JoinContinuation(const Prompt& prompt, std::span<const TokenId> ids, const Tokenizer& tokenizer) {
  const std::vector<std::vector<TokenId>> streams(1, {ids.begin(), ids.end()});
  const Score decoded = tokenizer.Decode(streams);
  const Tick decoded_line = BarLine(decoded, prompt.bars, BySignature(tokenizer));
  const Score fresh = NewPart(decoded, decoded_line, prompt.score.ticks_per_quarter);

  Continuation joined;
  joined.whole = prompt.score;
  Score& whole = joined.whole;
  for (Track& track : whole.tracks) {
    const auto last_pedal = std::find_if(track.controls.rbegin(), track.controls.rend(),
                                         [](const ControlChange& change) { return change.number == 64; });
    if (last_pedal != track.controls.rend() && last_pedal->value >= 64) {
      track.controls.push_back({prompt.bar_line, 64, 0});
    }
    for (Pedal& pedal : track.pedals) {
      pedal.duration = std::min(pedal.duration, prompt.bar_line - pedal.time);
    }
  }

  const auto append = [&](Score& score, const Score& more, Tick at) {
    const Score moved = SelectScore(more, [](Tick) { return true; }, [&](auto& event) { event.time += at; });
    AppendSorted(score.tempos, moved.tempos);
    AppendSorted(score.time_signatures, moved.time_signatures);
    for (const Track& track : moved.tracks) {
      Track& home = prompt.track ? score.tracks[*prompt.track] : HomeOf(score, track, tokenizer);
      AppendSorted(home.notes, track.notes);
      AppendSorted(home.controls, track.controls);
      AppendSorted(home.pedals, track.pedals);
      AppendSorted(home.pitch_bends, track.pitch_bends);
    }
  };
  append(whole, fresh, prompt.bar_line);

  // What is in force at the bar line opens the new bars.
  Score& alone = joined.new_bars;
  alone.ticks_per_quarter = prompt.score.ticks_per_quarter;
  if (!prompt.score.tempos.empty()) {
    alone.tempos.push_back({0, prompt.score.tempos.back().us_per_quarter});
  }
  if (!prompt.score.time_signatures.empty()) {
    alone.time_signatures.push_back(prompt.score.time_signatures.back());
    alone.time_signatures.back().time = 0;
  }
  for (const Track& track : prompt.score.tracks) {
    Track& copy = alone.tracks.emplace_back();
    copy.name = track.name;
    copy.program = track.program;
    copy.is_drum = track.is_drum;
  }
  append(alone, fresh, 0);
  std::erase_if(alone.tracks, [](const Track& track) { return track.notes.empty() && track.controls.empty(); });
  return joined;
}

}  // namespace continuo
