#include "continuo/compose/limit_constraint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>

#include "continuo/compose/composer.h"
#include "continuo/compose/fake_model_testing.h"
#include "continuo/compose/music_limits_testing.h"
#include "continuo/core/rng.h"
#include "continuo/score/bars.h"

namespace continuo {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

template <typename Limit>
const Limit* At(const std::vector<Limit>& limits, size_t bar) {
  const Limit* last = nullptr;
  for (const Limit& limit : limits) {
    last = limit.bars.Contains(bar) ? &limit : last;
  }
  return last;
}

struct PlayedNote {
  Note note;
  bool is_drum;
};

/// What breaks the limits in the notes of bars [first, last), one line each.
std::string Breaches(const Score& score, const MusicLimits& limits, size_t first, size_t last,
                     const std::vector<Note>& exempt = {}) {
  const BarGrid grid(score);
  std::map<size_t, std::vector<PlayedNote>> by_bar;
  std::vector<PlayedNote> all;
  for (const Track& track : score.tracks) {
    for (const Note& note : track.notes) {
      const size_t bar = grid.BarAt(note.time);
      const bool kept = std::any_of(exempt.begin(), exempt.end(), [&](const Note& other) {
        return other.time == note.time && other.pitch == note.pitch;
      });
      if (bar >= first && bar < last && !kept) {
        by_bar[bar].push_back({note, track.is_drum});
        all.push_back({note, track.is_drum});
      }
    }
  }
  std::string breaches;
  for (const auto& [bar, notes] : by_bar) {
    const auto* scale = At(limits.scale, bar);
    const auto* range = At(limits.range, bar);
    const auto* parts = At(limits.grid, bar);
    const auto* most = At(limits.max_notes, bar);
    const auto* polyphony = At(limits.max_polyphony, bar);
    if (most != nullptr && static_cast<int>(notes.size()) > most->value) {
      breaches += fmt::format("bar {} has {} notes\n", bar + 1, notes.size());
    }
    for (const auto& [note, is_drum] : notes) {
      if (!is_drum && scale != nullptr && (scale->pitch_classes >> note.pitch % 12 & 1) == 0) {
        breaches += fmt::format("bar {}: pitch {} is not in the scale\n", bar + 1, note.pitch);
      }
      if (!is_drum && range != nullptr && (note.pitch < range->low || note.pitch > range->high)) {
        breaches += fmt::format("bar {}: pitch {} is out of range\n", bar + 1, note.pitch);
      }
      if (parts != nullptr && (note.time - grid.Line(bar)) % (4 * score.ticks_per_quarter / parts->value) != 0) {
        breaches += fmt::format("bar {}: an onset {} ticks after the bar line\n", bar + 1, note.time - grid.Line(bar));
      }
      const auto sounding = std::count_if(all.begin(), all.end(), [time = note.time](const PlayedNote& other) {
        return other.note.time <= time && time < other.note.time + other.note.duration;
      });
      if (polyphony != nullptr && sounding > polyphony->value) {
        breaches += fmt::format("bar {}: {} notes sound at {}\n", bar + 1, sounding, note.time);
      }
    }
  }
  return breaches;
}

/// Eight bars: a melody of quarter notes above 71, chords of half notes below.
Score Song() {
  Score score;
  score.tempos = {{0, 625000}};
  score.tracks.resize(1);
  for (int i = 0; i < 32; ++i) {
    score.tracks[0].notes.push_back({i * 480, 470, static_cast<uint8_t>(72 + i % 12), 70});
    if (i % 2 == 0) {
      score.tracks[0].notes.push_back({i * 480, 950, 48, 60});
      score.tracks[0].notes.push_back({i * 480 + 240, 700, 55, 60});
    }
  }
  std::stable_sort(score.tracks[0].notes.begin(), score.tracks[0].notes.end(),
                   [](const Note& a, const Note& b) { return a.time < b.time; });
  return score;
}

/// The tokenizer of a preset, of few programs where it has any, with a FakeModel for it.
LoadedModel LoadModelOfFewPrograms(const std::string& preset, const std::vector<TokenType>& likely = {}) {
  TokenizerConfig config = *PresetConfig(preset, MidiTokRelease::k3_1_0);
  if (config.use_programs) {
    config.programs = {-1, 0, 40};
  }
  LoadedModel loaded;
  loaded.tokenizer = std::move(*Tokenizer::Create(config));
  const Vocabulary& vocabulary = loaded.tokenizer->vocabulary();
  std::vector<float> bias(vocabulary.size(), 0.0F);
  if (vocabulary.has(TokenType::kPattern)) {  // few tracks of one program, for a file has room for 15 instruments
    const IdRange ids = vocabulary.range(TokenType::kProgram);
    std::fill_n(bias.begin() + ids.first, ids.count, -8.0F);
  }
  for (const TokenType type : likely) {
    const IdRange ids = vocabulary.range(type);
    std::fill_n(bias.begin() + ids.first, ids.count, 100.0F);
  }
  loaded.model = std::make_unique<FakeModel>(vocabulary.size(), 1024, bias);
  return loaded;
}

class LimitTest : public ::testing::TestWithParam<std::string> {
 protected:
  LimitTest() : model_(LoadModelOfFewPrograms(GetParam())), composer_(model_) {}

  std::vector<WrittenPiece> Write(const Request& request, const ComposeOptions& options) {
    Result<std::vector<WrittenPiece>> pieces = composer_.Write(request, options);
    EXPECT_TRUE(pieces.ok()) << pieces.error().ToString();
    return pieces.ok() ? std::move(*pieces) : std::vector<WrittenPiece>();
  }
  std::string ErrorOf(const Request& request, const MusicLimits& limits) {
    const Status status = composer_.Check(request, {.limits = limits});
    return status.ok() ? "" : status.error().ToString();
  }

  LoadedModel model_;
  const Composer composer_;
};

TEST_P(LimitTest, EachLimitHolds) {
  for (const MusicLimits& limits :
       {Limits({{"scale", "A minor"}}), Limits({{"scale", "0 6"}}), Limits({{"range", "C4:D#4"}}),
        Limits({{"grid", "16"}}), Limits({{"grid", "8"}}), Limits({{"max_notes", "3"}}), Limits({{"max_notes", "1"}}),
        Limits({{"max_polyphony", "1"}}), Limits({{"max_polyphony", "3"}}),
        Limits({{"scale", "C major"}, {"scale", "F# major@2-3"}, {"max_notes", "2@3-"}, {"grid", "8@1"}})}) {
    for (const WrittenPiece& piece : Write(NewRequest{.bars = 5}, {.count = 3, .limits = limits})) {
      EXPECT_EQ(CountBars(piece.piece.score()), 5U);
      EXPECT_EQ(Breaches(piece.piece.score(), limits, 0, 5), "");
      EXPECT_GT(piece.new_notes, 0U);
    }
  }
}

TEST_P(LimitTest, WithoutLimitsTheCheckFindsBreaches) {
  const MusicLimits limits = Limits({{"scale", "0 6"}});
  size_t breaches = 0;
  for (const WrittenPiece& piece : Write(NewRequest{.bars = 5}, {.count = 3})) {
    breaches += Breaches(piece.piece.score(), limits, 0, 5).size();
  }
  EXPECT_GT(breaches, 0U);
}

/// A random combination.
MusicLimits RandomLimits(uint64_t seed, size_t first_bar, size_t bars) {
  Rng rng(seed, 0);
  const auto one_of = [&](std::vector<std::string> values) { return values[rng.NextBelow(values.size())]; };
  MusicLimits limits;
  const auto add = [&](std::string_view name, const std::vector<std::string>& values) {
    for (size_t i = rng.NextBelow(3); i > 0; --i) {
      std::string text = one_of(values);
      if (rng.NextBelow(2) == 0) {
        const size_t first = first_bar + 1 + rng.NextBelow(bars - first_bar);
        text += fmt::format("@{}-{}", first, first + rng.NextBelow(3));
      }
      EXPECT_TRUE(AddLimit(name, text, limits).ok()) << text;
    }
  };
  add("scale", {"C major", "A minor pentatonic", "0 1", "F#", "Eb blues"});
  add("range", {"C3:C6", "C4:B4", "21:60", "60:80"});
  add("grid", {"16", "8"});
  add("max_notes", {"1", "2", "5", "9"});
  add("max_polyphony", {"1", "2", "3", "6"});
  return limits;
}

TEST_P(LimitTest, RandomCombinationsHoldAndEveryPieceComesToItsEnd) {
  const MidiPiece song(Song());
  for (uint64_t seed = 0; seed < 16; ++seed) {
    SCOPED_TRACE(seed);
    const size_t bars = 1 + seed % 4;
    const MusicLimits free = RandomLimits(seed, 0, bars);
    for (const WrittenPiece& piece : Write(NewRequest{.bars = bars}, {.seed = seed, .limits = free})) {
      EXPECT_EQ(CountBars(piece.piece.score()), bars);
      EXPECT_EQ(Breaches(piece.piece.score(), free, 0, bars), "");
    }
    const MusicLimits after = RandomLimits(seed, 3, 3 + bars);
    for (const WrittenPiece& piece : Write(ContinueRequest{.piece = song, .prompt_bars = 3, .bars = bars},
                                           {.seed = seed, .retries = seed % 2, .limits = after})) {
      EXPECT_EQ(CountBars(piece.piece.score()), 3 + bars);
      EXPECT_EQ(Breaches(piece.piece.score(), after, 3, 3 + bars), "");
    }
    MusicLimits within = RandomLimits(seed, 2, 2 + bars);
    const MidiPiece kept(Song());
    for (const WrittenPiece& piece :
         Write(FillRequest{.piece = song, .first = 2, .last = 2 + bars}, {.seed = seed, .limits = within})) {
      EXPECT_EQ(CountBars(piece.piece.score()), 8U);
      EXPECT_EQ(Breaches(piece.piece.score(), within, 2, 2 + bars), "");
    }
  }
}

TEST_P(LimitTest, AModelThatPrefersNotesStaysWithinThem) {
  const bool beat = model_.tokenizer->vocabulary().has(TokenType::kPattern);
  const LoadedModel model =
      LoadModelOfFewPrograms(GetParam(), {TokenType::kPitch, beat ? TokenType::kKey : TokenType::kProgram});
  const MusicLimits limits = Limits({{"max_polyphony", "2"}, {"max_notes", "6"}, {"scale", "D dorian"}});
  const auto pieces = Composer(model).Write(NewRequest{.bars = 4}, {.count = 2, .limits = limits});
  ASSERT_TRUE(pieces.ok()) << pieces.error().ToString();
  for (const WrittenPiece& piece : *pieces) {
    EXPECT_EQ(CountBars(piece.piece.score()), 4U);
    EXPECT_EQ(Breaches(piece.piece.score(), limits, 0, 4), "");
  }
}

TEST_P(LimitTest, TheTopNotesStayAndNewNotesLieBelow) {
  const MidiPiece song(Song());
  const TokenizationKind kind = model_.tokenizer->config().kind;
  if (kind == TokenizationKind::kBeat || kind == TokenizationKind::kPerTok) {
    MusicLimits limits;
    limits.keep_top = true;
    EXPECT_THAT(
        ErrorOf(FillRequest{.piece = song, .first = 2, .last = 5}, limits),
        HasSubstr(fmt::format("keep_top is not supported for {}", RepresentationName(model_.tokenizer->config()))));
    return;
  }
  std::vector<Note> melody;
  for (const Note& note : song.score().tracks[0].notes) {
    if (note.pitch >= 72) {
      melody.push_back(note);
    }
  }
  MusicLimits limits = Limits({{"max_polyphony", "3"}, {"scale", "C major"}});
  limits.keep_top = true;
  for (uint64_t seed = 0; seed < 6; ++seed) {
    for (const WrittenPiece& piece :
         Write(FillRequest{.piece = song, .first = 2, .last = 5}, {.count = 1, .seed = seed, .limits = limits})) {
      const Score& score = piece.piece.score();
      const Tick begin = 2 * 1920;
      const Tick end = 5 * 1920;
      size_t kept = 0;
      for (const Track& track : score.tracks) {
        for (const Note& note : track.notes) {
          if (note.time < begin || note.time >= end) {
            continue;
          }
          const auto same = std::find(melody.begin(), melody.end(), note);
          if (same != melody.end()) {
            ++kept;
            continue;
          }
          if (!track.is_drum) {
            // The last note of the melody at or before it.
            const auto above =
                std::find_if(melody.rbegin(), melody.rend(), [&](const Note& top) { return top.time <= note.time; });
            ASSERT_NE(above, melody.rend());
            EXPECT_LT(note.pitch, above->pitch);
          }
        }
      }
      EXPECT_EQ(kept, 12U);
      EXPECT_EQ(CountBars(score), 8U);
      EXPECT_EQ(Breaches(score, limits, 2, 5, melody), "");
      // The model reads the melody: its ids have each note at its place.
      const std::vector<std::vector<TokenId>> streams(1, piece.generated.ids);
      const Score read = model_.tokenizer->Decode(streams);
      size_t read_notes = 0;
      for (const Note& top : melody) {
        for (const Track& track : read.tracks) {
          read_notes += !track.is_drum && std::any_of(track.notes.begin(), track.notes.end(),
                                                      [&](const Note& note) {
                                                        return note.time * 480 == top.time * read.ticks_per_quarter &&
                                                               note.pitch == top.pitch && top.time >= begin &&
                                                               top.time < end;
                                                      })
                            ? 1
                            : 0;
        }
      }
      EXPECT_EQ(read_notes, 12U);
    }
  }
}

TEST_P(LimitTest, TheSameSeedGivesTheSameBytesInAnyBatch) {
  const MusicLimits limits = Limits({{"scale", "A minor"}, {"max_polyphony", "2"}});
  const auto alone = Write(NewRequest{.bars = 3}, {.count = 3, .batch = 1, .limits = limits});
  const auto together = Write(NewRequest{.bars = 3}, {.count = 3, .batch = 3, .limits = limits});
  ASSERT_EQ(alone.size(), 3U);
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(alone[i].piece.Bytes(), together[i].piece.Bytes());
  }
}

TEST_P(LimitTest, ErrorsNameTheLimit) {
  EXPECT_THAT(ErrorOf(NewRequest{.bars = 4}, Limits({{"grid", "12"}})),
              AllOf(HasSubstr("grid is 12"), HasSubstr(GetParam() == "beat_default" ? "into 4 parts" : "into 8 parts"),
                    HasSubstr("16 or 8")));
  EXPECT_THAT(ErrorOf(NewRequest{.bars = 4}, Limits({{"scale", "C major@5-8"}})),
              AllOf(HasSubstr("scale is for bars 5 to 8"), HasSubstr("1 to 4")));
  EXPECT_THAT(ErrorOf(ContinueRequest{.piece = MidiPiece(Song()), .prompt_bars = 4, .bars = 4},
                      Limits({{"max_notes", "3@1-4"}})),
              HasSubstr("5 to 8"));
  EXPECT_THAT(ErrorOf(NewRequest{.bars = 4}, Limits({{"scale", "C"}, {"range", "C#4:B4@3"}})),
              AllOf(HasSubstr("no note in bar 3"), HasSubstr("61:71")));
  MusicLimits top;
  top.keep_top = true;
  EXPECT_THAT(ErrorOf(NewRequest{.bars = 4}, top), HasSubstr("keep_top"));
}

INSTANTIATE_TEST_SUITE_P(Presets, LimitTest,
                         ::testing::Values("remi", "remiplus", "remichord", "remiplan", "midilike", "hw_midilike",
                                           "hw_remiplus", "tsd_default", "remi_default", "midilike_default",
                                           "remi_programs", "remi_all", "midilike_all", "tsd_all", "structured_default",
                                           "beat_default", "pertok_default"));

TEST(LimitConstraint, GridAndPolyphonyOfPerTokNeedMicroTiming0) {
  TokenizerConfig config = *PresetConfig("pertok_default", MidiTokRelease::k3_1_0);
  config.pertok.num_microtiming_bins = 3;
  LoadedModel model;
  model.tokenizer = std::move(*Tokenizer::Create(config));
  model.model = std::make_unique<FakeModel>(model.tokenizer->vocabulary().size(), 1024);
  const auto error_of = [&](const MusicLimits& limits) {
    const Status status = Composer(model).Check(NewRequest{.bars = 4}, {.limits = limits});
    return status.ok() ? "" : status.error().message;
  };
  EXPECT_THAT(error_of(Limits({{"grid", "8"}})), HasSubstr("grid needs MicroTiming_0"));
  EXPECT_THAT(error_of(Limits({{"max_polyphony", "2"}})), HasSubstr("max_polyphony needs MicroTiming_0"));
  EXPECT_EQ(error_of(Limits({{"max_notes", "2"}, {"scale", "C"}})), "");
}

TEST(LimitConstraint, TripletsNeedTokensThatDivideAQuarterNoteByThree) {
  for (const char* preset : {"remi", "midilike", "tsd_default"}) {
    TokenizerConfig config = *PresetConfig(preset, MidiTokRelease::k3_1_0);
    config.beat_res = {{0, 8, 12}};
    LoadedModel model;
    model.tokenizer = std::move(*Tokenizer::Create(config));
    model.model = std::make_unique<FakeModel>(model.tokenizer->vocabulary().size(), 1024);
    for (const MusicLimits& limits : {Limits({{"grid", "12"}}), Limits({{"grid", "16"}, {"grid", "12@2"}})}) {
      const auto pieces = Composer(model).Write(NewRequest{.bars = 3}, {.count = 2, .limits = limits});
      ASSERT_TRUE(pieces.ok()) << pieces.error().ToString();
      for (const WrittenPiece& piece : *pieces) {
        EXPECT_EQ(CountBars(piece.piece.score()), 3U);
        EXPECT_EQ(Breaches(piece.piece.score(), limits, 0, 3), "");
      }
    }
  }
}

TEST(TopNotes, ThoseThatTheEarFollows) {
  // A melody 76 - 79 - 77 with a bass that begins between its notes, and a chord below.
  const std::vector<MidiNote> notes = {
      {.begin = 0, .end = 900, .pitch = 76},     {.begin = 10, .end = 900, .pitch = 60},
      {.begin = 480, .end = 960, .pitch = 40},                                               // under the sounding 76
      {.begin = 960, .end = 1200, .pitch = 79},  {.begin = 1440, .end = 1900, .pitch = 43},  // far below
      {.begin = 1920, .end = 2400, .pitch = 77}, {.begin = 2400, .end = 2500, .pitch = 90},  // not selected
      {.begin = 3840, .end = 4000, .pitch = 80},                                             // after the end
  };
  const auto selected = [](const MidiNote& note) { return note.pitch != 90; };
  EXPECT_EQ(TopNotes(notes, 0, 3840, 480, selected), (std::vector<size_t>{0, 3, 5}));
}

}  // namespace
}  // namespace continuo
