#include "continuo/midi/channel_state.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "continuo/midi/midi_bytes_testing.h"
#include "continuo/midi/note_pairs.h"
#include "continuo/midi/random_midi_testing.h"

namespace continuo {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

MidiDocument Document(std::initializer_list<Bytes> tracks) {
  Defects defects("song.mid");
  return ReadMidiDocument(FileOf(tracks), defects).value();
}

std::vector<std::string> Events(const MidiDocument& document, size_t track = 0) {
  std::vector<std::string> lines;
  for (const MidiEvent& event : document.tracks.at(track).events) {
    lines.push_back(Describe(document, event));
  }
  return lines;
}

const std::bitset<kMidiChannels> kNone;
const std::bitset<kMidiChannels> kFirst(1);

TEST(StateBefore, TakesTheLastOfEachKind) {
  const MidiDocument document =
      Document({Hex("00 b00008 00 b02003 00 c050 00 b00009 00 e00050 00 d033 10 c051"), Hex("08 b0074a 00 b10701")});
  const ChannelState state = StateBefore(document, 16)[0];
  EXPECT_EQ(state.program, 0x50);
  EXPECT_EQ(state.bank_msb, 8);
  EXPECT_EQ(state.bank_lsb, 3);
  EXPECT_EQ(state.controls[0], 9);
  EXPECT_EQ(state.controls[7], 0x4a);
  EXPECT_EQ(state.bend, 0x50 << 7);
  EXPECT_EQ(state.pressure, 0x33);
  EXPECT_EQ(StateBefore(document, 0)[0].program, std::nullopt);
  EXPECT_EQ(StateBefore(document, 17)[0].program, 0x51);
}

TEST(StateBefore, KnowsWhatAResetOfAllControllersResets) {
  const ChannelState state =
      StateBefore(Document({Hex("00 b0074a 00 b00b20 00 b0407f 00 b00155 00 e07f7f 00 d040 00 b07900")}), 1)[0];
  EXPECT_EQ(state.controls[7], 0x4a);
  EXPECT_EQ(state.controls[11], 127);
  EXPECT_EQ(state.controls[64], 0);
  EXPECT_EQ(state.controls[1], 0);
  EXPECT_EQ(state.bend, kPitchBendCentre);
  EXPECT_EQ(state.pressure, 0);
}

TEST(ResetChannels, LiftsPedalsAndCentresBendAndModulation) {
  MidiDocument document = Document({Hex("00 b1407f 00 b1427f 00 b1437f 00 b10155 00 e17f7f 00 d140 00 b20155")});
  EXPECT_THAT(ResetChannels(document, 16, kNone), IsEmpty());
  const std::vector<std::string> events = Events(document);
  EXPECT_THAT(std::vector<std::string>(events.begin() + 7, events.end()),
              ElementsAre("16 b1 01 00", "16 b1 40 00", "16 b1 42 00", "16 b1 43 00", "16 e1 00 40", "16 d1 00",
                          "16 b2 01 00"));
}

TEST(ResetChannels, WritesNothingWhereAllIsNeutral) {
  MidiDocument document = Document({Hex("00 b0407f 00 b00740 00 b00b20 00 903c40 08 b04000 00 803c00")});
  const MidiDocument before = document;
  EXPECT_THAT(ResetChannels(document, 16, kFirst), IsEmpty());
  EXPECT_TRUE(SameMusic(document, before));
}

TEST(ResetChannels, WritesInTheFirstTrackOfTheChannelAfterEndsOfNotes) {
  MidiDocument document = Document({Hex("00 c100"), Hex("00 903c40 10 803c00"), Hex("00 b0407f")});
  ResetChannels(document, 16, kNone);
  EXPECT_THAT(Events(document, 1), ElementsAre("0 90 3c 40", "16 80 3c 00", "16 b0 40 00"));
}

struct Fade {
  const char* name;
  Bytes events;
  std::vector<RaisedLevel> raised;
};

TEST(ResetChannels, MakesFadedLevelsAudible) {
  const std::vector<Fade> fades = {
      {"to silence", Hex("00 b00b7f 01 b00b28 01 b00b00"), {{0, 11, 0, 127}}},
      {"of volume", Hex("00 b00764 01 b00750 01 b00730 01 b00710"), {{0, 7, 16, 100}}},
      {"after an increase", Hex("00 b00b20 01 b00b60 01 b00b08"), {{0, 11, 8, 0x60}}},
      {"a low level that does not change", Hex("00 b00714"), {}},
      {"a decrease that stays audible", Hex("00 b00b7f 01 b00b40"), {}},
      {"both", Hex("00 b00764 00 b00b7f 01 b00700 00 b00b00"), {{0, 7, 0, 100}, {0, 11, 0, 127}}},
      {"silent from the start", Hex("00 b00700"), {{0, 7, 0, 100}}},
      {"back already", Hex("00 b00b7f 01 b00b00 01 b00b70"), {}},
  };
  for (const Fade& fade : fades) {
    MidiDocument document = Document({fade.events});
    EXPECT_EQ(ResetChannels(document, 16, kFirst), fade.raised) << fade.name;
    for (const RaisedLevel& level : fade.raised) {
      EXPECT_EQ(StateBefore(document, 17)[0].controls[level.controller], level.to) << fade.name;
    }
  }
}

TEST(ResetChannels, LeavesAChannelThatHasAlwaysBeenMute) {
  MidiDocument document = Document({Hex("00 b00700")});
  EXPECT_THAT(ResetChannels(document, 16, kNone), IsEmpty());
}

TEST(ExtractFrom, PutsWhatIsInForceAtTheStart) {
  const MidiDocument document = Document({
      Hex("00 ff0302 4142 00 ff510307a120 00 ff580404021808 08 ff510306a120 00 ff0101 41 10 ff0101 42"),
      Hex("00 f0 03 7e7ff7 00 b00008 00 c050 00 b00009 00 b00b10 02 b00b20 00 903c40 10 803c00 00 903e40 10 803e00"),
  });
  const MidiDocument extract = ExtractFrom(document, 16);
  EXPECT_THAT(Events(extract),
              ElementsAre("0 ff 03 [41 42]", "0 ff 58 [04 02 18 08]", "0 ff 51 [06 a1 20]", "8 ff 01 [42]"));
  EXPECT_THAT(Events(extract, 1), ElementsAre("0 f0 [7e 7f f7]", "0 b0 00 08", "0 c0 50", "0 b0 00 09", "0 b0 0b 20",
                                              "2 90 3e 40", "18 80 3e 00"));
}

TEST(ExtractFrom, KeepsTheOrderOfEventsOfAChannelInSeveralTracks) {
  // The first track's program is the later one.
  const MidiDocument document = Document({Hex("08 c002"), Hex("00 c001 00 b00711")});
  const MidiDocument extract = ExtractFrom(document, 16);
  EXPECT_THAT(Events(extract), ElementsAre("0 b0 07 11", "0 c0 02"));
  EXPECT_THAT(Events(extract, 1), IsEmpty());
}

TEST(ExtractFrom, PutsWhatIsInForceBeforeWhatAnEarlierTrackHasAtThatTime) {
  // What the second track sets comes before the volume and the note of the first.
  const MidiDocument document =
      Document({Hex("00 c002 10 b00764 00 903c40 10 803c00"), Hex("00 b00700 00 c003 00 b10711")});
  const MidiDocument extract = ExtractFrom(document, 16);
  EXPECT_THAT(Events(extract),
              ElementsAre("0 b0 07 00", "0 c0 03", "0 b1 07 11", "0 b0 07 64", "0 90 3c 40", "16 80 3c 00"));
  EXPECT_THAT(Events(extract, 1), IsEmpty());
}

void ExpectSameState(const ChannelState& a, const ChannelState& b, uint64_t seed) {
  ASSERT_EQ(a.program, b.program) << seed;
  ASSERT_EQ(a.bank_msb, b.bank_msb) << seed;
  ASSERT_EQ(a.bank_lsb, b.bank_lsb) << seed;
  ASSERT_EQ(a.bend, b.bend) << seed;
  ASSERT_EQ(a.pressure, b.pressure) << seed;
  for (size_t number = 0; number < a.controls.size(); ++number) {
    ASSERT_EQ(a.controls[number], b.controls[number]) << seed << " controller " << number;
  }
}

TEST(ExtractFrom, HasTheStateOfTheWholeAtEveryTime) {
  for (uint64_t seed = 0; seed < 1000; ++seed) {
    Rng rng(seed, 3);
    MidiDocument document = RandomMidi(rng);
    EndOpenNotes(document);
    const auto line = static_cast<uint32_t>(rng.NextBelow(document.end() + 1));
    const MidiDocument extract = ExtractFrom(document, line);
    for (int i = 0; i < 4; ++i) {
      // From tick 1 on: the events at the line itself are at tick 0 with those in force.
      const uint32_t time = 1 + static_cast<uint32_t>(rng.NextBelow(document.end() + 1 - line));
      const auto whole = StateBefore(document, line + time);
      const auto part = StateBefore(extract, time);
      for (size_t channel = 0; channel < whole.size(); ++channel) {
        ASSERT_NO_FATAL_FAILURE(ExpectSameState(whole[channel], part[channel], seed));
      }
    }
    // The same notes.
    std::vector<std::string> expected;
    std::vector<std::string> found;
    for (const MidiNote& note : PairNotes(document)) {
      if (note.begin >= line) {
        expected.push_back(
            fmt::format("{} {} {} {} {}", note.track, note.channel, note.pitch, note.begin - line, note.end - line));
      }
    }
    for (const MidiNote& note : PairNotes(extract)) {
      found.push_back(fmt::format("{} {} {} {} {}", note.track, note.channel, note.pitch, note.begin, note.end));
    }
    ASSERT_EQ(found, expected) << seed;
  }
}

}  // namespace
}  // namespace continuo
