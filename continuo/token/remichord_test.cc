// REMIChord: REMI with the chords of the whole score.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <filesystem>

#include "continuo/core/rng.h"
#include "continuo/core/shared_data_testing.h"
#include "continuo/core/thread_pool.h"
#include "continuo/os/machine.h"
#include "continuo/score/chord.h"
#include "continuo/score/score_file.h"
#include "continuo/token/score_json_testing.h"
#include "continuo/token/tokenizer.h"
#include "continuo/token/tokenizer_json.h"

namespace continuo {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::unique_ptr<Tokenizer> WithChords(ChordSource source) {
  TokenizerConfig config = PresetConfig("remichord", MidiTokRelease::k3_1_0).value();
  config.chords = source;
  return Tokenizer::Create(config).value();
}

/// Two bars: C major, A minor from its third beat on, then F major.
Score Song() {
  Score score;
  Track& track = score.tracks.emplace_back();
  const auto strike = [&track](Tick time, Tick duration, const std::vector<uint8_t>& pitches) {
    for (uint8_t pitch : pitches) {
      track.notes.push_back({time, duration, pitch, 63});
    }
  };
  strike(0, 960, {48, 60, 64, 67});
  strike(960, 960, {45, 60, 64, 69});
  strike(1920, 1920, {41, 60, 65, 69});
  return score;
}

class RemiChordTest : public testing::Test {
 protected:
  std::string Text(const Score& score) const {
    return TokenText(tokenizer_->vocabulary(), tokenizer_->Encode(score).at(0));
  }
  std::vector<std::string> Chords(const Score& score) const {
    std::vector<std::string> chords;
    const Streams streams = tokenizer_->Encode(score);
    for (TokenId id : streams.at(0)) {
      if (const std::string& token = tokenizer_->vocabulary().token(id); token.starts_with("Chord_")) {
        chords.push_back(token);
      }
    }
    return chords;
  }
  /// True if the grammar takes the tokens one after another.
  bool Takes(const std::string& text, size_t bars = 0) const {
    const std::unique_ptr<Grammar> grammar = tokenizer_->NewGrammar({bars});
    const std::vector<TokenId> ids = IdsOf(tokenizer_->vocabulary(), text);
    return std::all_of(ids.begin(), ids.end(), [&](TokenId id) { return grammar->Advance(id); });
  }

  std::unique_ptr<Tokenizer> tokenizer_ = Tokenizer::Load("remichord").value();
};

TEST_F(RemiChordTest, VocabularyIsThatOfRemiAndThenTheChords) {
  const std::vector<std::string> remi = Tokenizer::Load("remi").value()->vocabulary().tokens();
  const std::vector<std::string>& tokens = tokenizer_->vocabulary().tokens();
  ASSERT_EQ(tokens.size(), remi.size() + 11 * 12 + 1);
  EXPECT_TRUE(std::equal(remi.begin(), remi.end(), tokens.begin()));
  EXPECT_EQ(tokens[remi.size()], "Chord_C_M");
  EXPECT_EQ(tokens[remi.size() + 1], "Chord_C#_M");
  EXPECT_EQ(tokens[remi.size() + 12], "Chord_C_m");
  EXPECT_EQ(tokens.back(), "Chord_N");
}

TEST_F(RemiChordTest, ChordsStandBeforeTheNotesWhereTheyChange) {
  Score score = Song();
  score.tracks[0].notes = {{0, 480, 60, 63}, {960, 480, 64, 63}, {2040, 480, 67, 63}};
  score.markers = {{0, "global_bpm_120"}, {0, "C_M_C"},    {480, "C_M_E"},
                   {960, "A_m7_A"},       {1920, "N_N_N"}, {9999, "G_M_G"}};
  EXPECT_EQ(Text(score),
            "Bar_None Position_0 Tempo_121.29 Chord_C_M Pitch_60 Velocity_63 Duration_1.0.8 "
            "Position_16 Chord_A_m7 Pitch_64 Velocity_63 Duration_1.0.8 "
            "Bar_None Position_0 Chord_N Position_2 Pitch_67 Velocity_63 Duration_1.0.8");
}

TEST_F(RemiChordTest, MarkersCountBeforeTheRecogniserIfThereAreAny) {
  Score score = Song();
  EXPECT_THAT(Chords(score), ElementsAre("Chord_C_M", "Chord_A_m", "Chord_F_M"));
  score.markers = {{0, "Verse"}};
  EXPECT_THAT(Chords(score), ElementsAre("Chord_C_M", "Chord_A_m", "Chord_F_M"));
  score.markers = {{1920, "G_7_G"}};
  EXPECT_THAT(Chords(score), ElementsAre("Chord_G_7"));
  tokenizer_ = WithChords(ChordSource::kRecognised);
  EXPECT_THAT(Chords(score), ElementsAre("Chord_C_M", "Chord_A_m", "Chord_F_M"));
  tokenizer_ = WithChords(ChordSource::kMarkers);
  EXPECT_THAT(Chords(score), ElementsAre("Chord_G_7"));
  score.markers.clear();
  EXPECT_THAT(Chords(score), IsEmpty());
}

// Else the recogniser would find chords only in what was decoded, which has no such marker.
TEST_F(RemiChordTest, MarkersAfterTheLastNoteCountForNothing) {
  Score score = Song();
  score.markers = {{3840, "G_7_G"}, {9999, "N"}};
  EXPECT_THAT(Chords(score), ElementsAre("Chord_C_M", "Chord_A_m", "Chord_F_M"));
  const Streams streams = tokenizer_->Encode(score);
  EXPECT_EQ(tokenizer_->Encode(tokenizer_->Decode(streams)), streams);
}

TEST_F(RemiChordTest, DecodesChordsToMarkers) {
  const Score score = tokenizer_->Decode(tokenizer_->Encode(Song()));
  EXPECT_THAT(score.markers, ElementsAre(TextEvent{0, "C_M"}, TextEvent{16, "A_m"}, TextEvent{32, "F_M"}));
}

TEST_F(RemiChordTest, GrammarTakesAChordOncePerPositionBeforeItsNotesAndNotThatInForce) {
  const std::string begin = "Bar_None Position_0 Tempo_121.29 ";
  const std::string note = "Pitch_60 Velocity_63 Duration_1.0.8 ";
  EXPECT_TRUE(Takes(begin + "Chord_C_M " + note + "Position_8 Chord_N Position_9 Chord_C_M " + note));
  EXPECT_TRUE(Takes("Bar_None Position_3 Chord_B_o7 Bar_None"));
  EXPECT_FALSE(Takes(begin + "Chord_C_M Chord_C_m"));
  EXPECT_FALSE(Takes(begin + note + "Chord_C_M"));
  EXPECT_FALSE(Takes("Bar_None Position_0 Chord_C_M Tempo_121.29"));
  EXPECT_FALSE(Takes(begin + "Chord_C_M Position_8 Chord_C_M"));
  EXPECT_FALSE(Takes("Bar_None Chord_C_M"));
}

TEST_F(RemiChordTest, WindowsBeginWithTheChordInForce) {
  Score score = Song();
  score.markers = {{0, "C_M_C"}, {1440, "D_7_D"}};
  const std::vector<TokenId> ids = tokenizer_->Encode(score).at(0);
  EXPECT_THAT(TokenText(tokenizer_->vocabulary(), tokenizer_->WindowFromBar(ids, 1)),
              HasSubstr("Bar_None Position_0 Tempo_121.29 Chord_D_7 Pitch_41"));
  score.markers.push_back({1920, "F_M_F"});
  EXPECT_THAT(TokenText(tokenizer_->vocabulary(), tokenizer_->WindowFromBar(tokenizer_->Encode(score).at(0), 1)),
              HasSubstr("Bar_None Position_0 Tempo_121.29 Chord_F_M Pitch_41"));
}

TEST_F(RemiChordTest, TransposingMovesRoots) {
  const std::vector<TokenId> map = tokenizer_->TransposeMap(-3);
  const auto moved = [&](const std::string& token) {
    const Vocabulary& vocabulary = tokenizer_->vocabulary();
    return vocabulary.token(map[static_cast<size_t>(vocabulary.Find(token).value())]);
  };
  EXPECT_EQ(moved("Chord_D_m7"), "Chord_B_m7");
  EXPECT_EQ(moved("Chord_N"), "Chord_N");
  EXPECT_EQ(moved("Pitch_60"), "Pitch_57");
}

TEST_F(RemiChordTest, TokenizerJsonSaysWhereChordsComeFrom) {
  for (ChordSource source : {ChordSource::kAuto, ChordSource::kMarkers, ChordSource::kRecognised}) {
    const std::string text = WithChords(source)->ToJson();
    const nlohmann::json json = nlohmann::json::parse(text);
    EXPECT_EQ(json["tokenization"], "REMIChord");
    EXPECT_EQ(json["chords"], ToString(source));
    EXPECT_EQ(ParseTokenizerJson(text, "t", MidiTokRelease::k3_0_4)->config.chords, source);
  }
  const auto error = [](const std::string& text) {
    const auto result = ParseTokenizerJson(text, "t.json", MidiTokRelease::k3_1_0);
    return result.ok() ? "none" : result.error().message;
  };
  EXPECT_EQ(error(R"({"tokenization": "REMIChord"})"), "none");
  EXPECT_THAT(error(R"({"tokenization": "REMIChord", "chords": "some"})"), HasSubstr("chords is 'some'"));
  EXPECT_THAT(error(R"({"tokenization": "REMIChord", "chords": "none"})"), HasSubstr("chords is 'none'"));
  EXPECT_THAT(error(R"({"tokenization": "REMI", "chords": "auto"})"), HasSubstr("chords is not supported"));
  EXPECT_THAT(error(R"({"tokenization": "REMIChord", "config": {"use_chords": true}})"), HasSubstr("use_chords"));
}

// Meters, rests, programs and a stream per track all go with chords.
std::vector<TokenizerConfig> Variants() {
  const TokenizerConfig base = PresetConfig("remichord", MidiTokRelease::k3_1_0).value();
  std::vector<TokenizerConfig> variants(6, base);
  variants[0].use_time_signatures = true;
  variants[1].use_rests = true;
  variants[1].use_sustain_pedals = true;
  variants[2].use_programs = true;
  variants[2].use_time_signatures = true;
  variants[3].use_programs = true;
  variants[3].program_changes = true;
  variants[4].use_tempos = false;
  variants[4].use_bar_end_tokens = true;
  variants[5].chords = ChordSource::kRecognised;
  variants[5].use_time_signatures = true;
  variants[5].beat_res = {{0, 2, 12}, {2, 8, 3}};
  return variants;
}

Score RandomScore(uint64_t seed) {
  Rng rng(seed, 0);
  const auto below = [&rng](uint64_t bound) { return static_cast<Tick>(rng.NextBelow(bound)); };
  Score score;
  score.tempos = {{0, 500000}};
  Tick at = 0;
  for (int i = 0; i < 3; ++i) {
    const std::array<TimeSignature, 4> meters{{{at, 4, 4}, {at, 3, 4}, {at, 6, 8}, {at, 5, 4}}};
    score.time_signatures.push_back(meters[rng.NextBelow(4)]);
    at += score.time_signatures.back().numerator * 4 * 480 / score.time_signatures.back().denominator * (1 + below(3));
  }
  score.tracks.resize(1 + rng.NextBelow(3));
  for (size_t t = 0; t < score.tracks.size(); ++t) {
    Track& track = score.tracks[t];
    track.program = static_cast<uint8_t>(t * 8);
    track.is_drum = t == 2;
    for (int i = 0; i < 60; ++i) {
      track.notes.push_back(
          {below(12000), 1 + below(1500), static_cast<uint8_t>(40 + below(40)), static_cast<uint8_t>(1 + below(127))});
    }
    std::stable_sort(track.notes.begin(), track.notes.end(),
                     [](const Note& a, const Note& b) { return a.time < b.time; });
  }
  if (rng.NextBelow(3) > 0) {
    for (int i = 0; i < 12; ++i) {
      score.markers.push_back({below(13000), Chord::FromIndex(rng.NextBelow(kChords)).Text()});
    }
    std::stable_sort(score.markers.begin(), score.markers.end(),
                     [](const TextEvent& a, const TextEvent& b) { return a.time < b.time; });
  }
  return score;
}

TEST_F(RemiChordTest, WhatIsEncodedIsTakenByTheGrammarAndComesBack) {
  size_t chords = 0;
  size_t alone = 0;  // scores of one track, for which the law of the round trip holds
  for (const TokenizerConfig& config : Variants()) {
    tokenizer_ = Tokenizer::Create(config).value();
    for (uint64_t seed = 0; seed < 200; ++seed) {
      const Streams streams = tokenizer_->Encode(RandomScore(seed));
      for (const std::vector<TokenId>& ids : streams) {
        chords += static_cast<size_t>(std::count_if(ids.begin(), ids.end(), [&](TokenId id) {
          return tokenizer_->vocabulary().token(id).starts_with("Chord_");
        }));
        ASSERT_TRUE(Takes(TokenText(tokenizer_->vocabulary(), ids))) << TokenText(tokenizer_->vocabulary(), ids);
        for (size_t bar = 0; bar < tokenizer_->BarOffsets(ids).size(); ++bar) {
          const std::vector<TokenId> window = tokenizer_->WindowFromBar(ids, bar);
          ASSERT_TRUE(Takes(TokenText(tokenizer_->vocabulary(), window)))
              << TokenText(tokenizer_->vocabulary(), window);
        }
      }
      if (tokenizer_->Decode(streams).tracks.size() == 1) {
        ++alone;
        ASSERT_EQ(tokenizer_->Encode(tokenizer_->Decode(streams)), streams)
            << TokenText(tokenizer_->vocabulary(), streams[0]);
      }
    }
  }
  EXPECT_GT(chords, 10000U);
  EXPECT_GT(alone, 300U);
}

/// True if a note ends before an earlier one of its pitch does: files can't say so, as a note-off
/// ends the oldest.
bool HasNestedNotes(const Score& score) {
  std::array<Tick, 128> ends{};
  for (const Note& note : score.tracks.at(0).notes) {
    if (note.time + note.duration < ends[note.pitch]) {
      return true;
    }
    ends[note.pitch] = note.time + note.duration;
  }
  return false;
}

// All of Pop1K7: the markers' own chords, and those recognised; laws and grammar.
TEST_F(RemiChordTest, EverySongKeepsItsLawsAndItsMarkers) {
  CONTINUO_NEEDS_SHARED();
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(SharedDir() / "data" / "pop1k7")) {
    if (entry.path().extension() == ".mid") {
      paths.push_back(entry.path());
    }
  }
  ASSERT_EQ(paths.size(), 1747U);
  const std::unique_ptr<Tokenizer> recognised = WithChords(ChordSource::kRecognised);
  const std::unique_ptr<Tokenizer> remi = Tokenizer::Load("remi").value();
  std::vector<std::string> faults(paths.size());
  std::atomic<size_t> nested{0};
  ThreadPool pool(AvailableCores());
  pool.ForEach(paths.size(), [&](size_t i, size_t) {
    const Score score = ReadScore(paths[i]).value();
    for (const Tokenizer* tokenizer : {tokenizer_.get(), recognised.get()}) {
      const Streams streams = tokenizer->Encode(score);
      const Score decoded = tokenizer->Decode(streams);
      if (tokenizer->Encode(decoded) != streams) {
        faults[i] = "not the same after decoding and encoding";
      }
      if (HasNestedNotes(decoded)) {
        ++nested;
      } else if (tokenizer->Encode(ParseScore(SerializeScore(decoded), "again").value().score) != streams) {
        faults[i] = "not the same through a file";
      }
      const std::unique_ptr<Grammar> grammar = tokenizer->NewGrammar();
      if (!std::all_of(streams[0].begin(), streams[0].end(), [&](TokenId id) { return grammar->Advance(id); })) {
        faults[i] = "refused by the grammar";
      }
      // Without the chords it is what REMI decodes.
      if (ScoreJson(decoded) != ScoreJson(remi->Decode(remi->Encode(score)))) {
        faults[i] = "other notes than REMI's";
      }
      Tick end = 0;
      for (const Note& note : decoded.tracks.at(0).notes) {
        end = std::max(end, note.time + note.duration);
      }
      std::vector<ChordChange> expected = ChordsOfMarkers(score);
      std::erase_if(expected, [&](ChordChange& change) { return (change.time /= 60) >= end; });
      if (tokenizer == tokenizer_.get() && ChordsOfMarkers(decoded) != expected) {
        faults[i] = "other chords than the markers'";
      }
    }
  });
  for (size_t i = 0; i < paths.size(); ++i) {
    EXPECT_EQ(faults[i], "") << paths[i];
  }
  EXPECT_LT(nested, paths.size() / 10);
}

}  // namespace
}  // namespace continuo
