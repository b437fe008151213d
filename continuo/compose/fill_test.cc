#include "continuo/compose/fill.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "continuo/compose/fake_model_testing.h"
#include "continuo/compose/generate.h"

namespace continuo {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr Tick kBar = 4 * 480;

/// Eight bars of quarter notes, the last of each bar long, and a track of drums; the pedal is down
/// from bar 2 to 7.
Score EightBars() {
  Score score;
  score.tempos = {{0, 625000}, {3 * kBar, 400000}};
  score.tracks.resize(2);
  Track& track = score.tracks[0];
  for (int i = 0; i < 32; ++i) {
    track.notes.push_back({i * 480 + i % 3, i % 4 == 3 ? 960 : 470, static_cast<uint8_t>(60 + i % 12), 70});
  }
  track.controls = {{0, 7, 100}, {kBar, 64, 127}, {3 * kBar + 5, 7, 90}, {6 * kBar, 64, 0}};
  track.pedals = {{kBar, 5 * kBar}};
  score.tracks[1].is_drum = true;
  score.tracks[1].notes = {{0, 100, 36, 90}, {3 * kBar, 100, 36, 90}};
  return score;
}

std::vector<Note> NotesIn(const Track& track, Tick from, Tick to) {
  std::vector<Note> notes;
  for (const Note& note : track.notes) {
    if (note.time >= from && note.time < to) {
      notes.push_back(note);
    }
  }
  return notes;
}

class FillTest : public ::testing::TestWithParam<const char*> {
 protected:
  FillTest() : tokenizer_(std::move(*Tokenizer::Load(GetParam()))), model_(tokenizer_->vocabulary().size(), 1024) {}

  Score Fill(const Gap& gap) {
    Score filled;
    const auto sink = [&](size_t, GeneratedPiece piece) -> Status {
      filled = FillGap(gap, piece.ids, *tokenizer_);
      return {};
    };
    EXPECT_TRUE(Generate(model_, *tokenizer_, gap.prompt, {.bars = gap.last}, {sink}, NoProgress()).ok());
    return filled;
  }

  std::unique_ptr<Tokenizer> tokenizer_;
  FakeModel model_;
};

TEST_P(FillTest, NotesBeforeAndAfterTheGapDoNotChange) {
  const Score score = EightBars();
  for (const auto& [first, last] : {std::pair<size_t, size_t>{2, 5}, {0, 1}, {7, 8}}) {
    const Result<Gap> gap = MakeGap(score, first, last, *tokenizer_, "song.mid");
    ASSERT_TRUE(gap.ok()) << gap.error().message;
    const Tick begin = static_cast<Tick>(first) * kBar;
    const Tick end = static_cast<Tick>(last) * kBar;
    EXPECT_EQ(gap->begin, begin);
    EXPECT_EQ(gap->end, end);
    const Score filled = Fill(*gap);
    EXPECT_EQ(filled.tempos, score.tempos);
    EXPECT_EQ(filled.tracks.at(1), score.tracks[1]);
    const Track& track = filled.tracks.at(0);
    EXPECT_EQ(NotesIn(track, 0, begin), NotesIn(score.tracks[0], 0, begin));
    EXPECT_EQ(NotesIn(track, end, 100 * kBar), NotesIn(score.tracks[0], end, 100 * kBar));
    const std::vector<Note> fresh = NotesIn(track, begin, end);
    EXPECT_FALSE(fresh.empty());
    EXPECT_NE(fresh, NotesIn(score.tracks[0], begin, end));
    for (const Note& note : fresh) {
      EXPECT_LE(note.time + note.duration, end);
    }
  }
}

TEST_P(FillTest, ThePedalIsUpInTheGapAndRestoredAfterIt) {
  const Score filled = Fill(*MakeGap(EightBars(), 2, 5, *tokenizer_, "song.mid"));
  EXPECT_THAT(filled.tracks[0].controls, ElementsAre(ControlChange{0, 7, 100}, ControlChange{kBar, 64, 127},
                                                     ControlChange{2 * kBar, 64, 0}, ControlChange{3 * kBar + 5, 7, 90},
                                                     ControlChange{5 * kBar, 64, 127}, ControlChange{6 * kBar, 64, 0}));
  EXPECT_THAT(filled.tracks[0].pedals, ElementsAre(Pedal{kBar, kBar}, Pedal{5 * kBar, kBar}));
}

TEST_P(FillTest, TheBarsAfterTheGapAreMeasuredGivenTheNewOnes) {
  const Score score = EightBars();
  const Gap gap = *MakeGap(score, 2, 4, *tokenizer_, "song.mid");
  const double as_it_was = *FollowingNll(gap, score, model_, *tokenizer_);
  const double filled = *FollowingNll(gap, Fill(gap), model_, *tokenizer_);
  EXPECT_GT(as_it_was, 0.0);
  EXPECT_NE(as_it_was, filled);
  // No bars follow a gap at the end: its own are measured.
  const Gap at_end = *MakeGap(score, 6, 8, *tokenizer_, "song.mid");
  EXPECT_NE(*FollowingNll(at_end, score, model_, *tokenizer_),
            *FollowingNll(at_end, Fill(at_end), model_, *tokenizer_));
}

TEST_P(FillTest, RejectsBarsThatThePieceDoesNotHave) {
  EXPECT_THAT(MakeGap(EightBars(), 2, 9, *tokenizer_, "song.mid").error().message,
              HasSubstr("song.mid: bars 3 to 9 are not among its 8"));
  EXPECT_FALSE(MakeGap(EightBars(), 2, 2, *tokenizer_, "song.mid").ok());
}

INSTANTIATE_TEST_SUITE_P(Kinds, FillTest, ::testing::Values("remi", "midilike"),
                         [](const auto& kind) { return std::string(kind.param); });

}  // namespace
}  // namespace continuo
