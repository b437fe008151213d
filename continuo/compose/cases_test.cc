// Files of the kinds that people have; see testdata/cases.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "continuo/compose/composer.h"
#include "continuo/compose/fake_model_testing.h"
#include "continuo/compose/kept_events_testing.h"
#include "continuo/midi/channel_state.h"
#include "continuo/midi/random_midi_testing.h"

namespace continuo {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

namespace fs = std::filesystem;

MidiPiece Read(const std::string& name) {
  const fs::path path = name.find('/') == std::string::npos ? fs::path(CONTINUO_SOURCE_DIR "/testdata/cases") / name
                                                            : fs::path(CONTINUO_SOURCE_DIR) / name;
  Result<MidiPiece> piece = MidiPiece::Read(path);
  EXPECT_TRUE(piece.ok()) << piece.error().ToString();
  return piece.ok() ? std::move(*piece) : MidiPiece();
}

class Cases {
 public:
  explicit Cases(const std::string& preset = "remi") : model_(LoadFakeModel(preset)) {}

  /// Continues a file with several seeds, and checks what holds for all files.
  std::vector<WrittenPiece> Continue(const std::string& name, size_t prompt_bars, size_t bars, size_t count = 3) {
    const MidiPiece piece = Read(name);
    const auto pieces = Composer(model_).Write(
        ContinueRequest{.piece = piece, .prompt_bars = prompt_bars, .bars = bars}, {.count = count, .seed = 3});
    EXPECT_TRUE(pieces.ok()) << name << ": " << pieces.error().ToString();
    if (!pieces.ok()) {
      return {};
    }
    for (const WrittenPiece& written : *pieces) {
      EXPECT_EQ(FaultOfContinuation(piece, prompt_bars, bars, written), "") << name;
      EXPECT_GT(written.new_notes, 0U);
      Tick last = 0;  // a note of the prompt may ring longer than the new bars
      for (const Track& track : written.piece.score().tracks) {
        for (const Note& note : track.notes) {
          last = std::max(last, note.time);
        }
      }
      EXPECT_EQ(BarGrid(written.piece.score()).BarAt(last) + 1, prompt_bars + bars) << name;
    }
    return std::move(*pieces);
  }

  /// Rewrites bars first to last, counted from 1.
  std::vector<WrittenPiece> Fill(const std::string& name, size_t first, size_t last) {
    const MidiPiece piece = Read(name);
    const auto pieces =
        Composer(model_).Write(FillRequest{.piece = piece, .first = first - 1, .last = last}, {.count = 2, .keep = 2});
    EXPECT_TRUE(pieces.ok()) << name << ": " << pieces.error().ToString();
    if (!pieces.ok()) {
      return {};
    }
    for (const WrittenPiece& written : *pieces) {
      EXPECT_EQ(FaultOfFill(piece, first - 1, last, *model_.tokenizer, written), "") << name;
      EXPECT_GT(written.new_notes, 0U);
    }
    return std::move(*pieces);
  }

  std::string ContinueError(const std::string& name, size_t prompt_bars, size_t bars) {
    const auto pieces =
        Composer(model_).Write(ContinueRequest{.piece = Read(name), .prompt_bars = prompt_bars, .bars = bars});
    EXPECT_FALSE(pieces.ok());
    return pieces.ok() ? "" : pieces.error().message;
  }
  std::string FillError(const std::string& name, size_t first, size_t last) {
    const auto pieces = Composer(model_).Write(FillRequest{.piece = Read(name), .first = first - 1, .last = last});
    EXPECT_FALSE(pieces.ok());
    return pieces.ok() ? "" : pieces.error().message;
  }

  LoadedModel model_;
};

TEST(Cases, AConstantTempoStays) {
  for (const char* preset : {"remi", "remiplus"}) {
    for (const char* name : {"piano60.mid", "piano120.mid", "examples/prompt.mid"}) {
      for (const WrittenPiece& written : Cases(preset).Continue(name, 8, 16)) {
        EXPECT_EQ(written.piece.score().tempos, Read(name).score().tempos);
      }
    }
  }
}

TEST(Cases, ANoteAcrossTheGapIsKept) {
  for (const char* preset : {"remi", "midilike", "tsd_default"}) {
    for (const WrittenPiece& written : Cases(preset).Fill("pad_3.mid", 5, 5)) {
      size_t held = 0;
      for (const Note& note : written.piece.score().tracks.at(0).notes) {
        held += note.pitch == 48 && note.time == 15 * 480 && note.duration == 6 * 480 ? 1 : 0;
      }
      EXPECT_EQ(held, 1U);
    }
  }
}

TEST(Cases, ANoteThatSoundsPastAllNewBarsIsKept) {
  for (const char* preset : {"remi", "midilike", "tsd_default", "remiplus"}) {
    Cases(preset).Continue("held.mid", 8, 2);
    Cases(preset).Continue("held.mid", 8, 4);
  }
}

TEST(Cases, BarsOfThree) {
  EXPECT_THAT(Cases("remi").FillError("waltz16.mid", 5, 6), HasSubstr("bar 1 (tick 0) is in 3/4"));
  EXPECT_THAT(Cases("remi").ContinueError("m3_4.mid", 8, 4), HasSubstr("3/4"));
  EXPECT_EQ(CountBars(Read("m3_4.mid").score()), 8U);
  for (const WrittenPiece& written : Cases("remiplus").Fill("waltz16.mid", 5, 6)) {
    for (const Note& note : written.piece.score().tracks.at(0).notes) {
      EXPECT_TRUE(note.time < 5760 || note.time >= 8640 || note.time + note.duration <= 8640);
    }
  }
  Cases("remiplus").Continue("m3_4.mid", 8, 4);
}

TEST(Cases, BarsOfFive) {
  EXPECT_THAT(Cases("remi").ContinueError("m5_4.mid", 8, 4), HasSubstr("5/4"));
  for (const WrittenPiece& written : Cases("remiplus").Continue("m5_4.mid", 8, 4)) {
    const std::vector<Note>& notes = written.piece.score().tracks.at(0).notes;
    EXPECT_LT(notes.at(39).time, 19200);
    EXPECT_GE(notes.at(40).time, 19200);
    EXPECT_EQ(written.piece.score().time_signatures.size(), 1U);
  }
}

TEST(Cases, SignaturesThatTheTokensLackAreNamed) {
  for (const char* preset : {"remi", "remiplus", "midilike"}) {
    Cases cases(preset);
    EXPECT_THAT(cases.ContinueError("m7_8.mid", 8, 4), HasSubstr("7/8"));
    EXPECT_THAT(cases.FillError("m7_8.mid", 5, 6), HasSubstr("7/8"));
    EXPECT_THAT(cases.ContinueError("m5_8.mid", 8, 4), HasSubstr("5/8"));
    EXPECT_THAT(cases.ContinueError("pickup58.mid", 8, 4), HasSubstr("5/8"));
    EXPECT_THAT(cases.ContinueError("seven_a.mid", 8, 4), HasSubstr("7/4"));
    EXPECT_THAT(cases.ContinueError("seven_b.mid", 8, 4), HasSubstr("7/4"));
  }
}

TEST(Cases, SignaturesThatChangeWithinABar) {
  for (const char* name : {"midbar1.mid", "late.mid"}) {
    Cases("remiplus").Continue(name, 8, 4);
    Cases("remiplus").Fill(name, 2, 5);
    EXPECT_THAT(Cases("remi").ContinueError(name, 8, 4), HasSubstr("bar "));
  }
}

TEST(Cases, ATokenizerOfLowPitches) {
  Cases(CONTINUO_SOURCE_DIR "/testdata/cases/tokenizer_bass.json").Continue("bass.mid", 8, 2);
}

TEST(Cases, ATrackThatTheTokenizerCannotRead) {
  TokenizerConfig config = Tokenizer::Load("remi_programs").value()->config();
  config.programs = {0};
  Cases cases("remi");
  cases.model_.tokenizer = std::move(*Tokenizer::Create(config));
  cases.model_.model = std::make_unique<FakeModel>(cases.model_.tokenizer->vocabulary().size(), 1024);
  cases.Continue("violinfirst.mid", 8, 2);
  cases.Fill("violinfirst.mid", 3, 4);
}

/// What is in force on a channel when the first new note of a continuation begins.
ChannelState AtFirstNewNote(const WrittenPiece& written, Tick line, uint8_t* channel_of_note = nullptr) {
  const MidiDocument& document = written.piece.document();
  const MidiNote* first = nullptr;
  const std::vector<MidiNote> notes = PairNotes(document);
  for (const MidiNote& note : notes) {
    if (note.begin >= static_cast<uint32_t>(line) && (first == nullptr || note.begin < first->begin)) {
      first = &note;
    }
  }
  if (channel_of_note != nullptr) {
    *channel_of_note = first->channel;
  }
  return StateBefore(document, first->begin + 1)[first->channel];
}

TEST(Cases, BendsAndFadesAreUndoneAtTheBarLine) {
  for (const WrittenPiece& written : Cases().Continue("bend.mid", 8, 4)) {
    EXPECT_EQ(AtFirstNewNote(written, 15360).bend, kPitchBendCentre);
  }
  for (const WrittenPiece& written : Cases().Continue("fade.mid", 8, 4)) {
    EXPECT_GT(AtFirstNewNote(written, 15360).controls[11].value_or(127), 64);
    EXPECT_THAT(written.raised, Not(IsEmpty()));
  }
}

TEST(Cases, InstrumentsAndChannelsStay) {
  for (const char* name : {"twenty.mid", "pcmid.mid", "pcother.mid", "bank.mid"}) {
    const MidiPiece before = Read(name);
    const size_t bars = name == std::string("pcmid.mid") ? 8 : 4;
    const Tick line = BarGrid(before.score()).Line(bars);
    for (const char* preset : {"remi", "remi_programs"}) {
      for (const WrittenPiece& written : Cases(preset).Continue(name, bars, 2)) {
        uint8_t channel = 0;
        const ChannelState state = AtFirstNewNote(written, line, &channel);
        const ChannelState wanted = StateBefore(before.document(), static_cast<uint32_t>(line))[channel];
        if (preset == std::string("remi")) {
          EXPECT_EQ(state.program, wanted.program) << name;
        }
        EXPECT_EQ(state.bank_msb, wanted.bank_msb);
        EXPECT_EQ(state.controls[7], wanted.controls[7]) << name;
        EXPECT_EQ(state.controls[10], wanted.controls[10]);
      }
    }
  }
}

TEST(Cases, NotesWithoutAnEndAreKeptAndReported) {
  for (const char* name : {"lastoff.mid", "cc123.mid"}) {
    const MidiPiece piece = Read(name);
    ASSERT_EQ(piece.repairs().size(), 1U);
    EXPECT_THAT(piece.repairs()[0], HasSubstr("4 notes without a note-off"));
    for (const WrittenPiece& written : Cases().Fill(name, 3, 3)) {
      size_t last = 0;
      for (const Note& note : written.piece.score().tracks.at(0).notes) {
        last += note.time == 13440 ? 1 : 0;
        EXPECT_TRUE(note.time != 13440 || name == std::string("lastoff.mid") || note.duration == 14880 - 13440);
      }
      EXPECT_EQ(last, 4U) << name;
    }
  }
}

TEST(Cases, TextsOfAnyEncodingStay) {
  for (const char* name : {"txt_latin1.mid", "txt_sjis.mid", "song.kar"}) {
    Cases().Continue(name, 4, 2);
  }
}

TEST(Cases, EverythingElseStays) {
  for (const WrittenPiece& written : Cases().Fill("rich.mid", 5, 5)) {
    EXPECT_EQ(written.piece.document().format, Read("rich.mid").document().format);
    for (const MidiNote& note : PairNotes(written.piece.document())) {
      EXPECT_EQ(note.channel, PairNotes(Read("rich.mid").document()).front().channel);
    }
  }
}

TEST(Cases, BarsAfterTheGapThatCannotBeMeasured) {
  Cases().Fill("drumtail.mid", 4, 4);
  Cases().Fill("rangetail.mid", 5, 5);
}

TEST(Cases, ABarInWhichANoteOnlyRingsCounts) {
  EXPECT_EQ(CountBars(Read("tied.mid").score()), 8U);
  Cases().Continue("tied.mid", 8, 4);
}

/// A new track comes before the chunks at the end of a file, as in Yamaha's XF, so that readers
/// that expect all tracks in a row find it.
TEST(Cases, AForeignChunkAtTheEndStaysThere) {
  MidiDocument document = Read("twenty.mid").document();
  document.tracks.resize(3);
  document.foreign = {{{'X', 'F', 'I', 'H', 0, 0, 0, 0}, 1}, {{'X', 'F', 'K', 'M', 0, 0, 0, 0}, 3}};
  const MidiPiece piece = *MidiPiece::FromDocument(document, "xf.mid");
  const LoadedModel model = LoadFakeModel("remi_programs");
  const auto written = Composer(model).Write(ContinueRequest{.piece = piece, .prompt_bars = 2, .bars = 1}, {});
  ASSERT_TRUE(written.ok()) << written.error().ToString();
  const MidiDocument& after = written->front().piece.document();
  ASSERT_GT(after.tracks.size(), 3U);
  EXPECT_EQ(after.foreign.at(0).before, 1U);
  EXPECT_EQ(after.foreign.at(1).before, after.tracks.size());
}

/// Bars with a note on each line.
Score NotesOnLines(int32_t ticks_per_quarter, std::vector<TimeSignature> signatures, size_t bars) {
  Score score;
  score.ticks_per_quarter = ticks_per_quarter;
  score.time_signatures = std::move(signatures);
  Track& track = score.tracks.emplace_back();
  const BarGrid grid(score);
  for (size_t bar = 0; bar < bars; ++bar) {
    track.notes.push_back({grid.Line(bar), 1, static_cast<uint8_t>(60 + bar), 70});
  }
  return score;
}

/// Lines that are between ticks are rounded one by one, and all that counts bars counts the same:
/// the model too reads a note in each bar.
TEST(Cases, BarsNeedNotBeAWholeNumberOfTicks) {
  struct File {
    int32_t ticks_per_quarter;
    std::vector<TimeSignature> signatures;
  };
  const std::vector<File> files = {
      {1, {{0, 3, 8}}},                                      // 1.5 ticks
      {1, {{0, 5, 16}}},                                     // 1.25
      {2, {{0, 7, 16}}},                                     // 3.5
      {1, {{0, 7, 16}}},                                     // 1.75
      {5, {{0, 5, 64}}},                                     // 1.5625
      {96, {{0, 11, 32}}},                                   // 132
      {5, {{0, 3, 8}, {23, 4, 4}, {43, 5, 16}}},             // changes at lines 3 and 4, the first between ticks
      {1, {{0, 3, 8}, {4, 4, 4}, {9, 7, 16}, {12, 1, 64}}},  // bars cut short, and one of a tick
  };
  for (const char* preset : {"remi", "tsd_default", "midilike"}) {
    const LoadedModel model = LoadModelOfManySignatures(preset);
    for (const File& file : files) {
      const std::string name = fmt::format("{} {} {}/{}", preset, file.ticks_per_quarter, file.signatures[0].numerator,
                                           file.signatures[0].denominator);
      const MidiPiece piece(NotesOnLines(file.ticks_per_quarter, file.signatures, 9), "uneven");
      ASSERT_EQ(CountBars(piece.score()), 9U) << name;
      for (const size_t prompt_bars : {1U, 2U, 5U, 9U}) {
        const auto continued =
            Composer(model).Write(ContinueRequest{.piece = piece, .prompt_bars = prompt_bars, .bars = 3}, {});
        ASSERT_TRUE(continued.ok()) << name << ": " << continued.error().ToString();
        EXPECT_EQ(FaultOfContinuation(piece, prompt_bars, 3, continued->front()), "") << name;
        EXPECT_EQ(CountBars(continued->front().piece.score()), prompt_bars + 3) << name;
      }
      for (size_t first = 0; first < 9; ++first) {
        const auto filled = Composer(model).Write(FillRequest{.piece = piece, .first = first, .last = first + 1}, {});
        ASSERT_TRUE(filled.ok()) << name << ": " << filled.error().ToString();
        EXPECT_EQ(FaultOfFill(piece, first, first + 1, *model.tokenizer, filled->front()), "") << name;
        // Nothing but the note on the bar's line has gone.
        EXPECT_EQ(NotesIn(filled->front().piece), 8 + filled->front().new_notes) << name;
      }
    }
  }
}

/// Rests of a quarter note's beats do not lead from the end of a note that began in eighths to the
/// next bar line.
TEST(Cases, ANoteMaySoundFromShortBeatsIntoLongOnes) {
  Score score;
  score.ticks_per_quarter = 100;
  score.time_signatures = {{0, 3, 8}, {150, 4, 4}};
  score.tracks.resize(1);
  score.tracks[0].notes = {{91, 200, 60, 64}, {900, 10, 60, 64}};
  const MidiPiece piece(score, "song");
  const LoadedModel model = LoadModelOfManySignatures("tsd_all");
  const auto continued = Composer(model).Write(ContinueRequest{.piece = piece, .prompt_bars = 2, .bars = 2}, {});
  ASSERT_TRUE(continued.ok()) << continued.error().ToString();
  EXPECT_EQ(FaultOfContinuation(piece, 2, 2, continued->front()), "");
  const auto filled = Composer(model).Write(FillRequest{.piece = piece, .first = 2, .last = 3}, {});
  ASSERT_TRUE(filled.ok()) << filled.error().ToString();
  EXPECT_EQ(FaultOfFill(piece, 2, 3, *model.tokenizer, filled->front()), "");
}

/// At the resolution of the tokens nothing is rounded up.
TEST(Cases, ANoteMayLastNoTime) {
  Score score;
  score.ticks_per_quarter = 8;
  score.tracks.resize(1);
  score.tracks[0].notes = {{0, 8, 60, 64}, {8, 0, 64, 64}, {16, 8, 67, 64}, {32, 8, 60, 64}};
  const MidiPiece piece(score, "song");
  for (const char* preset : {"remi", "tsd_default", "midilike", "structured_default"}) {
    const LoadedModel model = LoadFakeModel(preset);
    const auto continued = Composer(model).Write(ContinueRequest{.piece = piece, .prompt_bars = 1, .bars = 2}, {});
    ASSERT_TRUE(continued.ok()) << preset << ": " << continued.error().ToString();
    EXPECT_EQ(FaultOfContinuation(piece, 1, 2, continued->front()), "") << preset;
  }
}

/// Tokens of one track may name its program before each note; what is held and what is kept is of
/// that track, whatever its program.
TEST(Cases, AStreamOfOneTrackMayHaveProgramTokens) {
  TokenizerConfig config = (*Tokenizer::Load("remi_programs"))->config();
  config.one_token_stream_for_programs = false;
  config.programs = {40};
  config.pitch_range = {60, 63};
  LoadedModel model;
  model.tokenizer = std::move(*Tokenizer::Create(config));
  model.model = std::make_unique<FakeModel>(model.tokenizer->vocabulary().size(), 256);
  Score score;
  score.tracks.resize(1);
  score.tracks[0].program = 40;
  score.tracks[0].notes = {{0, 5 * 1920, 60, 80}, {960, 480, 62, 64}, {1920, 480, 62, 80}, {2880, 480, 61, 80}};
  const MidiPiece piece(score, "song");
  for (uint64_t seed = 0; seed < 10; ++seed) {
    const auto continued =
        Composer(model).Write(ContinueRequest{.piece = piece, .prompt_bars = 1, .bars = 2}, {.seed = seed});
    ASSERT_TRUE(continued.ok()) << continued.error().ToString();
    const std::vector<TokenId>& ids = continued->front().generated.ids;
    EXPECT_EQ(std::count(ids.begin(), ids.end(), *model.tokenizer->vocabulary().id(TokenType::kPitch, 60)), 1) << seed;
    ComposeOptions options{.seed = seed};
    options.limits.keep_top = true;
    const auto filled = Composer(model).Write(FillRequest{.piece = piece, .first = 1, .last = 2}, options);
    ASSERT_TRUE(filled.ok()) << filled.error().ToString();
    EXPECT_EQ(NotesIn(filled->front().piece), 4 + filled->front().new_notes) << seed;
  }
}

/// Random files of all that editing must leave alone, through every kind of tokenizer: some of them
/// with the signatures of nearly all files, others with few.
TEST(RandomFiles, LoseNothingOutsideTheNewBars) {
  constexpr uint64_t kSeeds = 334;
  constexpr uint64_t kSeedsOfManySignatures = 100;
  size_t written_pieces = 0;
  size_t refused = 0;
  for (const char* preset : {"remi", "remiplus", "midilike", "tsd_default", "remi_programs", "remi_all"}) {
    const LoadedModel model_of_many = LoadModelOfManySignatures(preset);
    const LoadedModel model_of_few = LoadFakeModel(preset, 256);
    for (uint64_t seed = 0; seed < kSeeds; ++seed) {
      const bool many = seed < kSeedsOfManySignatures;
      const LoadedModel& model = many ? model_of_many : model_of_few;
      const std::string name = fmt::format("{} {}", preset, seed);
      Rng rng(seed, 3);
      const MidiDocument random = RandomMidi(rng, {.tracks = 20, .bars = 8});
      const MidiPiece piece = *MidiPiece::Parse(SerializeMidiDocument(random), "random");
      const size_t bars = CountBars(piece.score());
      if (bars == 0) {
        continue;
      }
      const auto check = [&](const Result<std::vector<WrittenPiece>>& written, const auto& fault) {
        if (written.ok()) {
          EXPECT_EQ(fault(written->front()), "") << name;
          written_pieces += many ? 1 : 0;
        } else {
          EXPECT_THAT(written.error().message, HasSubstr("random: bar ")) << name;
          refused += many ? 1 : 0;
        }
      };
      const size_t prompt_bars = 1 + rng.NextBelow(std::min<size_t>(bars, 12));
      const size_t new_bars = 1 + rng.NextBelow(3);
      check(Composer(model).Write(ContinueRequest{.piece = piece, .prompt_bars = prompt_bars, .bars = new_bars},
                                  {.seed = seed}),
            [&](const WrittenPiece& written) { return FaultOfContinuation(piece, prompt_bars, new_bars, written); });
      const size_t first = rng.NextBelow(std::min<size_t>(bars, 12));
      const size_t last = first + 1 + rng.NextBelow(std::min<size_t>(bars - first, 3));
      check(Composer(model).Write(FillRequest{.piece = piece, .first = first, .last = last}, {.seed = seed}),
            [&](const WrittenPiece& written) { return FaultOfFill(piece, first, last, *model.tokenizer, written); });
    }
  }
  EXPECT_GT(written_pieces, refused);
}

}  // namespace
}  // namespace continuo
