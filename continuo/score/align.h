#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "continuo/core/result.h"
#include "continuo/midi/midi_document.h"
#include "continuo/score/beats.h"

namespace continuo {

/// What AlignToBeats did to a song.
struct AlignReport {
  int32_t ticks_per_quarter = 0;
  size_t beats = 0;                   // annotated
  size_t downbeats = 0;               // annotated
  size_t downbeats_on_lines = 0;      // those where a bar begins
  size_t bars = 0;                    // up to the one in which the last note begins
  size_t onsets = 0;                  // note-ons
  size_t onsets_near_sixteenths = 0;  // at most 1/16 beat from a sixteenth note of the new grid
  double slowest_bpm = 0;             // of the annotated beats
  double fastest_bpm = 0;
  double worst_error = 0;  // the largest change of an event's time, in seconds

  /// A bar of `numerator` quarter notes begins at `bar`, counted from 0, and so do those after it.
  struct TimeSignature {
    size_t bar = 0;
    int numerator = 4;
    bool operator==(const TimeSignature&) const = default;
  };
  std::vector<TimeSignature> time_signatures;  // at least one, the first at bar 0
};

/// Moves the events of a performance so that each annotated beat is on a quarter note and each bar
/// of CutIntoBars begins on a bar line, and writes tempos that keep the time of every event: it
/// changes by half a tick at most, which is 0.41 ms or less.
///
/// Every event keeps its track, order and bytes, except that tempo and time-signature events are
/// replaced by new ones in the first track. The time base becomes the smallest multiple of 480
/// ticks per quarter note at which a tick lasts at most 0.8 ms in the slowest beat. A tempo is
/// written at each beat where the one before would miss the next beat by more than a quarter of a
/// tick or 0.05 ms, so that rounding to whole microseconds never adds up. A time signature is n/4,
/// where n is the number of beats; it is written where it changes.
///
/// Tick 0 stays at the start of the song, and is a bar line:
/// - Beats are added before the first one, at the median distance of the first five, as long as
///   they fit.
/// - If time is left at the start, no note begins in it (but for its last 1/16 beat), and it has 5 ms
///   for each beat that the first bar lacks, the bar is completed with rests, which pass faster. So bar lines are where
///   a reader that ignores time signatures expects them.
/// - Otherwise the pickup is a bar of its own, with a time signature of its own; time that is left
///   at the start (1 ms or more) is one beat of it.
/// After the last beat the tempo is the median of the last four distances.
///
/// Fails, the document unchanged, on a document of format 2 (independent songs), without notes, or
/// too long for MIDI time after the change; on beats more than kBeyondSong seconds after the end of
/// the song; and if more than kMostBeats beats would have to be added before the first one. `name`
/// stands for the song in messages. Takes time linear in the events and beats, times a logarithm.
Result<AlignReport> AlignToBeats(MidiDocument& document, const BeatList& beats, std::string_view name);

/// Beat trackers find beats while the last notes fade.
inline constexpr double kBeyondSong = 2.0;

}  // namespace continuo
