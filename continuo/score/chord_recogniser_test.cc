#include "continuo/score/chord_recogniser.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <limits>
#include <map>

#include "continuo/core/rng.h"
#include "continuo/core/shared_data_testing.h"
#include "continuo/core/thread_pool.h"
#include "continuo/os/machine.h"
#include "continuo/score/score_file.h"

namespace continuo {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr Tick kBeat = 8;

/// The chords as "beat:name".
std::vector<std::string> Chords(const std::vector<TimedPitch>& notes, Tick ticks_per_beat = kBeat) {
  std::vector<std::string> texts;
  for (const ChordChange& change : RecogniseChords(notes, ticks_per_beat)) {
    EXPECT_EQ(change.time % ticks_per_beat, 0);
    texts.push_back(std::to_string(change.time / ticks_per_beat) + ":" + change.chord.Text());
  }
  return texts;
}

void Strike(std::vector<TimedPitch>& notes, Tick beat, Tick beats, const std::vector<int>& pitches,
            Tick ticks_per_beat = kBeat) {
  for (int pitch : pitches) {
    notes.push_back({beat * ticks_per_beat, (beat + beats) * ticks_per_beat, static_cast<uint8_t>(pitch)});
  }
}

TEST(RecogniseChords, NamesPlainChordsOfEveryQualityAndRoot) {
  for (size_t i = 0; i < kNoChordIndex; ++i) {
    const Chord chord = Chord::FromIndex(i);
    std::vector<TimedPitch> notes;
    Strike(notes, 0, 4, {36 + chord.root});
    for (int8_t interval : kChordQualities[chord.quality].intervals) {
      if (interval >= 0) {
        Strike(notes, 0, 4, {60 + chord.root + interval});
      }
    }
    EXPECT_THAT(Chords(notes), ElementsAre("0:" + chord.Text()));
  }
}

TEST(RecogniseChords, FollowsChangesFromTheFirstBeatThatSounds) {
  std::vector<TimedPitch> notes;
  Strike(notes, 2, 4, {48, 60, 64, 67});
  Strike(notes, 6, 4, {45, 60, 64, 69});
  Strike(notes, 10, 2, {43, 59, 62, 65});
  EXPECT_THAT(Chords(notes), ElementsAre("2:C_M", "6:A_m", "10:G_7"));
}

TEST(RecogniseChords, PassesOverANoteInPassing) {
  std::vector<TimedPitch> notes;
  Strike(notes, 0, 8, {48, 60, 64, 67});
  notes.push_back({3 * kBeat + 2, 3 * kBeat + 4, 74});
  EXPECT_THAT(Chords(notes), ElementsAre("0:C_M"));
}

TEST(RecogniseChords, SilenceIsNoChordAndNothingAtAllHasNone) {
  std::vector<TimedPitch> notes;
  EXPECT_THAT(Chords(notes), IsEmpty());
  notes.push_back({5, 5, 60});
  EXPECT_THAT(Chords(notes), IsEmpty());
  Strike(notes, 0, 4, {48, 60, 64, 67});
  Strike(notes, 64, 4, {48, 60, 64, 67});
  EXPECT_THAT(Chords(notes), ElementsAre("0:C_M", "4:N", "64:C_M"));
}

TEST(RecogniseChords, AnyOrderAndAnyUnitOfTimeGiveTheSame) {
  Rng rng(7, 0);
  std::vector<TimedPitch> notes;
  std::vector<TimedPitch> finer;
  for (int i = 0; i < 400; ++i) {
    const auto time = static_cast<Tick>(rng.NextBelow(100 * kBeat));
    const auto end = time + 1 + static_cast<Tick>(rng.NextBelow(3 * kBeat));
    const auto pitch = static_cast<uint8_t>(30 + rng.NextBelow(60));
    notes.push_back({time, end, pitch});
    finer.push_back({time * 60, end * 60, pitch});
  }
  const std::vector<std::string> chords = Chords(notes);
  EXPECT_GT(chords.size(), 20U);
  EXPECT_EQ(Chords(finer, kBeat * 60), chords);
  std::reverse(notes.begin(), notes.end());
  EXPECT_EQ(Chords(notes), chords);
}

// Were the time that notes last what counts, this would take hours.
TEST(RecogniseChords, LongNotesAndFarOnesCostNoMoreThanOthers) {
  constexpr Tick kLast = std::numeric_limits<Tick>::max();
  std::vector<TimedPitch> notes;
  for (int i = 0; i < 20000; ++i) {
    notes.push_back({0, kLast, static_cast<uint8_t>(i % 128)});
    notes.push_back({kLast - 1 - i * 1000, kLast, static_cast<uint8_t>(i % 128)});
  }
  EXPECT_FALSE(RecogniseChords(notes, 1).empty());
  EXPECT_FALSE(RecogniseChords(notes, 32767).empty());
}

TEST(RecogniseChords, HearsNoDrums) {
  Score score;
  score.tracks.resize(2);
  score.tracks[0].notes = {{0, 1920, 48, 64}, {0, 1920, 60, 64}, {0, 1920, 64, 64}, {0, 1920, 67, 64}};
  score.tracks[1].is_drum = true;
  for (Tick i = 0; i < 16; ++i) {
    score.tracks[1].notes.push_back({i * 120, 120, 42, 64});
    score.tracks[1].notes.push_back({i * 120, 120, 37, 64});
  }
  EXPECT_THAT(RecogniseChords(score), ElementsAre(ChordChange{0, {0, 0}}));
}

// Of ticks that the markers name a chord for, the shares on which the recogniser agrees with them.
struct Agreement {
  double root = 0;
  double root_and_quality = 0;
  double root_and_family = 0;
  int64_t ticks = 0;
};

// Major, minor, or one of its own.
int Family(const Chord& chord) {
  static const std::map<std::string_view, int> families{{"M", 0}, {"7", 0}, {"M7", 0}, {"m", 1}, {"m7", 1}};
  if (chord.none()) {
    return -1;
  }
  const auto family = families.find(kChordQualities[chord.quality].name);
  return family != families.end() ? family->second : 2 + chord.quality;
}

Agreement Compare(const std::vector<ChordChange>& expected, const std::vector<ChordChange>& found, Tick end) {
  Agreement sum;
  size_t e = 0;
  size_t f = 0;
  Tick now = std::max(expected.at(0).time, found.at(0).time);
  while (now < end) {
    while (e + 1 < expected.size() && expected[e + 1].time <= now) {
      ++e;
    }
    while (f + 1 < found.size() && found[f + 1].time <= now) {
      ++f;
    }
    Tick until = end;
    until = e + 1 < expected.size() ? std::min(until, expected[e + 1].time) : until;
    until = f + 1 < found.size() ? std::min(until, found[f + 1].time) : until;
    const Chord& a = expected[e].chord;
    const Chord& b = found[f].chord;
    const bool root = a.root == b.root && a.none() == b.none();
    sum.ticks += until - now;
    sum.root += root ? until - now : 0;
    sum.root_and_quality += a == b ? until - now : 0;
    sum.root_and_family += root && Family(a) == Family(b) ? until - now : 0;
    now = until;
  }
  return sum;
}

// The songs whose markers the templates were not made from: every eighth.
TEST(RecogniseChords, AgreesWithTheMarkersOfSongsThatItWasNotMadeFrom) {
  CONTINUO_NEEDS_SHARED();
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(SharedDir() / "data" / "pop1k7")) {
    if (entry.path().extension() == ".mid") {
      paths.push_back(entry.path());
    }
  }
  std::sort(paths.begin(), paths.end());
  std::vector<std::filesystem::path> songs;
  for (size_t i = 5; i < paths.size() && songs.size() < 200; i += 8) {
    songs.push_back(paths[i]);
  }
  ASSERT_EQ(songs.size(), 200U);
  std::vector<Agreement> of_song(songs.size());
  ThreadPool pool(AvailableCores());
  pool.ForEach(songs.size(), [&](size_t i, size_t) {
    const Score score = ReadScore(songs[i]).value();
    Tick end = 0;
    for (const Note& note : score.tracks.at(0).notes) {
      end = std::max(end, note.time + note.duration);
    }
    of_song[i] = Compare(ChordsOfMarkers(score), RecogniseChords(score), end);
  });
  Agreement all;
  for (const Agreement& song : of_song) {
    all.ticks += song.ticks;
    all.root += song.root;
    all.root_and_quality += song.root_and_quality;
    all.root_and_family += song.root_and_family;
  }
  const auto share = [&all](double ticks) { return ticks / static_cast<double>(all.ticks); };
  std::printf("agreement with the markers: root %.3f, root and quality %.3f, root and family %.3f\n", share(all.root),
              share(all.root_and_quality), share(all.root_and_family));
  EXPECT_GE(share(all.root), 0.80);
  EXPECT_GE(share(all.root_and_quality), 0.64);
  EXPECT_GE(share(all.root_and_family), 0.75);
}

}  // namespace
}  // namespace continuo
