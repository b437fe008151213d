#include "continuo/token/tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "continuo/core/rng.h"
#include "continuo/os/file.h"
#include "continuo/os/temporary_folder_testing.h"
#include "continuo/token/score_json_testing.h"

namespace continuo {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// One bar of 4/4 at 480 ticks per quarter: C and E together, then G an eighth later.
Score OneBar() {
  Score score;
  score.tempos = {{0, 500000}};
  Track piano;
  piano.notes = {{0, 480, 60, 64}, {0, 960, 64, 64}, {240, 240, 67, 100}};
  score.tracks = {piano};
  return score;
}

class TokenizerTest : public testing::Test {
 protected:
  static std::string Text(const std::string& preset, const Score& score) {
    const auto tokenizer = Tokenizer::Load(preset).value();
    const auto tracks = tokenizer->Encode(score);
    EXPECT_EQ(tracks.size(), 1u);
    return TokenText(tokenizer->vocabulary(), tracks[0]);
  }

  static Score Decode(const std::string& preset, const std::string& text) {
    const auto tokenizer = Tokenizer::Load(preset).value();
    return tokenizer->Decode(Streams{IdsOf(tokenizer->vocabulary(), text)});
  }
};

// The texts are MidiTok 3.1.0's for the same score.
TEST_F(TokenizerTest, WritesABarAsRemi) {
  EXPECT_EQ(Text("remi", OneBar()),
            "Bar_None Position_0 Tempo_121.29 Pitch_60 Velocity_63 Duration_1.0.8 Pitch_64 Velocity_63 Duration_2.0.8 "
            "Position_4 Pitch_67 Velocity_99 Duration_0.4.8");
}

TEST_F(TokenizerTest, WritesABarAsMidiLike) {
  EXPECT_EQ(Text("midilike", OneBar()),
            "Tempo_121.29 NoteOn_60 Velocity_63 NoteOn_64 Velocity_63 TimeShift_0.4.8 NoteOn_67 Velocity_99 "
            "TimeShift_0.4.8 NoteOff_60 NoteOff_67 TimeShift_1.0.8 NoteOff_64");
}

TEST_F(TokenizerTest, WritesABarAsTsd) {
  EXPECT_EQ(Text("tsd_default", OneBar()),
            "TimeSig_4/4 Pitch_60 Velocity_63 Duration_1.0.8 Pitch_64 Velocity_63 Duration_2.0.8 TimeShift_0.4.8 "
            "Pitch_67 Velocity_99 Duration_0.4.8");
}

TEST_F(TokenizerTest, KeepsMidiLikeNotesInTheOrderTheyBegin) {
  const Score score = Decode("midilike",
                             "NoteOn_60 Velocity_63 TimeShift_1.0.8 NoteOn_64 Velocity_99 TimeShift_1.0.8 NoteOff_64 "
                             "TimeShift_1.0.8 NoteOff_60");
  EXPECT_THAT(score.tracks[0].notes, ElementsAre(Note{0, 24, 60, 63}, Note{8, 8, 64, 99}));
}

TEST_F(TokenizerTest, PairsEqualPitchesFirstInFirstOut) {
  const Score score = Decode("midilike",
                             "NoteOn_60 Velocity_63 TimeShift_1.0.8 NoteOn_60 Velocity_99 TimeShift_1.0.8 NoteOff_60 "
                             "TimeShift_1.0.8 NoteOff_60");
  EXPECT_THAT(score.tracks[0].notes, ElementsAre(Note{0, 16, 60, 63}, Note{8, 16, 60, 99}));
}

TEST_F(TokenizerTest, DropsNotesWithoutEndUnlessThereIsALongestDuration) {
  const std::string text = "NoteOn_60 Velocity_63 TimeShift_1.0.8 NoteOn_64 Velocity_63 TimeShift_1.0.8 NoteOff_64";
  EXPECT_EQ(Decode("midilike", text).tracks[0].notes.size(), 1u);
  // Four beats of 8 ticks and 480 parts of 120 to the beat: eight beats.
  EXPECT_THAT(Decode("hw_midilike", text).tracks[0].notes, ElementsAre(Note{0, 64, 60, 63}, Note{8, 8, 64, 63}));
}

TEST_F(TokenizerTest, DecodedScoresHaveATempoAndAMeterAtTheStart) {
  const Score score = Decode("remi", "");
  EXPECT_THAT(score.tempos, ElementsAre(Tempo{0, 494682}));  // 121.29, the token nearest to 120
  EXPECT_THAT(score.time_signatures, ElementsAre(TimeSignature{0, 4, 4}));
  EXPECT_TRUE(score.tracks.empty());
}

TEST_F(TokenizerTest, NamesTracksByTheirPrograms) {
  const Score score =
      Decode("remi_programs",
             "Bar_None TimeSig_4/4 Position_0 Program_40 Pitch_60 Velocity_63 Duration_1.0.8 Program_-1 "
             "PitchDrum_36 Velocity_63 Duration_1.0.8");
  ASSERT_EQ(score.tracks.size(), 2u);
  EXPECT_EQ(score.tracks[0].name, "Violin");
  EXPECT_EQ(score.tracks[1].name, "Drums");
  EXPECT_TRUE(score.tracks[1].is_drum);
}

TEST_F(TokenizerTest, PedalsAreControllersToo) {
  const Score score = Decode("remi_all",
                             "Bar_None TimeSig_4/4 Position_0 Pedal_0 Program_0 Pitch_60 Velocity_63 Duration_1.0.8 "
                             "Position_8 PedalOff_0");
  EXPECT_THAT(score.tracks[0].pedals, ElementsAre(Pedal{0, 16}));
  EXPECT_THAT(score.tracks[0].controls, ElementsAre(ControlChange{0, 64, 127}, ControlChange{16, 64, 0}));
}

TEST_F(TokenizerTest, BarsBeginWithTheirFirstTokens) {
  const auto remi = Tokenizer::Load("remi").value();
  EXPECT_THAT(remi->BarOffsets(IdsOf(remi->vocabulary(), "BOS_None Bar_None Position_0 Tempo_40.0 Bar_None Bar_None")),
              ElementsAre(1, 4, 5));
  const auto midilike = Tokenizer::Load("midilike").value();
  EXPECT_THAT(midilike->BarOffsets(IdsOf(midilike->vocabulary(),
                                         "Tempo_40.0 NoteOn_60 Velocity_63 TimeShift_4.0.4 NoteOff_60 TimeShift_9.0.4 "
                                         "NoteOn_60 Velocity_63")),
              ElementsAre(0, 4, 6, 6));
  const auto programs = Tokenizer::Load("remi_all").value();
  EXPECT_THAT(
      programs->BarOffsets(
          IdsOf(programs->vocabulary(), "Bar_None TimeSig_4/4 Position_0 Tempo_40.0 Rest_4.0.2 Rest_1.0.4 Position_8")),
      ElementsAre(0, 5));
}

TEST_F(TokenizerTest, WindowsOfRemiBeginWithTempo) {
  const auto tokenizer = Tokenizer::Load("remi").value();
  const auto window = [&tokenizer](const std::string& text, size_t bar) {
    return TokenText(tokenizer->vocabulary(), tokenizer->WindowFromBar(IdsOf(tokenizer->vocabulary(), text), bar));
  };
  const std::string first = "Bar_None Position_0 Tempo_40.0 Pitch_60 Velocity_63 Duration_1.0.8 ";
  EXPECT_EQ(window(first + "Bar_None Position_4 Pitch_62 Velocity_63 Duration_1.0.8", 1),
            "Bar_None Position_0 Tempo_40.0 Position_4 Pitch_62 Velocity_63 Duration_1.0.8");
  EXPECT_EQ(window(first + "Bar_None Position_0 Pitch_62 Velocity_63 Duration_1.0.8", 1),
            "Bar_None Position_0 Tempo_40.0 Pitch_62 Velocity_63 Duration_1.0.8");
  EXPECT_EQ(window(first + "Bar_None Position_0 Tempo_250.0 Pitch_62 Velocity_63 Duration_1.0.8", 1),
            "Bar_None Position_0 Tempo_250.0 Pitch_62 Velocity_63 Duration_1.0.8");
  EXPECT_EQ(window(first, 1), "");
}

TEST_F(TokenizerTest, WindowsOfMidiLikeStrikeSoundingNotesAgain) {
  const auto tokenizer = Tokenizer::Load("midilike").value();
  const std::vector<TokenId> ids =
      IdsOf(tokenizer->vocabulary(),
            "Tempo_40.0 NoteOn_60 Velocity_63 NoteOn_64 Velocity_99 TimeShift_4.0.4 NoteOff_64 TimeShift_1.0.8 "
            "NoteOff_60 NoteOn_62 Velocity_63 TimeShift_1.0.8 NoteOff_62");
  EXPECT_EQ(TokenText(tokenizer->vocabulary(), tokenizer->WindowFromBar(ids, 1)),
            "Tempo_40.0 NoteOn_60 Velocity_63 TimeShift_1.0.8 NoteOff_60 NoteOn_62 Velocity_63 TimeShift_1.0.8 "
            "NoteOff_62");
}

TEST_F(TokenizerTest, WindowsPutARestThatMeasuredFromAnEarlierNoteAsBars) {
  const auto tokenizer = Tokenizer::Load("remi_all").value();
  // The note lasts to the middle of the second bar; the rest continues into the third.
  const std::vector<TokenId> ids =
      IdsOf(tokenizer->vocabulary(),
            "Bar_None TimeSig_4/4 Position_0 Tempo_40.0 Program_0 Pitch_60 Velocity_63 Duration_6.0.4 Bar_None "
            "TimeSig_4/4 Position_0 Tempo_250.0 Rest_2.0.2 Position_8 Program_0 Pitch_62 Velocity_63 Duration_1.0.8");
  EXPECT_EQ(TokenText(tokenizer->vocabulary(), tokenizer->WindowFromBar(ids, 1)),
            "Bar_None TimeSig_4/4 Position_0 Tempo_250.0 Bar_None TimeSig_4/4 Position_8 Program_0 Pitch_62 "
            "Velocity_63 Duration_1.0.8");
}

TEST_F(TokenizerTest, TransposingMovesPitchesAndRootsButNotDrums) {
  TokenizerConfig config = *PresetConfig("remiplus", MidiTokRelease::k3_1_0);
  config.chord_tokens_with_root_note = true;
  const auto tokenizer = Tokenizer::Create(config).value();
  const Vocabulary& vocabulary = tokenizer->vocabulary();
  const std::vector<TokenId> up = tokenizer->TransposeMap(2);
  const auto moved = [&](const std::string& token) { return up[static_cast<size_t>(vocabulary.Find(token).value())]; };
  EXPECT_EQ(moved("Pitch_60"), vocabulary.Find("Pitch_62"));
  EXPECT_EQ(moved("Pitch_107"), vocabulary.Find("Pitch_109"));
  EXPECT_EQ(moved("Pitch_108"), -1);
  EXPECT_EQ(moved("Chord_B:maj"), vocabulary.Find("Chord_C#:maj"));
  EXPECT_EQ(moved("PitchDrum_40"), vocabulary.Find("PitchDrum_40"));
  EXPECT_EQ(moved("Velocity_63"), vocabulary.Find("Velocity_63"));
  const auto midilike = Tokenizer::Load("midilike").value();
  const TokenId off = midilike->vocabulary().Find("NoteOff_60").value();
  EXPECT_EQ(midilike->TransposeMap(-3)[static_cast<size_t>(off)], midilike->vocabulary().Find("NoteOff_57"));
}

TEST_F(TokenizerTest, LoadSaysWhatIsMissing) {
  const auto missing = Tokenizer::Load("no_such_preset");
  ASSERT_FALSE(missing.ok());
  EXPECT_THAT(missing.error().ToString(), HasSubstr("no_such_preset"));
  EXPECT_THAT(missing.error().hint, HasSubstr("remiplus"));
}

TEST_F(TokenizerTest, LoadRefusesAVocabularyThatItsSettingsDoNotMake) {
  const TemporaryFolder folder;
  const std::filesystem::path path = folder.path() / "tokenizer.json";
  std::string json = Tokenizer::Load("remi").value()->ToJson();
  ASSERT_TRUE(WriteFileAtomically(path, std::string_view(json)).ok());
  EXPECT_TRUE(Tokenizer::Load(path.string()).ok());
  json.replace(json.find("\"num_velocities\": 32"), 20, "\"num_velocities\": 31");
  ASSERT_TRUE(WriteFileAtomically(path, std::string_view(json)).ok());
  const auto broken = Tokenizer::Load(path.string());
  ASSERT_FALSE(broken.ok());
  EXPECT_THAT(broken.error().message, HasSubstr("vocab_sha256"));
}

TEST_F(TokenizerTest, SurvivesAnyScore) {
  Score odd;
  odd.ticks_per_quarter = 1;
  odd.tempos = {{INT32_MAX, 1}, {0, INT32_MAX}, {5, 0}};
  odd.time_signatures = {{INT32_MAX, 3, 4}, {7, 0, 0}, {7, 255, 64}, {8, INT32_MAX, 1}, {9, 1, INT32_MAX}};
  Track track;
  track.program = 255;
  track.notes = {{INT32_MAX, INT32_MAX, 255, 255}, {-5, -5, 60, 0}, {100000, 0, 60, 64}};
  track.pedals = {{INT32_MAX, INT32_MAX}, {-1, -1}};
  track.pitch_bends = {{INT32_MAX, INT16_MIN}, {-1, INT16_MAX}};
  odd.tracks = {track, track};
  for (const std::string& preset : PresetNames()) {
    for (MidiTokRelease release : {MidiTokRelease::k3_0_4, MidiTokRelease::k3_1_0}) {
      if (!PresetConfig(preset, release)) {
        continue;  // of 3.1.0 alone
      }
      const auto tokenizer = Tokenizer::Load(preset, release).value();
      tokenizer->Decode(tokenizer->Encode(odd));
      tokenizer->Encode(Score{});
    }
  }
}

TEST_F(TokenizerTest, SurvivesAnyIds) {
  for (const std::string& preset : PresetNames()) {
    const auto tokenizer = Tokenizer::Load(preset).value();
    Rng rng(3, 0);
    for (int round = 0; round < 20; ++round) {
      std::vector<TokenId> ids(300);
      for (TokenId& id : ids) {
        id = static_cast<TokenId>(rng.NextBelow(tokenizer->vocabulary().size() + 20)) - 10;
      }
      const Score score = tokenizer->Decode(Streams{ids, ids});
      for (const Track& track : score.tracks) {
        for (const Note& note : track.notes) {
          ASSERT_GE(note.time, 0);
          ASSERT_GE(note.duration, 0);
          ASSERT_LE(note.velocity, 127);
        }
        for (const Pedal& pedal : track.pedals) {
          ASSERT_GE(pedal.duration, 0);
        }
      }
      tokenizer->Encode(score);
      const size_t bars = tokenizer->BarOffsets(ids).size();
      for (size_t bar = 0; bar < bars; bar += 1 + bars / 4) {
        tokenizer->WindowFromBar(ids, bar);
      }
      const auto grammar = tokenizer->NewGrammar({2});
      for (TokenId id : ids) {
        grammar->Advance(id);
      }
    }
  }
}

}  // namespace
}  // namespace continuo
