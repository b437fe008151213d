#include "continuo/midi/midi_writer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "continuo/midi/midi_bytes_testing.h"
#include "continuo/midi/midi_format.h"

namespace continuo {
namespace {

using ::testing::ElementsAreArray;

TEST(MidiWriter, WritesTheBytesOfTheSpecification) {
  MidiWriter writer(96);
  writer.BeginTrack();
  writer.Message(0, kNoteOn | 2, 60, 64);
  writer.Message(128, kNoteOff | 2, 60, 0);
  writer.Message(128, kProgramChange, 5);
  writer.Text(128, kMetaMarker, "A");
  writer.EndTrack(130);
  writer.BeginTrack();
  writer.EndTrack(0);
  EXPECT_THAT(std::move(writer).Finish(),
              ElementsAreArray(Header(1, 2, 96) +
                               Chunk("MTrk", 21, Hex("00 923c40  8100 823c00  00 c005  00 ff060141  02 ff2f00")) +
                               TrackOf({})));
}

TEST(MidiWriter, WritesQuantitiesOfOneToFourBytes) {
  MidiWriter writer(1);
  writer.BeginTrack();
  uint32_t time = 0;
  for (const uint32_t delta : {0x7Fu, 0x80u, 0x3FFFu, 0x4000u, 0x1FFFFFu, 0x200000u, 0xFFFFFFFu}) {
    time += delta;
    writer.Message(time, kProgramChange, 0);
  }
  writer.EndTrack(time);
  EXPECT_THAT(std::move(writer).Finish(),
              ElementsAreArray(Header(1, 1, 1) + TrackOf(Hex("7f c000  8100 c000  ff7f c000  818000 c000  ffff7f c000"
                                                             "81808000 c000  ffffff7f c000"))));
}

TEST(MidiWriter, BridgesTheLongestTimeWithEmptyTexts) {
  MidiWriter writer(1);
  writer.BeginTrack();
  writer.Message(kLastTick, kProgramChange, 0);
  writer.EndTrack(kLastTick);
  Bytes bridges;
  for (int i = 0; i < 8; ++i) {
    bridges = bridges + Hex("ffffff7f ff0100");
  }
  EXPECT_THAT(std::move(writer).Finish(), ElementsAreArray(Header(1, 1, 1) + TrackOf(bridges + Hex("07 c000"))));
}

TEST(MidiWriter, MakesTextUtf8) {
  MidiWriter writer(1);
  writer.BeginTrack();
  writer.Text(0, kMetaTrackName, "\xE9");
  writer.EndTrack(0);
  EXPECT_THAT(std::move(writer).Finish(), ElementsAreArray(Header(1, 1, 1) + TrackOf(Hex("00 ff0303 efbfbd"))));
}

}  // namespace
}  // namespace continuo
