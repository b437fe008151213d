#include "continuo/midi/midi_document.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "continuo/midi/midi_bytes_testing.h"
#include "continuo/midi/random_midi_testing.h"

namespace continuo {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

struct Read {
  MidiDocument document;
  std::vector<std::string> warnings;
  std::string error;
};

Read ReadDocument(const Bytes& file) {
  Defects defects("song.mid");
  Read read;
  Result<MidiDocument> document = ReadMidiDocument(file, defects);
  if (document.ok()) {
    read.document = *std::move(document);
  } else {
    read.error = document.error().ToString();
  }
  read.warnings = defects.TakeMessages();
  return read;
}

std::vector<std::string> Events(const MidiDocument& document, size_t track = 0) {
  std::vector<std::string> lines;
  for (const MidiEvent& event : document.tracks.at(track).events) {
    lines.push_back(Describe(document, event));
  }
  return lines;
}

const Bytes kEveryKind =
    Hex("00 903c40  10 3c00  00 803c22  00 a03c40  00 b10740  00 c205  00 06  00 d040  00 e30040"
        "00 f0037f01f7  05 f7024142  00 ff0103e9ff80  00 ff7f00  8100 ff6a0101");

TEST(MidiDocument, KeepsEveryEventWithItsBytes) {
  const Read read = ReadDocument(FileOf({kEveryKind}));
  EXPECT_THAT(read.warnings, IsEmpty());
  EXPECT_THAT(Events(read.document),
              ElementsAre("0 90 3c 40", "16 90 3c 00", "16 80 3c 22", "16 a0 3c 40", "16 b1 07 40", "16 c2 05",
                          "16 c2 06", "16 d0 40", "16 e3 00 40", "16 f0 [7f 01 f7]", "21 f7 [41 42]",
                          "21 ff 01 [e9 ff 80]", "21 ff 7f []", "149 ff 6a [01]"));
  EXPECT_EQ(read.document.tracks[0].end, 149u);
}

TEST(MidiDocument, WritesAFileBackByteForByte) {
  const Bytes chunk = Chunk("XFIH", 4, Hex("01020304"));
  const Bytes late_end = Chunk("MTrk", 9, Hex("00 903c40 8360 ff2f00"));
  const std::vector<Bytes> files = {
      FileOf({kEveryKind, {}, Hex("00 903c40 10 3c00")}),
      Header(0, 1, 96) + TrackOf(kEveryKind),
      Header(2, 2, 0xE728) + TrackOf(kEveryKind) + late_end,  // 25 frames a second, 40 ticks a frame
      Text("MThd") + Big32(8) + Big16(1) + Big16(1) + Big16(480) + Hex("abcd") + chunk + late_end + chunk,
  };
  for (const Bytes& file : files) {
    const Read read = ReadDocument(file);
    EXPECT_EQ(read.warnings.size(), read.document.format == 2 ? 1U : 0U);  // read as tracks that sound together
    EXPECT_EQ(SerializeMidiDocument(read.document), file);
  }
}

TEST(MidiDocument, WritesARiffWrapperBackByteForByte) {
  const Bytes midi = FileOf({Hex("00 903c40 10 3c00"), Hex("00 c005")});
  const Bytes info = Text("LIST") + Hex("04000000") + Text("INFO");
  const auto little = [](size_t value) {
    return Bytes{static_cast<uint8_t>(value), static_cast<uint8_t>(value >> 8), 0, 0};
  };
  for (const Bytes& data : {midi, FileOf({Hex("00 c005")})}) {
    Bytes inside = Text("RMID") + info + Text("data") + little(data.size()) + data;
    if (data.size() % 2 != 0) {
      inside.push_back(0);
    }
    inside = inside + info;
    const Bytes file = Text("RIFF") + little(inside.size()) + inside;
    const Read read = ReadDocument(file);
    EXPECT_THAT(read.warnings, IsEmpty());
    EXPECT_TRUE(read.document.in_riff);
    EXPECT_EQ(SerializeMidiDocument(read.document), file);
  }
}

TEST(MidiDocument, ReportsWhatItRepairsAndDrops) {
  // A pitch above 127, a velocity above 127, a system message, and no end of track.
  const Bytes events = Hex("00 90ff40  00 903cff  00 f8  10 803c00");
  const Read read = ReadDocument(Header(1, 1) + Chunk("MTrk", static_cast<uint32_t>(events.size()), events));
  EXPECT_THAT(Events(read.document), ElementsAre("0 90 3c 7f", "16 80 3c 00"));
  EXPECT_EQ(read.document.tracks[0].end, 16u);
  EXPECT_THAT(read.warnings,
              ElementsAre(HasSubstr("byte 24: data byte ff"), HasSubstr("byte 29: data byte ff"),
                          HasSubstr("byte 31: system message f8"), HasSubstr("byte 36: the track ends without")));
  EXPECT_THAT(ReadDocument(SerializeMidiDocument(read.document)).warnings, IsEmpty());
}

TEST(MidiDocument, WritesTheStatusWhereRunningStatusIsNotAllowed) {
  const Read read = ReadDocument(FileOf({Hex("00 903c40  00 ff0100  10 3c00")}));
  EXPECT_EQ(SerializeMidiDocument(read.document), FileOf({Hex("00 903c40  00 ff0100  10 903c00")}));
}

TEST(MidiDocument, BridgesGapsThatNoDeltaTimeHolds) {
  MidiDocument document;
  document.tracks.resize(1);
  document.tracks[0].events = {NewMessage(0x10000000, kNoteOn, 60, 1)};
  document.tracks[0].end = kLastTick;
  const Read read = ReadDocument(SerializeMidiDocument(document));
  EXPECT_THAT(read.warnings, Each(HasSubstr("a delta time of 268435455 ticks")));
  EXPECT_EQ(Events(read.document)[1], "268435456 90 3c 01");
  EXPECT_EQ(read.document.tracks[0].end, kLastTick);
}

TEST(MidiDocument, FailsWithoutAHeader) {
  EXPECT_THAT(ReadDocument(Text("hello")).error, HasSubstr("song.mid: byte 0"));
}

TEST(MidiDocument, KnowsItsTimeBase) {
  EXPECT_EQ(ReadDocument(Header(1, 1, 96) + TrackOf({})).document.ticks_per_quarter(), 96);
  const MidiDocument smpte = ReadDocument(Header(1, 1, 0xE250) + TrackOf({})).document;  // 30 frames, 80 ticks
  EXPECT_TRUE(smpte.is_smpte());
  EXPECT_EQ(smpte.ticks_per_quarter(), 2400);
}

TEST(MidiDocument, ComesBackFromItsFile) {
  for (uint64_t seed = 0; seed < 2000; ++seed) {
    Rng rng(seed, 0);
    const MidiDocument document = RandomMidi(rng);
    const Bytes file = SerializeMidiDocument(document);
    const Read read = ReadDocument(file);
    if (document.format != 2) {  // whose pieces are reported
      ASSERT_THAT(read.warnings, IsEmpty()) << seed;
    }
    ASSERT_TRUE(SameMusic(read.document, document)) << seed;
    ASSERT_EQ(SerializeMidiDocument(read.document), file) << seed;
  }
}

}  // namespace
}  // namespace continuo
