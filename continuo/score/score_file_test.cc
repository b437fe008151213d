#include "continuo/score/score_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <map>
#include <sstream>

#include "continuo/core/hash.h"
#include "continuo/core/rng.h"
#include "continuo/core/shared_data_testing.h"
#include "continuo/midi/defects.h"
#include "continuo/midi/midi_bytes_testing.h"
#include "continuo/midi/midi_document.h"
#include "continuo/os/file.h"
#include "continuo/os/temporary_folder_testing.h"

namespace continuo {
namespace {

using ::testing::ElementsAre;
using ::testing::ElementsAreArray;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const std::filesystem::path kTestData = std::filesystem::path(CONTINUO_SOURCE_DIR) / "testdata" / "midi";
const Bytes kNote = Hex("00 903c40 10 803c00");
constexpr ReadOptions kStrict{.strict = true};

std::string HexOf(const std::string& text) {
  std::string hex;
  for (const char c : text) {
    hex += fmt::format("{:02x}", static_cast<uint8_t>(c));
  }
  return hex;
}

/// A score as tools/make_midi_golden.py writes what symusic reads.
std::string Described(const Score& score) {
  std::string out = fmt::format("ticks {}\n", score.ticks_per_quarter);
  const auto line = [&out](fmt::string_view format, auto... values) {
    out += fmt::format(fmt::runtime(format), values...);
  };
  for (const Tempo& e : score.tempos) {
    line("tempo {} {}\n", e.time, e.us_per_quarter);
  }
  for (const TimeSignature& e : score.time_signatures) {
    line("time {} {} {}\n", e.time, e.numerator, e.denominator);
  }
  for (const KeySignature& e : score.key_signatures) {
    line("key {} {} {}\n", e.time, int{e.key}, int{e.tonality});
  }
  for (const TextEvent& e : score.markers) {
    line("marker {} {}\n", e.time, HexOf(e.text));
  }
  for (const Track& track : score.tracks) {
    if (track.notes.empty()) {
      continue;
    }
    line("track {} {} {}\n", track.program, int{track.is_drum}, HexOf(track.name));
    for (const Note& e : track.notes) {
      line("note {} {} {} {}\n", e.time, e.duration, e.pitch, e.velocity);
    }
    for (const ControlChange& e : track.controls) {
      line("control {} {} {}\n", e.time, e.number, e.value);
    }
    for (const PitchBend& e : track.pitch_bends) {
      line("bend {} {}\n", e.time, e.value);
    }
    for (const Pedal& e : track.pedals) {
      line("pedal {} {}\n", e.time, e.duration);
    }
  }
  return out;
}

/// symusic takes the first pedal of channels 2 to 16 as down from the start, so that pedals are
/// compared of channel 1 alone.
std::string WithoutPedals(const std::string& described) {
  std::istringstream lines(described);
  std::string out;
  for (std::string line; std::getline(lines, line);) {
    out += line.starts_with("pedal ") ? "" : line + "\n";
  }
  return out;
}

ScoreAndWarnings Parsed(const Bytes& file, const ReadOptions& options = {}) {
  auto read = ParseScore(file, "song.mid", options);
  EXPECT_TRUE(read.ok()) << (read.ok() ? "" : read.error().ToString());
  return read.ok() ? *read : ScoreAndWarnings{};
}

std::string ErrorOf(const Bytes& file, const ReadOptions& options = {}) {
  const auto read = ParseScore(file, "song.mid", options);
  return read.ok() ? "" : read.error().ToString();
}

/// What was read is written, read and written again to the same bytes, and these are flawless.
void ExpectStable(const Score& score, const std::string& what) {
  const Bytes once = SerializeScore(score);
  const auto again = ParseScore(once, what, kStrict);
  ASSERT_TRUE(again.ok()) << again.error().ToString();
  EXPECT_EQ(SerializeScore(again->score), once) << what;
}

// ---- What symusic reads ----

TEST(ParseScore, ReadsWhatSymusicReads) {
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(kTestData)) {
    if (entry.path().extension() != ".mid") {
      continue;
    }
    ++files;
    const Bytes file = *ReadFile(entry.path());
    std::filesystem::path text = entry.path();
    const std::string expected = *ReadTextFile(text.replace_extension(".txt"));
    const Score score = Parsed(file).score;
    EXPECT_EQ(WithoutPedals(Described(score)), WithoutPedals(expected)) << entry.path();
    if (entry.path().stem() == "pedal_channel_1" || entry.path().stem() == "pedal_not_released") {
      EXPECT_EQ(Described(score), expected) << entry.path();
    }
    ExpectStable(score, entry.path().filename());
  }
  EXPECT_GE(files, 30);
}

TEST(ParseScore, ReadsAllTheSongsAsSymusicDoes) {
  CONTINUO_NEEDS_SHARED();
  std::ifstream list(kTestData / "symusic.tsv");
  std::string line;
  int files = 0;
  while (std::getline(list, line)) {
    const size_t tab = line.find('\t');
    const std::filesystem::path path = SharedDir() / "data" / line.substr(0, tab);
    const std::string digest = line.substr(tab + 1);
    if (digest == "refused") {
      continue;
    }
    ++files;
    const auto read = ParseScore(*ReadFile(path), path.string());
    ASSERT_TRUE(read.ok()) << read.error().ToString();
    EXPECT_EQ(Sha256Hex(Described(read->score)), digest) << path;
    ExpectStable(read->score, path.string());
    if (line.starts_with("pop1k7") || line.starts_with("prompts")) {
      EXPECT_THAT(read->warnings, IsEmpty());
    }
  }
  EXPECT_EQ(files, 1747 + 3 + 34);
}

TEST(ParseScore, FindsAsManyNotesAsTheMetricsReferenceCounted) {
  CONTINUO_NEEDS_SHARED();
  std::ifstream table(SharedDir() / "golden" / "metrics" / "midi.tsv");
  std::string line;
  std::getline(table, line);
  ASSERT_TRUE(line.starts_with("file\tbars\tpositions\tnotes\t"));
  int rows = 0;
  while (std::getline(table, line)) {
    std::istringstream row(line);
    std::string file;
    size_t bars = 0, positions = 0, notes = 0;
    row >> file >> bars >> positions >> notes;
    const auto score = ReadScore(SharedDir() / file);
    ASSERT_TRUE(score.ok()) << score.error().ToString();
    size_t found = 0;
    for (const Track& track : score->tracks) {
      found += track.notes.size();
    }
    EXPECT_EQ(found, notes) << file;
    ++rows;
  }
  EXPECT_GT(rows, 170);
}

// ---- Our own rules ----

TEST(ParseScore, TakesAPedalAsDownFromWhenItIsPressed) {
  const Bytes file = *ReadFile(kTestData / "pedal_channel_2.mid");
  EXPECT_THAT(Parsed(file).score.tracks[0].pedals, ElementsAre(Pedal{16, 16}, Pedal{48, 16}));
}

TEST(ParseScore, GivesLyricsToTheFirstTrackOfTheirs) {
  const Bytes lyric = Hex("00 ff05026869");
  const Score sung = Parsed(FileOf({lyric + Hex("00 913c40 00 903c40 10 803c00 00 813c00")})).score;
  ASSERT_EQ(sung.tracks.size(), 2u);
  EXPECT_THAT(sung.tracks[0].lyrics, ElementsAre(TextEvent{0, "hi"}));
  EXPECT_THAT(sung.tracks[1].lyrics, IsEmpty());

  const Score alone = Parsed(FileOf({Hex("00 c907 00 ff030161 00 b00740") + lyric})).score;
  ASSERT_EQ(alone.tracks.size(), 1u);
  EXPECT_EQ(alone.tracks[0].name, "a");
  EXPECT_EQ(alone.tracks[0].program, 7);
  EXPECT_TRUE(alone.tracks[0].is_drum);
  ExpectStable(alone, "lyrics alone");
}

TEST(ParseScore, LeavesOutTracksWithoutNotes) {
  EXPECT_THAT(Parsed(FileOf({Hex("00 b00740"), Hex("00 903c40"), {}})).score.tracks, IsEmpty());
}

TEST(ParseScore, CountsAFileOfFramesInSeconds) {
  const Bytes track = TrackOf(Hex("00 ff510307a120") + kNote);
  const ScoreAndWarnings read = Parsed(Header(0, 1, 0xE728) + track);
  EXPECT_EQ(read.score.ticks_per_quarter, 1000);
  EXPECT_THAT(read.score.tempos, ElementsAre(Tempo{0, 1000000}));
  EXPECT_EQ(read.score.tracks[0].notes.size(), 1u);
}

TEST(ParseScore, ReadsFormatTwoAsTracksThatBeginTogether) {
  const Score score = Parsed(Header(2, 2) + TrackOf(kNote) + TrackOf(kNote)).score;
  ASSERT_EQ(score.tracks.size(), 2u);
  EXPECT_EQ(score.tracks[0].notes, score.tracks[1].notes);
}

TEST(ParseScore, ReadsARiffWrapper) {
  const Bytes midi = FileOf({kNote});
  const Bytes data = Text("data") + Bytes{static_cast<uint8_t>(midi.size()), 0, 0, 0} + midi;
  EXPECT_EQ(Parsed(Text("RIFF") + Hex("00000000") + Text("RMID") + data, kStrict).score, Parsed(midi).score);
}

// ---- Damage ----

struct Damage {
  const char* name;
  Bytes file;
  const char* warning;
  size_t notes;
};

const std::vector<Damage>& Damages() {
  static const std::vector<Damage> all = {
      {"EndWithoutBegin", FileOf({Hex("00 803c40") + kNote}), "byte 23: the end of a note that does not sound", 1},
      {"NoEnd", FileOf({Hex("00 904040") + kNote}), "byte 22: the track that begins here leaves 1 notes without an end",
       1},
      {"TempoZero", FileOf({Hex("00 ff5103000000") + kNote}), "byte 23: a tempo of 0 microseconds", 1},
      {"ShortTempo", FileOf({Hex("00 ff510207a1") + kNote}), "byte 23: a tempo of 2 bytes, where 3 were expected", 1},
      {"NoBeats", FileOf({Hex("00 ff580400021808") + kNote}), "byte 23: a time signature of 0/2^2", 1},
      {"TinyBeats", FileOf({Hex("00 ff580404081808") + kNote}), "byte 23: a time signature of 4/2^8", 1},
      {"ShortSignature", FileOf({Hex("00 ff580104") + kNote}), "byte 23: a time signature of 1 bytes", 1},
      {"NineSharps", FileOf({Hex("00 ff59020900") + kNote}), "byte 23: a key signature of 9 and 0", 1},
      {"NoMode", FileOf({Hex("00 ff59020002") + kNote}), "byte 23: a key signature of 0 and 2", 1},
      {"Pitch", FileOf({Hex("00 908040") + kNote}), "byte 24: data byte 80", 1},
      {"FirstRunning", FileOf({Hex("00 3c40") + kNote}), "byte 23: data byte 3c, where a status byte was expected", 1},
      {"Overflow",
       FileOf({kNote + Hex("ffffff7f 903c40 ffffff7f 903c40 ffffff7f 903c40 ffffff7f 903c40 ffffff7f 903c40"
                           "ffffff7f 903c40 ffffff7f 903c40 ffffff7f 903c40 ffffff7f 803c40")}),
       "the time passes 2147483647 ticks", 1},
      {"NoEndOfTrack", Header(1, 1) + Chunk("MTrk", 8, kNote), "byte 30: the track ends without an end-of-track event",
       1},
      {"AfterEnd", FileOf({kNote + kEnd + kNote}), "byte 34: 12 bytes after the end-of-track event", 1},
      {"CutInEvent", Header(1, 1) + Chunk("MTrk", 10, kNote + Hex("0090")), "byte 32: the track ends within an event",
       1},
      {"LengthTooLong", Header(1, 1) + Chunk("MTrk", 100, kNote + kEnd),
       "byte 18: a track claims 100 bytes, but 12 lie", 1},
      {"LengthTooShort", Header(1, 1) + Chunk("MTrk", 6, kNote + kEnd), "byte 18: a track claims 6 bytes, but 12 lie",
       1},
      {"LengthZero", Header(1, 1) + Chunk("MTrk", 0, kNote + kEnd), "byte 18: a track claims 0 bytes, but 12 lie", 1},
      {"AfterTracks", FileOf({kNote}) + Hex("2a"), "byte 18: a track claims 12 bytes, but 13 lie", 1},
      {"TracksMissing", Header(1, 65535) + TrackOf(kNote), "byte 10: 65535 tracks claimed, 1 found", 1},
      {"SystemMessage", FileOf({Hex("00 f5") + kNote}), "byte 23: system message f5", 1},
  };
  return all;
}

class DamagedFile : public ::testing::TestWithParam<Damage> {};
INSTANTIATE_TEST_SUITE_P(ParseScore, DamagedFile, ::testing::ValuesIn(Damages()),
                         [](const auto& param) { return param.param.name; });

TEST_P(DamagedFile, IsReadWithAWarningThatNamesTheByte) {
  const ScoreAndWarnings read = Parsed(GetParam().file);
  ASSERT_FALSE(read.warnings.empty());
  EXPECT_THAT(read.warnings[0], HasSubstr(GetParam().warning));
  EXPECT_TRUE(read.warnings[0].starts_with("song.mid: byte ")) << read.warnings[0];
  size_t notes = 0;
  for (const Track& track : read.score.tracks) {
    notes += track.notes.size();
  }
  EXPECT_EQ(notes, GetParam().notes);
  ExpectStable(read.score, GetParam().name);
}

TEST_P(DamagedFile, IsRefusedWhereNothingMayBeRepaired) {
  EXPECT_THAT(ErrorOf(GetParam().file, kStrict), HasSubstr(GetParam().warning));
}

TEST(ParseScore, RemarksOnWhatIsOddAndNoFault) {
  const ScoreAndWarnings rest = Parsed(FileOf({kNote + Hex("ffffff7f 903c40 00 803c00")}), kStrict);
  EXPECT_THAT(rest.warnings, ElementsAre(HasSubstr("song.mid: byte 34: a delta time of 268435455 ticks")));
  EXPECT_THAT(Parsed(Header(2, 2) + TrackOf(kNote) + TrackOf(kNote), kStrict).warnings,
              ElementsAre(HasSubstr("byte 8: format 2")));
  // Faults come first, and are what is refused.
  const Bytes both = FileOf({kNote + Hex("ffffff7f 903c40 00 803c00 00 803c00")});
  EXPECT_THAT(Parsed(both).warnings, ElementsAre(HasSubstr("does not sound"), HasSubstr("a delta time")));
  EXPECT_THAT(ErrorOf(both, kStrict), HasSubstr("does not sound"));
}

TEST(ParseScore, RefusesWhatHoldsNoMusicAtAll) {
  EXPECT_THAT(ErrorOf({}), HasSubstr("song.mid: byte 0: the file is empty"));
  EXPECT_THAT(ErrorOf(Text("not music")), HasSubstr("byte 0: \"not \", where a MIDI header (\"MThd\") was expected"));
  EXPECT_THAT(ErrorOf(Header(1, 2)), HasSubstr("byte 14: the file ends, where its first track"));
}

TEST(ReadScore, NamesTheFileThatIsMissing) {
  const auto read = ReadScore("/no/such/song.mid");
  ASSERT_FALSE(read.ok());
  EXPECT_THAT(read.error().ToString(), HasSubstr("/no/such/song.mid"));
}

TEST(ParseScore, SurvivesAnyByteChangedOrCut) {
  const Bytes file = *ReadFile(kTestData / "random_4.mid");
  Rng rng(1, 0);
  for (int round = 0; round < 4000; ++round) {
    Bytes damaged = file;
    for (uint64_t n = rng.NextBelow(4); n > 0; --n) {
      damaged[rng.NextBelow(damaged.size())] = static_cast<uint8_t>(rng.NextBelow(256));
    }
    damaged.resize(rng.NextBelow(3) == 0 ? rng.NextBelow(damaged.size()) : damaged.size());
    const auto read = ParseScore(damaged, "damaged");
    if (read.ok()) {
      EXPECT_LE(read->warnings.size(), Defects::kKept + 1);
      ExpectStable(read->score, fmt::format("round {}", round));
    }
  }
}

// ---- Size ----

/// Seconds that `call` takes.
template <typename Call>
double Seconds(const Call& call) {
  const auto start = std::chrono::steady_clock::now();
  call();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// Far more than linear work takes, even with sanitizers on a busy machine; quadratic work would
/// take days.
constexpr double kManySeconds = 20;

/// A file of one track of `count` times the same bytes after `first`.
Bytes Repeated(const Bytes& first, const Bytes& again, size_t count) {
  Bytes file = Header(1, 1) + Chunk("MTrk", static_cast<uint32_t>(first.size() + again.size() * count), first);
  file.reserve(file.size() + again.size() * count);
  for (size_t i = 0; i < count; ++i) {
    file.insert(file.end(), again.begin(), again.end());
  }
  return file;
}

TEST(ParseScore, TakesLinearTimeForOnePitchBegunAgainAndAgain) {
  const Bytes file = Repeated(Hex("00 903c40"), Hex("00 3c40"), 4'000'000);
  EXPECT_LT(Seconds([&] { EXPECT_THAT(Parsed(file).score.tracks, IsEmpty()); }), kManySeconds);
}

TEST(ParseScore, EndsTheOldestOfMillionsFirst) {
  Bytes file = Repeated(Hex("00 903c40"), Hex("01 3c40 01 3c40 01 3c40"), 333'333);
  const Bytes ends = Repeated({}, Hex("01 3c00"), 1'000'000);
  file.insert(file.end(), ends.begin() + 22, ends.end());
  const Bytes length = Big32(static_cast<uint32_t>(file.size() - 22));
  std::copy(length.begin(), length.end(), file.begin() + 18);
  ScoreAndWarnings read;
  EXPECT_LT(Seconds([&] { read = Parsed(file); }), kManySeconds);
  ASSERT_EQ(read.score.tracks.size(), 1u);
  ASSERT_EQ(read.score.tracks[0].notes.size(), 1'000'000u);
  for (const size_t i : {0, 1, 777'777, 999'999}) {
    EXPECT_EQ(read.score.tracks[0].notes[i], (Note{static_cast<Tick>(i), 1'000'000, 60, 64}));
  }
}

TEST(ParseScore, TakesLinearTimeForMillionsOfFaults) {
  const Bytes file = Repeated(Hex("00 803c40"), Hex("00 3c40"), 4'000'000);
  ScoreAndWarnings read;
  EXPECT_LT(Seconds([&] { read = Parsed(file); }), kManySeconds);
  EXPECT_EQ(read.warnings.size(), Defects::kKept + 1);
  EXPECT_THAT(read.warnings.back(), HasSubstr("more faults like these"));
}

TEST(ParseScore, ReadsAsManyTracksAsAFileCanHold) {
  Bytes file = Header(1, 65535);
  const Bytes track = TrackOf(kNote);
  for (int i = 0; i < 65535; ++i) {
    file.insert(file.end(), track.begin(), track.end());
  }
  ScoreAndWarnings read;
  EXPECT_LT(Seconds([&] { read = Parsed(file); }), kManySeconds);
  EXPECT_EQ(read.score.tracks.size(), kMaxTracks);
  EXPECT_THAT(read.warnings, ElementsAre(HasSubstr("more than 65534 tracks; the rest is left out")));
  ExpectStable(read.score, "65534 tracks");
}

TEST(ParseScore, DoesNotCopyALongNameToEachPart) {
  Bytes events = Hex("00 ff03 bd8440") + Bytes(1'000'000, 'x');
  for (int program = 0; program < 128; ++program) {
    events = events + Bytes{0, 0xC0, static_cast<uint8_t>(program)} + kNote;
  }
  const Score score = Parsed(FileOf({events})).score;
  ASSERT_EQ(score.tracks.size(), 128u);
  EXPECT_EQ(score.tracks[0].name.size(), 1'000'000u);
  EXPECT_EQ(score.tracks[1].name, "");
}

// ---- Writing ----

Score Everything() {
  Score score;
  score.ticks_per_quarter = 96;
  score.tempos = {{0, 500000}, {96, 16777215}, {2147483647, 1}};
  score.time_signatures = {{0, 4, 4}, {384, 255, 128}};
  score.key_signatures = {{0, -7, 1}, {5, 7, 0}};
  score.markers = {{0, "N_N_N"}, {0, "caf\xC3\xA9"}};
  for (int i = 0; i < 20; ++i) {
    Track& track = score.tracks.emplace_back();
    track.name = i % 3 == 0 ? "" : fmt::format("track {}", i);
    track.program = static_cast<uint8_t>(i * 6);
    track.is_drum = i % 7 == 3;
    track.notes = {{0, 96, 60, 1}, {0, 0, 61, 127}, {96, 5, 60, 64}, {101, 2147483546, 0, 64}, {101, 7, 127, 64}};
    track.controls = {{0, 7, 100}, {10, 64, 127}, {20, 64, 0}};
    track.pedals = {{10, 10}};
    track.pitch_bends = {{0, -8192}, {3, 8191}, {4, 0}};
    track.lyrics = {{0, "la"}};
  }
  return score;
}

TEST(SerializeScore, IsReadBackAsTheSameScore) {
  const Score score = Everything();
  EXPECT_EQ(Parsed(SerializeScore(score), kStrict).score, score);
  EXPECT_EQ(Parsed(SerializeScore(Score{}), kStrict).score, Score{});
}

TEST(SerializeScore, WritesTheBytesOfTheSpecification) {
  Score score;
  score.tempos = {{0, 500000}};
  score.time_signatures = {{0, 3, 8}};
  Track& track = score.tracks.emplace_back();
  track.name = "a";
  track.program = 5;
  track.notes = {{0, 480, 60, 64}, {480, 480, 60, 65}};
  EXPECT_THAT(SerializeScore(score),
              ElementsAreArray(FileOf({Hex("00 ff580403031808  00 ff510307a120"),
                                       Hex("00 ff030161  00 c005  00 903c40  8360 803c00  00 903c41  8360 803c00")})));
}

TEST(SerializeScore, WritesTheExampleOfItsDocument) {
  std::ifstream document(std::filesystem::path(CONTINUO_SOURCE_DIR) / "docs" / "formats" / "midi.md");
  std::string line;
  Bytes example;
  while (std::getline(document, line)) {
    if (line.starts_with("    ")) {
      example = example + Hex(line.substr(4, line.find("    ", 4) - 4));
    }
  }
  Score score;
  score.ticks_per_quarter = 96;
  score.tempos = {{0, 600000}};
  Track& track = score.tracks.emplace_back();
  track.name = "a";
  track.program = 5;
  track.notes = {{0, 96, 60, 64}};
  EXPECT_THAT(SerializeScore(score), ElementsAreArray(example));
}

TEST(SerializeScore, KeepsTheDrumChannelForDrums) {
  Score score;
  score.tracks.resize(17);
  score.tracks[2].is_drum = true;
  for (Track& track : score.tracks) {
    track.notes = {{0, 1, 60, 64}};
  }
  const Bytes file = SerializeScore(score);
  std::vector<int> channels;
  for (size_t i = 0; i + 2 < file.size(); ++i) {
    if ((file[i] & 0xF0) == 0xC0 && file[i - 1] == 0) {
      channels.push_back(file[i] & 0x0F);
    }
  }
  EXPECT_THAT(channels, ElementsAre(0, 1, 9, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12, 13, 14, 15, 0));
}

TEST(SerializeScore, WritesPedalsThatTheControllersDoNotTell) {
  Score score;
  Track& track = score.tracks.emplace_back();
  track.notes = {{0, 100, 60, 64}};
  track.pedals = {{0, 50}, {50, 0}, {60, 40}};
  const Track read = Parsed(SerializeScore(score), kStrict).score.tracks[0];
  EXPECT_EQ(read.pedals, track.pedals);
  EXPECT_EQ(read.controls.size(), 6u);
}

TEST(SerializeScore, WritesAnUnsortedScoreInTheOrderOfTime) {
  Score score;
  score.tempos = {{100, 1}, {0, 2}};
  score.tracks.resize(1);
  score.tracks[0].notes = {{50, 10, 60, 64}, {0, 10, 62, 64}};
  const Score read = Parsed(SerializeScore(score), kStrict).score;
  EXPECT_THAT(read.tempos, ElementsAre(Tempo{0, 2}, Tempo{100, 1}));
  EXPECT_THAT(read.tracks[0].notes, ElementsAre(Note{0, 10, 62, 64}, Note{50, 10, 60, 64}));
}

TEST(SerializeScore, EndsANoteAtTheLastTickThatWouldEndLater) {
  Score score;
  score.tracks.resize(1);
  score.tracks[0].notes = {{2147483000, 1000, 60, 64}};
  EXPECT_THAT(Parsed(SerializeScore(score), kStrict).score.tracks[0].notes, ElementsAre(Note{2147483000, 647, 60, 64}));
}

TEST(WriteScore, WritesTheFileThatReadScoreReads) {
  const TemporaryFolder folder;
  const std::filesystem::path path = folder.path() / "song.mid";
  Score score = Everything();
  score.tracks.resize(15);  // all at once
  ASSERT_TRUE(WriteScore(score, path).ok());
  EXPECT_EQ(*ReadScore(path, kStrict), score);
  EXPECT_FALSE(WriteScore(score, folder.path() / "none" / "song.mid").ok());
}

/// Tracks of one note each, `apart` ticks from beginning to beginning.
Score ManyInstruments(size_t tracks, Tick apart) {
  Score score;
  for (size_t i = 0; i < tracks; ++i) {
    Track& track = score.tracks.emplace_back();
    track.program = static_cast<uint8_t>(i);
    track.notes = {{static_cast<Tick>(i) * apart, 100, 60, 64}};
  }
  return score;
}

TEST(Channels, InstrumentsThatDoNotOverlapShareOne) {
  const Score score = ManyInstruments(40, 50);
  EXPECT_TRUE(CheckChannels(score).ok());
  const std::vector<uint8_t> bytes = SerializeScore(score);
  EXPECT_EQ(ParseScore(bytes, "many")->score, score);
  // A player merges the tracks: at each note its program must be in force on its channel.
  std::vector<int> programs(16, -1);
  Defects defects("many");
  const MidiDocument document = *ReadMidiDocument(bytes, defects);
  struct Event {
    uint32_t time;
    MidiEvent event;
    size_t track;
  };
  std::vector<Event> events;
  for (size_t i = 0; i < document.tracks.size(); ++i) {
    for (const MidiEvent& event : document.tracks[i].events) {
      events.push_back({event.time, event, i});
    }
  }
  std::stable_sort(events.begin(), events.end(), [](const Event& a, const Event& b) { return a.time < b.time; });
  size_t notes = 0;
  for (const Event& event : events) {
    if (event.event.kind() == kProgramChange) {
      programs[event.event.channel()] = event.event.data1;
    } else if (event.event.is_note_on()) {
      EXPECT_EQ(programs[event.event.channel()] + 1, static_cast<int>(event.track));
      ++notes;
    }
  }
  EXPECT_EQ(notes, 40U);
}

TEST(Channels, TooManyInstrumentsAtOnceAreAnError) {
  EXPECT_TRUE(CheckChannels(ManyInstruments(15, 0)).ok());
  EXPECT_THAT(CheckChannels(ManyInstruments(16, 0)).error().message,
              ::testing::HasSubstr("16 instruments play at once, but a MIDI file has 15 channels"));
  EXPECT_FALSE(WriteScore(ManyInstruments(16, 1), "/no/such/file.mid").ok());
}

}  // namespace
}  // namespace continuo
