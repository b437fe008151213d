#include "continuo/score/chord_recogniser.h"

#include <algorithm>
#include <array>
#include <bitset>
#include <limits>

namespace continuo {

namespace {

using PerPitchClass = std::array<int32_t, 12>;

// Scores are sums of a weight times a share of 256; 64 * 256 of them are one unit of
// log-likelihood.
constexpr int32_t kShare = 256;
constexpr int32_t kUnit = 64 * kShare;

// What each pitch class above the root says for a chord: by how long it sounds, and by how long it
// is the lowest.
struct Template {
  PerPitchClass sounding;
  PerPitchClass lowest;
  int32_t bias;
};

// A softmax regression of chords on beats, with weights shared by the twelve roots: nine in ten the
// beats of 383 songs of Pop1K7 (none of those that the recogniser is tested on) with the chord of
// their markers, one in ten plain chords of every kind, so that rare ones are known as well.
// Quadratic penalty 0.00002.
constexpr std::array<Template, kChordQualities.size()> kTemplates = {{
    {{339, -258, -134, -350, 249, -228, -249, 321, -348, -126, -628, -628},
     {135, -34, 29, -11, 71, 87, -3, 88, -56, -80, -90, -139},
     90},  // M
    {{333, -186, -138, 344, -281, -235, -274, 316, -136, -278, -598, -198},
     {93, 10, -9, 38, -58, 6, -65, 44, -117, -119, -90, -74},
     51},  // m
    {{349, -156, -156, -223, 312, -151, -263, 326, -199, -62, 43, -373},
     {98, -37, -27, -31, 26, -87, -42, 31, -45, -149, -6, -54},
     -94},  // 7
    {{334, -244, -111, -290, 255, -321, -182, 307, -285, -136, -465, 113},
     {129, -65, -3, -55, 58, 105, -20, 81, -54, -94, -88, -4},
     7},  // M7
    {{341, -196, -130, 255, -332, -227, -314, 288, -188, -246, 87, -289},
     {126, 44, 16, 87, -39, 0, -49, 79, -40, -128, 18, 0},
     29},  // m7
    {{445, -114, -79, 310, -168, -5, 278, -244, -194, -379, -145, -172},
     {117, 51, 75, 113, -46, 108, 119, -29, -56, -33, 75, -12},
     -116},  // o
    {{383, -252, -51, -300, 333, -47, -228, -301, 306, -112, -287, -78},
     {87, -67, -13, -52, 21, 55, -46, -34, 19, -40, 47, -7},
     -49},  // +
    {{463, -143, 331, -277, -264, -320, -225, 126, -210, -176, -260, -147},
     {35, -63, -58, -45, -65, -46, -65, -153, -79, -85, -26, -45},
     -14},  // sus2
    {{349, -171, -164, -294, -254, 366, -107, 289, -249, -296, -199, -143},
     {3, -82, -97, -54, -72, -209, -51, -98, -75, -80, -63, -59},
     -53},  // sus4
    {{164, -183, -169, 304, -133, -227, 385, -189, -245, -197, 312, -139},
     {46, -57, -62, -167, -60, -72, -162, -49, -126, -49, -158, -90},
     -129},  // /o7
    {{146, -146, -172, 241, -155, -161, 270, -184, -177, 303, -174, -158},
     {169, -49, -55, -203, -50, -62, -204, -43, -56, -207, -40, -76},
     -120},  // o7
}};
// Of no chord: the same for every pitch class.
constexpr int32_t kNoChordSounding = -151;
constexpr int32_t kNoChordLowest = -99;
constexpr int32_t kNoChordBias = 602;

// Of 0.5, 1, 1.5, 2 and 2.5 units the one that names most chords of those songs right.
constexpr int32_t kChangeCost = kUnit * 2;

// Equal beats in a row count as no more than this many, so that no sum overflows.
constexpr int64_t kMostEqualBeats = 64;

using Scores = std::array<int32_t, kChords>;

// How well each chord fits a beat. `lengths` and `lowest` are ticks of the beat; a pitch class
// counts half when it sounds for half the beat, and more of it says little more.
Scores ScoreBeat(const std::array<int64_t, 12>& lengths, const std::array<int64_t, 12>& lowest,
                 int64_t ticks_per_beat) {
  std::array<int32_t, 24> sounding;  // each pitch class twice, so that every root finds its twelve in a row
  std::array<int32_t, 24> bass;
  int32_t none = kNoChordBias * kShare;
  for (size_t i = 0; i < 12; ++i) {
    sounding[i] = static_cast<int32_t>(2 * kShare * lengths[i] / (2 * lengths[i] + ticks_per_beat));
    bass[i] = static_cast<int32_t>(kShare * lowest[i] / ticks_per_beat);
    sounding[i + 12] = sounding[i];
    bass[i + 12] = bass[i];
    none += kNoChordSounding * sounding[i] + kNoChordLowest * bass[i];
  }
  Scores scores;
  for (size_t quality = 0; quality < kTemplates.size(); ++quality) {
    const Template& chord = kTemplates[quality];
    PerPitchClass sums;
    sums.fill(chord.bias * kShare);
    for (size_t i = 0; i < 12; ++i) {
      for (size_t root = 0; root < 12; ++root) {
        sums[root] += chord.sounding[i] * sounding[root + i] + chord.lowest[i] * bass[root + i];
      }
    }
    std::copy(sums.begin(), sums.end(), scores.begin() + static_cast<std::ptrdiff_t>(quality * 12));
  }
  scores[kNoChordIndex] = none;
  return scores;
}

// The best path through the chords of all beats.
class BestPath {
 public:
  void Add(int64_t beat, int64_t count, const Scores& scores) {
    Step step;
    step.beat = beat;
    if (!steps_.empty()) {
      const auto best = std::max_element(totals_.begin(), totals_.end());
      step.best_before = static_cast<uint8_t>(best - totals_.begin());
      const int32_t changed = *best - kChangeCost;
      for (size_t i = 0; i < kChords; ++i) {
        step.changes[i] = totals_[i] < changed;
        // Kept near 0.
        totals_[i] = std::max(totals_[i], changed) - changed;
      }
    }
    const auto times = static_cast<int32_t>(std::min(count, kMostEqualBeats));
    for (size_t i = 0; i < kChords; ++i) {
      totals_[i] += times * scores[i];
    }
    steps_.push_back(step);
  }

  std::vector<ChordChange> Trace(int32_t ticks_per_beat) const {
    std::vector<ChordChange> changes;
    if (steps_.empty()) {
      return changes;
    }
    size_t label = static_cast<size_t>(std::max_element(totals_.begin(), totals_.end()) - totals_.begin());
    for (size_t i = steps_.size(); i-- > 0;) {
      const bool begins = i == 0 || steps_[i].changes[label];
      if (begins) {
        // Beats begin at or before a note's time, which is a Tick.
        changes.push_back({static_cast<Tick>(steps_[i].beat * ticks_per_beat), Chord::FromIndex(label)});
        label = steps_[i].best_before;
      }
    }
    std::reverse(changes.begin(), changes.end());
    return changes;
  }

 private:
  struct Step {
    int64_t beat = 0;
    std::bitset<kChords> changes;  // for which chords it is better to come from the best before
    uint8_t best_before = 0;
  };
  std::vector<Step> steps_;
  Scores totals_{};
};

// What sounds now.
class Sounding {
 public:
  void Change(uint8_t pitch, int32_t by) {
    pitches_[pitch] += by;
    pitch_classes_[pitch % 12] += by;
    if (by > 0) {
      lowest_ = std::min(lowest_, size_t{pitch});
    } else if (pitch == lowest_ && pitches_[pitch] == 0) {
      while (lowest_ < kSilence && pitches_[lowest_] == 0) {
        ++lowest_;
      }
    }
  }
  bool silent() const { return lowest_ == kSilence; }
  void AddTo(std::array<int64_t, 12>& lengths, std::array<int64_t, 12>& lowest, int64_t ticks) const {
    for (size_t i = 0; i < 12; ++i) {
      lengths[i] += pitch_classes_[i] * ticks;
    }
    if (!silent()) {
      lowest[lowest_ % 12] += ticks;
    }
  }

 private:
  static constexpr size_t kSilence = 128;
  std::array<int64_t, kSilence> pitches_{};
  std::array<int64_t, 12> pitch_classes_{};
  size_t lowest_ = kSilence;
};

// Packed so that numbers sort by time; ends come before beginnings.
uint64_t PackChange(Tick time, uint8_t pitch, bool begins) {
  return static_cast<uint64_t>(time) << 8 | (begins ? 128U : 0U) | pitch;
}

}  // namespace

std::vector<ChordChange> RecogniseChords(const std::vector<TimedPitch>& notes, int32_t ticks_per_beat) {
  std::vector<uint64_t> changes;
  changes.reserve(notes.size() * 2);
  for (const TimedPitch& note : notes) {
    if (note.end > note.time) {
      changes.push_back(PackChange(note.time, note.pitch & 127, true));
      changes.push_back(PackChange(note.end, note.pitch & 127, false));
    }
  }
  if (changes.empty()) {
    return {};
  }
  std::sort(changes.begin(), changes.end());
  Sounding sounding;
  BestPath path;
  const int64_t end = static_cast<int64_t>(changes.back() >> 8);
  int64_t beat = static_cast<int64_t>(changes.front() >> 8) / ticks_per_beat;
  size_t next = 0;
  while (beat * ticks_per_beat < end) {
    const int64_t beat_end = (beat + 1) * ticks_per_beat;
    std::array<int64_t, 12> lengths{};
    std::array<int64_t, 12> lowest{};
    int64_t now = beat * ticks_per_beat;
    bool changed_within = false;
    for (; next < changes.size(); ++next) {
      const auto time = static_cast<int64_t>(changes[next] >> 8);
      if (time >= beat_end) {
        break;
      }
      if (time > now) {
        sounding.AddTo(lengths, lowest, time - now);
        changed_within = true;
        now = time;
      }
      sounding.Change(changes[next] & 127, (changes[next] & 128) != 0 ? 1 : -1);
    }
    sounding.AddTo(lengths, lowest, beat_end - now);
    // Whole beats of the same notes are taken together.
    int64_t count = 1;
    if (!changed_within) {
      const int64_t until = next < changes.size() ? static_cast<int64_t>(changes[next] >> 8) : end;
      count = std::max<int64_t>(1, until / ticks_per_beat - beat);
    }
    path.Add(beat, count, ScoreBeat(lengths, lowest, ticks_per_beat));
    beat += count;
  }
  return path.Trace(ticks_per_beat);
}

std::vector<ChordChange> RecogniseChords(const Score& score) {
  std::vector<TimedPitch> notes;
  for (const Track& track : score.tracks) {
    if (track.is_drum) {
      continue;
    }
    for (const Note& note : track.notes) {
      const int64_t end = int64_t{note.time} + std::max<Tick>(0, note.duration);
      if (note.time >= 0) {
        notes.push_back(
            {note.time, static_cast<Tick>(std::min<int64_t>(end, std::numeric_limits<Tick>::max())), note.pitch});
      }
    }
  }
  return RecogniseChords(notes, std::max(1, score.ticks_per_quarter));
}

}  // namespace continuo
