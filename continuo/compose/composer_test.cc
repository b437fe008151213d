#include "continuo/compose/composer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "continuo/compose/fake_model_testing.h"
#include "continuo/compose/kept_events_testing.h"
#include "continuo/score/bars.h"
#include "continuo/score/tempo_map.h"

namespace continuo {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr Tick kBar = 4 * 480;

/// Eight bars of quarter notes at 96 BPM.
Score Song() {
  Score score;
  score.tempos = {{0, 625000}};
  score.tracks.resize(1);
  for (int i = 0; i < 32; ++i) {
    score.tracks[0].notes.push_back({i * 480, 470, static_cast<uint8_t>(60 + i % 12), 70});
  }
  return score;
}

std::vector<Note> Sorted(std::vector<Note> notes) {
  std::sort(notes.begin(), notes.end(), [](const Note& a, const Note& b) {
    return std::tie(a.time, a.pitch, a.duration, a.velocity) < std::tie(b.time, b.pitch, b.duration, b.velocity);
  });
  return notes;
}

/// The notes of all tracks that begin in [from, to).
std::vector<Note> NotesIn(const Score& score, Tick from, Tick to) {
  std::vector<Note> notes;
  for (const Track& track : score.tracks) {
    std::copy_if(track.notes.begin(), track.notes.end(), std::back_inserter(notes),
                 [=](const Note& note) { return note.time >= from && note.time < to; });
  }
  return Sorted(notes);
}

class ComposerTest : public ::testing::TestWithParam<const char*> {
 protected:
  ComposerTest() : model_(LoadFakeModel(GetParam())), composer_(model_) {}

  std::vector<WrittenPiece> Write(const Request& request, const ComposeOptions& options = {}) {
    Result<std::vector<WrittenPiece>> pieces = composer_.Write(request, options);
    EXPECT_TRUE(pieces.ok()) << pieces.error().ToString();
    return pieces.ok() ? std::move(*pieces) : std::vector<WrittenPiece>();
  }

  /// What Check and Write say is wrong.
  std::string ErrorOf(const Request& request, const ComposeOptions& options = {}) {
    const Status checked = composer_.Check(request, options);
    const auto written = composer_.Write(request, options);
    EXPECT_FALSE(checked.ok());
    EXPECT_FALSE(written.ok());
    if (checked.ok() || written.ok()) {
      return "";
    }
    EXPECT_EQ(checked.error().message, written.error().message);
    return checked.error().ToString();
  }

  LoadedModel model_;
  const Composer composer_;
};

TEST_P(ComposerTest, NewPiecesHaveTheirBarsAndAreTheSameInAnyBatch) {
  const std::vector<WrittenPiece> alone = Write(NewRequest{.bars = 3}, {.count = 5, .batch = 1});
  const std::vector<WrittenPiece> together = Write(NewRequest{.bars = 3}, {.count = 5, .batch = 3});
  const std::vector<WrittenPiece> fewer = Write(NewRequest{.bars = 3}, {.count = 2});
  ASSERT_EQ(alone.size(), 5U);
  ASSERT_EQ(together.size(), 5U);
  ASSERT_EQ(fewer.size(), 2U);
  for (size_t i = 0; i < 5; ++i) {
    EXPECT_EQ(alone[i].index, i);
    EXPECT_EQ(CountBars(alone[i].piece.score()), 3U);
    EXPECT_FALSE(alone[i].new_bars);
    EXPECT_FALSE(alone[i].following_nll);
    EXPECT_EQ(alone[i].piece.Bytes(), together[i].piece.Bytes());
    EXPECT_EQ(alone[i].generated.nll, together[i].generated.nll);
  }
  EXPECT_EQ(alone[1].piece.Bytes(), fewer[1].piece.Bytes());
}

TEST_P(ComposerTest, TheModelsSamplingIsTheDefault) {
  const ComposeOptions greedy = {.seed = 2, .sampling = SamplingOptions{.temperature = 0}};
  const std::vector<uint8_t> wanted = Write(NewRequest{.bars = 2}, greedy).at(0).piece.Bytes();
  EXPECT_NE(Write(NewRequest{.bars = 2}, {.seed = 2}).at(0).piece.Bytes(), wanted);
  model_.sampling = {.temperature = 0};
  EXPECT_EQ(Write(NewRequest{.bars = 2}, {.seed = 2}).at(0).piece.Bytes(), wanted);
}

TEST_P(ComposerTest, KeepDeliversTheLikeliestFirst) {
  std::vector<WrittenPiece> all = Write(NewRequest{.bars = 2}, {.count = 6});
  std::sort(all.begin(), all.end(),
            [](const WrittenPiece& a, const WrittenPiece& b) { return a.generated.nll < b.generated.nll; });
  std::vector<WrittenPiece> kept;
  const auto sink = [&](WrittenPiece piece) -> Status {
    kept.push_back(std::move(piece));
    return {};
  };
  const Result<ComposeReport> report = composer_.Write(NewRequest{.bars = 2}, {.count = 6, .keep = 2}, sink);
  ASSERT_TRUE(report.ok());
  ASSERT_EQ(kept.size(), 2U);
  EXPECT_EQ(report->delivered, 2U);
  EXPECT_FALSE(report->stopped);
  ASSERT_EQ(report->ranking.size(), 6U);
  for (size_t i = 0; i < 6; ++i) {
    EXPECT_EQ(report->ranking[i].index, all[i].index);
    EXPECT_EQ(report->ranking[i].nll, all[i].generated.nll);
  }
  EXPECT_EQ(kept[0].piece.Bytes(), all[0].piece.Bytes());
  EXPECT_EQ(kept[1].piece.Bytes(), all[1].piece.Bytes());
  // To keep as many as there are is to keep all.
  EXPECT_EQ(Write(NewRequest{.bars = 2}, {.count = 3, .keep = 3}).at(2).index, 2U);
}

/// Tells what a model writes from transpositions of Song.
std::shared_ptr<const Discriminator> DiscriminatorOf(const Composer& composer) {
  std::vector<Score> written;
  const std::vector<WrittenPiece> pieces = composer.Write(NewRequest{.bars = 8}, {.count = 20, .seed = 77}).value();
  for (const WrittenPiece& piece : pieces) {
    written.push_back(piece.piece.score());
  }
  std::vector<Score> songs;
  for (uint8_t i = 0; i < 20; ++i) {
    Score song = Song();
    for (Note& note : song.tracks[0].notes) {
      note.pitch = static_cast<uint8_t>(note.pitch - 10 + i);
    }
    songs.push_back(std::move(song));
  }
  return std::make_shared<const Discriminator>(FitDiscriminator(written, songs, 8).value());
}

TEST_P(ComposerTest, OfDraftsThoseMostLikeSongsAreKept) {
  model_.discriminator = DiscriminatorOf(composer_);
  const MidiPiece song(Song());
  // Of two bars, which are compared once: the first draft is what is written without drafts.
  const auto odds = [&](const Request& request, int64_t drafts, size_t end) {
    std::vector<double> by_piece;
    SamplingOptions sampling;
    sampling.drafts = drafts;
    for (const WrittenPiece& piece : Write(request, {.count = 6, .keep = 6, .sampling = sampling})) {
      by_piece.resize(std::max(by_piece.size(), piece.index + 1));
      by_piece[piece.index] = *model_.discriminator->LogOdds(piece.piece.score(), end);
    }
    return by_piece;
  };
  for (const auto& [request, end] : {std::pair<Request, size_t>(NewRequest{.bars = 2}, 2),
                                     {ContinueRequest{.piece = song, .prompt_bars = 2, .bars = 2}, 4},
                                     {FillRequest{.piece = song, .first = 2, .last = 4}, 4}}) {
    const std::vector<double> one = odds(request, 1, end);
    const std::vector<double> best = odds(request, 5, end);
    ASSERT_EQ(best.size(), 6U);
    for (size_t i = 0; i < best.size(); ++i) {
      EXPECT_GE(best[i], one.at(i)) << request.index() << " piece " << i;
    }
    EXPECT_NE(best, one) << request.index();
  }
}

TEST_P(ComposerTest, DraftsNeedADiscriminator) {
  const ComposeOptions options = {.sampling = SamplingOptions{.drafts = 2}};
  EXPECT_THAT(ErrorOf(NewRequest{}, options), HasSubstr("drafts is 2, but nothing compares them"));
}

TEST_P(ComposerTest, AContinuationHasThePromptAsItWasAndItsNewBars) {
  const ContinueRequest request{.piece = MidiPiece(Song(), "song.mid"), .prompt_bars = 4, .bars = 3};
  const std::vector<WrittenPiece> pieces = Write(request, {.count = 2});
  ASSERT_EQ(pieces.size(), 2U);
  for (const WrittenPiece& written : pieces) {
    const Score& whole = written.piece.score();
    EXPECT_EQ(NotesIn(whole, 0, 4 * kBar), NotesIn(Song(), 0, 4 * kBar));
    EXPECT_EQ(CountBars(whole), 7U);
    std::vector<Note> fresh = NotesIn(whole, 4 * kBar, 100 * kBar);
    for (Note& note : fresh) {
      note.time -= 4 * kBar;
    }
    ASSERT_TRUE(written.new_bars);
    EXPECT_EQ(NotesIn(written.new_bars->score(), 0, 100 * kBar), fresh);
    EXPECT_GT(written.generated.prompt_length, 0U);
  }
  EXPECT_NE(pieces[0].piece.Bytes(), pieces[1].piece.Bytes());
}

TEST_P(ComposerTest, AContinuationOfOneTrackLeavesTheOthersAsTheyWere) {
  Score song = Song();
  song.tracks.push_back(song.tracks[0]);
  song.tracks[1].program = 40;
  ContinueRequest request{.piece = MidiPiece(song), .prompt_bars = 4, .bars = 2, .track = 1};
  const Score whole = Write(request).at(0).piece.score();
  EXPECT_EQ(whole.tracks.at(0).notes.size(), 16U);
  EXPECT_GT(whole.tracks.at(1).notes.size(), 16U);
}

TEST_P(ComposerTest, FillRanksCandidatesByTheBarsAfterTheGap) {
  const FillRequest request{.piece = MidiPiece(Song(), "song.mid"), .first = 2, .last = 4};
  std::vector<WrittenPiece> kept;
  const auto sink = [&](WrittenPiece piece) -> Status {
    kept.push_back(std::move(piece));
    return {};
  };
  const Result<ComposeReport> report = composer_.Write(request, {.count = 4, .keep = 2}, sink);
  ASSERT_TRUE(report.ok()) << report.error().ToString();
  ASSERT_EQ(report->ranking.size(), 4U);
  EXPECT_TRUE(std::is_sorted(report->ranking.begin(), report->ranking.end(),
                             [](const RankedPiece& a, const RankedPiece& b) { return a.nll < b.nll; }));
  ASSERT_EQ(kept.size(), 2U);
  for (size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(kept[i].index, report->ranking[i].index);
    EXPECT_EQ(kept[i].following_nll, report->ranking[i].nll);
    const Score& filled = kept[i].piece.score();
    EXPECT_EQ(NotesIn(filled, 0, 2 * kBar), NotesIn(Song(), 0, 2 * kBar));
    EXPECT_NE(NotesIn(filled, 2 * kBar, 4 * kBar), NotesIn(Song(), 2 * kBar, 4 * kBar));
    EXPECT_EQ(NotesIn(filled, 4 * kBar, 8 * kBar), NotesIn(Song(), 4 * kBar, 8 * kBar));
  }
  const std::vector<WrittenPiece> best = Write(request, {.count = 4});
  ASSERT_EQ(best.size(), 1U);
  EXPECT_EQ(best[0].piece.Bytes(), kept[0].piece.Bytes());
}

TEST_P(ComposerTest, RejectsWhatCannotBeWritten) {
  const MidiPiece song(Song(), "song.mid");
  EXPECT_THAT(ErrorOf(NewRequest{.bars = 0}), HasSubstr("bars is 0, expected 1"));
  EXPECT_THAT(ErrorOf(NewRequest{.bars = kMaxBars + 1}), HasSubstr("bars is 10001"));
  EXPECT_THAT(ErrorOf(NewRequest{}, {.count = 0}), HasSubstr("count is 0"));
  EXPECT_THAT(ErrorOf(NewRequest{}, {.sampling = SamplingOptions{.top_p = 2}}), HasSubstr("top-p is 2"));
  EXPECT_THAT(ErrorOf(NewRequest{}, {.chords = *ParseChordProgression("C")}), HasSubstr("remichord"));
  EXPECT_THAT(ErrorOf(NewRequest{}, {.bpm = 1}),
              HasSubstr(GetParam() == std::string("remi") ? "bpm is 1" : "no tempo"));
  EXPECT_THAT(ErrorOf(ContinueRequest{.piece = song, .prompt_bars = 9}), HasSubstr("song.mid: has 8 bars"));
  EXPECT_THAT(ErrorOf(ContinueRequest{.piece = song, .prompt_bars = 0}), HasSubstr("prompt-bars is 0"));
  EXPECT_THAT(ErrorOf(ContinueRequest{.piece = song, .bars = 0}), HasSubstr("bars is 0"));
  EXPECT_THAT(ErrorOf(ContinueRequest{.piece = song, .prompt_bars = 8, .bars = kMaxBars}), HasSubstr("bars is 10008"));
  EXPECT_THAT(ErrorOf(ContinueRequest{.piece = song, .track = 3}), HasSubstr("has 1 tracks, no track 4"));
  EXPECT_THAT(ErrorOf(FillRequest{.piece = song, .first = 2, .last = 3}, {.bpm = 96}),
              HasSubstr("keeps its own tempo"));
  EXPECT_THAT(ErrorOf(ContinueRequest{.piece = song}, {.bpm = 96, .free_tempo = true}), HasSubstr("to be free"));
  MidiDocument film = song.document();
  film.division = 0xE728;  // 25 frames a second, 40 ticks in each
  const MidiPiece filmed = *MidiPiece::FromDocument(film, "film.mid");
  EXPECT_THAT(ErrorOf(ContinueRequest{.piece = filmed, .prompt_bars = 1}, {.bpm = 96}), HasSubstr("film.mid counts"));
  EXPECT_THAT(ErrorOf(FillRequest{.piece = song, .first = 2, .last = 9}), HasSubstr("bars 3 to 9 are not among its 8"));
  EXPECT_THAT(ErrorOf(FillRequest{.piece = song, .first = 3, .last = 3}), HasSubstr("song.mid"));
  EXPECT_FALSE(CheckRequest(FillRequest{.piece = song, .first = 2, .last = 9}, *model_.tokenizer).ok());
  EXPECT_TRUE(CheckRequest(FillRequest{.piece = song, .first = 2, .last = 8}, *model_.tokenizer).ok());
}

TEST_P(ComposerTest, AnErrorOfTheSinkEndsTheCall) {
  size_t calls = 0;
  const auto fail = [&](const WrittenPiece&) -> Status {
    ++calls;
    return MakeError("disk full");
  };
  EXPECT_EQ(composer_.Write(NewRequest{.bars = 1}, {.count = 3}, fail).error().message, "disk full");
  EXPECT_EQ(composer_.Write(NewRequest{.bars = 1}, {.count = 3, .keep = 2}, fail).error().message, "disk full");
  EXPECT_EQ(calls, 2U);
  const auto no_bar = [](const BarUpdate&) -> Status { return MakeError("no listener"); };
  EXPECT_EQ(composer_.Write(NewRequest{.bars = 1}, {}, fail, NoProgress(), no_bar).error().message, "no listener");
  EXPECT_EQ(calls, 2U);
}

TEST_P(ComposerTest, WhenStoppedTheCompletePiecesCount) {
  size_t bars = 0;
  size_t pieces = 0;
  const auto sink = [&](const WrittenPiece&) -> Status {
    ++pieces;
    return {};
  };
  const auto count_bars = [&](const BarUpdate&) -> Status {
    ++bars;
    return {};
  };
  const StopToken after_two([&] { return pieces >= 2; });
  const auto stopped = composer_.Write(NewRequest{.bars = 2}, {.count = 50, .batch = 1, .stop = after_two}, sink);
  ASSERT_TRUE(stopped.ok());
  EXPECT_TRUE(stopped->stopped);
  EXPECT_EQ(stopped->delivered, 2U);
  EXPECT_EQ(stopped->ranking.size(), 2U);

  // The best of those that are complete.
  pieces = 0;
  const StopToken after_bars([&] { return bars >= 12; });
  const auto best = composer_.Write(NewRequest{.bars = 3}, {.count = 50, .keep = 2, .batch = 1, .stop = after_bars},
                                    sink, NoProgress(), count_bars);
  ASSERT_TRUE(best.ok());
  EXPECT_TRUE(best->stopped);
  EXPECT_EQ(best->delivered, 2U);
  EXPECT_EQ(pieces, 2U);
  EXPECT_GE(best->ranking.size(), 3U);
  EXPECT_LT(best->ranking.size(), 50U);

  // Before the first.
  pieces = 0;
  const StopToken at_once([] { return true; });
  const auto none = composer_.Write(FillRequest{.piece = MidiPiece(Song()), .first = 2, .last = 3},
                                    {.count = 2, .stop = at_once}, sink);
  ASSERT_TRUE(none.ok());
  EXPECT_TRUE(none->stopped);
  EXPECT_THAT(none->ranking, IsEmpty());
  EXPECT_EQ(pieces, 0U);
}

/// Collects the notes of bar updates as their receiver should.
class BarCollector {
 public:
  BarSink sink() {
    return [this](const BarUpdate& update) -> Status {
      std::map<size_t, std::vector<TimedNote>>& piece = pieces_[update.index];
      went_back_ += piece.lower_bound(update.bars) != piece.end() ? 1U : 0U;
      piece.erase(piece.lower_bound(update.bars), piece.end());
      piece[update.bars] = update.notes;
      return {};
    };
  }
  std::vector<TimedNote> Notes(size_t index) const {
    std::vector<TimedNote> notes;
    for (const auto& [bars, of_update] : pieces_.at(index)) {
      notes.insert(notes.end(), of_update.begin(), of_update.end());
    }
    return notes;
  }
  std::vector<size_t> Bars(size_t index) const {
    std::vector<size_t> all;
    for (const auto& [bars, notes] : pieces_.at(index)) {
      all.push_back(bars);
    }
    return all;
  }
  size_t went_back() const { return went_back_; }

 private:
  std::map<size_t, std::map<size_t, std::vector<TimedNote>>> pieces_;  // by index and bars
  size_t went_back_ = 0;
};

/// Notes of updates must be those of the piece, which may end earlier.
void ExpectNotes(const std::vector<TimedNote>& timed, const std::vector<Note>& wanted) {
  std::vector<Note> notes;
  for (const TimedNote& note : timed) {
    notes.push_back(note.note);
  }
  notes = Sorted(notes);
  ASSERT_EQ(notes.size(), wanted.size());
  for (size_t i = 0; i < notes.size(); ++i) {
    EXPECT_GE(notes[i].duration, wanted[i].duration);
    notes[i].duration = wanted[i].duration;
    EXPECT_EQ(notes[i], wanted[i]);
  }
}

TEST_P(ComposerTest, BarUpdatesAddUpToTheNewNotesOfEachRequest) {
  const MidiPiece song(Song());
  model_.discriminator = DiscriminatorOf(composer_);
  struct Case {
    Request request;
    Tick from;
    Tick to;
    size_t bars;
  };
  for (const Case& c : {Case{NewRequest{.bars = 4}, 0, INT32_MAX, 4},
                        Case{ContinueRequest{.piece = song, .prompt_bars = 2, .bars = 3}, 2 * kBar, INT32_MAX, 5},
                        Case{FillRequest{.piece = song, .first = 2, .last = 4}, 2 * kBar, 4 * kBar, 4}}) {
    for (const int64_t drafts : {1, 3}) {
      BarCollector bars;
      std::map<size_t, Score> written;
      const auto sink = [&](const WrittenPiece& piece) -> Status {
        written[piece.index] = piece.piece.score();
        return {};
      };
      ASSERT_TRUE(composer_
                      .Write(c.request, {.count = 2, .keep = 2, .sampling = SamplingOptions{.drafts = drafts}}, sink,
                             NoProgress(), bars.sink())
                      .ok());
      ASSERT_EQ(written.size(), 2U);
      EXPECT_EQ(bars.went_back(), 0U);
      for (const auto& [index, score] : written) {
        std::vector<Note> wanted = NotesIn(score, c.from, c.to);
        wanted.erase(std::unique(wanted.begin(), wanted.end()), wanted.end());
        ExpectNotes(bars.Notes(index), wanted);
        EXPECT_EQ(bars.Bars(index).back(), c.bars);
        const TempoMap seconds(score);
        for (const TimedNote& note : bars.Notes(index)) {
          EXPECT_DOUBLE_EQ(note.seconds, seconds.Seconds(note.note.time));
        }
      }
    }
  }
}

TEST_P(ComposerTest, UpdatesAfterAPieceWentBackReplaceEarlierOnes) {
  const bool remi = GetParam() == std::string("remi");
  std::vector<float> rare(model_.tokenizer->vocabulary().size(), 0.0F);
  for (size_t id = 0; id < rare.size(); ++id) {
    if (model_.tokenizer->vocabulary().begins_note(static_cast<TokenId>(id))) {
      rare[id] = remi ? -4.5F : -1.0F;  // some bars have no notes
    }
  }
  const LoadedModel model = LoadFakeModel(GetParam(), 4096, rare);
  BarCollector bars;
  size_t retries = 0;
  const auto sink = [&](const WrittenPiece& piece) -> Status {
    retries += piece.generated.retries;
    std::vector<Note> wanted = NotesIn(piece.piece.score(), 0, INT32_MAX);
    wanted.erase(std::unique(wanted.begin(), wanted.end()), wanted.end());
    ExpectNotes(bars.Notes(piece.index), wanted);
    EXPECT_THAT(piece.generated.guards, IsEmpty());
    return {};
  };
  const ComposeOptions options = {.count = 3, .guards = {.silent_bars = 0, .equal_bars = 1}, .retries = 500};
  ASSERT_TRUE(Composer(model).Write(NewRequest{.bars = 5}, options, sink, NoProgress(), bars.sink()).ok());
  EXPECT_GT(retries, 0U);
  EXPECT_GT(bars.went_back(), 0U);
}

/// Allows pitches of one pitch class alone.
class OnePitchClass final : public TokenConstraint {
 public:
  OnePitchClass(const Vocabulary& vocabulary, int pitch_class) : vocabulary_(vocabulary), pitch_class_(pitch_class) {}
  void Restrict(std::span<uint8_t> allowed) const override {
    const IdRange pitches = vocabulary_.range(TokenType::kPitch);
    for (TokenId id = pitches.first; id < pitches.end(); ++id) {
      if (vocabulary_.info(id).value % 12 != pitch_class_) {
        allowed[static_cast<size_t>(id)] = 0;
      }
    }
  }
  void Advance(TokenId /*id*/) override {}
  std::unique_ptr<TokenConstraint> Clone() const override { return std::make_unique<OnePitchClass>(*this); }

 private:
  const Vocabulary& vocabulary_;
  const int pitch_class_;
};

TEST_P(ComposerTest, ACallersConstraintHoldsForTheNewNotesOfEveryPiece) {
  const ComposeOptions options = {.count = 3,
                                  .constraints = {std::make_shared<OnePitchClass>(model_.tokenizer->vocabulary(), 4)}};
  const MidiPiece song(Song());
  for (const WrittenPiece& written : Write(ContinueRequest{.piece = song, .prompt_bars = 2, .bars = 4}, options)) {
    const std::vector<Note> fresh = NotesIn(written.piece.score(), 2 * kBar, INT32_MAX);
    EXPECT_FALSE(fresh.empty());
    for (const Note& note : fresh) {
      EXPECT_EQ(note.pitch % 12, 4);
    }
  }
}

class ComposerOfOthersTest : public ::testing::TestWithParam<const char*> {
 protected:
  /// Of few instruments, for a file has room for 15 at a time.
  static LoadedModel Load() {
    const LoadedModel plain = LoadFakeModel(GetParam(), 256);
    const Vocabulary& vocabulary = plain.tokenizer->vocabulary();
    const IdRange programs = vocabulary.range(TokenType::kProgram);
    std::vector<float> bias(vocabulary.size());
    std::fill(bias.begin() + programs.first + std::min<TokenId>(programs.count, 4), bias.begin() + programs.end(),
              -50.0F);
    return LoadFakeModel(GetParam(), 256, bias);
  }

  const LoadedModel model_ = Load();
  const Composer composer_{model_};
};

TEST_P(ComposerOfOthersTest, NewPiecesHaveTheirBars) {
  for (const size_t bars : {1U, 3U, 9U}) {
    const auto written = composer_.Write(NewRequest{.bars = bars}, {.count = 4});
    ASSERT_TRUE(written.ok()) << written.error().ToString();
    for (const WrittenPiece& piece : *written) {
      EXPECT_EQ(CountBars(piece.piece.score()), bars);
    }
  }
}

TEST_P(ComposerOfOthersTest, WhatIsGivenStaysAndTheNewBarsHaveNotes) {
  const MidiPiece song(Song(), "song.mid");
  for (size_t bars = 1; bars < 4; ++bars) {
    const auto continued =
        composer_.Write(ContinueRequest{.piece = song, .prompt_bars = bars, .bars = 4}, {.count = 3, .seed = bars});
    ASSERT_TRUE(continued.ok()) << continued.error().ToString();
    for (const WrittenPiece& piece : *continued) {
      EXPECT_EQ(FaultOfContinuation(song, bars, 4, piece), "");
      EXPECT_EQ(CountBars(piece.piece.score()), bars + 4);
      EXPECT_GT(piece.new_notes, 0U);
    }
    const auto filled =
        composer_.Write(FillRequest{.piece = song, .first = bars - 1, .last = bars + 1}, {.count = 3, .seed = bars});
    ASSERT_TRUE(filled.ok()) << filled.error().ToString();
    for (const WrittenPiece& piece : *filled) {
      EXPECT_EQ(FaultOfFill(song, bars - 1, bars + 1, *model_.tokenizer, piece), "");
      EXPECT_GT(piece.new_notes, 0U);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Kinds, ComposerOfOthersTest,
                         ::testing::Values("structured_default", "beat_default", "pertok_default"),
                         [](const auto& kind) { return std::string(kind.param); });

class PerTokTest : public ::testing::TestWithParam<const char*> {
 protected:
  static LoadedModel Load() {
    TokenizerConfig config = *PresetConfig("pertok_default", MidiTokRelease::k3_1_0);
    const std::string kind = GetParam();
    config.pertok.use_position_toks = kind == "positions";
    config.use_time_signatures = kind != "no_signatures";
    if (kind == "coarse") {  // times are far from their tokens
      config.beat_res = {{0, 1, 4}, {1, 12, 1}};
      config.pertok.num_microtiming_bins = 3;
    }
    if (kind == "finest") {  // each tick has a token
      config.pertok.ticks_per_quarter = 8;
    }
    LoadedModel model;
    model.tokenizer = std::move(*Tokenizer::Create(config));
    model.model = std::make_unique<FakeModel>(model.tokenizer->vocabulary().size(), 256);
    return model;
  }

  const LoadedModel model_ = Load();
  const Composer composer_{model_};
};

TEST_P(PerTokTest, NewPiecesHaveTheirBars) {
  const auto written = composer_.Write(NewRequest{.bars = 9}, {.count = 8});
  ASSERT_TRUE(written.ok()) << written.error().ToString();
  for (const WrittenPiece& piece : *written) {
    EXPECT_EQ(CountBars(piece.piece.score()), 9U);
  }
}

TEST_P(PerTokTest, NotesJustBeforeABarLineStayWhereTheyAre) {
  Score score = Song();
  for (Tick bar = 1; bar < 8; ++bar) {
    for (const Tick early : {1, 7, 29, 31, 59, 61, 70}) {
      score.tracks[0].notes.push_back({bar * kBar - early, 200, static_cast<uint8_t>(30 + early % 30), 64});
    }
  }
  score.tracks[0].notes = Sorted(score.tracks[0].notes);
  const MidiPiece song(score, "song.mid");
  for (size_t bars = 1; bars < 6; ++bars) {
    const Tick line = static_cast<Tick>(bars) * kBar;
    const auto continued =
        composer_.Write(ContinueRequest{.piece = song, .prompt_bars = bars, .bars = 3}, {.count = 8, .seed = bars});
    ASSERT_TRUE(continued.ok()) << continued.error().ToString();
    for (const WrittenPiece& piece : *continued) {
      EXPECT_EQ(FaultOfContinuation(song, bars, 3, piece), "");
      EXPECT_EQ(NotesIn(piece.piece.score(), 0, line), NotesIn(score, 0, line));
      EXPECT_EQ(NotesIn(piece.piece.score(), line, INT32_MAX).size(), piece.new_notes);
      EXPECT_GT(piece.new_notes, 0U);
      // All that the tokens say of the prompt is before the line.
      const std::vector<std::vector<TokenId>> prompt = {
          {piece.generated.ids.begin(),
           piece.generated.ids.begin() + static_cast<std::ptrdiff_t>(piece.generated.prompt_length)}};
      const Score read = model_.tokenizer->Decode(prompt);
      const auto decoded_line = static_cast<Tick>(bars) * 4 * read.ticks_per_quarter;
      EXPECT_GT(NotesIn(read, 0, decoded_line).size(), 3 * bars);
      EXPECT_THAT(NotesIn(read, decoded_line, INT32_MAX), IsEmpty());
    }
    const auto filled = composer_.Write(FillRequest{.piece = song, .first = bars - 1, .last = bars + 1},
                                        {.count = 4, .keep = 4, .seed = bars});
    ASSERT_TRUE(filled.ok()) << filled.error().ToString();
    for (const WrittenPiece& piece : *filled) {
      EXPECT_EQ(FaultOfFill(song, bars - 1, bars + 1, *model_.tokenizer, piece), "");
      EXPECT_GT(piece.new_notes, 0U);
    }
  }
}

TEST_P(PerTokTest, NoPitchIsStruckTwiceAtOneTime) {
  std::vector<float> bias(model_.tokenizer->vocabulary().size());
  const IdRange pitches = model_.tokenizer->vocabulary().range(TokenType::kPitch);
  std::fill_n(bias.begin() + pitches.first, 4, 12.0F);
  LoadedModel model = Load();
  model.model = std::make_unique<FakeModel>(bias.size(), 256, bias);
  const auto pieces = Composer(model).Write(
      ContinueRequest{.piece = MidiPiece(Song(), "song.mid"), .prompt_bars = 2, .bars = 6}, {.count = 4});
  ASSERT_TRUE(pieces.ok()) << pieces.error().ToString();
  for (const WrittenPiece& piece : *pieces) {
    const std::vector<std::vector<TokenId>> ids(1, piece.generated.ids);
    const Score read = model.tokenizer->Decode(ids);
    std::vector<Note> notes = NotesIn(read, 8 * read.ticks_per_quarter, INT32_MAX);
    EXPECT_GT(notes.size(), 20U);
    EXPECT_EQ(std::adjacent_find(notes.begin(), notes.end(),
                                 [](const Note& a, const Note& b) { return a.time == b.time && a.pitch == b.pitch; }),
              notes.end());
  }
}

TEST_P(PerTokTest, OtherSignaturesThanOneInQuartersAreRefused) {
  const bool signatures = model_.tokenizer->config().use_time_signatures;
  const auto error_of = [&](std::vector<TimeSignature> meters, const Request& request) {
    Score score = Song();
    score.time_signatures = std::move(meters);
    const MidiPiece song(score, "song.mid");
    Request wanted = request;
    std::visit(
        [&](auto& one) {
          if constexpr (requires { one.piece; }) {
            one.piece = song;
          }
        },
        wanted);
    const Status status = composer_.Check(wanted, {});
    return status.ok() ? "" : status.error().ToString();
  };
  const ContinueRequest more{.piece = {}, .prompt_bars = 3, .bars = 2};
  const FillRequest gap{.piece = {}, .first = 1, .last = 2};
  for (const Request& request : {Request(more), Request(gap)}) {
    EXPECT_EQ(error_of({{0, 4, 4}}, request), "");
    EXPECT_EQ(error_of({{0, 2, 2}}, request), "");  // a bar of 4/4
    EXPECT_EQ(error_of({{0, 3, 4}}, request).empty(), signatures);
    EXPECT_EQ(error_of({{0, 6, 8}}, request).empty(), signatures);  // a bar of 3/4
    EXPECT_THAT(error_of({{0, 3, 8}}, request), HasSubstr("song.mid: bar 1 (tick 0) is in 3/8"));
    EXPECT_THAT(error_of({{0, 4, 4}, {kBar, 3, 4}}, request),
                HasSubstr(signatures ? "song.mid: bar 2 (tick 1920) is in 3/4 after bars in 4/4, but PerTok counts"
                                     : "song.mid: bar 2 (tick 1920) is in 3/4"));
  }
  EXPECT_EQ(error_of({{0, 4, 4}, {5 * kBar, 3, 4}}, more), "");  // after the prompt
}

INSTANTIATE_TEST_SUITE_P(Kinds, PerTokTest,
                         ::testing::Values("default", "positions", "no_signatures", "coarse", "finest"),
                         [](const auto& kind) { return std::string(kind.param); });

TEST(MmmTest, NoPiecesAreWritten) {
  const LoadedModel model = LoadFakeModel("mmm_remi_default", 256);
  const Status status = Composer(model).Check(NewRequest{.bars = 2}, {});
  ASSERT_FALSE(status.ok());
  EXPECT_THAT(status.error().message, HasSubstr("a model of MMM writes one track after the other"));
}

TEST(MidiPiece, BytesAndNotesComeBack) {
  const MidiPiece piece(Song(), "song");
  const Result<MidiPiece> again = MidiPiece::Parse(piece.Bytes(), "again");
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(again->name(), "again");
  EXPECT_EQ(NotesIn(again->score(), 0, INT32_MAX), NotesIn(Song(), 0, INT32_MAX));
  EXPECT_EQ(again->Bytes(), piece.Bytes());
  EXPECT_THAT(MidiPiece::Parse(std::vector<uint8_t>{1, 2, 3}, "bad.mid").error().message, HasSubstr("bad.mid"));
  EXPECT_THAT(MidiPiece::Read("/no/such.mid").error().message, HasSubstr("/no/such.mid"));
}

INSTANTIATE_TEST_SUITE_P(Kinds, ComposerTest, ::testing::Values("remi", "midilike"),
                         [](const auto& kind) { return std::string(kind.param); });

}  // namespace
}  // namespace continuo
