#include "continuo/report/piece_notes.h"

#include <algorithm>
#include <tuple>

#include "continuo/score/bars.h"

namespace continuo {
namespace {

constexpr size_t kMost = 100000;

void Put(std::vector<uint8_t>& bytes, int64_t number) {
  auto rest = static_cast<uint64_t>(std::max<int64_t>(0, number));
  for (; rest >= 128; rest >>= 7) {
    bytes.push_back(static_cast<uint8_t>(rest | 128));
  }
  bytes.push_back(static_cast<uint8_t>(rest));
}

}  // namespace

Result<std::vector<uint8_t>> PackNotes(const Score& score, int64_t prompt_bars) {
  std::vector<Note> notes;
  std::vector<Pedal> pedals;
  for (const Track& track : score.tracks) {
    if (!track.is_drum) {
      notes.insert(notes.end(), track.notes.begin(), track.notes.end());
      pedals.insert(pedals.end(), track.pedals.begin(), track.pedals.end());
    }
  }
  std::sort(notes.begin(), notes.end(), [](const Note& a, const Note& b) {
    return std::tie(a.time, a.pitch, a.duration, a.velocity) < std::tie(b.time, b.pitch, b.duration, b.velocity);
  });
  std::sort(pedals.begin(), pedals.end(),
            [](const Pedal& a, const Pedal& b) { return std::tie(a.time, a.duration) < std::tie(b.time, b.duration); });
  std::vector<Tempo> tempos = score.tempos;
  std::stable_sort(tempos.begin(), tempos.end(), [](const Tempo& a, const Tempo& b) { return a.time < b.time; });
  const size_t bars = CountBars(score);
  for (const auto& [count, what] : {std::pair(notes.size(), "notes"), std::pair(pedals.size(), "pedals"),
                                    std::pair(tempos.size(), "tempos"), std::pair(bars, "bars")}) {
    if (count > kMost) {
      return MakeError("has {} {}, more than {}", count, what, kMost);
    }
  }

  const BarGrid grid(score);
  std::vector<uint8_t> bytes;
  Put(bytes, score.ticks_per_quarter);
  Put(bytes, prompt_bars > 0 ? grid.Line(static_cast<size_t>(prompt_bars)) : 0);
  Tick before = 0;
  const auto put_time = [&](Tick time) {
    Put(bytes, int64_t{time} - before);
    before = std::max(before, time);
  };
  Put(bytes, static_cast<int64_t>(tempos.size()));
  for (const Tempo& tempo : tempos) {
    put_time(tempo.time);
    Put(bytes, tempo.us_per_quarter);
  }
  before = 0;
  Put(bytes, static_cast<int64_t>(bars));
  for (size_t bar = 0; bar < bars; ++bar) {
    put_time(grid.Line(bar));
  }
  before = 0;
  Put(bytes, static_cast<int64_t>(pedals.size()));
  for (const Pedal& pedal : pedals) {
    put_time(pedal.time);
    Put(bytes, pedal.duration);
  }
  before = 0;
  Put(bytes, static_cast<int64_t>(notes.size()));
  for (const Note& note : notes) {
    put_time(note.time);
    Put(bytes, note.duration);
    bytes.push_back(note.pitch);
    bytes.push_back(note.velocity);
  }
  return bytes;
}

}  // namespace continuo
