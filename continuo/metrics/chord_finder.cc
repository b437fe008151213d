#include "continuo/metrics/chord_finder.h"

#include <algorithm>
#include <array>
#include <cstdint>

namespace continuo {
namespace {

constexpr int64_t kWindowSteps = 2 * kStepsPerQuarter;

// Indices of kChordQualities: of chords that fit alike, the first is taken.
constexpr std::array<uint8_t, kChordQualities.size()> kOrder = {0, 1, 5, 6, 7, 8, 2, 3, 4, 9, 10};

using Weights = std::array<int64_t, 12>;  // by pitch class

Chord BestChord(const Weights& weights) {
  // Squares pass 2^63 where 94 million notes sound at once.
  __extension__ using Wide = unsigned __int128;
  Chord best;
  Wide best_fit = 0;
  int64_t best_root = -1;
  std::array<int64_t, 24> twice;
  std::copy(weights.begin(), weights.end(), twice.begin());
  std::copy(weights.begin(), weights.end(), twice.begin() + 12);
  for (const uint8_t q : kOrder) {
    const ChordQuality& quality = kChordQualities[q];
    const size_t size = quality.size();
    for (uint8_t root = 0; root < 12; ++root) {
      int64_t inside = 0;
      for (size_t i = 0; i < size; ++i) {
        inside += twice[root + static_cast<size_t>(quality.intervals[i])];
      }
      const Wide fit = static_cast<Wide>(inside) * static_cast<Wide>(inside) * static_cast<Wide>(12 / size);
      if (fit > best_fit || (fit == best_fit && weights[root] > best_root)) {
        best = {root, q};
        best_fit = fit;
        best_root = weights[root];
      }
    }
  }
  return best;
}

struct Span {
  int64_t start;
  int64_t end;
};

// The window of the chord grid that `step` lies in.
Span WindowAt(const GridPiece& piece, int64_t step) {
  const int64_t bar = piece.BarAt(step);
  const int64_t bar_start = piece.LineStep(bar);
  const int64_t bar_end = std::min(piece.LineStep(bar + 1), piece.end);
  const int64_t start = step - (step - bar_start) % kWindowSteps;
  return {start, std::min(start + kWindowSteps, bar_end)};
}

// A pitch class that begins or stops sounding, packed so that numbers sort by time: step, pitch
// class, begins.
uint64_t PackChange(int64_t step, uint8_t pitch_class, bool begins) {
  return static_cast<uint64_t>(step) << 5 | static_cast<uint64_t>(pitch_class) << 1 | (begins ? 1 : 0);
}

std::vector<uint64_t> Changes(const GridPiece& piece) {
  std::vector<uint64_t> changes;
  changes.reserve(2 * piece.notes.size());
  for (const GridNote& note : piece.notes) {
    if (!note.is_drum) {
      changes.push_back(PackChange(note.onset, note.pitch_class(), true));
      changes.push_back(PackChange(note.end, note.pitch_class(), false));
    }
  }
  std::sort(changes.begin(), changes.end());
  return changes;
}

}  // namespace

std::vector<Chord> FindChordChanges(const GridPiece& piece) {
  const std::vector<uint64_t> changes = Changes(piece);
  std::vector<Chord> chords;
  Weights sounding{};  // notes of each pitch class that sound now
  size_t next = 0;
  int64_t step = 0;
  while (step < piece.end) {
    const Span window = WindowAt(piece, step);
    Weights weights{};
    int64_t now = window.start;
    bool changed_within = false;
    const auto sound_until = [&](int64_t until) {
      for (size_t i = 0; i < 12; ++i) {
        weights[i] += sounding[i] * (until - now);
      }
      now = until;
    };
    for (; next < changes.size(); ++next) {
      const auto time = static_cast<int64_t>(changes[next] >> 5);
      if (time >= window.end) {
        break;
      }
      if (time > now) {
        sound_until(time);
        changed_within = true;
      }
      sounding[changes[next] >> 1 & 15] += (changes[next] & 1) != 0 ? 1 : -1;
    }
    sound_until(window.end);
    if (std::any_of(weights.begin(), weights.end(), [](int64_t weight) { return weight > 0; })) {
      const Chord chord = BestChord(weights);
      if (chords.empty() || chords.back() != chord) {
        chords.push_back(chord);
      }
    }
    step = window.end;
    if (!changed_within) {
      // Whole windows of the same notes have the same chord, so the next to look at is where a note
      // begins or ends.
      if (next == changes.size()) {
        break;
      }
      step = std::max(step, static_cast<int64_t>(changes[next] >> 5));
    }
  }
  return chords;
}

}  // namespace continuo
