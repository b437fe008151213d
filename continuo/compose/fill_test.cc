#include "continuo/compose/fill.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "continuo/compose/composer.h"
#include "continuo/compose/fake_model_testing.h"
#include "continuo/compose/generate.h"
#include "continuo/compose/likelihood.h"

namespace continuo {
namespace {

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

  Result<Gap> Make(const Score& score, size_t first, size_t last) {
    return MakeGap(MidiPiece(score, "song.mid"), first, last, *tokenizer_);
  }

  Filled Fill(const Gap& gap, uint64_t seed = 1) {
    Filled filled;
    const auto sink = [&](size_t, GeneratedPiece piece) -> Status {
      CONTINUO_ASSIGN(filled, FillGap(gap, piece.ids, *tokenizer_));
      return {};
    };
    GenerationOptions options{.bars = gap.last, .seed = seed};
    options.constraints = gap.seam.constraints;
    options.constraints.insert(options.constraints.begin(), gap.seam.pitches);
    const Status status = Generate(model_, *tokenizer_, gap.seam.ids, options, {sink}, NoProgress());
    EXPECT_TRUE(status.ok()) << status.error().ToString();
    return filled;
  }

  Filled Fill(const Score& score, size_t first, size_t last, uint64_t seed = 1) {
    const Result<Gap> gap = Make(score, first, last);
    EXPECT_TRUE(gap.ok()) << gap.error().ToString();
    return gap.ok() ? Fill(*gap, seed) : Filled();
  }

  std::unique_ptr<Tokenizer> tokenizer_;
  FakeModel model_;
};

TEST_P(FillTest, EverythingButTheNotesOfTheGapStays) {
  const Score score = MidiPiece(EightBars()).score();
  for (const auto& [first, last] : {std::pair<size_t, size_t>{2, 5}, {0, 1}, {7, 8}}) {
    const Tick begin = static_cast<Tick>(first) * kBar;
    const Tick end = static_cast<Tick>(last) * kBar;
    const Filled filled = Fill(score, first, last);
    Score without = filled.whole.score();
    const Track& track = without.tracks.at(0);
    EXPECT_EQ(NotesIn(track, 0, begin), NotesIn(score.tracks[0], 0, begin));
    EXPECT_EQ(NotesIn(track, end, 100 * kBar), NotesIn(score.tracks[0], end, 100 * kBar));
    const std::vector<Note> fresh = NotesIn(track, begin, end);
    EXPECT_EQ(fresh.size(), filled.notes.notes);
    EXPECT_NE(fresh, NotesIn(score.tracks[0], begin, end));
    for (const Note& note : fresh) {
      EXPECT_LE(note.time + note.duration, end);
    }
    without.tracks[0].notes = score.tracks[0].notes;
    EXPECT_EQ(without, score);
  }
}

TEST_P(FillTest, ANoteThatSoundsAcrossTheGapIsKeptAndNotStruckAgain) {
  Score score = EightBars();
  score.tracks[0].notes.insert(score.tracks[0].notes.begin() + 13, {3 * kBar + 600, 5 * 480 * 2, 40, 90});
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    const Filled filled = Fill(score, 4, 5, seed);
    std::vector<Note> low;
    for (const Note& note : filled.whole.score().tracks.at(0).notes) {
      if (note.pitch == 40) {
        low.push_back(note);
      }
    }
    ASSERT_EQ(low.size(), 1U);
    EXPECT_EQ(low[0], (Note{3 * kBar + 600, 4800, 40, 90}));
    EXPECT_EQ(filled.notes.dropped, 0U);
  }
}

TEST_P(FillTest, TheBarsAfterTheGapAreMeasuredGivenTheNewOnes) {
  const Score score = EightBars();
  const Gap gap = *Make(score, 2, 4);
  const double as_it_was = **FollowingNll(gap, score, model_, *tokenizer_);
  const double filled = **FollowingNll(gap, Fill(gap).whole.score(), model_, *tokenizer_);
  EXPECT_GT(as_it_was, 0.0);
  EXPECT_NE(as_it_was, filled);
  // No bars follow a gap at the end: its own are measured.
  const Gap at_end = *Make(score, 6, 8);
  EXPECT_NE(**FollowingNll(at_end, score, model_, *tokenizer_),
            **FollowingNll(at_end, Fill(at_end).whole.score(), model_, *tokenizer_));
}

TEST_P(FillTest, BarsAfterTheGapThatTheModelCannotReadAreNotMeasured) {
  Score score = EightBars();
  std::erase_if(score.tracks[0].notes, [](const Note& note) { return note.time >= 4 * kBar; });
  score.tracks[1].notes = {{0, 100, 36, 90}, {7 * kBar, 100, 36, 90}};  // drums alone after bar 4
  const Gap gap = *Make(score, 3, 4);
  const auto measured = FollowingNll(gap, Fill(gap).whole.score(), model_, *tokenizer_);
  ASSERT_TRUE(measured.ok()) << measured.error().ToString();
}

std::vector<TokenId> Joined(std::initializer_list<std::vector<TokenId>> parts) {
  std::vector<TokenId> ids;
  for (const std::vector<TokenId>& part : parts) {
    ids.insert(ids.end(), part.begin(), part.end());
  }
  return ids;
}

TEST_P(FillTest, BothSidesAreTheBarsBeforeThenAMaskPerMissingBarThenTheBarsAfter) {
  const Gap gap = *Make(EightBars(), 2, 5);
  const Vocabulary& vocabulary = tokenizer_->vocabulary();
  const TokenId bos = *vocabulary.bos();
  const TokenId mask = *vocabulary.mask();
  // What opens the gap's first bar stands at the end.
  const std::vector<size_t> offsets = tokenizer_->BarOffsets(gap.seam.ids);
  const size_t opened = offsets.size() > 2 ? offsets[2] : gap.seam.ids.size();
  const std::vector<TokenId> before(gap.seam.ids.begin(), gap.seam.ids.begin() + static_cast<std::ptrdiff_t>(opened));
  const std::vector<TokenId> opening(gap.seam.ids.begin() + static_cast<std::ptrdiff_t>(opened), gap.seam.ids.end());
  EXPECT_GE(tokenizer_->BarOffsets(gap.after).size(),
            3U);  // bars 6 to 8, and where it has tokens the one of the last note
  EXPECT_EQ(ReadBothSides(gap, *tokenizer_, 1024),
            Joined({{bos}, before, {mask, mask, mask}, gap.after, {bos}, opening}));

  // With little room the bars before the gap begin later, and those after it stay.
  const size_t others = 3 + gap.after.size() + 1 + opening.size();
  const size_t context = (others + before.size() / 2) * 4 / 3 + 8;
  const std::vector<TokenId> late = ReadBothSides(gap, *tokenizer_, context);
  EXPECT_LE(late.size(), context - context / 4);
  EXPECT_NE(late.front(), bos);
  EXPECT_EQ(std::vector<TokenId>(late.end() - static_cast<std::ptrdiff_t>(others), late.end()),
            Joined({{mask, mask, mask}, gap.after, {bos}, opening}));

  EXPECT_TRUE(ReadBothSides(gap, *tokenizer_, others).empty());                     // no room
  EXPECT_TRUE(ReadBothSides(*Make(EightBars(), 6, 9), *tokenizer_, 1024).empty());  // nothing follows
}

TEST_P(FillTest, TheBarsOfAGapAreMeasuredAfterEachReading) {
  const Score score = EightBars();
  const Gap gap = *Make(score, 2, 4);
  const GapLikelihood measured = *MeasureGap(gap, model_, *tokenizer_);
  // The bars before, then the gap's own, are the start of the piece.
  const Gap next = *Make(score, 4, 5);
  const std::vector<size_t> offsets = tokenizer_->BarOffsets(next.seam.ids);
  const Likelihood all = *MeasureLikelihood(model_, *tokenizer_, next.seam.ids, NoProgress());
  const size_t begin = gap.seam.ids.size();
  const size_t end = offsets.size() > 4 ? offsets[4] : next.seam.ids.size();
  double sum = 0;
  for (size_t i = begin; i < end; ++i) {
    sum += all.token_nll[i];
  }
  EXPECT_NEAR(measured.before, sum, 1e-9 * sum);
  ASSERT_TRUE(measured.both.has_value());
  EXPECT_NE(*measured.both, measured.before);
  EXPECT_FALSE(MeasureGap(*Make(score, 7, 9), model_, *tokenizer_)->both.has_value());
  const FakeModel small(tokenizer_->vocabulary().size(), 16);
  EXPECT_THAT(MeasureGap(gap, small, *tokenizer_).error().message, HasSubstr("song.mid: bars 3 to 4 have "));
}

TEST_P(FillTest, AModelReadsBothSidesOnlyIfItWasTrainedWithGaps) {
  LoadedModel model = LoadFakeModel(GetParam());
  const FillRequest request{.piece = MidiPiece(EightBars()), .first = 2, .last = 4};
  const auto written = [&] { return (*Composer(model).Write(request, {.count = 1}))[0]; };
  const std::vector<TokenId> one_side = written().generated.ids;
  model.reads_both_sides = true;
  const WrittenPiece both = written();
  EXPECT_NE(both.generated.ids, one_side);
  // They are ids of the bars before the gap and in it.
  const size_t prompt = both.generated.prompt_length;
  EXPECT_EQ(std::vector<TokenId>(both.generated.ids.begin(),
                                 both.generated.ids.begin() + static_cast<std::ptrdiff_t>(prompt)),
            std::vector<TokenId>(one_side.begin(), one_side.begin() + static_cast<std::ptrdiff_t>(prompt)));
  // A note after the gap makes a difference only to a model that reads it.
  Score other = EightBars();
  other.tracks[0].notes.back().pitch = 40;
  const FillRequest changed{.piece = MidiPiece(other), .first = 2, .last = 4};
  EXPECT_NE((*Composer(model).Write(changed, {.count = 1}))[0].generated.ids, both.generated.ids);
  model.reads_both_sides = false;
  EXPECT_EQ((*Composer(model).Write(changed, {.count = 1}))[0].generated.ids, one_side);
}

TEST_P(FillTest, RejectsBarsThatThePieceDoesNotHave) {
  EXPECT_THAT(Make(EightBars(), 2, 10).error().message, HasSubstr("song.mid: bars 3 to 10 are not among its 9"));
  EXPECT_FALSE(Make(EightBars(), 2, 2).ok());
}

TEST_P(FillTest, BarsAreThoseOfTheTimeSignatures) {
  Score score = EightBars();
  score.time_signatures = {{0, 3, 4}};
  if (!tokenizer_->config().use_time_signatures) {
    EXPECT_THAT(Make(score, 4, 6).error().message, HasSubstr("is in 3/4"));
    return;
  }
  const Score whole = Fill(score, 4, 6).whole.score();
  EXPECT_EQ(whole.time_signatures, score.time_signatures);
  EXPECT_EQ(NotesIn(whole.tracks.at(0), 0, 4 * 1440), NotesIn(score.tracks[0], 0, 4 * 1440));
  EXPECT_EQ(NotesIn(whole.tracks.at(0), 6 * 1440, 100 * kBar), NotesIn(score.tracks[0], 6 * 1440, 100 * kBar));
}

TEST_P(FillTest, SignaturesThatChangeInTheGapAreFollowed) {
  if (!tokenizer_->config().use_time_signatures) {
    return;
  }
  Score score = EightBars();
  score.time_signatures = {{0, 4, 4}, {3 * kBar, 3, 4}, {3 * kBar + 2 * 1440, 2, 4}, {3 * kBar + 2 * 1440 + 960, 4, 4}};
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    const Filled filled = Fill(score, 2, 7, seed);
    const Score& whole = filled.whole.score();
    EXPECT_EQ(whole.time_signatures, score.time_signatures);
    // Notes reach into the last bar of the gap, which is where the tokens put it.
    const Tick last = BarGrid(score).Line(6);
    EXPECT_FALSE(NotesIn(whole.tracks.at(0), last, BarGrid(score).Line(7)).empty());
  }
}

INSTANTIATE_TEST_SUITE_P(Kinds, FillTest, ::testing::Values("remi", "remiplus", "midilike", "tsd_default"),
                         [](const auto& kind) { return std::string(kind.param); });

}  // namespace
}  // namespace continuo
