#include "continuo/score/align.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>
#include <limits>
#include <optional>
#include <span>
#include <utility>

#include "continuo/core/check.h"
#include "continuo/midi/document_edit.h"
#include "continuo/score/tempo_map.h"

namespace continuo {
namespace {

constexpr int32_t kBase = 480;               // the new time base is a multiple of it
constexpr double kLongestTick = 0.0008;      // seconds
constexpr double kNoTime = 0.001;            // a first beat earlier than this is at tick 0
constexpr double kLeastRest = 0.005;         // seconds of a beat of rest: 12,000 beats per minute
constexpr double kOnTheBeat = 1.0 / 16;      // of a beat: a note so close to a beat belongs to it
constexpr double kExtrapolationSlack = 0.1;  // of a beat: how far the first added beat is stretched
constexpr size_t kIntervalsForTempo = 4;
constexpr int64_t kMicroseconds = 1'000'000;

/// The microseconds per quarter note of a tempo event, 0 if it says none.
int32_t TempoOf(const MidiDocument& document, const MidiEvent& event) {
  const std::span<const uint8_t> data = document.Payload(event);
  return data.size() < 3 ? 0 : data[0] << 16 | data[1] << 8 | data[2];
}

/// The times of a document's ticks, by the rules of ParseScore.
TempoMap TimesOf(const MidiDocument& document) {
  Score score;
  score.ticks_per_quarter = document.ticks_per_quarter();
  if (document.is_smpte()) {
    // 29.97 frames per second are written as 29 and counted as 30.
    const int frames = -static_cast<int8_t>(document.division >> 8);
    score.tempos.push_back({0, frames == 29 ? 1'001'000 : 1'000'000});
    return TempoMap(score);
  }
  for (const MidiTrack& track : document.tracks) {
    for (const MidiEvent& event : track.events) {
      if (!event.is_meta(kMetaTempo)) {
        continue;
      }
      if (const int32_t tempo = TempoOf(document, event); tempo > 0) {
        score.tempos.push_back({static_cast<Tick>(event.time), tempo});
      }
    }
  }
  std::stable_sort(score.tempos.begin(), score.tempos.end(),
                   [](const Tempo& a, const Tempo& b) { return a.time < b.time; });
  return TempoMap(score);
}

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

/// The median distance of neighbours.
double TypicalInterval(std::span<const Beat> beats) {
  std::vector<double> intervals;
  for (size_t i = 1; i < beats.size(); ++i) {
    intervals.push_back(beats[i].seconds - beats[i - 1].seconds);
  }
  return Median(std::move(intervals));
}

/// The quarter notes of the new grid and the bars that they are in.
struct Grid {
  std::vector<double> quarters;  // seconds; the first is 0 and at tick 0
  size_t first_beat = 0;         // the quarter of the first annotated beat
  std::vector<uint8_t> bars;     // in quarters; they cover `quarters`
  double tail = 0;               // seconds of a quarter after the last
};

/// Fails if too many beats are missing at the start. `first_onset` is in seconds.
Result<Grid> MakeGrid(const BeatList& list, double first_onset) {
  const std::span<const Beat> beats = list.beats;
  const BeatBars cut = CutIntoBars(beats);
  const size_t bar = cut.beats.front();
  const size_t near = std::min(kIntervalsForTempo + 1, beats.size());
  const double interval = TypicalInterval(beats.first(near));
  const double lead = beats.front().seconds;

  // Whole beats before the first one, and the time that is left before these.
  double whole = 0;
  double rest = 0;
  if (lead >= kNoTime) {
    whole = std::floor(lead / interval + kExtrapolationSlack);
    rest = lead - whole * interval;
    if (whole > static_cast<double>(kMostBeats)) {
      return Error{fmt::format("{}: line {}: the first beat is at {} s, so that {:.0f} beats are missing before it, "
                               "where at most {} can be added",
                               list.name, beats.front().line, lead, whole, kMostBeats),
                   "add the beats that are missing"};
    }
    if (whole > 0 && std::abs(rest) <= kExtrapolationSlack * interval && interval + rest <= kLongestBeat) {
      rest = 0;
    }
  }
  const auto added = static_cast<size_t>(whole);
  size_t before_line = cut.pickup + added;
  size_t rests = 0;  // beats in `rest`
  if (rest > 0) {
    rests = bar - before_line % bar;
    const double beat = rest / static_cast<double>(rests);
    if (first_onset < rest - kOnTheBeat * beat || beat < kLeastRest) {
      rests = 1;
    }
    before_line += rests;
  }

  Grid grid;
  grid.tail = TypicalInterval(beats.last(near));
  for (size_t i = 0; i < rests; ++i) {
    grid.quarters.push_back(rest * static_cast<double>(i) / static_cast<double>(rests));
  }
  for (size_t i = 0; i < added; ++i) {
    grid.quarters.push_back(i == 0 && rests == 0 ? 0 : lead - static_cast<double>(added - i) * interval);
  }
  grid.first_beat = grid.quarters.size();
  for (const Beat& beat : beats) {
    grid.quarters.push_back(beat.seconds);
  }
  grid.quarters.front() = 0;
  if (before_line % bar != 0) {
    grid.bars.push_back(static_cast<uint8_t>(before_line % bar));
  }
  grid.bars.insert(grid.bars.end(), before_line / bar, cut.beats.front());
  grid.bars.insert(grid.bars.end(), cut.beats.begin(), cut.beats.end());
  return grid;
}

/// The new tempos: from seconds to ticks and back. A tempo is a whole number of microseconds, so
/// that the time of every quarter is exact.
class NewTempos {
 public:
  explicit NewTempos(const Grid& grid) {
    double slowest = grid.tail;
    for (size_t i = 1; i < grid.quarters.size(); ++i) {
      slowest = std::max(slowest, grid.quarters[i] - grid.quarters[i - 1]);
    }
    const auto multiple = static_cast<int32_t>(std::ceil(slowest / (kLongestTick * kBase)));
    ticks_per_quarter_ = kBase * std::max(1, multiple);
    int64_t time = 0;
    int64_t tempo = 0;
    for (size_t i = 0; i + 1 < grid.quarters.size(); ++i) {
      const int64_t target = std::llround(grid.quarters[i + 1] * kMicroseconds);
      constexpr int64_t kLargestMiss = 50;
      const int64_t allowed = std::min(kLargestMiss, (target - time) / (4 * ticks_per_quarter_));
      if (std::abs(time + tempo - target) > allowed) {
        tempo = std::clamp<int64_t>(target - time, 1, kSlowestTempo);
        Begin(i, time, tempo);
      }
      time += tempo;
    }
    if (const int64_t tail = std::llround(grid.tail * kMicroseconds); tail != tempo) {
      Begin(grid.quarters.size() - 1, time, std::clamp<int64_t>(tail, 1, kSlowestTempo));
    }
  }

  struct Section {
    int64_t tick;
    int64_t time;   // in microseconds
    int64_t tempo;  // microseconds per quarter note
  };
  const std::vector<Section>& sections() const { return sections_; }
  int32_t ticks_per_quarter() const { return ticks_per_quarter_; }

  /// The nearest tick; not always one that MIDI time can hold.
  int64_t TickAt(double seconds) const {
    const double time = seconds * kMicroseconds;
    const auto next = std::upper_bound(sections_.begin(), sections_.end(), time, [](double t, const Section& section) {
      return t < static_cast<double>(section.time);
    });
    const Section& section = next == sections_.begin() ? *next : *std::prev(next);
    const double ticks =
        (time - static_cast<double>(section.time)) * ticks_per_quarter_ / static_cast<double>(section.tempo);
    constexpr double kFar = 1e15;  // more than MIDI time holds, and exact in both types
    const int64_t tick = section.tick + std::llround(std::min(ticks, kFar));
    return next == sections_.end() ? tick : std::min(tick, next->tick);
  }

  double SecondsAt(int64_t tick) const {
    const auto next = std::upper_bound(sections_.begin(), sections_.end(), tick,
                                       [](int64_t t, const Section& section) { return t < section.tick; });
    const Section& section = *std::prev(next);
    return (static_cast<double>(section.time) +
            static_cast<double>(tick - section.tick) * static_cast<double>(section.tempo) / ticks_per_quarter_) /
           kMicroseconds;
  }

 private:
  static constexpr int64_t kSlowestTempo = 0xFFFFFF;

  void Begin(size_t quarter, int64_t time, int64_t tempo) {
    sections_.push_back({static_cast<int64_t>(quarter) * ticks_per_quarter_, time, tempo});
  }

  int32_t ticks_per_quarter_ = kBase;
  std::vector<Section> sections_;  // the first at tick 0
};

/// Seconds of the first note-on.
std::optional<double> FirstOnset(const MidiDocument& document, const TempoMap& times) {
  uint32_t first = std::numeric_limits<uint32_t>::max();
  for (const MidiTrack& track : document.tracks) {
    const auto note = std::find_if(track.events.begin(), track.events.end(),
                                   [](const MidiEvent& event) { return event.is_note_on(); });
    if (note != track.events.end()) {
      first = std::min(first, note->time);
    }
  }
  if (first > kLastTick) {
    return std::nullopt;
  }
  return times.Seconds(static_cast<Tick>(first));
}

/// The tracks with new times and without tempos and time signatures, and what was changed.
struct MovedTracks {
  std::vector<MidiTrack> tracks;
  uint32_t last_onset = 0;
};

Result<MovedTracks> MoveEvents(const MidiDocument& document, const TempoMap& times, const NewTempos& tempos,
                               std::string_view name, AlignReport& report) {
  MovedTracks moved;
  moved.tracks.reserve(document.tracks.size());
  const int32_t sixteenth = tempos.ticks_per_quarter() / 4;
  // Many events have one time.
  uint32_t known = 0;
  int64_t known_tick = tempos.TickAt(0);
  const auto tick_of = [&](uint32_t time) {
    if (time != known) {
      known = time;
      const double seconds = times.Seconds(static_cast<Tick>(time));
      known_tick = tempos.TickAt(seconds);
      report.worst_error = std::max(report.worst_error, std::abs(tempos.SecondsAt(known_tick) - seconds));
    }
    return known_tick;
  };
  for (const MidiTrack& track : document.tracks) {
    MidiTrack& to = moved.tracks.emplace_back();
    to.events.reserve(track.events.size());
    const int64_t end = tick_of(track.end);
    if (end > kLastTick) {
      return MakeError("{}: would last {} ticks at {} ticks per quarter note, where MIDI time holds {}", name, end,
                       tempos.ticks_per_quarter(), kLastTick);
    }
    to.end = static_cast<uint32_t>(end);
    for (const MidiEvent& event : track.events) {
      if (event.is_meta(kMetaTempo) || event.is_meta(kMetaTimeSignature)) {
        continue;
      }
      MidiEvent& copy = to.events.emplace_back(event);
      copy.time = static_cast<uint32_t>(tick_of(event.time));  // no later than the end
      if (event.is_note_on()) {
        ++report.onsets;
        const auto beyond = static_cast<int32_t>(copy.time % static_cast<uint32_t>(sixteenth));
        report.onsets_near_sixteenths += 4 * std::min(beyond, sixteenth - beyond) <= sixteenth ? 1 : 0;
        moved.last_onset = std::max(moved.last_onset, copy.time);
      }
    }
  }
  return moved;
}

/// Puts tempos and time signatures before the events of the first track at their times.
void InsertConductor(MidiDocument& document, const NewTempos& tempos, const std::vector<uint8_t>& bars,
                     AlignReport& report) {
  std::vector<MidiInsertion> insertions;
  const auto insert = [&](int64_t tick, uint8_t type, std::span<const uint8_t> data) {
    const auto time = static_cast<uint32_t>(tick);
    insertions.push_back({0, FirstAt(document.tracks.front(), time), document.NewMeta(time, type, data)});
  };
  const uint32_t end = document.end();  // what comes later is of no use
  int64_t tick = 0;
  for (size_t i = 0; i < bars.size() && tick <= end; ++i) {
    if (i == 0 || bars[i] != bars[i - 1]) {
      insert(tick, kMetaTimeSignature, TimeSignatureData(bars[i], 4));
      report.time_signatures.push_back({i, bars[i]});
    }
    tick += int64_t{bars[i]} * tempos.ticks_per_quarter();
  }
  for (const NewTempos::Section& section : tempos.sections()) {
    if (section.tick > end) {
      break;
    }
    insert(section.tick, kMetaTempo, TempoData(static_cast<int32_t>(section.tempo)));
  }
  InsertEvents(document, std::move(insertions));
}

/// What the report says of beats and bars.
void CountBeatsAndBars(const BeatList& list, const Grid& grid, uint32_t last_onset, AlignReport& report) {
  report.beats = list.beats.size();
  std::vector<uint8_t> is_line(grid.quarters.size(), 0);
  const size_t last_quarter = last_onset / static_cast<uint32_t>(report.ticks_per_quarter);
  size_t line = 0;
  for (const uint8_t length : grid.bars) {
    if (line < is_line.size()) {
      is_line[line] = 1;
    }
    report.bars += line <= last_quarter ? 1 : 0;
    line += length;
  }
  if (line <= last_quarter) {
    report.bars += (last_quarter - line) / grid.bars.back() + 1;
  }
  double shortest = kLongestBeat;
  double longest = 0;
  for (size_t i = 0; i < list.beats.size(); ++i) {
    const Beat& beat = list.beats[i];
    report.downbeats += beat.downbeat ? 1 : 0;
    report.downbeats_on_lines += beat.downbeat && is_line[grid.first_beat + i] != 0 ? 1 : 0;
    if (i > 0) {
      shortest = std::min(shortest, beat.seconds - list.beats[i - 1].seconds);
      longest = std::max(longest, beat.seconds - list.beats[i - 1].seconds);
    }
  }
  constexpr double kMinute = 60;
  report.slowest_bpm = kMinute / longest;
  report.fastest_bpm = kMinute / shortest;
}

}  // namespace

Result<AlignReport> AlignToBeats(MidiDocument& document, const BeatList& beats, std::string_view name) {
  CONTINUO_CHECK(beats.beats.size() >= 2);
  if (document.format == 2) {
    return Error{fmt::format("{}: has format 2, whose tracks are songs of their own", name),
                 "save it with format 0 or 1"};
  }
  if (document.end() > kLastTick) {
    return MakeError("{}: lasts {} ticks, expected at most {}", name, document.end(), kLastTick);
  }
  const TempoMap times = TimesOf(document);
  const std::optional<double> first_onset = FirstOnset(document, times);
  if (!first_onset) {
    return MakeError("{}: holds no notes", name);
  }
  const double end = times.Seconds(static_cast<Tick>(document.end()));
  for (const Beat& beat : beats.beats) {
    if (beat.seconds > end + kBeyondSong) {
      return Error{
          fmt::format("{}: line {}: the beat at {} s is beyond the song {}, which ends at {:.3f} s", beats.name,
                      beat.line, beat.seconds, name, end),
          fmt::format("beats may be at most {} s after the end; do they belong to another song?", kBeyondSong)};
    }
  }
  CONTINUO_ASSIGN(const Grid grid, MakeGrid(beats, *first_onset));
  const NewTempos tempos(grid);
  AlignReport report;
  report.ticks_per_quarter = tempos.ticks_per_quarter();
  CONTINUO_ASSIGN(MovedTracks moved, MoveEvents(document, times, tempos, name, report));
  document.tracks = std::move(moved.tracks);
  document.division = static_cast<uint16_t>(report.ticks_per_quarter);
  InsertConductor(document, tempos, grid.bars, report);
  CountBeatsAndBars(beats, grid, moved.last_onset, report);
  return report;
}

}  // namespace continuo
