#include "continuo/token/encode_trained.h"

#include <algorithm>
#include <cmath>
#include <span>

#include "continuo/token/encode.h"
#include "continuo/token/prepared_score.h"

namespace continuo {

namespace {

// The last time that MidiTok looks for bars at: that of the last thing that begins. Ends count for
// nothing, so that the words of NoteOffs after it are long.
int32_t LastBeginning(const Score& score, const PreparedScore& prepared, const TokenTables& tables) {
  int32_t last = prepared.time_signatures.back().time;
  const auto see = [&last](int32_t time) { last = std::max(last, time); };
  const double scale = static_cast<double>(prepared.ticks_per_quarter) / std::max(1, score.ticks_per_quarter);
  const auto see_scaled = [&](int32_t time) {
    see(static_cast<int32_t>(
        std::clamp(std::round(scale * time), 0.0, static_cast<double>(MostTicks(prepared.ticks_per_quarter)))));
  };
  for (const PreparedTrack& track : prepared.tracks) {
    if (!track.notes.empty()) {
      see(track.notes.back().time);
    }
    if (!track.bends.empty()) {
      see(track.bends.back().time);
    }
    see(track.last_unwritten);
  }
  if (tables.config.use_tempos) {
    see(prepared.tempos.back().time);
  } else if (!score.tempos.empty()) {
    see_scaled(score.tempos.back().time);  // left out, but still there when MidiTok looks
  }
  if (!score.key_signatures.empty()) {
    see_scaled(score.key_signatures.back().time);
  }
  if (!score.markers.empty()) {
    see_scaled(score.markers.back().time);
  }
  return last;
}

// Calls `border` with the tick of each bar or beat after the first, until that returns false.
template <typename Border>
void ForEachBorder(const PreparedScore& prepared, int32_t last, MidiTokRelease release, bool bars,
                   const Border& border) {
  if (last == 0) {
    return;
  }
  // 3.0.4 leaves a bar out that begins with the last onset.
  const int32_t end = last + (release == MidiTokRelease::k3_0_4 ? 0 : 1);
  const std::vector<TimeSignature>& meters = prepared.time_signatures;
  for (size_t i = 0; i < meters.size(); ++i) {
    const int32_t until = i + 1 < meters.size() ? meters[i + 1].time : end;
    const auto beat = std::max(1, static_cast<int32_t>(prepared.ticks_per_quarter * 4.0 / meters[i].denominator));
    const int32_t step = bars ? beat * std::max(1, meters[i].numerator) : beat;
    for (int32_t tick = meters[i].time; tick < until; tick += step) {
      if (tick > 0 && !border(tick)) {
        return;
      }
    }
  }
}

}  // namespace

void ForEachWord(const Score& score, const TokenTables& tables, TrainedVocabulary::Split split,
                 const std::function<void(size_t stream, std::span<const TokenId> word)>& visit) {
  using Split = TrainedVocabulary::Split;
  const PreparedScore prepared = PrepareScore(score, tables);
  const int32_t last = LastBeginning(score, prepared, tables);
  const std::vector<EncodedStream> streams = EncodeTimed(prepared, tables);
  for (size_t i = 0; i < streams.size(); ++i) {
    const std::span<const TokenId> ids = streams[i].ids;
    size_t first = 0;
    if (split != Split::kNone) {
      ForEachBorder(prepared, last, tables.config.release, split == Split::kBar, [&](int32_t tick) {
        size_t next = first;
        while (next < ids.size() && streams[i].times[next] < tick) {
          ++next;
        }
        if (next == ids.size()) {
          return false;
        }
        visit(i, ids.subspan(first, next - first));
        first = next;
        return true;
      });
    }
    visit(i, ids.subspan(first));
  }
}

std::vector<std::vector<TokenId>> EncodeTrained(const Score& score, const TokenTables& tables,
                                                const TrainedVocabulary& vocabulary) {
  std::vector<std::vector<TokenId>> result;
  ForEachWord(score, tables, vocabulary.split(), [&](size_t stream, std::span<const TokenId> word) {
    result.resize(stream + 1);
    vocabulary.EncodeWord(word, result[stream]);
  });
  return result;
}

}  // namespace continuo
