#include "continuo/midi/note_pairs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "continuo/midi/midi_bytes_testing.h"
#include "continuo/midi/random_midi_testing.h"

namespace continuo {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

MidiDocument Document(std::initializer_list<Bytes> tracks) {
  Defects defects("song.mid");
  return ReadMidiDocument(FileOf(tracks), defects).value();
}

/// "track: channel pitch begin-end" of each note.
std::vector<std::string> Notes(const MidiDocument& document) {
  std::vector<std::string> lines;
  for (const MidiNote& note : PairNotes(document)) {
    lines.push_back(fmt::format("{}: {} {} {}-{}", note.track, note.channel, note.pitch, note.begin, note.end));
  }
  return lines;
}

TEST(PairNotes, EndsTheOldestNoteFirst) {
  EXPECT_THAT(Notes(Document({Hex("00 903c40 10 3c40 10 3c00 10 3c00")})),
              ElementsAre("0: 0 60 0-32", "0: 0 60 16-48"));
}

TEST(PairNotes, KeepsTracksAndChannelsApart) {
  EXPECT_THAT(Notes(Document({Hex("00 903c40 10 913c40 10 803c00 10 813c00"), Hex("05 903c40 01 803c00")})),
              ElementsAre("0: 0 60 0-32", "0: 1 60 16-48", "1: 0 60 5-6"));
}

TEST(PairNotes, KeepsANoteWithoutAnEndUntilTheTrackEnds) {
  EXPECT_THAT(Notes(Document({Hex("00 903c40 8100 c000")})), ElementsAre("0: 0 60 0-128"));
}

TEST(PairNotes, EndsNotesWithTheControllersThatSilenceThem) {
  for (const char* controller : {"b07800", "b07b00", "b07e00"}) {
    EXPECT_THAT(Notes(Document({Hex("00 903c40 00 913c40 10") + Hex(controller) + Hex("10 b07b00 10 c000")})),
                ElementsAre("0: 0 60 0-16", "0: 1 60 0-48"));
  }
}

TEST(PairNotes, TakesANoteOffAfterTheControllerForTheEnd) {
  EXPECT_THAT(Notes(Document({Hex("00 903c40 10 b07b00 10 803c00")})), ElementsAre("0: 0 60 0-32"));
}

TEST(PairNotes, DoesNotLeaveTheEndOfALaterNoteToASilencedOne) {
  EXPECT_THAT(Notes(Document({Hex("00 903c40 10 b07b00 10 903c40 10 3c00 10 b07b00")})),
              ElementsAre("0: 0 60 0-16", "0: 0 60 32-48"));
}

TEST(PairNotes, EndsNotesInTheOrderOfTheirBeginnings) {
  EXPECT_THAT(Notes(Document({Hex("00 903c40 08 903c40 08 b07b00 10 803c00")})),
              ElementsAre("0: 0 60 0-16", "0: 0 60 8-32"));
}

TEST(PairNotes, TakesTimeLinearInTheNotes) {
  Bytes events;
  for (int i = 0; i < 300000; ++i) {
    for (const uint8_t byte : {0x00, 0x90, 0x3c, 0x40}) {
      events.push_back(byte);
    }
  }
  MidiDocument document = Document({events});
  EXPECT_EQ(EndOpenNotes(document).by_end_of_track, 300000u);
}

TEST(OrphanNoteOffs, AreThoseThatEndNoNote) {
  const MidiDocument document = Document({Hex("00 803c00 00 903c40 10 3c00 00 3c00")});
  EXPECT_THAT(OrphanNoteOffs(document, PairNotes(document)), ElementsAre(ElementsAre(0u, 3u)));
}

TEST(EndOpenNotes, WritesTheEnds) {
  MidiDocument document = Document({Hex("00 903c40 10 913d40 10 b07b00 10 c000"), Hex("00 903c40 10 803c00")});
  const std::vector<std::string> before = Notes(document);
  const EndedNotes ended = EndOpenNotes(document);
  EXPECT_EQ(ended.by_controller, 1u);
  EXPECT_EQ(ended.by_end_of_track, 1u);
  std::vector<std::string> events;
  for (const MidiEvent& event : document.tracks[0].events) {
    events.push_back(Describe(document, event));
  }
  EXPECT_THAT(events,
              ElementsAre("0 90 3c 40", "16 91 3d 40", "32 80 3c 00", "32 b0 7b 00", "48 c0 00", "48 81 3d 00"));
  EXPECT_EQ(Notes(document), before);
  EXPECT_EQ(EndOpenNotes(document).total(), 0u);
}

TEST(EndOpenNotes, LeavesTheNotesOfRandomFilesAsTheyWere) {
  for (uint64_t seed = 0; seed < 300; ++seed) {
    Rng rng(seed, 0);
    MidiDocument document = RandomMidi(rng);
    const std::vector<std::string> before = Notes(document);
    EndOpenNotes(document);
    ASSERT_EQ(Notes(document), before) << seed;
    for (const MidiNote& note : PairNotes(document)) {
      ASSERT_EQ(note.ended_by, MidiNote::End::kNoteOff) << seed;
    }
  }
}

}  // namespace
}  // namespace continuo
