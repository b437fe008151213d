#include "continuo/compose/continuation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "continuo/compose/fake_model_testing.h"
#include "continuo/compose/generate.h"
#include "continuo/score/bars.h"

namespace continuo {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr Tick kBar = 4 * 480;

/// Eight bars of quarter notes, one of which sounds across the line after bar 4; the pedal is down
/// there.
Score EightBars() {
  Score score;
  score.tempos = {{0, 625000}, {5 * kBar, 400000}};
  score.tracks.resize(1);
  Track& track = score.tracks[0];
  for (int i = 0; i < 32; ++i) {
    track.notes.push_back({i * 480 + i % 3, i == 15 ? 960 : 470, static_cast<uint8_t>(60 + i % 12), 70});
  }
  track.controls = {{kBar, 64, 127}, {6 * kBar, 64, 0}};
  return score;
}

std::vector<Note> NotesBefore(const Track& track, Tick line) {
  std::vector<Note> notes;
  for (const Note& note : track.notes) {
    if (note.time < line) {
      notes.push_back(note);
    }
  }
  return notes;
}

class ContinuationTest : public ::testing::TestWithParam<const char*> {
 protected:
  ContinuationTest() : tokenizer_(std::move(*Tokenizer::Load(GetParam()))) {}

  Result<Prompt> Take(const Score& score, size_t bars, size_t new_bars = 2, const TempoRule& tempo = {}) {
    return TakePrompt(MidiPiece(score, "song.mid"), bars, new_bars, *tokenizer_, tempo);
  }

  Continuation Continue(const Prompt& prompt, size_t bars, size_t new_bars, uint64_t seed = 1) {
    const FakeModel model(tokenizer_->vocabulary().size(), 1024);
    Continuation continuation;
    const auto sink = [&](size_t, GeneratedPiece piece) -> Status {
      CONTINUO_ASSIGN(continuation, JoinContinuation(prompt, piece.ids, *tokenizer_));
      return {};
    };
    GenerationOptions options{.bars = bars + new_bars, .seed = seed};
    options.constraints = prompt.seam.constraints;
    options.constraints.insert(options.constraints.begin(), prompt.seam.pitches);
    const Status status = Generate(model, *tokenizer_, prompt.seam.ids, options, {sink}, NoProgress());
    EXPECT_TRUE(status.ok()) << status.error().message;
    return continuation;
  }

  Continuation Continue(const Score& score, size_t bars, size_t new_bars, uint64_t seed = 1) {
    const Result<Prompt> prompt = Take(score, bars, new_bars);
    EXPECT_TRUE(prompt.ok()) << prompt.error().ToString();
    return prompt.ok() ? Continue(*prompt, bars, new_bars, seed) : Continuation();
  }

  std::unique_ptr<Tokenizer> tokenizer_;
};

TEST_P(ContinuationTest, ThePromptDoesNotChangeAndTheNewBarsFollow) {
  const Score score = EightBars();
  for (const size_t bars : {1U, 4U, 8U}) {
    const Continuation made = Continue(score, bars, 5);
    const Tick line = static_cast<Tick>(bars) * kBar;
    const Score& whole = made.whole.score();
    ASSERT_EQ(whole.tracks.size(), 1U);
    EXPECT_EQ(NotesBefore(whole.tracks[0], line), NotesBefore(score.tracks[0], line));
    EXPECT_EQ(CountBars(whole), bars + 5);
    EXPECT_EQ(whole.tracks[0].notes.size(), NotesBefore(whole.tracks[0], line).size() + made.notes.notes);
  }
}

TEST_P(ContinuationTest, APedalThatIsDownIsReleasedAtTheBarLine) {
  const Continuation made = Continue(EightBars(), 4, 2);
  EXPECT_EQ(made.whole.score().tracks[0].controls, (std::vector<ControlChange>{{kBar, 64, 127}, {4 * kBar, 64, 0}}));
}

TEST_P(ContinuationTest, EmptyBarsAtThePromptsEndCount) {
  Score score = EightBars();
  std::erase_if(score.tracks[0].notes, [](const Note& note) { return note.time >= 2 * kBar && note.time < 7 * kBar; });
  EXPECT_EQ(CountBars(Continue(score, 6, 3).whole.score()), 9U);
}

TEST_P(ContinuationTest, SeveralTracksAreReadAsOneAndKept) {
  Score score = EightBars();
  score.tracks.push_back(score.tracks[0]);
  score.tracks[1].program = 40;
  score.tracks.push_back(score.tracks[0]);
  score.tracks[2].is_drum = true;
  const Continuation made = Continue(score, 4, 2);
  ASSERT_EQ(made.whole.score().tracks.size(), 3U);
  EXPECT_EQ(made.whole.score().tracks[1].notes.size(), 16U);
  EXPECT_EQ(made.whole.score().tracks[2].notes.size(), 16U);
  EXPECT_GT(made.whole.score().tracks[0].notes.size(), 16U);
}

TEST_P(ContinuationTest, NotesThatSoundPastAllNewBarsAreKeptWhole) {
  Score score = EightBars();
  score.tracks[0].notes.push_back({31 * 480 + 200, 12 * 480, 40, 90});
  score.tracks[0].notes.push_back({31 * 480 + 200, 11 * 480, 90, 90});
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    const Continuation made = Continue(score, 8, 2, seed);
    const std::vector<Note> kept = NotesBefore(made.whole.score().tracks.at(0), 8 * kBar);
    EXPECT_EQ(kept, NotesBefore(score.tracks[0], 8 * kBar));
    // Nobody strikes the pitches that sound.
    for (const Note& note : made.whole.score().tracks[0].notes) {
      EXPECT_FALSE((note.pitch == 40 || note.pitch == 90) && note.time >= 8 * kBar) << note.time;
    }
    EXPECT_EQ(made.notes.dropped, 0U);
  }
}

TEST_P(ContinuationTest, NoPitchSoundsTwice) {
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    const Continuation made = Continue(EightBars(), 4, 8, seed);
    std::vector<Tick> ends(128, 0);
    for (const Note& note : made.whole.score().tracks.at(0).notes) {
      EXPECT_GE(note.time, ends[note.pitch]);
      ends[note.pitch] = note.time + note.duration;
    }
  }
}

TEST_P(ContinuationTest, AConstantTempoStays) {
  Score score = EightBars();
  score.tempos = {{0, 625000}};
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    EXPECT_EQ(Continue(score, 4, 6, seed).whole.score().tempos, score.tempos);
  }
}

TEST_P(ContinuationTest, ATempoThatChangesStaysNearTheLastBars) {
  Score score = EightBars();
  score.tempos.clear();
  for (Tick beat = 0; beat < 32; ++beat) {
    score.tempos.push_back({beat * 480, beat % 2 == 0 ? 600000 : 610000});  // about 99 BPM
  }
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    const Continuation made = Continue(score, 6, 6, seed);
    for (const Tempo& tempo : made.whole.score().tempos) {
      EXPECT_NEAR(tempo.qpm(), 99.2, 9.93);
    }
  }
}

TEST_P(ContinuationTest, AGivenTempoBeginsAtTheBarLine) {
  if (!tokenizer_->vocabulary().has(TokenType::kTempo)) {
    return;
  }
  const Result<Prompt> prompt = Take(EightBars(), 4, 2, {TempoRule::Kind::kFixed, 120});
  ASSERT_TRUE(prompt.ok());
  EXPECT_THAT(Continue(*prompt, 4, 2).whole.score().tempos, ElementsAre(Tempo{0, 625000}, Tempo{4 * kBar, 500000}));
}

TEST_P(ContinuationTest, OtherBarsThanTheTokensHaveAreAnError) {
  Score score = EightBars();
  score.time_signatures = {{0, 7, 8}};
  EXPECT_THAT(Take(score, 2).error().message, HasSubstr("song.mid: bar 1 (tick 0) is in 7/8"));
  score.time_signatures = {{0, 4, 4}, {2 * kBar, 5, 8}};
  EXPECT_THAT(Take(score, 3).error().message, HasSubstr("bar 3 (tick 3840) is in 5/8"));
  EXPECT_TRUE(Take(score, 2).ok());
}

TEST_P(ContinuationTest, BarsAreThoseOfTheTimeSignatures) {
  Score score = EightBars();
  score.time_signatures = {{0, 3, 4}};
  if (!tokenizer_->config().use_time_signatures) {
    EXPECT_THAT(Take(score, 2).error().message, HasSubstr("is in 3/4, but the bars of the model's tokens are 4/4"));
    return;
  }
  const Continuation made = Continue(score, 8, 4);
  const Score& whole = made.whole.score();
  EXPECT_EQ(whole.time_signatures, score.time_signatures);
  EXPECT_EQ(CountBars(whole), 12U);
  EXPECT_EQ(NotesBefore(whole.tracks.at(0), 8 * 3 * 480), NotesBefore(score.tracks[0], 8 * 3 * 480));
}

TEST_P(ContinuationTest, ABarThatASignatureCutsShortIsABar) {
  Score score = EightBars();
  score.time_signatures = {{0, 4, 4}, {2 * kBar + 960, 3, 4}};  // bar 3 has two beats
  if (!tokenizer_->config().use_time_signatures) {
    EXPECT_THAT(Take(score, 3).error().message, HasSubstr("bar 3 (tick 3840) is in 4/4 and is cut short by the time "
                                                          "signature at tick 4800"));
    return;
  }
  for (const size_t bars : {3U, 5U}) {
    const Score whole = Continue(score, bars, 4).whole.score();
    EXPECT_EQ(whole.time_signatures, score.time_signatures);
    EXPECT_EQ(CountBars(whole), bars + 4);
  }
}

TEST_P(ContinuationTest, APieceThatIsTooShortIsRejected) {
  EXPECT_THAT(Take(EightBars(), 9).error().message,
              HasSubstr("song.mid: has 8 bars, but the prompt is to be its first 9"));
  EXPECT_THAT(Take(Score(), 1).error().message, HasSubstr("has 0 bars"));
  EXPECT_THAT(Take(EightBars(), 8, 2'000'000).error().message, HasSubstr("would end after the last tick"));
}

TEST_P(ContinuationTest, ATrackIsNamedAsTheScoreNumbersIt) {
  Score score = EightBars();
  score.tracks.push_back(score.tracks[0]);
  score.tracks[1].program = 40;
  const Result<Prompt> prompt = TakePrompt(MidiPiece(score), 4, 2, *tokenizer_, {}, 1);
  ASSERT_TRUE(prompt.ok());
  const Continuation made = Continue(*prompt, 4, 2);
  EXPECT_EQ(made.whole.score().tracks.at(0).notes.size(), 16U);
  EXPECT_EQ(made.whole.score().tracks.at(1).notes.size(), 16U + made.notes.notes);
}

TEST_P(ContinuationTest, AFadeOutIsUndone) {
  Score score = EightBars();
  score.tracks[0].controls = {{0, 11, 110}, {3 * kBar, 11, 60}, {3 * kBar + 960, 11, 0}};
  const Continuation made = Continue(score, 4, 2);
  EXPECT_EQ(made.whole.score().tracks[0].controls.back(), (ControlChange{4 * kBar, 11, 110}));
  EXPECT_THAT(made.raised, ElementsAre(RaisedLevel{0, 11, 0, 110}));
  EXPECT_THAT(Continue(EightBars(), 4, 2).raised, IsEmpty());
}

// A program that has pedals and no notes gets its program change in the file's only track, when the
// other pedals of the new bars have their places, after the end of a note that sounds into them.
TEST(Continuation, AFileOfOneTrackTakesAProgramOfPedalsAlone) {
  const std::unique_ptr<Tokenizer> tokenizer = std::move(*Tokenizer::Load("remi_all"));
  MidiDocument document = MidiPiece(EightBars()).document();
  document.format = 0;
  document.tracks.erase(document.tracks.begin());  // without the tempos
  ASSERT_EQ(document.tracks.size(), 1U);
  const MidiPiece piece = *MidiPiece::FromDocument(document, "song.mid");
  const Result<Prompt> prompt = TakePrompt(piece, 4, 2, *tokenizer, {});
  ASSERT_TRUE(prompt.ok()) << prompt.error().ToString();

  Score played = EightBars();
  played.tracks.resize(2);
  played.tracks[1].program = 40;
  played.tracks[1].notes = {{4 * kBar, 960, 40, 80}, {5 * kBar, 960, 42, 80}};
  for (Track& track : played.tracks) {
    track.pedals = {{4 * kBar + 960, 960}};
  }
  const std::vector<TokenId> all = tokenizer->Encode(played).at(0);
  std::vector<TokenId> ids;  // without the notes of program 40
  const auto info = [&](size_t i) { return tokenizer->vocabulary().info(all[i]); };
  for (size_t i = 0; i < all.size(); ++i) {
    const bool note =
        info(i).type == TokenType::kProgram && info(i).value == 40 && info(i + 1).type == TokenType::kPitch;
    note ? static_cast<void>(i += 3) : ids.push_back(all[i]);
  }
  EXPECT_EQ(ids.size(), all.size() - 8);
  const Result<Continuation> made = JoinContinuation(*prompt, ids, *tokenizer);
  ASSERT_TRUE(made.ok()) << made.error().ToString();
  const Score& whole = made->whole.score();
  EXPECT_EQ(NotesBefore(whole.tracks.at(0), 4 * kBar), NotesBefore(EightBars().tracks[0], 4 * kBar));
  EXPECT_THAT(whole.tracks.at(0).pedals, ::testing::Contains(Pedal{4 * kBar + 960, 960}));
}

INSTANTIATE_TEST_SUITE_P(Kinds, ContinuationTest, ::testing::Values("remi", "remiplus", "midilike", "tsd_default"),
                         [](const auto& kind) { return std::string(kind.param); });

}  // namespace
}  // namespace continuo
