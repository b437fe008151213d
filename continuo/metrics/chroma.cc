#include "continuo/metrics/chroma.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>
#include <string>

#include "continuo/core/check.h"

namespace continuo {
namespace {

constexpr int64_t kFineFrameMicroseconds = 100000;  // 10 frames a second
constexpr int64_t kFinePerFrame = 10 / ChromaFeatures::kFramesPerSecond;
constexpr int64_t kHalfWindow = 10;  // fine frames to either side of a frame's

// Ticks to time in microseconds times ticks per quarter, which is an integer: a tick is as many of
// these units as a quarter has microseconds.
class Clock {
 public:
  explicit Clock(const Score& score) {
    std::vector<Tempo> tempos = score.tempos;
    std::stable_sort(tempos.begin(), tempos.end(), [](const Tempo& a, const Tempo& b) { return a.time < b.time; });
    spans_.push_back({0, 0, Tempo{}.us_per_quarter});
    for (const Tempo& tempo : tempos) {
      const Span last = spans_.back();
      if (last.tick == tempo.time) {
        spans_.pop_back();
      }
      spans_.push_back({tempo.time, last.units + (tempo.time - last.tick) * last.units_per_tick, tempo.us_per_quarter});
    }
  }

  int64_t Units(int64_t tick) const {
    const auto next = std::upper_bound(spans_.begin(), spans_.end(), tick,
                                       [](int64_t value, const Span& span) { return value < span.tick; });
    const Span& span = *std::prev(next);
    return span.units + (tick - span.tick) * span.units_per_tick;
  }

 private:
  struct Span {
    int64_t tick;
    int64_t units;
    int64_t units_per_tick;
  };
  std::vector<Span> spans_;
};

using PitchClasses = std::array<double, 12>;

struct Sounding {
  int64_t start;
  int64_t end;
  size_t pitch_class;
};

double Length(const PitchClasses& vector) {
  double sum = 0;
  for (const double value : vector) {
    sum += value * value;
  }
  return std::sqrt(sum);
}

int64_t CeilDivide(int64_t a, int64_t b) {
  return (a + b - 1) / b;
}

// The direction of what sounds in each of `count` fine frames of `frame_units`; zero where nothing
// does.
std::vector<PitchClasses> FineFrames(const std::vector<Sounding>& notes, int64_t count, int64_t frame_units) {
  // Of a long note only the ends are entered, as what they differ from the frames between them.
  std::vector<std::array<int64_t, 12>> edges(static_cast<size_t>(count) + 1);
  std::vector<std::array<int64_t, 12>> changes(static_cast<size_t>(count) + 1);
  for (const Sounding& note : notes) {
    if (note.end <= note.start) {
      continue;
    }
    const auto first = static_cast<size_t>(note.start / frame_units);
    const auto last = static_cast<size_t>((note.end - 1) / frame_units);
    changes[first][note.pitch_class] += frame_units;
    changes[last + 1][note.pitch_class] -= frame_units;
    edges[first][note.pitch_class] -= note.start - static_cast<int64_t>(first) * frame_units;
    edges[last][note.pitch_class] -= static_cast<int64_t>(last + 1) * frame_units - note.end;
  }
  std::vector<PitchClasses> frames(static_cast<size_t>(count));
  std::array<int64_t, 12> full{};
  for (size_t t = 0; t < frames.size(); ++t) {
    for (size_t c = 0; c < 12; ++c) {
      full[c] += changes[t][c];
      frames[t][c] = static_cast<double>(full[c] + edges[t][c]) / static_cast<double>(frame_units);
    }
    const double length = Length(frames[t]);
    for (double& value : frames[t]) {
      value /= length > 0 ? length : 1.0;
    }
  }
  return frames;
}

std::string ClockTime(int64_t seconds) {
  return fmt::format("{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
}

}  // namespace

Result<ChromaFeatures> ComputeChroma(const Score& score, int64_t max_frames) {
  CONTINUO_CHECK(score.ticks_per_quarter > 0);
  const Clock clock(score);
  std::vector<Sounding> notes;
  int64_t end = 0;
  for (const Track& track : score.tracks) {
    if (track.is_drum) {
      continue;
    }
    for (const Note& note : track.notes) {
      notes.push_back({clock.Units(note.time), clock.Units(int64_t{note.time} + note.duration),
                       static_cast<size_t>(note.pitch % 12)});
      end = std::max(end, notes.back().end);
    }
  }
  const int64_t frame_units = kFineFrameMicroseconds * score.ticks_per_quarter;
  const int64_t fine_count = CeilDivide(end, frame_units);
  ChromaFeatures chroma;
  chroma.frames = CeilDivide(fine_count, kFinePerFrame);
  if (chroma.frames > max_frames) {
    return MakeError(ErrorCode::kTooLarge,
                     "the piece lasts {}, and its structure is measured only in pieces of up to {}",
                     ClockTime(chroma.frames / ChromaFeatures::kFramesPerSecond),
                     ClockTime(max_frames / ChromaFeatures::kFramesPerSecond));
  }

  const std::vector<PitchClasses> fine = FineFrames(notes, fine_count, frame_units);
  chroma.values.reserve(static_cast<size_t>(chroma.frames) * 12);
  for (int64_t j = 0; j < chroma.frames; ++j) {
    PitchClasses smooth{};
    const int64_t middle = kFinePerFrame * j;
    for (int64_t t = std::max<int64_t>(0, middle - kHalfWindow); t <= std::min(fine_count - 1, middle + kHalfWindow);
         ++t) {
      for (size_t c = 0; c < 12; ++c) {
        smooth[c] += fine[static_cast<size_t>(t)][c];
      }
    }
    for (double& value : smooth) {
      value /= static_cast<double>(2 * kHalfWindow + 1);
    }
    const double length = Length(smooth);
    for (const double value : smooth) {
      const double unit = length <= 0.001 ? 1.0 / std::sqrt(12.0) : value / length;
      chroma.values.push_back(static_cast<int32_t>(std::floor(unit * ChromaFeatures::kOne + 0.5)));
    }
  }
  return chroma;
}

}  // namespace continuo
