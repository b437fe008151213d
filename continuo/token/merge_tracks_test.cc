#include "continuo/token/merge_tracks.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

#include "continuo/core/rng.h"
#include "continuo/core/shared_data_testing.h"
#include "continuo/score/score_file.h"

namespace continuo {
namespace {

using Pair = std::pair<Tick, int>;

Score TwoTracks(std::vector<Note> melody, std::vector<Note> piano) {
  Score score;
  score.ticks_per_quarter = 480;
  score.tracks.resize(2);
  score.tracks[0].name = "MELODY";
  score.tracks[0].program = 73;
  score.tracks[0].notes = std::move(melody);
  score.tracks[1].name = "PIANO";
  score.tracks[1].notes = std::move(piano);
  return score;
}

MergedTracks Merge(const Score& score, const std::string& preset = "remi") {
  const auto tokenizer = Tokenizer::Load(preset).value();
  return TrackMerger::Create(*tokenizer).value().Merge(score);
}

TEST(MergeTracks, TwoTracksBecomeOnePiano) {
  const MergedTracks merged = Merge(TwoTracks({{480, 480, 72, 90}}, {{0, 480, 48, 60}, {480, 480, 52, 60}}));
  ASSERT_EQ(merged.score.tracks.size(), 1u);
  EXPECT_EQ(merged.score.tracks[0].program, 0);
  EXPECT_EQ(merged.tracks, 2u);
  EXPECT_EQ(merged.notes, 3u);
  EXPECT_EQ(merged.dropped, 0u);
  EXPECT_EQ(merged.shortened, 0u);
  // remi divides a quarter note into 8.
  EXPECT_EQ(merged.score.ticks_per_quarter, 8);
  const std::vector<Note> expected = {{0, 8, 48, 60}, {8, 8, 52, 60}, {8, 8, 72, 90}};
  EXPECT_EQ(merged.score.tracks[0].notes, expected);
}

TEST(MergeTracks, AKeyStruckTwiceAtOnceIsOneNoteAsLongAndAsLoudAsEither) {
  // 500 is nearest to the grid's 480, as 470 is; 510 is nearest to 540 (60 ticks apart).
  const MergedTracks merged = Merge(TwoTracks({{500, 240, 72, 90}}, {{470, 960, 72, 60}, {511, 240, 71, 60}}));
  EXPECT_EQ(merged.dropped, 1u);
  const std::vector<Note> expected = {{8, 16, 72, 90}, {9, 4, 71, 60}};
  EXPECT_EQ(merged.score.tracks[0].notes, expected);
}

TEST(MergeTracks, ANoteEndsWhereTheNextOfItsPitchBegins) {
  const MergedTracks merged =
      Merge(TwoTracks({{0, 1920, 72, 90}, {0, 1920, 60, 90}}, {{960, 480, 72, 60}, {1920, 480, 60, 60}}));
  EXPECT_EQ(merged.dropped, 0u);
  EXPECT_EQ(merged.shortened, 1u);  // one that ends as the next begins stays
  const std::vector<Note> expected = {{0, 32, 60, 90}, {0, 16, 72, 90}, {16, 8, 72, 60}, {32, 8, 60, 60}};
  EXPECT_EQ(merged.score.tracks[0].notes, expected);
}

TEST(MergeTracks, ACutDurationIsOneThatHasAToken) {
  // From 4 beats on durations are whole quarters of a beat: 4 3/8 beats become 4 1/4, not 4 1/2.
  const MergedTracks merged = Merge(TwoTracks({{0, 480 * 8, 72, 90}}, {{480 * 4 + 180, 480, 72, 60}}));
  EXPECT_EQ(merged.shortened, 1u);
  EXPECT_EQ(merged.score.tracks[0].notes[0].duration, 34);
  // MIDI-Like has note-offs wherever they are needed.
  EXPECT_EQ(Merge(TwoTracks({{0, 480 * 8, 72, 90}}, {{480 * 4 + 180, 480, 72, 60}}), "midilike")
                .score.tracks[0]
                .notes[0]
                .duration,
            35);
}

TEST(MergeTracks, DrumsStayAndAScoreWithoutMelodicTracksIsReturnedAsItIs) {
  Score score = TwoTracks({{480, 480, 72, 90}}, {{0, 480, 48, 60}});
  Track drums;
  drums.is_drum = true;
  drums.notes = {{480, 60, 38, 100}, {480, 60, 38, 90}};
  score.tracks.push_back(drums);
  const MergedTracks merged = Merge(score);
  ASSERT_EQ(merged.score.tracks.size(), 2u);
  EXPECT_TRUE(merged.score.tracks[1].is_drum);
  EXPECT_EQ(merged.score.tracks[1].notes.size(), 2u);
  EXPECT_EQ(merged.notes, 2u);

  score.tracks.erase(score.tracks.begin(), score.tracks.begin() + 2);
  EXPECT_EQ(Merge(score).score, score);
  EXPECT_EQ(Merge(score).tracks, 0u);
}

/// What must not be in a decoded piece: one pitch twice at once, or struck while it sounds.
struct Faults {
  size_t doubled = 0;
  size_t overlapping = 0;
};
Faults FindFaults(const Score& score) {
  Faults faults;
  std::map<Pair, size_t> struck;
  std::map<int, Tick> last_end;
  for (const Track& track : score.tracks) {
    std::vector<Note> notes = track.notes;
    std::stable_sort(notes.begin(), notes.end(), [](const Note& a, const Note& b) { return a.time < b.time; });
    for (const Note& note : notes) {
      faults.doubled += struck[{note.time, note.pitch}]++ > 0 ? 1 : 0;
      faults.overlapping += note.time < last_end[note.pitch] ? 1 : 0;
      last_end[note.pitch] = std::max(last_end[note.pitch], note.time + note.duration);
    }
  }
  return faults;
}

TEST(MergeTracks, TheTokensOfRandomMusicHoldNoDoubledAndNoOverlappingNotes) {
  for (const std::string preset : {"remi", "remiplus", "remichord", "midilike", "hw_remi", "remi_default",
                                   "midilike_default", "tsd_default", "remi_programs"}) {
    for (const MidiTokRelease release : {MidiTokRelease::k3_0_4, MidiTokRelease::k3_1_0}) {
      const auto tokenizer = Tokenizer::Load(preset, release).value();
      const TrackMerger merger = TrackMerger::Create(*tokenizer).value();
      size_t dropped = 0;
      size_t shortened = 0;
      for (uint64_t seed = 0; seed < 20; ++seed) {
        Rng rng(seed, 0);
        Score score = TwoTracks({}, {});
        score.time_signatures = {{0, 4, 4}};
        if (seed % 2 == 1) {
          score.time_signatures.push_back({480 * 8, 3, 4});
        }
        for (Track& track : score.tracks) {
          for (size_t i = 0; i < 60; ++i) {
            track.notes.push_back(
                {static_cast<Tick>(rng.NextBelow(480 * 12)), static_cast<Tick>(1 + rng.NextBelow(3000)),
                 static_cast<uint8_t>(60 + rng.NextBelow(6)), static_cast<uint8_t>(1 + rng.NextBelow(127))});
          }
        }
        const MergedTracks merged = merger.Merge(score);
        EXPECT_EQ(merged.notes + merged.dropped, 120u);
        dropped += merged.dropped;
        shortened += merged.shortened;
        const Faults faults = FindFaults(tokenizer->Decode(tokenizer->Encode(merged.score)));
        EXPECT_EQ(faults.doubled, 0u) << preset << " " << seed;
        EXPECT_EQ(faults.overlapping, 0u) << preset << " " << seed;
      }
      EXPECT_GT(dropped, 100u);
      EXPECT_GT(shortened, 100u);
    }
  }
}

TEST(MergeTracks, MusicWithoutSuchNotesKeepsItsIds) {
  // What the merged song's ids say gives the same ids when it is merged again.
  const auto tokenizer = Tokenizer::Load("remiplus").value();
  const TrackMerger merger = TrackMerger::Create(*tokenizer).value();
  Score score = TwoTracks({{480, 480, 72, 90}, {490, 480, 72, 90}}, {{0, 480, 48, 60}, {961, 480, 52, 60}});
  score.tempos = {{0, 500000}, {700, 600000}};
  score.time_signatures = {{0, 3, 4}};
  const auto ids = tokenizer->Encode(merger.Merge(score).score);
  ASSERT_EQ(ids.size(), 1u);
  const Score decoded = tokenizer->Decode(ids);
  EXPECT_EQ(tokenizer->Encode(decoded), ids);
  const MergedTracks again = merger.Merge(decoded);
  EXPECT_EQ(again.dropped + again.shortened, 0u);
  EXPECT_EQ(tokenizer->Encode(again.score), ids);
}

}  // namespace
}  // namespace continuo
