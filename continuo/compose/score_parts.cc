#include "continuo/compose/score_parts.h"

namespace continuo {

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

Score ReadableScore(const Score& score, const Tokenizer& tokenizer, std::optional<size_t> track) {
  Score readable = track || tokenizer.one_stream() ? score : MergeTracks(score);
  if (track) {
    readable.tracks = {score.tracks.at(*track)};
  }
  if (readable.tracks.empty()) {
    readable.tracks.emplace_back();
  }
  return readable;
}

Score NewPart(const Score& decoded, Tick from, int32_t ticks_per_quarter) {
  const int64_t old_resolution = decoded.ticks_per_quarter;
  const auto scale = [&](int64_t ticks) {
    return static_cast<Tick>((2 * ticks * ticks_per_quarter + old_resolution) / (2 * old_resolution));
  };
  Score part = SelectScore(
      decoded, [&](Tick time) { return time >= from; },
      [&](auto& event) {
        event.time -= from;
        if constexpr (requires { event.duration; }) {
          event.duration = std::max(1, scale(event.time + event.duration) - scale(event.time));
        }
        event.time = scale(event.time);
      });
  part.ticks_per_quarter = ticks_per_quarter;
  return part;
}

Track& HomeOf(Score& score, const Track& track, const Tokenizer& tokenizer) {
  const auto find = [&](auto matches) { return std::find_if(score.tracks.begin(), score.tracks.end(), matches); };
  auto home =
      find([&](const Track& other) { return other.is_drum == track.is_drum && other.program == track.program; });
  if (home == score.tracks.end() && !tokenizer.config().use_programs) {
    home = find([&](const Track& other) { return other.is_drum == track.is_drum; });
  }
  if (home == score.tracks.end()) {
    home = score.tracks.emplace(score.tracks.end());
    home->program = track.program;
    home->is_drum = track.is_drum;
  }
  return *home;
}

}  // namespace continuo
