#include "continuo/metrics/description.h"

#include <algorithm>
#include <bitset>
#include <cmath>
#include <cstdlib>
#include <span>
#include <vector>

#include "continuo/score/chord.h"

namespace continuo {
namespace {

// How well listeners found each pitch class to fit a key on C. Krumhansl and Kessler, Psychological
// Review 89 (1982).
constexpr std::array<double, 12> kMajorProfile = {6.35, 2.23, 3.48, 2.33, 4.38, 4.09,
                                                  2.52, 5.19, 2.39, 3.66, 2.29, 2.88};
constexpr std::array<double, 12> kMinorProfile = {6.33, 2.68, 3.52, 5.38, 2.60, 3.53,
                                                  2.54, 4.75, 3.98, 2.69, 3.34, 3.17};
constexpr std::array<size_t, 7> kMajorScale = {0, 2, 4, 5, 7, 9, 11};

std::array<double, 12> Centred(const std::array<double, 12>& values) {
  double mean = 0;
  for (const double value : values) {
    mean += value / 12;
  }
  std::array<double, 12> centred;
  std::transform(values.begin(), values.end(), centred.begin(), [mean](double value) { return value - mean; });
  return centred;
}

double Correlation(const std::array<double, 12>& a, const std::array<double, 12>& profile, size_t tonic) {
  double product = 0;
  double square_a = 0;
  double square_b = 0;
  for (size_t i = 0; i < 12; ++i) {
    const double b = profile[(i + 12 - tonic) % 12];
    product += a[i] * b;
    square_a += a[i] * a[i];
    square_b += b * b;
  }
  return product / std::sqrt(square_a * square_b);
}

size_t LengthClassOf(double quarters) {
  size_t nearest = 0;
  for (size_t i = 1; i < kLengthClasses; ++i) {
    if (std::abs(kLengthClassTable[i].quarters - quarters) < std::abs(kLengthClassTable[nearest].quarters - quarters)) {
      nearest = i;
    }
  }
  return nearest;
}

// Divides counts by their sum.
void MakeShares(std::span<double> counts) {
  double sum = 0;
  for (const double count : counts) {
    sum += count;
  }
  for (double& count : counts) {
    count /= sum > 0 ? sum : 1;
  }
}

double Mean(double sum, size_t count) {
  return count > 0 ? sum / static_cast<double>(count) : Description::kUndefined;
}

// The notes that are not drums, by onset, then pitch.
std::vector<GridNote> PitchedNotes(const GridPiece& piece) {
  std::vector<GridNote> notes;
  std::copy_if(piece.notes.begin(), piece.notes.end(), std::back_inserter(notes),
               [](const GridNote& note) { return !note.is_drum; });
  std::stable_sort(notes.begin(), notes.end(), [](const GridNote& a, const GridNote& b) {
    return a.time != b.time ? a.time < b.time : a.pitch < b.pitch;
  });
  return notes;
}

void DescribePitches(const std::vector<GridNote>& notes, Description& description) {
  std::bitset<256> used;
  std::array<double, 12> sounding{};
  double intervals = 0;
  for (size_t i = 0; i < notes.size(); ++i) {
    const GridNote& note = notes[i];
    used.set(note.pitch);
    description.pitch_classes[note.pitch_class()] += 1;
    sounding[note.pitch_class()] += static_cast<double>(note.end - note.onset);
    if (i > 0) {
      intervals += std::abs(note.pitch - notes[i - 1].pitch);
      description.pitch_class_transitions[notes[i - 1].pitch_class() * 12U + note.pitch_class()] += 1;
    }
  }
  if (notes.empty()) {
    return;
  }
  const auto [lowest, highest] = std::minmax_element(
      notes.begin(), notes.end(), [](const GridNote& a, const GridNote& b) { return a.pitch < b.pitch; });
  description.lowest_pitch = lowest->pitch;
  description.highest_pitch = highest->pitch;
  description.pitches_used = static_cast<double>(used.count());
  description.mean_interval = Mean(intervals, notes.size() - 1);
  description.scale_consistency = 0;
  for (size_t tonic = 0; tonic < 12; ++tonic) {
    double inside = 0;
    for (const size_t step : kMajorScale) {
      inside += description.pitch_classes[(tonic + step) % 12];
    }
    description.scale_consistency = std::max(description.scale_consistency, inside / static_cast<double>(notes.size()));
  }
  description.key = EstimateKey(sounding);
  MakeShares(description.pitch_classes);
  MakeShares(description.pitch_class_transitions);
}

void DescribeTimes(const std::vector<GridNote>& notes, int32_t ticks_per_quarter, Description& description) {
  const auto quarters = [&](int64_t ticks) { return static_cast<double>(ticks) / ticks_per_quarter; };
  int64_t note_time = 0;
  int64_t sounding_time = 0;
  int64_t silent_from = 0;
  double gaps = 0;
  size_t gap_count = 0;
  size_t last_length = 0;
  for (size_t i = 0; i < notes.size(); ++i) {
    const GridNote& note = notes[i];
    note_time += note.end - note.onset;
    sounding_time += std::max<int64_t>(0, note.end - std::max(note.onset, silent_from));
    silent_from = std::max(silent_from, note.end);
    const size_t length = LengthClassOf(quarters(note.duration));
    description.note_lengths[length] += 1;
    if (i > 0) {
      description.note_length_transitions[last_length * kLengthClasses + length] += 1;
      if (const int64_t gap = int64_t{note.time} - notes[i - 1].time; gap > 0) {
        gaps += quarters(gap);
        ++gap_count;
        description.onset_gaps[LengthClassOf(quarters(gap))] += 1;
      }
    }
    last_length = length;
  }
  if (!notes.empty()) {
    description.polyphony = static_cast<double>(note_time) / static_cast<double>(sounding_time);
  }
  description.mean_onset_gap = Mean(gaps, gap_count);
  MakeShares(description.note_lengths);
  MakeShares(description.onset_gaps);
  MakeShares(description.note_length_transitions);
}

void DescribeTempo(const Score& score, double end, Description& description) {
  std::vector<Tempo> tempos = score.tempos;
  std::stable_sort(tempos.begin(), tempos.end(), [](const Tempo& a, const Tempo& b) { return a.time < b.time; });
  double weight = 0;
  double sum = 0;
  double squares = 0;
  double from = 0;
  Tempo in_force;
  const auto hold_until = [&](double until) {
    const double ticks = std::min(until, end) - from;
    if (ticks > 0) {
      const double qpm = 60e6 / std::max(1, in_force.us_per_quarter);
      weight += ticks;
      sum += ticks * qpm;
      squares += ticks * qpm * qpm;
      from += ticks;
    }
  };
  for (const Tempo& tempo : tempos) {
    hold_until(tempo.time);
    in_force = tempo;
  }
  hold_until(end);
  if (weight > 0) {
    description.tempo_mean = sum / weight;
    // Rounding can give a value slightly below 0 if the tempo never changes.
    const double variance = squares / weight - description.tempo_mean * description.tempo_mean;
    description.tempo_deviation = tempos.size() > 1 ? std::sqrt(std::max(0.0, variance)) : 0;
  }
}

}  // namespace

std::string Key::Name() const {
  return std::isnan(correlation) ? "-" : std::string(kPitchClassNames[tonic]) + (minor ? " minor" : " major");
}

Key EstimateKey(const std::array<double, 12>& sounding) {
  Key best;
  if (std::all_of(sounding.begin(), sounding.end(), [&](double value) { return value == sounding[0]; })) {
    return best;
  }
  const std::array<double, 12> centred = Centred(sounding);
  for (const bool minor : {false, true}) {
    const std::array<double, 12> profile = Centred(minor ? kMinorProfile : kMajorProfile);
    for (uint8_t tonic = 0; tonic < 12; ++tonic) {
      const double correlation = Correlation(centred, profile, tonic);
      if (std::isnan(best.correlation) || correlation > best.correlation) {
        best = {tonic, minor, correlation};
      }
    }
  }
  return best;
}

Description Describe(const Score& score, int64_t first_bars) {
  return Describe(score, PlaceOnGrid(score, first_bars));
}

Description Describe(const Score& score, const GridPiece& piece) {
  Description description;
  if (piece.bars > 0) {
    int64_t struck = 0;
    int64_t last_struck = -1;
    int64_t end = 0;
    for (const GridNote& note : piece.notes) {
      struck += note.bar != last_struck ? 1 : 0;
      last_struck = note.bar;
      end = std::max(end, note.end);
    }
    const auto bars = static_cast<double>(piece.bars);
    description.notes_per_bar = static_cast<double>(piece.notes.size()) / bars;
    description.empty_bars = 1 - static_cast<double>(struck) / bars;
    const double end_tick = static_cast<double>(end) * score.ticks_per_quarter / kStepsPerQuarter;
    DescribeTempo(score, end_tick, description);
  }
  const std::vector<GridNote> notes = PitchedNotes(piece);
  DescribePitches(notes, description);
  DescribeTimes(notes, score.ticks_per_quarter, description);
  return description;
}

}  // namespace continuo
