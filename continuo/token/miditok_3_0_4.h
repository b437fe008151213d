#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "continuo/token/grid.h"
#include "continuo/token/tokenizer_config.h"

namespace continuo {

// What MidiTok 3.0.4 does that 3.1.0 does not do, and that one would not do on purpose. How its
// symusic, 0.5.4, reads files is in miditok_reader.h.
//
// Not here, because both releases do it:
// - A note that ends where another of its pitch begins, and any two that overlap, are paired first
//   in, first out when MIDI-Like tokens are decoded, so that the ends of overlapping notes may
//   change places.
// - A chord is looked for only among notes that start within one part of a beat of each other, and
//   its lowest note is the first in the list, not the lowest pitch.
// - Rests are measured from the end of the last note of any pitch, and a REMI rest that crosses a
//   bar line takes the place of that Bar token.
// - A decoder takes any token with an integer value after a NoteOn for its velocity.
// - Tempos are cut to whole microseconds when read back from NumPy, but rounded when made from a
//   token.
// - Positions of time signatures are cut when resampled, those of all else rounded.

/// The last pitch of a range that has tokens: 3.0.4 leaves the upper end of pitch_range and
/// drums_pitch_range out, although its documents say else.
inline int LastPitch(const std::array<int, 2>& range, MidiTokRelease release) {
  return release == MidiTokRelease::k3_0_4 ? range[1] - 1 : range[1];
}

/// Where a rest begins: 3.0.4 starts it at the end of the last note even where time has moved past
/// that already (a tempo or a pedal in the silence), so that the rest is too long.
inline int32_t RestStart(int32_t note_end, int32_t now, MidiTokRelease release) {
  return release == MidiTokRelease::k3_0_4 ? note_end : std::max(note_end, now);
}

/// Grid of 3.0.4: it finds the sections by wrong indices, counts all grids from tick 0, and rounds
/// durations where 3.1.0 rounds ends.
class Grid304 {
 public:
  Grid304() = default;  // moves nothing
  explicit Grid304(std::vector<GridSection> sections) : sections_(std::move(sections)) {}

  template <typename Event>
  void MoveTimes(std::vector<Event>& events) const {
    if (active() && !events.empty()) {
      std::vector<int32_t> times = Times(events);
      RoundTimes(times, SectionEnds(times));
      SetTimes(events, times);
    }
  }

  /// Of tempos and bends, for which it takes ticks for positions in the list.
  template <typename Event>
  void MoveTimesOfChanges(std::vector<Event>& events) const {
    if (active()) {
      std::vector<int32_t> times = Times(events);
      RoundTimes(times, TicksAsEnds(times.size()));
      SetTimes(events, times);
    }
  }

  template <typename Event>
  void MoveEnds(std::vector<Event>& events) const {
    if (active() && !events.empty()) {
      std::vector<int32_t> times = Times(events);
      const std::vector<size_t> ends = SectionEnds(times);
      RoundTimes(times, ends);
      SetTimes(events, times);
      SetDurations(events, times, ends);
    }
  }

  /// Before pedals that touch become one, and after that.
  template <typename Event>
  void MovePedals(std::vector<Event>& pedals) const {
    MoveTimes(pedals);
  }
  template <typename Event>
  void FinishPedals(std::vector<Event>& pedals) const {
    if (active() && !pedals.empty()) {
      const std::vector<int32_t> times = Times(pedals);
      SetDurations(pedals, times, SectionEnds(times));
    }
  }

 private:
  bool active() const { return sections_.size() > 1 || (!sections_.empty() && sections_[0].step != 1); }

  template <typename Event>
  static std::vector<int32_t> Times(const std::vector<Event>& events) {
    std::vector<int32_t> times;
    times.reserve(events.size());
    for (const Event& event : events) {
      times.push_back(event.time);
    }
    return times;
  }

  template <typename Event>
  static void SetTimes(std::vector<Event>& events, const std::vector<int32_t>& times) {
    for (size_t i = 0; i < events.size(); ++i) {
      events[i].time = times[i];
    }
  }

  template <typename Event>
  void SetDurations(std::vector<Event>& events, const std::vector<int32_t>& times,
                    const std::vector<size_t>& ends) const {
    std::vector<int32_t> durations;
    durations.reserve(events.size());
    for (const Event& event : events) {
      durations.push_back(event.duration);
    }
    RoundDurations(times, durations, ends);
    for (size_t i = 0; i < events.size(); ++i) {
      events[i].duration = durations[i];
    }
  }

  // Where each section ends among events at `times`, of which there is one at least.
  std::vector<size_t> SectionEnds(const std::vector<int32_t>& times) const;
  // The same as MidiTok has it where it forgets to look the ticks up.
  std::vector<size_t> TicksAsEnds(size_t size) const;
  void RoundTimes(std::vector<int32_t>& times, const std::vector<size_t>& ends) const;
  // Rounds durations by themselves, then the ends that cross a section's border.
  void RoundDurations(const std::vector<int32_t>& times, std::vector<int32_t>& durations,
                      const std::vector<size_t>& ends) const;

  template <typename Function>
  void ForEachInSection(const std::vector<size_t>& ends, size_t size, const Function& function) const;
  int32_t StepForBorder(const std::vector<size_t>& ends, size_t s, int32_t time) const;

  std::vector<GridSection> sections_;
};

}  // namespace continuo
