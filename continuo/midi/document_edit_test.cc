#include "continuo/midi/document_edit.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <set>
#include <tuple>

#include "continuo/midi/midi_bytes_testing.h"
#include "continuo/midi/random_midi_testing.h"

namespace continuo {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAreArray;

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

const NoteFilter kAll = [](const MidiNote&) { return true; };

TEST(InsertEvents, PutsEventsOfOnePlaceInTheOrderOfTimeThenAsGiven) {
  MidiDocument document = Document({Hex("00 c001 10 c002")});
  InsertEvents(document, {{0, 1, NewMessage(8, 0xC0, 4)},
                          {0, 1, NewMessage(4, 0xC0, 3)},
                          {0, 1, NewMessage(8, 0xC0, 5)},
                          {0, 2, NewMessage(20, 0xC0, 6)}});
  EXPECT_THAT(Events(document), ElementsAre("0 c0 01", "4 c0 03", "8 c0 04", "8 c0 05", "16 c0 02", "20 c0 06"));
  EXPECT_EQ(document.tracks[0].end, 20u);
}

TEST(KeepBefore, KeepsTheEndsOfNotesThatSoundAcross) {
  MidiDocument document =
      Document({Hex("00 903c40 10 b04001 10 803c00 00 903c40 10 803c00 10 c000"), Hex("8100 ff0100")});
  KeepBefore(document, 16);
  EXPECT_THAT(Events(document), ElementsAre("0 90 3c 40", "32 80 3c 00"));
  EXPECT_EQ(document.tracks[0].end, 32u);
  EXPECT_THAT(Events(document, 1), IsEmpty());
  EXPECT_EQ(document.tracks[1].end, 16u);
}

TEST(KeepBefore, DropsANoteOffAtTheLineThatEndsNothingBeforeIt) {
  MidiDocument document = Document({Hex("00 c000 10 803c00 00 903c40 00 803c00")});
  KeepBefore(document, 16);
  EXPECT_THAT(Events(document), ElementsAre("0 c0 00"));
}

TEST(RemoveNotes, RemovesNotesThatBeginInTheRangeWithTheirEnds) {
  MidiDocument document = Document({Hex("00 903c40 10 903d40 01 b04001 01 803c00 00 803d00 00 903e40 20 803e00")});
  EXPECT_EQ(RemoveNotes(document, 16, 18, kAll), 1u);
  EXPECT_THAT(Events(document), ElementsAre("0 90 3c 40", "17 b0 40 01", "18 80 3c 00", "18 90 3e 40", "50 80 3e 00"));
}

TEST(RemoveNotes, RemovesTheEndThatBelongsToTheNote) {
  // Two notes of one pitch; the second is removed, and with it the second note-off.
  MidiDocument document = Document({Hex("00 903c40 10 3c41 10 3c00 10 803c21")});
  RemoveNotes(document, 16, 17, kAll);
  EXPECT_THAT(Events(document), ElementsAre("0 90 3c 40", "32 90 3c 00"));
}

TEST(RemoveNotes, LeavesNoteOffsThatEndNothing) {
  MidiDocument document = Document({Hex("08 803c00 08 803c00 08 803c00")});
  EXPECT_EQ(RemoveNotes(document, 16, 24, kAll), 0u);
  EXPECT_THAT(Events(document), ElementsAre("8 80 3c 00", "16 80 3c 00", "24 80 3c 00"));
}

TEST(RemoveNotes, LeavesWhatIsNotSelected) {
  MidiDocument document = Document({Hex("00 903c40 00 993c40 10 803c00 00 893c00")});
  RemoveNotes(document, 0, 100, [](const MidiNote& note) { return note.channel != kDrumChannel; });
  EXPECT_THAT(Events(document), ElementsAre("0 99 3c 40", "16 89 3c 00"));
}

NewMidiNote Note(uint32_t begin, uint32_t end, uint8_t pitch = 60, uint32_t track = 0, uint8_t channel = 0) {
  return {track, begin, end, channel, pitch, 80};
}

TEST(FitNotes, EndsANoteWhereItsPitchIsStruckAgain) {
  const FittedNotes fitted = FitNotes(Document({{}}), {Note(0, 20), Note(10, 30), Note(5, 40, 61)});
  EXPECT_THAT(fitted.notes, ElementsAre(Note(0, 10), Note(5, 40, 61), Note(10, 30)));
  EXPECT_EQ(fitted.shortened, 1u);
  EXPECT_EQ(fitted.dropped, 0u);
}

TEST(FitNotes, StrikesAPitchOnceAtATime) {
  const FittedNotes fitted = FitNotes(Document({{}}), {Note(0, 20), Note(0, 30)});
  EXPECT_THAT(fitted.notes, ElementsAre(Note(0, 20)));
  EXPECT_EQ(fitted.dropped, 1u);
}

TEST(FitNotes, LeavesAPitchToTheNoteThatHoldsIt) {
  // 60 sounds from 0 to 32; a short one of 61 before does not hide that.
  const MidiDocument document = Document({Hex("00 903c40 20 803c00")});
  const FittedNotes fitted =
      FitNotes(document, {Note(0, 8), Note(16, 40), Note(31, 33), Note(32, 40), Note(16, 40, 61)});
  EXPECT_THAT(fitted.notes, ElementsAre(Note(16, 40, 61), Note(32, 40)));
  EXPECT_EQ(fitted.dropped, 3u);
}

TEST(FitNotes, SeesALongNoteThatBeganBeforeShortOnes) {
  const MidiDocument document = Document({Hex("00 903c40 08 803c00"), Hex("00 903c40 40 803c00")});
  EXPECT_THAT(FitNotes(document, {Note(16, 20)}).notes, IsEmpty());
}

TEST(FitNotes, EndsBeforeTheNextNoteOfThePitch) {
  const MidiDocument document = Document({Hex("20 903c40 20 803c00")});
  EXPECT_THAT(FitNotes(document, {Note(0, 100)}).notes, ElementsAre(Note(0, 32)));
  EXPECT_THAT(FitNotes(document, {Note(0, 100, 60, 0, 1)}).notes, ElementsAre(Note(0, 100, 60, 0, 1)));
}

TEST(FitNotes, EndsWhereAControllerSilencesTheChannel) {
  const MidiDocument document = Document({Hex("20 b07b00")});
  EXPECT_THAT(FitNotes(document, {Note(0, 100), Note(0, 100, 61, 0, 1)}).notes,
              ElementsAre(Note(0, 32), Note(0, 100, 61, 0, 1)));
}

TEST(FitNotes, EndsAtANoteOffThatEndsNothingElse) {
  const MidiDocument document = Document({Hex("20 803c00")});
  EXPECT_THAT(FitNotes(document, {Note(0, 100), Note(40, 100)}).notes, ElementsAre(Note(0, 32), Note(40, 100)));
}

TEST(InsertNotes, PutsEndsBeforeAndBeginningsAfterTheEventsOfATick) {
  MidiDocument document = Document({Hex("10 c001 10 c002")});
  InsertNotes(document, {Note(16, 32), Note(32, 40)});
  EXPECT_THAT(Events(document),
              ElementsAre("16 c0 01", "16 90 3c 50", "32 80 3c 00", "32 c0 02", "32 90 3c 50", "40 80 3c 00"));
  EXPECT_EQ(document.tracks[0].end, 40u);
}

// Begin, end, channel, pitch, velocity.
using PlainNote = std::tuple<uint32_t, uint32_t, int, int, int>;

/// A reader that pairs note-offs first in, first out, in each track (`merged` false) or in all
/// tracks as one stream.
std::multiset<PlainNote> ReadFirstInFirstOut(const MidiDocument& document, bool merged) {
  std::vector<std::tuple<uint32_t, size_t, MidiEvent>> stream;
  for (size_t i = 0; i < document.tracks.size(); ++i) {
    for (const MidiEvent& event : document.tracks[i].events) {
      stream.emplace_back(event.time, i, event);
    }
  }
  std::stable_sort(stream.begin(), stream.end(),
                   [](const auto& a, const auto& b) { return std::get<0>(a) < std::get<0>(b); });
  std::map<std::tuple<size_t, int, int>, std::deque<std::pair<uint32_t, int>>> sounding;
  std::multiset<PlainNote> notes;
  for (const auto& [time, track, event] : stream) {
    if (!event.is_note_on() && !event.is_note_off()) {
      continue;
    }
    auto& queue = sounding[{merged ? 0 : track, event.channel(), event.data1}];
    if (event.is_note_on()) {
      queue.emplace_back(time, event.data2);
    } else if (!queue.empty()) {
      notes.emplace(queue.front().first, time, event.channel(), event.data1, queue.front().second);
      queue.pop_front();
    }
  }
  return notes;
}

std::multiset<PlainNote> Plain(const std::vector<NewMidiNote>& notes) {
  std::multiset<PlainNote> plain;
  for (const NewMidiNote& note : notes) {
    plain.emplace(note.begin, note.end, note.channel, note.pitch, note.velocity);
  }
  return plain;
}

std::multiset<PlainNote> Plus(std::multiset<PlainNote> a, const std::multiset<PlainNote>& b) {
  a.insert(b.begin(), b.end());
  return a;
}

std::vector<NewMidiNote> RandomNotes(Rng& rng, const MidiDocument& document, uint32_t begin, uint32_t end) {
  std::vector<NewMidiNote> notes;
  const uint64_t count = rng.NextBelow(80);
  for (uint64_t i = 0; i < count; ++i) {
    const auto time = begin + static_cast<uint32_t>(rng.NextBelow(end - begin));
    const auto last = time + 1 + static_cast<uint32_t>(rng.NextBelow(end - time));
    notes.push_back({static_cast<uint32_t>(rng.NextBelow(document.tracks.size())), time, last,
                     static_cast<uint8_t>(rng.NextBelow(4)), static_cast<uint8_t>(48 + rng.NextBelow(24)),
                     static_cast<uint8_t>(1 + rng.NextBelow(127))});
  }
  return notes;
}

void ExpectNoPitchTwice(const std::vector<NewMidiNote>& notes) {
  std::map<std::pair<int, int>, uint32_t> sounding;
  for (const NewMidiNote& note : notes) {
    uint32_t& until = sounding[{note.channel, note.pitch}];
    ASSERT_GE(note.begin, until);
    ASSERT_GT(note.end, note.begin);
    until = note.end;
  }
}

/// Checks that `edited` has the events of `document` that `kept` accepts, in their tracks and
/// order, and otherwise only note-ons and note-offs.
template <typename Kept>
void ExpectKept(const MidiDocument& document, const MidiDocument& edited, uint64_t seed, const Kept& kept) {
  ASSERT_EQ(document.tracks.size(), edited.tracks.size());
  for (uint32_t i = 0; i < document.tracks.size(); ++i) {
    const std::vector<MidiEvent>& after = edited.tracks[i].events;
    size_t at = 0;
    for (uint32_t j = 0; j < document.tracks[i].events.size(); ++j) {
      if (!kept(i, j)) {
        continue;
      }
      const MidiEvent& event = document.tracks[i].events[j];
      for (; at < after.size() && !SameEvent(document, event, edited, after[at]); ++at) {
        ASSERT_TRUE(after[at].is_note_on() || after[at].is_note_off()) << seed << ": " << Describe(edited, after[at]);
      }
      ASSERT_LT(at, after.size()) << seed << ": lost " << Describe(document, event);
      ++at;
    }
  }
}

TEST(RandomEdits, RewritingARangeLeavesEverythingElse) {
  for (uint64_t seed = 0; seed < 2000; ++seed) {
    Rng rng(seed, 1);
    MidiDocument document = RandomMidi(rng);
    EndOpenNotes(document);
    const uint32_t length = document.end() + 1;
    const auto begin = static_cast<uint32_t>(rng.NextBelow(length));
    const uint32_t end = begin + 1 + static_cast<uint32_t>(rng.NextBelow(length - begin));
    const auto chosen = static_cast<uint32_t>(rng.NextBelow(1u << kMidiChannels));
    const NoteFilter selected = [&](const MidiNote& note) {
      return (chosen >> ((note.track + note.channel) % kMidiChannels) & 1) != 0;
    };
    MidiDocument edited = document;
    RemoveNotes(edited, begin, end, selected);
    const MidiDocument without = edited;
    const FittedNotes fitted = FitNotes(edited, RandomNotes(rng, edited, begin, end));
    InsertNotes(edited, fitted.notes);

    ExpectNoPitchTwice(fitted.notes);
    // The note-offs of notes that begin in the range may go with them.
    std::vector<std::set<uint32_t>> gone(document.tracks.size());
    const std::vector<MidiNote> notes = PairNotes(document);
    for (const MidiNote& note : notes) {
      if (note.begin >= begin && note.begin < end && selected(note)) {
        gone[note.track].insert({note.on, note.off});
      }
    }
    ASSERT_NO_FATAL_FAILURE(
        ExpectKept(document, edited, seed, [&](uint32_t i, uint32_t j) { return !gone[i].contains(j); }));
    // Both readers find the notes that were there, and the new ones as counted.
    for (const bool merged : {false, true}) {
      ASSERT_EQ(ReadFirstInFirstOut(edited, merged), Plus(ReadFirstInFirstOut(without, merged), Plain(fitted.notes)))
          << seed << " " << merged;
    }
  }
}

TEST(RandomEdits, ContinuingLeavesEverythingBeforeTheLine) {
  for (uint64_t seed = 0; seed < 2000; ++seed) {
    Rng rng(seed, 2);
    MidiDocument document = RandomMidi(rng);
    EndOpenNotes(document);
    const auto line = static_cast<uint32_t>(rng.NextBelow(document.end() + 1));
    MidiDocument edited = document;
    KeepBefore(edited, line);
    const MidiDocument kept = edited;
    const FittedNotes fitted = FitNotes(edited, RandomNotes(rng, edited, line, line + 4 * edited.division));
    InsertNotes(edited, fitted.notes);

    std::vector<std::set<uint32_t>> ends(document.tracks.size());
    size_t notes = 0;
    for (const MidiNote& note : PairNotes(document)) {
      if (note.begin < line) {
        ends[note.track].insert(note.off);
        ++notes;
      }
    }
    ASSERT_NO_FATAL_FAILURE(ExpectKept(document, edited, seed, [&](uint32_t i, uint32_t j) {
      return document.tracks[i].events[j].time < line || ends[i].contains(j);
    }));
    ASSERT_EQ(PairNotes(edited).size(), notes + fitted.notes.size()) << seed;
    for (const bool merged : {false, true}) {
      ASSERT_EQ(ReadFirstInFirstOut(edited, merged), Plus(ReadFirstInFirstOut(kept, merged), Plain(fitted.notes)))
          << seed << " " << merged;
    }
  }
}

}  // namespace
}  // namespace continuo
