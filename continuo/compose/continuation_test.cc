#include "continuo/compose/continuation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "continuo/compose/fake_model_testing.h"
#include "continuo/compose/generate.h"
#include "continuo/score/bars.h"

namespace continuo {
namespace {

using ::testing::HasSubstr;

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
  track.pedals = {{kBar, 5 * kBar}};
  return score;
}

class ContinuationTest : public ::testing::TestWithParam<const char*> {
 protected:
  ContinuationTest() : tokenizer_(std::move(*Tokenizer::Load(GetParam()))) {}

  Continuation Continue(const Prompt& prompt, size_t bars) {
    const FakeModel model(tokenizer_->vocabulary().size(), 1024);
    Continuation continuation;
    const auto sink = [&](size_t, GeneratedPiece piece) -> Status {
      continuation = JoinContinuation(prompt, piece.ids, *tokenizer_);
      return {};
    };
    const Status status = Generate(model, *tokenizer_, prompt.ids, {.bars = prompt.bars + bars}, {sink}, NoProgress());
    EXPECT_TRUE(status.ok()) << status.error().message;
    return continuation;
  }

  std::unique_ptr<Tokenizer> tokenizer_;
};

std::vector<Note> NotesBefore(const Score& score, Tick line) {
  std::vector<Note> notes;
  for (const Note& note : score.tracks.at(0).notes) {
    if (note.time < line) {
      notes.push_back(note);
    }
  }
  return notes;
}

TEST_P(ContinuationTest, ThePromptDoesNotChangeAndTheNewBarsFollow) {
  const Score score = EightBars();
  for (const size_t bars : {1U, 4U, 8U}) {
    const auto prompt = TakePrompt(score, bars, *tokenizer_, "song.mid");
    ASSERT_TRUE(prompt.ok()) << prompt.error().message;
    EXPECT_EQ(prompt->bar_line, static_cast<Tick>(bars) * kBar);
    const Continuation made = Continue(*prompt, 5);
    EXPECT_EQ(NotesBefore(made.whole, prompt->bar_line), NotesBefore(score, prompt->bar_line));
    EXPECT_EQ(CountBars(made.whole), bars + 5);
    EXPECT_EQ(CountBars(made.new_bars), 5U);
    EXPECT_EQ(made.whole.tracks.size(), 1U);
    // The new bars alone are the whole's, moved to the start.
    std::vector<Note> moved;
    for (Note note : made.whole.tracks[0].notes) {
      if (note.time >= prompt->bar_line) {
        note.time -= prompt->bar_line;
        moved.push_back(note);
      }
    }
    EXPECT_EQ(made.new_bars.tracks.at(0).notes, moved);
    EXPECT_EQ(made.new_bars.tempos.at(0).us_per_quarter, bars == 8 ? 400000 : 625000);
  }
}

TEST_P(ContinuationTest, APedalThatIsDownIsReleasedAtTheBarLine) {
  const auto prompt = TakePrompt(EightBars(), 4, *tokenizer_, "song.mid");
  ASSERT_TRUE(prompt.ok());
  const Continuation made = Continue(*prompt, 2);
  EXPECT_EQ(made.whole.tracks[0].controls, (std::vector<ControlChange>{{kBar, 64, 127}, {4 * kBar, 64, 0}}));
  EXPECT_EQ(made.whole.tracks[0].pedals, (std::vector<Pedal>{{kBar, 3 * kBar}}));
}

TEST_P(ContinuationTest, EmptyBarsAtThePromptsEndCount) {
  Score score = EightBars();
  std::erase_if(score.tracks[0].notes, [](const Note& note) { return note.time >= 2 * kBar && note.time < 7 * kBar; });
  const auto prompt = TakePrompt(score, 6, *tokenizer_, "song.mid");
  ASSERT_TRUE(prompt.ok()) << prompt.error().message;
  EXPECT_EQ(CountBars(Continue(*prompt, 3).whole), 9U);
}

TEST_P(ContinuationTest, SeveralTracksAreReadAsOneAndKept) {
  Score score = EightBars();
  score.tracks.push_back(score.tracks[0]);
  score.tracks[1].program = 40;
  score.tracks.push_back(score.tracks[0]);
  score.tracks[2].is_drum = true;
  const auto prompt = TakePrompt(score, 4, *tokenizer_, "song.mid");
  ASSERT_TRUE(prompt.ok()) << prompt.error().message;
  const Continuation made = Continue(*prompt, 2);
  ASSERT_EQ(made.whole.tracks.size(), 3U);
  EXPECT_EQ(made.whole.tracks[1].notes.size(), 16U);
  EXPECT_EQ(made.whole.tracks[2].notes.size(), 16U);
  EXPECT_GT(made.whole.tracks[0].notes.size(), 16U);
}

TEST_P(ContinuationTest, APieceThatIsTooShortIsRejected) {
  EXPECT_THAT(TakePrompt(EightBars(), 9, *tokenizer_, "song.mid").error().message,
              HasSubstr("song.mid: has 8 bars, but the prompt is to be its first 9"));
  EXPECT_THAT(TakePrompt(Score(), 1, *tokenizer_, "song.mid").error().message, HasSubstr("has 0 bars"));
}

INSTANTIATE_TEST_SUITE_P(Kinds, ContinuationTest, ::testing::Values("remi", "remiplus", "midilike", "tsd_default"),
                         [](const auto& kind) { return std::string(kind.param); });

}  // namespace
}  // namespace continuo
