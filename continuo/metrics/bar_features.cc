#include "continuo/metrics/bar_features.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <functional>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "continuo/core/check.h"
#include "continuo/metrics/form.h"

namespace continuo {
namespace {

constexpr std::array<int, 9> kLags = {1, 2, 3, 4, 6, 8, 12, 16, 24};
constexpr std::array<int, 5> kPercents = {5, 25, 50, 75, 95};
constexpr std::array<int64_t, 10> kGaps = {1, 2, 3, 4, 6, 8, 12, 16, 24, 32};  // 64ths of a bar
constexpr int64_t kChordsPerBar = 64;
constexpr size_t kLargestChord = 6;
constexpr size_t kLargestInterval = 24;
constexpr int kLargestStep = 12;
constexpr int64_t kSectionBars = 4;

// The names.

constexpr std::array<std::string_view, 5> kPercentWords = {"lowest (5 % are lower)", "low (25 % are lower)", "median",
                                                           "high (25 % are higher)", "highest (5 % are higher)"};
constexpr std::array<std::string_view, 12> kPitchClassRanks = {
    "most frequent",       "second most frequent", "third most frequent",    "fourth most frequent",
    "fifth most frequent", "sixth most frequent",  "seventh most frequent",  "eighth most frequent",
    "ninth most frequent", "tenth most frequent",  "eleventh most frequent", "twelfth most frequent"};
constexpr std::array<std::string_view, 13> kIntervalWords = {
    "unison",  "a minor second", "a major second", "a minor third",   "a major third",   "a fourth", "a tritone",
    "a fifth", "a minor sixth",  "a major sixth",  "a minor seventh", "a major seventh", "an octave"};
constexpr std::array<std::string_view, 10> kGapWords = {
    "1/64 of a bar", "1/32 of a bar",   "3/64 of a bar", "a sixteenth",      "a dotted sixteenth",
    "an eighth",     "a dotted eighth", "a quarter",     "a dotted quarter", "a half"};

std::string IntervalWords(size_t semitones) {
  if (semitones == 0) {
    return "the same key struck twice at once";
  }
  if (semitones < kIntervalWords.size()) {
    return std::string(kIntervalWords[semitones]);
  }
  return fmt::format("{} semitones{}", semitones, semitones == kLargestInterval ? " or more" : "");
}

std::string StepWords(int semitones) {
  if (semitones == 0) {
    return "stays";
  }
  const auto size = static_cast<size_t>(std::abs(semitones));
  return fmt::format("moves {} {}{}", semitones > 0 ? "up" : "down", kIntervalWords[size],
                     size == kLargestStep ? " or more" : "");
}

std::vector<BarFeature> MakeTable() {
  std::vector<BarFeature> table;
  const auto add = [&table](std::string id, std::string words, bool form = false) {
    table.push_back({std::move(id), std::move(words), form});
  };
  add("npb", "notes per bar");
  add("npb_sd", "how much the number of notes changes from bar to bar");
  add("empty", "share of empty bars");
  add("vel_sd", "how much the velocity changes from note to note");
  for (size_t i = 0; i < kPercents.size(); ++i) {
    add(fmt::format("pit{}", kPercents[i]), fmt::format("pitch, {}", kPercentWords[i]));
    add(fmt::format("vel{}", kPercents[i]), fmt::format("velocity, {}", kPercentWords[i]));
    add(fmt::format("dur{}", kPercents[i]), fmt::format("length of notes in quarters, {}", kPercentWords[i]));
  }
  for (int64_t i = 0; i < kFormPositions; ++i) {
    add(fmt::format("pos{}", i), fmt::format("share of notes on sixteenth {} of the bar", i + 1));
  }
  for (size_t i = 0; i < kPitchClassRanks.size(); ++i) {
    add(fmt::format("pc{}", i), fmt::format("share of the {} pitch class", kPitchClassRanks[i]));
  }
  add("chord_mean", "notes per onset");
  for (size_t k = 1; k <= kLargestChord; ++k) {
    add(fmt::format("ch{}", k), fmt::format("share of onsets with {} note{}", k, k == 1 ? "" : "s"));
  }
  for (size_t k = 0; k <= kLargestInterval; ++k) {
    add(fmt::format("iv{}", k), fmt::format("in chords, neighbouring notes: {}", IntervalWords(k)));
  }
  for (const auto& [id, voice] : {std::pair("top", "highest"), std::pair("bass", "lowest")}) {
    for (int k = -kLargestStep; k <= kLargestStep; ++k) {
      add(fmt::format("{}{}", id, k), fmt::format("the {} note of an onset {}", voice, StepWords(k)));
    }
  }
  for (size_t i = 0; i < kGaps.size(); ++i) {
    add(fmt::format("ioi{}", kGaps[i]), fmt::format("share of onsets that follow after {}", kGapWords[i]));
  }
  for (const int lag : kLags) {
    const std::string_view bars = lag == 1 ? "bar" : "bars";
    add(fmt::format("cs{}", lag), fmt::format("likeness of the pitch classes after {} {}", lag, bars), true);
    add(fmt::format("rs{}", lag), fmt::format("likeness of the rhythm after {} {}", lag, bars), true);
    add(fmt::format("js{}", lag), fmt::format("exact notes that return after {} {}", lag, bars), true);
    add(fmt::format("jmax{}", lag), fmt::format("exact notes that return after {} {}, best pair", lag, bars), true);
  }
  add("sec_sd", "how much the number of notes changes every four bars");
  add("vsec_sd", "how much the velocity changes every four bars");
  CONTINUO_CHECK(table.size() == kBarFeatures);
  return table;
}

// The values.

struct FeatureNote {
  int64_t time;  // ticks
  int64_t duration;
  uint8_t pitch;
  uint8_t velocity;
  auto Key() const { return std::tuple(time, duration, pitch, velocity); }
};

double Mean(std::span<const double> values) {
  double sum = 0;
  for (const double value : values) {
    sum += value;
  }
  return sum / static_cast<double>(values.size());
}

// Of a population (n); 0 without values.
double Deviation(std::span<const double> values) {
  if (values.empty()) {
    return 0;
  }
  const double mean = Mean(values);
  double squares = 0;
  for (const double value : values) {
    squares += (value - mean) * (value - mean);
  }
  return std::sqrt(squares / static_cast<double>(values.size()));
}

// Between the two nearest values in proportion, as numpy.percentile.
double Percentile(std::span<const double> rising, int percent) {
  const double place = percent / 100.0 * static_cast<double>(rising.size() - 1);
  const auto below = static_cast<size_t>(place);
  const size_t above = std::min(below + 1, rising.size() - 1);
  return rising[below] + (place - static_cast<double>(below)) * (rising[above] - rising[below]);
}

/// Appends values in the order of the table.
class FeatureWriter {
 public:
  void Add(double value) { values_[next_++] = value; }
  /// Counts as shares of `total`; 0 if that is 0.
  template <typename Counts>
  void AddShares(const Counts& counts, size_t total) {
    for (const size_t count : counts) {
      Add(total > 0 ? static_cast<double>(count) / static_cast<double>(total) : 0);
    }
  }
  const BarFeatureValues& Finish() const {
    CONTINUO_CHECK(next_ == kBarFeatures);
    return values_;
  }

 private:
  BarFeatureValues values_{};
  size_t next_ = 0;
};

/// The notes that begin in the first bars, by onset, then duration, pitch and velocity.
std::vector<FeatureNote> NotesOf(const Score& score, int64_t end) {
  std::vector<FeatureNote> notes;
  for (const Track& track : score.tracks) {
    for (const Note& note : track.notes) {
      if (note.time < end) {
        notes.push_back({note.time, note.duration, note.pitch, note.velocity});
      }
    }
  }
  std::ranges::sort(notes, {}, &FeatureNote::Key);
  return notes;
}

/// Notes at the same 64th of a bar.
struct Onset {
  int64_t place;  // in 64ths of a bar
  std::vector<uint8_t> pitches;
};

std::vector<Onset> OnsetsOf(std::span<const FeatureNote> notes, int64_t bar_ticks) {
  std::vector<Onset> onsets;
  for (const FeatureNote& note : notes) {
    const int64_t place = RoundHalfToEven(note.time * kChordsPerBar, bar_ticks);
    if (onsets.empty() || onsets.back().place != place) {
      onsets.push_back({place, {}});
    }
    onsets.back().pitches.push_back(note.pitch);
  }
  for (Onset& onset : onsets) {
    std::ranges::sort(onset.pitches);
  }
  return onsets;
}

void AddDistributions(std::span<const FeatureNote> notes, double ticks_per_quarter, FeatureWriter& writer) {
  std::vector<double> pitches;
  std::vector<double> velocities;
  std::vector<double> durations;
  for (const FeatureNote& note : notes) {
    pitches.push_back(note.pitch);
    velocities.push_back(note.velocity);
    durations.push_back(static_cast<double>(note.duration) / ticks_per_quarter);
  }
  writer.Add(Deviation(velocities));
  std::ranges::sort(pitches);
  std::ranges::sort(velocities);
  std::ranges::sort(durations);
  for (const int percent : kPercents) {
    writer.Add(Percentile(pitches, percent));
    writer.Add(Percentile(velocities, percent));
    writer.Add(Percentile(durations, percent));
  }
}

void AddChords(std::span<const Onset> onsets, size_t notes, FeatureWriter& writer) {
  std::array<size_t, kLargestChord> sizes{};
  std::array<size_t, kLargestInterval + 1> intervals{};
  size_t interval_count = 0;
  for (const Onset& onset : onsets) {
    if (onset.pitches.size() <= kLargestChord) {
      ++sizes[onset.pitches.size() - 1];
    }
    for (size_t i = 1; i < onset.pitches.size(); ++i) {
      ++intervals[std::min<size_t>(kLargestInterval, onset.pitches[i] - onset.pitches[i - 1])];
      ++interval_count;
    }
  }
  writer.Add(static_cast<double>(notes) / static_cast<double>(onsets.size()));
  writer.AddShares(sizes, onsets.size());
  writer.AddShares(intervals, interval_count);
}

/// `voice(onset)` is the pitch of a voice at an onset.
template <typename Voice>
void AddSteps(std::span<const Onset> onsets, const Voice& voice, FeatureWriter& writer) {
  std::array<size_t, 2 * kLargestStep + 1> steps{};
  for (size_t i = 1; i < onsets.size(); ++i) {
    const int step = voice(onsets[i]) - voice(onsets[i - 1]);
    const int place = std::clamp(step, -kLargestStep, kLargestStep) + kLargestStep;
    ++steps[static_cast<size_t>(place)];
  }
  if (onsets.size() == 1) {
    steps[kLargestStep] = 1;  // a single onset stays where it is
  }
  writer.AddShares(steps, std::max<size_t>(1, onsets.size() - 1));
}

void AddGaps(std::span<const Onset> onsets, FeatureWriter& writer) {
  std::array<size_t, kGaps.size()> counts{};
  for (size_t i = 1; i < onsets.size(); ++i) {
    const auto gap = std::ranges::find(kGaps, onsets[i].place - onsets[i - 1].place);
    if (gap != kGaps.end()) {
      ++counts[static_cast<size_t>(gap - kGaps.begin())];
    }
  }
  writer.AddShares(counts, onsets.size() - 1);
}

void AddForm(std::span<const FormNote> notes, int64_t bars, FeatureWriter& writer) {
  const std::vector<BarPattern> patterns = BarPatternsOf(notes);
  for (const int lag : kLags) {
    LagLikeness likeness = LikenessAtLag(patterns, bars, lag);
    if (bars <= lag) {
      likeness = {};
    }
    writer.Add(likeness.mean.chroma);
    writer.Add(likeness.mean.rhythm);
    writer.Add(likeness.mean.exact);
    writer.Add(likeness.largest_exact);
  }
}

/// How the number of notes and the velocity change from section to section of four bars.
void AddSections(std::span<const FeatureNote> notes, std::span<const double> per_bar, int64_t bar_ticks,
                 FeatureWriter& writer) {
  const auto bars = static_cast<int64_t>(per_bar.size());
  std::vector<double> densities;
  for (int64_t bar = 0; bar + kSectionBars <= bars; bar += kSectionBars) {
    densities.push_back(Mean(per_bar.subspan(static_cast<size_t>(bar), kSectionBars)));
  }
  writer.Add(densities.empty() ? 0 : Deviation(densities) / (Mean(densities) + 1e-9));
  const auto sections = static_cast<size_t>((bars + kSectionBars - 1) / kSectionBars);
  std::vector<double> velocities(sections);
  std::vector<double> counts(sections);
  for (const FeatureNote& note : notes) {
    const auto section = static_cast<size_t>(note.time / bar_ticks / kSectionBars);
    velocities[section] += note.velocity;
    counts[section] += 1;
  }
  for (size_t i = 0; i < sections; ++i) {
    velocities[i] /= std::max(1.0, counts[i]);
  }
  writer.Add(Deviation(velocities));
}

}  // namespace

std::span<const BarFeature> BarFeatureTable() {
  static const std::vector<BarFeature> table = MakeTable();
  return table;
}

std::optional<BarFeatureValues> BarFeaturesOf(const Score& score, int64_t bars) {
  CONTINUO_CHECK(score.ticks_per_quarter > 0 && bars >= 1 && bars <= kMostFeatureBars);
  const int64_t bar_ticks = 4 * int64_t{score.ticks_per_quarter};
  const std::vector<FeatureNote> notes = NotesOf(score, bars * bar_ticks);
  if (notes.empty()) {
    return std::nullopt;
  }
  std::vector<double> per_bar(static_cast<size_t>(bars));
  std::array<size_t, kFormPositions> positions{};
  std::array<size_t, 12> pitch_classes{};
  std::vector<FormNote> form_notes;
  for (const FeatureNote& note : notes) {
    const int64_t bar = note.time / bar_ticks;
    const int64_t position =
        RoundHalfToEven((note.time - bar * bar_ticks) * kFormPositions, bar_ticks) % kFormPositions;
    per_bar[static_cast<size_t>(bar)] += 1;
    ++positions[static_cast<size_t>(position)];
    ++pitch_classes[note.pitch % 12];
    form_notes.push_back({.bar = bar,
                          .position = position,
                          .pitch = note.pitch,
                          .is_drum = false,
                          .duration = static_cast<double>(note.duration) / score.ticks_per_quarter});
  }
  std::ranges::sort(pitch_classes, std::greater());
  const std::vector<Onset> onsets = OnsetsOf(notes, bar_ticks);

  FeatureWriter writer;
  writer.Add(Mean(per_bar));
  writer.Add(Deviation(per_bar));
  writer.Add(static_cast<double>(std::ranges::count(per_bar, 0.0)) / static_cast<double>(bars));
  AddDistributions(notes, score.ticks_per_quarter, writer);
  writer.AddShares(positions, notes.size());
  writer.AddShares(pitch_classes, notes.size());
  AddChords(onsets, notes.size(), writer);
  AddSteps(onsets, [](const Onset& onset) { return int{onset.pitches.back()}; }, writer);
  AddSteps(onsets, [](const Onset& onset) { return int{onset.pitches.front()}; }, writer);
  AddGaps(onsets, writer);
  AddForm(form_notes, bars, writer);
  AddSections(notes, per_bar, bar_ticks, writer);
  return writer.Finish();
}

std::pair<double, double> MeanAndVariance(std::span<const BarFeatureValues> pieces, size_t feature) {
  double sum = 0;
  for (const BarFeatureValues& piece : pieces) {
    sum += piece[feature];
  }
  const double mean = sum / static_cast<double>(pieces.size());
  double squares = 0;
  for (const BarFeatureValues& piece : pieces) {
    squares += (piece[feature] - mean) * (piece[feature] - mean);
  }
  return {mean, squares / static_cast<double>(pieces.size())};
}

}  // namespace continuo
