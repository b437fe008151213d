#include "continuo/midi/track_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "continuo/midi/midi_bytes_testing.h"

namespace continuo {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

/// Writes down the events it is called with.
struct Log {
  std::vector<std::string> lines;

  bool Note(uint32_t time, uint32_t channel, uint32_t key) {
    lines.push_back(fmt::format("{} note {} {} {}", time, channel, key & 0xFF, key >> 8));
    return true;
  }
  void Control(uint32_t time, uint8_t channel, uint8_t number, uint8_t value) {
    lines.push_back(fmt::format("{} control {} {} {}", time, channel, number, value));
  }
  void Program(uint32_t time, uint8_t channel, uint8_t program) {
    lines.push_back(fmt::format("{} program {} {}", time, channel, program));
  }
  void Bend(uint32_t time, uint8_t channel, int value) {
    lines.push_back(fmt::format("{} bend {} {}", time, channel, value));
  }
  void Meta(uint32_t time, uint8_t type, std::span<const uint8_t> data) {
    lines.push_back(fmt::format("{} meta {:02x} [{:02x}]", time, type, fmt::join(data, " ")));
  }
};

struct Read {
  std::vector<std::string> events;
  std::vector<std::string> warnings;
};

/// Reads a track whose events lie at byte 100 and of which the last `spare` bytes are beyond its
/// claimed length.
Read ReadAt100(const Bytes& bytes, size_t spare = 0) {
  Log log;
  Defects defects("f");
  ReadTrack({100, std::span(bytes).first(bytes.size() - spare), spare}, log, defects);
  return {log.lines, defects.TakeMessages()};
}

TEST(TrackReader, ReadsEachKindOfMessage) {
  const Read read = ReadAt100(Hex("00 903c40  01 803c22  02 b10740  03 c205  04 e30040  05 e37f7f  06 a03c40 07 d040"
                                  "08 ff0603616263  09 f0037f01f7") +
                              kEnd);
  EXPECT_THAT(read.events, ElementsAre("0 note 0 60 64", "1 note 0 60 0", "3 control 1 7 64", "6 program 2 5",
                                       "10 bend 3 0", "15 bend 3 8191", "36 meta 06 [61 62 63]"));
  EXPECT_THAT(read.warnings, IsEmpty());
}

TEST(TrackReader, ReadsQuantitiesOfOneToFourBytes) {
  const Read read = ReadAt100(Hex("7f 903c40  8100 903c00  ff7f 903c40  818000 903c00  81808000 903c40") + kEnd);
  EXPECT_THAT(read.events, ElementsAre("127 note 0 60 64", "255 note 0 60 0", "16638 note 0 60 64", "33022 note 0 60 0",
                                       "2130174 note 0 60 64"));
  EXPECT_THAT(read.warnings, IsEmpty());
}

TEST(TrackReader, ReportsAnAbsurdDeltaTimeAndKeepsIt) {
  // 480 ticks a quarter note: 10,000 of them are 4,800,000 ticks.
  EXPECT_THAT(ReadAt100(Hex("82a4fc00 903c40") + kEnd).warnings, IsEmpty());
  const Read read = ReadAt100(Hex("82a4fc01 903c40  818000 803c40") + kEnd);
  EXPECT_THAT(read.events, ElementsAre("4800001 note 0 60 64", "4816385 note 0 60 0"));
  EXPECT_THAT(read.warnings,
              ElementsAre("f: byte 104: a delta time of 4800001 ticks, more than 10000 quarter notes; kept"));
}

TEST(TrackReader, ReportsMetaEventsOfNoUse) {
  const auto warning = [](const char* event) {
    const Read read = ReadAt100(Hex(event) + kEnd);
    EXPECT_EQ(read.events.size(), 1U);
    return read.warnings.size() == 1 ? read.warnings[0] : fmt::format("{} warnings", read.warnings.size());
  };
  EXPECT_EQ(warning("00 ff5103000000"), "f: byte 101: a tempo of 0 microseconds a quarter note; ignored");
  EXPECT_EQ(warning("00 ff510400000107"), "f: byte 101: a tempo of 4 bytes, where 3 were expected");
  EXPECT_EQ(warning("00 ff5804000218ff"),
            "f: byte 101: a time signature of 0/2^2, where 1 to 255 and 0 to 7 were expected; ignored");
  EXPECT_EQ(warning("00 ff580404081808"),
            "f: byte 101: a time signature of 4/2^8, where 1 to 255 and 0 to 7 were expected; ignored");
  EXPECT_EQ(warning("00 ff5902f800"),
            "f: byte 101: a key signature of -8 and 0, where -7 to 7 and 0 or 1 were expected; ignored");
  EXPECT_EQ(warning("00 ff5804ff001808"), "0 warnings");
  EXPECT_EQ(warning("00 ff5902f901"), "0 warnings");
}

TEST(TrackReader, GoesOnWithTheRunningStatus) {
  const Read read = ReadAt100(
      Hex("00 913c40  01 3c00  02 3e40  8100 3e00  00 813c40  01 3d40  00 b10740  01 0841  02 c105  00 06") + kEnd);
  EXPECT_THAT(read.events, ElementsAre("0 note 1 60 64", "1 note 1 60 0", "3 note 1 62 64", "131 note 1 62 0",
                                       "131 note 1 60 0", "132 note 1 61 0", "132 control 1 7 64", "133 control 1 8 65",
                                       "135 program 1 5", "135 program 1 6"));
  EXPECT_THAT(read.warnings, IsEmpty());
}

TEST(TrackReader, KeepsTheRunningStatusAcrossMetaEventsButNotAcrossSystemExclusive) {
  EXPECT_THAT(ReadAt100(Hex("00 903c40  00 ff060161  10 3c00") + kEnd).events,
              ElementsAre("0 note 0 60 64", "0 meta 06 [61]", "16 note 0 60 0"));
  const Read read = ReadAt100(Hex("00 903c40  00 f001f7  10 3c00  00 903e40") + kEnd);
  EXPECT_THAT(read.events, ElementsAre("0 note 0 60 64", "16 note 0 62 64"));
  EXPECT_THAT(read.warnings,
              ElementsAre("f: byte 109: data byte 3c, where a status byte was expected; 3 bytes skipped"));
}

TEST(TrackReader, SkipsSystemExclusiveInPieces) {
  const Read read = ReadAt100(Hex("00 f0034312 00  10 f7020102  05 f701f7  00 f702 f3 01  00 903c40") + kEnd);
  EXPECT_THAT(read.events, ElementsAre("21 note 0 60 64"));
  EXPECT_THAT(read.warnings, IsEmpty());
}

TEST(TrackReader, SkipsSystemMessagesWithAWarning) {
  const Read read =
      ReadAt100(Hex("00 f12a  00 f20102  00 f303  00 f4  00 f5  00 f6  00 f8  00 f9  00 fa  00 fb  00 fc  00 fd  00 fe"
                    "07 903c40  00 f8  01 3c00") +
                kEnd);
  EXPECT_THAT(read.events, ElementsAre("7 note 0 60 64", "8 note 0 60 0"));
  ASSERT_EQ(read.warnings.size(), 14u);
  EXPECT_EQ(read.warnings[1], "f: byte 104: system message f2, which no MIDI file may hold; skipped");
}

TEST(TrackReader, CutsValuesAndDropsEventsWhoseDataBytesAreAbove127) {
  const Read read =
      ReadAt100(Hex("00 903c80  00 90803c  00 803c90  00 b00790  00 b09007  00 c080  00 e09001 00 903c40") + kEnd);
  EXPECT_THAT(read.events,
              ElementsAre("0 note 0 60 127", "0 note 0 60 0", "0 control 0 7 127", "0 bend 0 -7937", "0 note 0 60 64"));
  EXPECT_THAT(read.warnings,
              ElementsAre("f: byte 103: data byte 80, where 00 to 7f was expected; read as 7f",
                          "f: byte 106: data byte 80, where 00 to 7f was expected; the event is left out",
                          HasSubstr("byte 111: data byte 90"), HasSubstr("byte 115"), HasSubstr("byte 118"),
                          HasSubstr("byte 122"), HasSubstr("byte 125")));
}

TEST(TrackReader, EndsWhereAnEventIsCutShort) {
  const Bytes whole = Hex("00 903c40  8100 b00740  00 ff06026161  00 f0020102  00 c005");
  const std::vector<size_t> boundaries = {4, 9, 15, 20, 23};
  for (size_t size = 0; size <= whole.size(); ++size) {
    const Read read = ReadAt100(Bytes(whole.begin(), whole.begin() + static_cast<ptrdiff_t>(size)));
    ASSERT_EQ(read.warnings.size(), 1u);
    const bool boundary = size == 0 || std::count(boundaries.begin(), boundaries.end(), size) == 1;
    EXPECT_THAT(read.warnings[0], HasSubstr(boundary ? "without an end-of-track event" : "within an event")) << size;
    EXPECT_LE(read.events.size(), 4u);
  }
  EXPECT_THAT(ReadAt100(Hex("00 ff06 ffffff7f 61")).warnings,
              ElementsAre("f: byte 107: the track ends within an event: 268435455 more bytes expected, 1 found"));
}

TEST(TrackReader, TakesTheSpareBytesWhereTheClaimCutsAnEvent) {
  const Bytes events = Hex("00 903c40  10 803c00") + kEnd;
  const Read cut = ReadAt100(events, 6);
  EXPECT_THAT(cut.events, ElementsAre("0 note 0 60 64", "16 note 0 60 0"));
  EXPECT_THAT(cut.warnings, IsEmpty());
  const Read between = ReadAt100(events, 8);
  EXPECT_THAT(between.events, ElementsAre("0 note 0 60 64"));
  EXPECT_THAT(between.warnings, ElementsAre("f: byte 104: the track ends without an end-of-track event"));
}

TEST(TrackReader, SkipsDataBytesOnIntoTheSpareBytes) {
  const Read read = ReadAt100(Hex("00 3c50  6040 903c40") + kEnd, 9);
  EXPECT_THAT(read.events, ElementsAre("0 note 0 60 64"));
  EXPECT_THAT(read.warnings,
              ElementsAre("f: byte 101: data byte 3c, where a status byte was expected; 2 bytes skipped"));
}

TEST(TrackReader, IgnoresWhatFollowsTheEndOfTrack) {
  const Read read = ReadAt100(Hex("00 903c40") + kEnd + Hex("00 803c40"));
  EXPECT_THAT(read.events, ElementsAre("0 note 0 60 64"));
  EXPECT_THAT(read.warnings, ElementsAre("f: byte 108: 4 bytes after the end-of-track event; ignored"));
}

TEST(TrackReader, StopsBeforeTheTimeOverflows) {
  Bytes bytes;
  for (int i = 0; i < 8; ++i) {
    bytes = bytes + Hex("ffffff7f 903c40");  // 8 * (2^28 - 1) = 2^31 - 8
  }
  EXPECT_EQ(ReadAt100(bytes + Hex("07 3c00") + kEnd).events.back(), "2147483647 note 0 60 0");
  for (const char* beyond : {"08 3c00", "ff7f 3c00", "ffffff7f 3c00"}) {
    const Read read = ReadAt100(bytes + Hex(beyond) + Hex("00 903c40 00 903c40 00 903c40"));
    EXPECT_EQ(read.events.size(), 8u) << beyond;
    EXPECT_THAT(read.warnings.front(), HasSubstr("the time passes 2147483647 ticks")) << beyond;
  }
}

TEST(TrackReader, CutsAQuantityOfFiveBytes) {
  const Read read = ReadAt100(Hex("80808080 903c40") + kEnd);
  EXPECT_THAT(read.events, ElementsAre("0 note 0 60 64"));
  EXPECT_THAT(read.warnings, ElementsAre("f: byte 103: a variable-length quantity of more than 4 bytes; cut there"));
}

// The fast path reads eight bytes at once: at each distance from the end, and beside each kind of
// other event, it must read what the plain path reads.
TEST(TrackReader, ReadsTheSameAtEveryDistanceFromTheEnd) {
  const Bytes notes = Hex("00 903c40  01 803c40  8101 3d00  02 903e40  8200 3e00  83ff7f 3f40  00 3f00");
  const std::vector<std::string> all = ReadAt100(notes + kEnd).events;
  ASSERT_EQ(all.size(), 7u);
  const std::vector<size_t> ends = {4, 8, 12, 16, 20, 25, 28};
  for (size_t count = 0; count < ends.size(); ++count) {
    const Bytes some(notes.begin(), notes.begin() + static_cast<ptrdiff_t>(ends[count]));
    for (const Bytes& tail : {Bytes{}, kEnd, Hex("00 ff06080102030405060708") + kEnd}) {
      std::vector<std::string> read = ReadAt100(some + tail).events;
      read.resize(std::min(read.size(), count + 1));
      EXPECT_EQ(read, std::vector<std::string>(all.begin(), all.begin() + static_cast<ptrdiff_t>(count + 1)));
    }
  }
}

}  // namespace
}  // namespace continuo
