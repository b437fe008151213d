#include <cstddef>
#include <cstdint>
#include <string_view>

#include "continuo/core/check.h"
#include "continuo/score/align.h"
#include "continuo/score/beats.h"

namespace {

/// A song of `seconds` with a note every half second; a tick is 1 ms.
continuo::MidiDocument Song(uint32_t seconds) {
  using namespace continuo;
  MidiDocument song;
  song.division = 500;
  MidiTrack& track = song.tracks.emplace_back();
  for (uint32_t time = 0; time < 1000 * seconds; time += 500) {
    track.events.push_back(NewMessage(time, kNoteOn, 60, 80));
    track.events.push_back(NewMessage(time + 250, kNoteOff, 60, 0));
  }
  track.end = 1000 * seconds;
  return song;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace continuo;
  const Result<BeatList> beats = ParseBeats(std::string_view(reinterpret_cast<const char*>(data), size), "input");
  if (!beats.ok()) {
    return 0;
  }
  const BeatBars bars = CutIntoBars(beats->beats);
  size_t covered = bars.pickup;
  for (const uint8_t length : bars.beats) {
    CONTINUO_CHECK(length >= 1 && length <= kLongestBar);
    CONTINUO_CHECK(covered < beats->beats.size());
    covered += length;
  }
  CONTINUO_CHECK(bars.pickup < bars.beats.front() && covered >= beats->beats.size());

  MidiDocument song = Song(60);
  const Result<AlignReport> report = AlignToBeats(song, *beats, "song");
  if (!report.ok()) {
    return 0;
  }
  CONTINUO_CHECK(report->worst_error < 0.0005);
  CONTINUO_CHECK(report->time_signatures.front().bar == 0 && report->downbeats_on_lines <= report->downbeats);
  Defects none("written");
  const Result<MidiDocument> again = ReadMidiDocument(SerializeMidiDocument(song), none);
  CONTINUO_CHECK(again.ok() && none.count() == 0 && SameMusic(*again, song));
  return 0;
}
