#include "continuo/sample/continuation.h"

#include <algorithm>
#include <iterator>

#include "continuo/score/bars.h"

namespace continuo {
namespace {

const auto kEarlier = [](const auto& a, const auto& b) { return a.time < b.time; };

/// Copies what `keep` accepts, moved by `shift` ticks.
template <typename Event, typename Keep, typename Move>
std::vector<Event> Select(const std::vector<Event>& events, const Keep& keep, const Move& move) {
  std::vector<Event> selected;
  for (Event event : events) {
    if (keep(event.time)) {
      move(event);
      selected.push_back(std::move(event));
    }
  }
  return selected;
}

/// The part of a score whose events `keep` accepts by their time, each changed by `move`.
template <typename Keep, typename Move>
Score SelectScore(const Score& score, const Keep& keep, const Move& move) {
  Score selected;
  selected.ticks_per_quarter = score.ticks_per_quarter;
  selected.tempos = Select(score.tempos, keep, move);
  selected.time_signatures = Select(score.time_signatures, keep, move);
  selected.key_signatures = Select(score.key_signatures, keep, move);
  selected.markers = Select(score.markers, keep, move);
  for (const Track& track : score.tracks) {
    Track& part = selected.tracks.emplace_back();
    part.name = track.name;
    part.program = track.program;
    part.is_drum = track.is_drum;
    part.notes = Select(track.notes, keep, move);
    part.controls = Select(track.controls, keep, move);
    part.pitch_bends = Select(track.pitch_bends, keep, move);
    part.pedals = Select(track.pedals, keep, move);
    part.lyrics = Select(track.lyrics, keep, move);
  }
  return selected;
}

template <typename Event>
void AppendSorted(std::vector<Event>& events, const std::vector<Event>& more) {
  events.insert(events.end(), more.begin(), more.end());
  std::stable_sort(events.begin(), events.end(), kEarlier);
}

/// Whether a tokenizer's bars are those of the time signatures; otherwise they are 4/4 throughout.
bool BySignature(const Tokenizer& tokenizer) { return tokenizer.config().use_time_signatures; }

/// All tracks but drums as one.
Score MergeTracks(const Score& score) {
  Score merged = score;
  merged.tracks.assign(1, {});
  Track& all = merged.tracks.front();
  for (const Track& track : score.tracks) {
    if (track.is_drum) {
      continue;
    }
    if (all.notes.empty()) {
      all.program = track.program;
    }
    AppendSorted(all.notes, track.notes);
    AppendSorted(all.pedals, track.pedals);
    AppendSorted(all.pitch_bends, track.pitch_bends);
  }
  return merged;
}

/// The ids of a score that ends at `bar_line`, up to and with what opens the bar there.
std::vector<TokenId> PromptIds(Score score, size_t bars, Tick bar_line, const Tokenizer& tokenizer) {
  // A note at the bar line makes the tokenizer write all that leads there: empty bars, time shifts.
  score.tracks.front().notes.push_back({bar_line, score.ticks_per_quarter, 60, 64});
  std::vector<std::vector<TokenId>> streams = tokenizer.Encode(score);
  CONTINUO_CHECK(streams.size() == 1);
  std::vector<TokenId>& ids = streams.front();
  const std::vector<size_t> offsets = tokenizer.BarOffsets(ids);
  CONTINUO_CHECK(offsets.size() > bars);
  size_t end = offsets[bars];
  // What opens the bar or ends there belongs to the prompt: Bar, its TimeSig, NoteOffs.
  const auto opens = [&](TokenId id) {
    const std::string& token = tokenizer.vocabulary().token(id);
    return token.starts_with("Bar_") || token.starts_with("TimeSig_") || token.starts_with("NoteOff_") ||
           token.starts_with("DrumOff_");
  };
  while (end < ids.size() && opens(ids[end])) {
    ++end;
  }
  ids.resize(end);
  return ids;
}

}  // namespace

Result<Prompt> TakePrompt(const Score& score, size_t bars, const Tokenizer& tokenizer, std::string_view name) {
  CONTINUO_CHECK(bars >= 1);
  const size_t there = CountBars(score, BySignature(tokenizer));
  if (there < bars) {
    return MakeError("{}: has {} bars, but the prompt is to be its first {}", name, there, bars);
  }
  Prompt prompt;
  prompt.bars = bars;
  prompt.bar_line = BarLine(score, bars, BySignature(tokenizer));
  prompt.score = SelectScore(
      score, [&](Tick time) { return time < prompt.bar_line; }, [](auto&) {});

  Score readable = tokenizer.one_stream() ? prompt.score : MergeTracks(prompt.score);
  if (readable.tracks.empty()) {
    readable.tracks.emplace_back();
  }
  prompt.ids = PromptIds(std::move(readable), bars, prompt.bar_line, tokenizer);
  return prompt;
}

Continuation JoinContinuation(const Prompt& prompt, std::span<const TokenId> ids, const Tokenizer& tokenizer) {
  const std::vector<std::vector<TokenId>> streams(1, {ids.begin(), ids.end()});
  const Score decoded = tokenizer.Decode(streams);
  const Tick decoded_line = BarLine(decoded, prompt.bars, BySignature(tokenizer));
  const int64_t from = decoded.ticks_per_quarter;
  const int64_t to = prompt.score.ticks_per_quarter;
  const auto scale = [&](int64_t ticks) { return static_cast<Tick>((2 * ticks * to + from) / (2 * from)); };

  // The new part in the prompt's resolution, from tick 0.
  Score fresh = SelectScore(
      decoded, [&](Tick time) { return time >= decoded_line; },
      [&](auto& event) {
        event.time -= decoded_line;
        if constexpr (requires { event.duration; }) {
          event.duration = std::max(1, scale(event.time + event.duration) - scale(event.time));
        }
        event.time = scale(event.time);
      });
  fresh.ticks_per_quarter = prompt.score.ticks_per_quarter;

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
    const Score moved = SelectScore(
        more, [](Tick) { return true; }, [&](auto& event) { event.time += at; });
    AppendSorted(score.tempos, moved.tempos);
    AppendSorted(score.time_signatures, moved.time_signatures);
    for (const Track& track : moved.tracks) {
      const auto find = [&](auto matches) { return std::find_if(score.tracks.begin(), score.tracks.end(), matches); };
      auto home = find([&](const Track& other) { return other.is_drum == track.is_drum && other.program == track.program; });
      if (home == score.tracks.end() && !tokenizer.config().use_programs) {
        home = find([&](const Track& other) { return other.is_drum == track.is_drum; });
      }
      if (home == score.tracks.end()) {
        home = score.tracks.emplace(score.tracks.end());
        home->program = track.program;
        home->is_drum = track.is_drum;
      }
      AppendSorted(home->notes, track.notes);
      AppendSorted(home->controls, track.controls);
      AppendSorted(home->pedals, track.pedals);
      AppendSorted(home->pitch_bends, track.pitch_bends);
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
