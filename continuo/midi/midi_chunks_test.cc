#include "continuo/midi/midi_chunks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>

#include "continuo/midi/midi_bytes_testing.h"

namespace continuo {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const Bytes kNote = Hex("00 903c40 10 803c00");

struct Found {
  MidiChunks chunks;
  std::vector<std::string> warnings;
  std::string error;

  std::vector<size_t> offsets() const {
    std::vector<size_t> all;
    for (const MidiTrackChunk& track : chunks.tracks) {
      all.push_back(track.offset);
    }
    return all;
  }
  std::vector<size_t> sizes() const {
    std::vector<size_t> all;
    for (const MidiTrackChunk& track : chunks.tracks) {
      all.push_back(track.events.size());
    }
    return all;
  }
};

Found Find(const Bytes& file) {
  Defects defects("song.mid");
  Found found;
  auto chunks = FindMidiChunks(file, defects);
  if (chunks.ok()) {
    found.chunks = *chunks;
    for (MidiTrackChunk& track : found.chunks.tracks) {
      EXPECT_GE(track.events.data(), file.data());
      EXPECT_LE(track.offset + track.events.size() + track.spare, file.size());
      track.events = {static_cast<const uint8_t*>(nullptr), track.events.size()};  // the file goes
    }
  } else {
    found.error = chunks.error().ToString();
  }
  found.warnings = defects.TakeMessages();
  return found;
}

TEST(MidiChunks, FindsTheTracksOfAFlawlessFile) {
  const Found found = Find(Header(1, 2, 96) + TrackOf(kNote) + TrackOf({}));
  EXPECT_EQ(found.error, "");
  EXPECT_THAT(found.warnings, IsEmpty());
  EXPECT_EQ(found.chunks.format, 1);
  EXPECT_EQ(found.chunks.ticks_per_quarter, 96);
  EXPECT_EQ(found.chunks.smpte_us_per_quarter, 0);
  EXPECT_THAT(found.offsets(), ElementsAre(22, 42));
  EXPECT_THAT(found.sizes(), ElementsAre(12, 4));
}

TEST(MidiChunks, ReportsIndependentPiecesThatAreReadAsOne) {
  const Found found = Find(Header(2, 2) + TrackOf(kNote) + TrackOf(kNote));
  EXPECT_EQ(found.chunks.tracks.size(), 2U);
  EXPECT_THAT(found.warnings,
              ElementsAre("song.mid: byte 8: format 2: 2 pieces on their own, read as tracks that sound together"));
  EXPECT_THAT(Find(Header(2, 1) + TrackOf(kNote)).warnings, IsEmpty());
}

TEST(MidiChunks, NamesTheByteOfWhatIsNoMidi) {
  EXPECT_EQ(Find({}).error, "song.mid: byte 0: the file is empty, where a MIDI header (\"MThd\") was expected");
  EXPECT_EQ(Find(Text("<html>")).error, "song.mid: byte 0: \"<htm\", where a MIDI header (\"MThd\") was expected");
  EXPECT_EQ(Find(Hex("00 01")).error, "song.mid: byte 0: 00 01, where a MIDI header (\"MThd\") was expected");
  EXPECT_EQ(Find(Text("MTh")).error, "song.mid: byte 0: \"MTh\", where a MIDI header (\"MThd\") was expected");
  EXPECT_EQ(Find(Text("MThd") + Hex("000000")).error,
            "song.mid: byte 7: the file ends in its header, which takes 14 bytes");
  EXPECT_EQ(Find(Header(1, 3)).error,
            "song.mid: byte 14: the file ends, where its first track (\"MTrk\") was expected");
  EXPECT_EQ(Find(Header(1, 1, 0) + TrackOf({})).error,
            "song.mid: byte 12: 0 ticks in a quarter note, where 1 to 32767 were expected");
  EXPECT_THAT(Find(Text("RIFF") + Big32(4) + Text("WAVE")).error,
              HasSubstr("byte 8: a RIFF file, but of the form \"WAVE\", where \"RMID\" was expected"));
  EXPECT_THAT(Find(Text("RIFF") + Big32(4) + Text("RMID")).error, HasSubstr("byte 12: the RIFF file ends"));
  EXPECT_THAT(Find(Text("RIFF")).error, HasSubstr("byte 8"));
}

TEST(MidiChunks, EveryTruncationIsAnErrorOrAWarning) {
  const Bytes file = Header(1, 2) + TrackOf(kNote) + TrackOf(kNote);
  EXPECT_THAT(Find(file).warnings, IsEmpty());
  for (size_t size = 0; size < file.size(); ++size) {
    const Found found = Find(Bytes(file.begin(), file.begin() + static_cast<ptrdiff_t>(size)));
    EXPECT_TRUE(!found.error.empty() || !found.warnings.empty()) << size << " bytes pass as whole";
  }
}

TEST(MidiChunks, CountsFramesOfFilmAsSeconds) {
  struct Case {
    uint32_t division;
    int32_t ticks;
    int32_t us;
  };
  for (const Case& c :
       {Case{0xE728, 1000, 1000000}, {0xE804, 96, 1000000}, {0xE350, 2400, 1001000}, {0xE2FF, 7650, 1000000}}) {
    const Found found = Find(Header(1, 1, c.division) + TrackOf({}));
    EXPECT_EQ(found.error, "");
    EXPECT_EQ(found.chunks.ticks_per_quarter, c.ticks);
    EXPECT_EQ(found.chunks.smpte_us_per_quarter, c.us);
  }
  EXPECT_THAT(Find(Header(1, 1, 0x8028) + TrackOf({})).error, HasSubstr("byte 12: 128 frames a second"));
  EXPECT_THAT(Find(Header(1, 1, 0xE700) + TrackOf({})).error, HasSubstr("byte 13: 0 ticks in a frame"));
}

TEST(MidiChunks, ReadsARiffWrapperWithByteOffsetsOfTheWholeFile) {
  const Bytes midi = Header(0, 1) + TrackOf(kNote);
  const auto length = static_cast<uint8_t>(midi.size());
  const Bytes data = Text("data") + Bytes{length, 0, 0, 0} + midi;
  const Bytes disp = Text("DISP") + Hex("03 000000 616263 00");  // 3 bytes and one that fills up
  const Found found = Find(Text("RIFF") + Big32(0) + Text("RMID") + disp + data + Text("LIST") + Big32(0));
  EXPECT_EQ(found.error, "");
  EXPECT_THAT(found.warnings, IsEmpty());
  EXPECT_THAT(found.offsets(), ElementsAre(12 + 12 + 8 + 22));
}

TEST(MidiChunks, SkipsChunksOfOtherKindsAndALongerHeader) {
  Bytes file = Header(1, 1);
  file[7] = 8;
  const Found found = Find(file + Hex("aabb") + Chunk("XFIH", 2, Hex("0102")) + TrackOf(kNote));
  EXPECT_THAT(found.warnings, IsEmpty());
  EXPECT_THAT(found.offsets(), ElementsAre(14 + 2 + 10 + 8));
}

TEST(MidiChunks, FindsTheNextTrackWhereALengthIsWrong) {
  const Bytes body = kNote + kEnd;  // 12 bytes
  for (const uint32_t length : {0u, 3u, 13u, 30u, 0xFFFFFFFFu}) {
    const Found found = Find(Header(1, 2) + Chunk("MTrk", length, body) + TrackOf({}));
    EXPECT_THAT(found.offsets(), ElementsAre(22, 42)) << "length " << length;
    ASSERT_EQ(found.warnings.size(), 1u) << "length " << length;
    EXPECT_THAT(found.warnings[0], HasSubstr("song.mid: byte 18: a track claims"));
    const MidiTrackChunk& first = found.chunks.tracks[0];
    EXPECT_EQ(first.events.size() + first.spare, 12u) << "length " << length;
  }
}

TEST(MidiChunks, SkipsWhatIsNoChunkBetweenTracks) {
  const Found found = Find(Header(1, 2) + Hex("0000") + TrackOf(kNote) + TrackOf({}));
  EXPECT_THAT(found.warnings,
              ElementsAre(HasSubstr("byte 14: 00 00 4d 54, where a chunk was expected; 2 bytes skipped")));
  EXPECT_THAT(found.offsets(), ElementsAre(24, 44));
}

TEST(MidiChunks, BelievesTheTracksRatherThanTheirCount) {
  EXPECT_THAT(Find(Header(1, 0xFFFF) + TrackOf(kNote)).warnings,
              ElementsAre("song.mid: byte 10: 65535 tracks claimed, 1 found"));
  EXPECT_THAT(Find(Header(1, 1) + TrackOf(kNote) + TrackOf({})).warnings,
              ElementsAre("song.mid: byte 34: 12 bytes after the last track; ignored"));
  const Found none = Find(Header(1, 0) + TrackOf(kNote) + TrackOf({}));
  EXPECT_THAT(none.offsets(), ElementsAre(22, 42));
  EXPECT_EQ(none.warnings.size(), 1u);
  EXPECT_THAT(Find(Header(1, 0)).warnings, IsEmpty());
  EXPECT_THAT(Find(Header(0, 2) + TrackOf(kNote) + TrackOf({})).warnings,
              ElementsAre(HasSubstr("2 tracks claimed in a file of format 0")));
  EXPECT_THAT(Find(Header(7, 1) + TrackOf(kNote)).warnings, ElementsAre(HasSubstr("byte 8: format 7")));
}

TEST(MidiChunks, TakesLinearTimeOnManyChunksAndWrongLengths) {
  Bytes file = Header(1, 0xFFFF);
  const Bytes wrong = Chunk("MTrk", 0x7FFFFFFF, Hex("00"));
  for (int i = 0; i < 65535; ++i) {
    file.insert(file.end(), wrong.begin(), wrong.end());
  }
  for (int i = 0; i < 20'000'000; i += 8) {
    file.insert(file.end(), {'J', 'U', 'N', 'K', 0, 0, 0, 0});
  }
  Defects defects("song.mid");
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(FindMidiChunks(file, defects)->tracks.size(), 65535u);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(2));
  EXPECT_EQ(defects.TakeMessages().size(), Defects::kKept + 1);
}

}  // namespace
}  // namespace continuo
