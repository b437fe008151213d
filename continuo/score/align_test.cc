#include "continuo/score/align.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "continuo/core/shared_data_testing.h"
#include "continuo/midi/midi_bytes_testing.h"
#include "continuo/os/file.h"
#include "continuo/score/bars.h"
#include "continuo/score/score_file.h"
#include "continuo/score/tempo_map.h"

namespace continuo {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Signature = AlignReport::TimeSignature;

/// A song at 120 quarter notes per minute, 500 ticks each, so that a tick is 1 ms: a track without
/// notes, and one with a note of 100 ms at each of these milliseconds. It ends at `end`.
MidiDocument SongOf(const std::vector<uint32_t>& onsets, uint32_t end) {
  MidiDocument document;
  document.division = 500;
  document.tracks.resize(2);
  document.tracks[0].events.push_back(document.NewMeta(0, kMetaTrackName, Text("song")));
  for (const uint32_t onset : onsets) {
    document.tracks[1].events.push_back(NewMessage(onset, kNoteOn, 60, 80));
    document.tracks[1].events.push_back(NewMessage(onset + 100, kNoteOff, 60, 40));
  }
  for (MidiTrack& track : document.tracks) {
    track.end = end;
  }
  return document;
}

/// `count` beats from `first` seconds on; beat `downbeat` and every fourth from there on is a
/// downbeat.
BeatList Regular(double first, double interval, size_t count, size_t downbeat = 0) {
  BeatList list{"b.txt", {}};
  for (size_t i = 0; i < count; ++i) {
    list.beats.push_back(
        {first + interval * static_cast<double>(i), i % 4 == downbeat % 4, static_cast<uint32_t>(i + 1)});
  }
  return list;
}

/// The note-ons in quarter notes from the start.
std::vector<double> OnsetsInQuarters(const MidiDocument& document) {
  std::vector<double> onsets;
  for (const MidiTrack& track : document.tracks) {
    for (const MidiEvent& event : track.events) {
      if (event.is_note_on()) {
        onsets.push_back(static_cast<double>(event.time) / document.ticks_per_quarter());
      }
    }
  }
  return onsets;
}

/// The seconds of every event but tempos and time signatures, by integer arithmetic on the bytes.
/// The end of the first track is left out: tempos may follow it.
std::vector<double> Seconds(const MidiDocument& document) {
  std::map<uint32_t, uint32_t> tempos = {{0, 500000}};
  for (const MidiTrack& track : document.tracks) {
    for (const MidiEvent& event : track.events) {
      if (event.is_meta(kMetaTempo)) {
        const auto data = document.Payload(event);
        tempos[event.time] = static_cast<uint32_t>(data[0] << 16 | data[1] << 8 | data[2]);
      }
    }
  }
  const auto seconds_of = [&](uint32_t time) {
    uint64_t units = 0;  // microseconds times ticks per quarter note
    for (auto tempo = tempos.begin(); tempo != tempos.end() && tempo->first < time; ++tempo) {
      const uint32_t end = std::next(tempo) == tempos.end() ? time : std::min(time, std::next(tempo)->first);
      units += uint64_t{end - tempo->first} * tempo->second;
    }
    return static_cast<double>(units) / document.ticks_per_quarter() / 1e6;
  };
  std::vector<double> seconds;
  for (size_t i = 0; i < document.tracks.size(); ++i) {
    for (const MidiEvent& event : document.tracks[i].events) {
      if (!event.is_meta(kMetaTempo) && !event.is_meta(kMetaTimeSignature)) {
        seconds.push_back(seconds_of(event.time));
      }
    }
    if (i > 0) {
      seconds.push_back(seconds_of(document.tracks[i].end));
    }
  }
  return seconds;
}

double LargestDifference(const std::vector<double>& a, const std::vector<double>& b) {
  EXPECT_EQ(a.size(), b.size());
  double largest = 0;
  for (size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    largest = std::max(largest, std::abs(a[i] - b[i]));
  }
  return largest;
}

// Half of the longest tick, where a tempo may be 50 microseconds slower than the slowest beat.
constexpr double kTolerance = 0.0004 + 0.0000005;

AlignReport Align(MidiDocument& document, const BeatList& beats) {
  const std::vector<double> before = Seconds(document);
  const Result<AlignReport> report = AlignToBeats(document, beats, "s.mid");
  EXPECT_TRUE(report.ok()) << report.error().ToString();
  if (!report.ok()) {
    return {};
  }
  EXPECT_LT(LargestDifference(before, Seconds(document)), kTolerance);
  EXPECT_LT(report->worst_error, kTolerance);
  return *report;
}

std::string Refusal(MidiDocument document, const BeatList& beats) {
  const MidiDocument before = document;
  const Result<AlignReport> report = AlignToBeats(document, beats, "s.mid");
  if (report.ok()) {
    return "accepted";
  }
  EXPECT_TRUE(SameMusic(document, before));
  return report.error().ToString();
}

TEST(AlignTest, BeatsFallOnQuarterNotesAndDownbeatsOnBarLines) {
  // Beats that get slower: 0.5, 0.51, 0.52, ... s.
  BeatList beats{"b.txt", {}};
  std::vector<uint32_t> onsets;
  double time = 0;
  for (uint32_t i = 0; i < 40; ++i) {
    beats.beats.push_back({time, i % 4 == 0, i + 1});
    onsets.push_back(static_cast<uint32_t>(std::lround(time * 1000)));
    time += 0.5 + 0.01 * i;
  }
  MidiDocument song = SongOf(onsets, 40000);
  const AlignReport report = Align(song, beats);
  const std::vector<double> quarters = OnsetsInQuarters(song);
  ASSERT_EQ(quarters.size(), 40U);
  for (size_t i = 0; i < quarters.size(); ++i) {
    EXPECT_DOUBLE_EQ(quarters[i], static_cast<double>(i));
  }
  EXPECT_THAT(report.time_signatures, ElementsAre(Signature{0, 4}));
  EXPECT_EQ(report.beats, 40U);
  EXPECT_EQ(report.bars, 10U);
  EXPECT_EQ(report.downbeats, 10U);
  EXPECT_EQ(report.downbeats_on_lines, 10U);
  EXPECT_EQ(report.onsets, 40U);
  EXPECT_EQ(report.onsets_near_sixteenths, 40U);
  EXPECT_NEAR(report.fastest_bpm, 120, 1e-9);
  EXPECT_NEAR(report.slowest_bpm, 60 / 0.88, 1e-9);
}

TEST(AlignTest, RoundingOfTemposDoesNotAddUp) {
  // A third of a second is no whole number of microseconds, nor is the sum of 20,000 of them.
  MidiDocument song = SongOf({1000, 3333333, 6666000}, 6667000);
  const AlignReport report = Align(song, Regular(0, 1.0 / 3, 20000));
  EXPECT_LT(report.worst_error, 0.0004);
  EXPECT_NEAR(OnsetsInQuarters(song)[2], 6666.0 * 3, 1e-3);
}

TEST(AlignTest, OnlyTicksTemposAndTimeSignaturesChange) {
  MidiDocument song = SongOf({0, 700, 1400}, 3000);
  MidiTrack& track = song.tracks[1];
  track.events.insert(track.events.begin(), song.NewMeta(0, kMetaTempo, Hex("07a120")));
  track.events.insert(track.events.begin() + 1, song.NewMeta(0, kMetaTimeSignature, Hex("03021808")));
  track.events.insert(track.events.begin() + 2, song.NewMeta(0, kMetaKeySignature, Hex("fe01")));
  track.events.push_back(song.NewMeta(2000, kMetaMarker, Text("A_m_A")));
  track.events.push_back({2100, kSysEx, 0, 0, false, song.NewMeta(0, kMetaText, Hex("43f7")).offset, 2});
  track.events.push_back(NewMessage(2200, kPitchBend, 1, 2));
  const MidiDocument before = song;
  Align(song, Regular(0, 0.5, 5));
  const auto kept = [](const MidiDocument& document) {
    std::vector<std::string> events;
    for (const MidiTrack& each : document.tracks) {
      for (MidiEvent event : each.events) {
        if (!event.is_meta(kMetaTempo) && !event.is_meta(kMetaTimeSignature)) {
          event.time = 0;
          events.push_back(Describe(document, event));
        }
      }
      events.emplace_back("end");
    }
    return events;
  };
  EXPECT_EQ(kept(song), kept(before));
  for (const MidiEvent& event : song.tracks[1].events) {
    EXPECT_FALSE(event.is_meta(kMetaTempo) || event.is_meta(kMetaTimeSignature)) << Describe(song, event);
  }
  // What is written is read back.
  Defects defects("again");
  const MidiDocument again = ReadMidiDocument(SerializeMidiDocument(song), defects).value();
  EXPECT_EQ(defects.count(), 0U);
  EXPECT_TRUE(SameMusic(again, song));
}

TEST(AlignTest, AFirstBarIsCompletedWithRestsWhereNoNoteIsBefore) {
  MidiDocument song = SongOf({510, 1510}, 9000);
  const AlignReport report = Align(song, Regular(0.51, 1, 9));
  EXPECT_THAT(report.time_signatures, ElementsAre(Signature{0, 4}));
  EXPECT_THAT(OnsetsInQuarters(song), ElementsAre(4, 5));
  EXPECT_EQ(report.downbeats_on_lines, 3U);
  EXPECT_EQ(report.bars, 2U);
}

TEST(AlignTest, APickupGetsBeatsBeforeTheFirstAtTheirTempo) {
  // The downbeat is the third beat; a note is one beat before the first.
  MidiDocument song = SongOf({700, 1700, 3700}, 9000);
  const AlignReport report = Align(song, Regular(1.7, 1, 7, 2));
  EXPECT_THAT(report.time_signatures, ElementsAre(Signature{0, 4}));
  EXPECT_THAT(OnsetsInQuarters(song), ElementsAre(1, 2, 4));
}

TEST(AlignTest, APickupWithoutTimeForRestsIsABarOfItsOwn) {
  MidiDocument song = SongOf({0, 500, 1000}, 9000);
  const AlignReport report = Align(song, Regular(0, 0.5, 12, 2));
  EXPECT_THAT(report.time_signatures, ElementsAre(Signature{0, 2}, Signature{1, 4}));
  EXPECT_THAT(OnsetsInQuarters(song), ElementsAre(0, 1, 2));
  EXPECT_EQ(report.downbeats_on_lines, 3U);
}

TEST(AlignTest, NotesBeforeTheFirstBeatAreNotSqueezedIntoRests) {
  MidiDocument song = SongOf({100, 600}, 9000);
  const AlignReport report = Align(song, Regular(0.6, 1, 9));
  EXPECT_THAT(report.time_signatures, ElementsAre(Signature{0, 1}, Signature{1, 4}));
  EXPECT_THAT(OnsetsInQuarters(song), ElementsAre(::testing::DoubleNear(1.0 / 6, 1e-3), 1));
}

TEST(AlignTest, AfterTheLastBeatTheTempoGoesOn) {
  MidiDocument song = SongOf({0, 10000}, 20000);
  const AlignReport report = Align(song, Regular(0, 0.4, 9));
  EXPECT_THAT(OnsetsInQuarters(song), ElementsAre(0, 25));
  EXPECT_EQ(report.bars, 7U);
}

TEST(AlignTest, AnIrregularBarHasATimeSignatureOfItsOwn) {
  BeatList beats = Regular(0, 0.5, 80);
  for (size_t i = 0; i < beats.beats.size(); ++i) {
    beats.beats[i].downbeat = i < 40 ? i % 4 == 0 : i % 4 == 2 || i == 40;  // a bar of 2 at beat 40
  }
  MidiDocument song = SongOf({0, 21000}, 40000);
  const AlignReport report = Align(song, beats);
  EXPECT_THAT(report.time_signatures, ElementsAre(Signature{0, 4}, Signature{10, 2}, Signature{11, 4}));
  EXPECT_EQ(report.bars, 12U);
  EXPECT_EQ(report.downbeats_on_lines, report.downbeats);
  // The same in the eyes of a reader of the file.
  const Score score = ParseScore(SerializeMidiDocument(song), "song")->score;
  const BarGrid grid(score);
  EXPECT_EQ(grid.Line(11), 42 * score.ticks_per_quarter);
  EXPECT_EQ(CountBars(score), 12U);
}

TEST(AlignTest, SlowBeatsGetAFinerTimeBase) {
  MidiDocument song = SongOf({0, 1, 2, 3, 4, 33400}, 40000);
  const AlignReport report = Align(song, Regular(0, 16.7, 3));
  EXPECT_EQ(report.ticks_per_quarter, 21120);  // the smallest multiple of 480 above 16.7 / 0.0008
  EXPECT_EQ(song.division, 21120);
}

TEST(AlignTest, FramesOfFilmBecomeQuarterNotes) {
  MidiDocument song = SongOf({}, 0);
  song.division = 0xE728;  // 25 frames per second of 40 ticks: a tick is 1 ms
  song.tracks[1].events = {NewMessage(2000, kNoteOn, 60, 80), NewMessage(2400, kNoteOff, 60, 0)};
  song.tracks[1].end = 3000;
  const Result<AlignReport> report = AlignToBeats(song, Regular(0, 0.5, 6), "s.mid");
  ASSERT_TRUE(report.ok());
  EXPECT_FALSE(song.is_smpte());
  EXPECT_THAT(OnsetsInQuarters(song), ElementsAre(4));
}

TEST(AlignTest, WhatCannotBeAlignedIsRefusedAndStaysAsItIs) {
  const MidiDocument song = SongOf({0, 1000}, 5000);
  EXPECT_THAT(Refusal(song, Regular(0, 0.5, 20)),
              AllOf(HasSubstr("b.txt: line 16: the beat at 7.5 s is beyond the song s.mid"), HasSubstr("5.000 s")));
  EXPECT_EQ(Refusal(song, Regular(0, 0.5, 15)), "accepted");  // 7 s: as the last note fades
  EXPECT_THAT(Refusal(SongOf({}, 5000), Regular(0, 0.5, 5)), HasSubstr("s.mid: holds no notes"));
  MidiDocument independent = song;
  independent.format = 2;
  EXPECT_THAT(Refusal(independent, Regular(0, 0.5, 5)), HasSubstr("s.mid: has format 2"));
  const MidiDocument late = SongOf({0}, 100'000'000);
  EXPECT_THAT(Refusal(late, Regular(99'000, 0.5, 5)), HasSubstr("198000 beats are missing before it"));
  const MidiDocument endless = SongOf({0}, kLastTick);
  EXPECT_THAT(Refusal(endless, Regular(0, 0.05, 5)), HasSubstr("MIDI time holds"));
}

TEST(AlignTest, Pop909KeepsItsTimesToAMillisecond) {
  CONTINUO_NEEDS_SHARED();
  for (const std::string name : {"002", "065", "302", "535", "908"}) {
    const std::filesystem::path folder = SharedDir() / "data" / "pop909" / name;
    if (!std::filesystem::exists(folder)) {
      continue;
    }
    Defects defects(name);
    MidiDocument song = ReadMidiDocument(ReadFile(folder / (name + ".mid")).value(), defects).value();
    const AlignReport report = Align(song, ReadBeats(folder / "beat_midi.txt").value());
    EXPECT_GT(report.onsets, 500U) << name;
  }
}

}  // namespace
}  // namespace continuo
