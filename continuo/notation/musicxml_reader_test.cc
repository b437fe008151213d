#include "continuo/notation/musicxml_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include <algorithm>
#include <map>
#include <string>

#include "continuo/core/check.h"
#include "continuo/core/rng.h"
#include "continuo/notation/musicxml_writer.h"
#include "continuo/os/file.h"
#include "continuo/score/bars.h"

namespace continuo {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

Result<ScoreAndWarnings> Parse(std::string_view text) {
  return ParseMusicXml({reinterpret_cast<const uint8_t*>(text.data()), text.size()}, "song.musicxml");
}

// A file of one part, with these measures.
std::string File(const std::string& measures, const std::string& score_part = "<part-name>Piano</part-name>") {
  return "<?xml version=\"1.0\"?><score-partwise version=\"3.1\"><part-list><score-part id=\"P1\">" + score_part +
         "</score-part></part-list><part id=\"P1\">" + measures + "</part></score-partwise>";
}

std::string Measure(const std::string& content, const std::string& number = "1") {
  return "<measure number=\"" + number + "\">" + content + "</measure>";
}

const std::string kFour =
    "<attributes><divisions>2</divisions><time><beats>4</beats><beat-type>4</beat-type></time></attributes>";

// A note of so many eighths (two divisions a quarter).
std::string Note(const std::string& step, int octave, int duration, const std::string& more = "",
                 const std::string& before = "") {
  return "<note>" + before + "<pitch><step>" + step.substr(0, 1) + "</step>" +
         (step.size() > 1 ? "<alter>" + std::string(step[1] == '#' ? "1" : "-1") + "</alter>" : "") + "<octave>" +
         std::to_string(octave) + "</octave></pitch><duration>" + std::to_string(duration) + "</duration>" + more +
         "</note>";
}

std::string Notes(const Result<ScoreAndWarnings>& read) {
  if (!read.ok()) {
    return read.error().ToString();
  }
  std::string text;
  for (const Track& track : read->score.tracks) {
    text += text.empty() ? "" : " | ";
    for (const continuo::Note& note : track.notes) {
      text += text.empty() || text.back() == ' ' ? "" : " ";
      text += std::to_string(note.time) + "+" + std::to_string(note.duration) + ":" + std::to_string(note.pitch);
    }
  }
  return text;
}

TEST(MusicXmlReaderTest, ReadsNotesChordsAndVoices) {
  EXPECT_EQ(Notes(Parse(File(Measure(kFour + Note("C", 4, 2) + Note("E", 4, 2, "", "<chord/>") + Note("F#", 5, 6) +
                                     "<backup><duration>4</duration></backup>" + Note("Bb", 2, 4))))),
            "0+480:60 0+480:64 480+1440:78 960+960:46");
  EXPECT_EQ(Notes(Parse(File(Measure(kFour + "<forward><duration>3</duration></forward>" + Note("C", 4, 5))))),
            "720+1200:60");
}

TEST(MusicXmlReaderTest, JoinsTiedNotes) {
  const std::string start = "<tie type=\"start\"/>";
  const std::string stop = "<tie type=\"stop\"/>";
  EXPECT_EQ(Notes(Parse(File(Measure(kFour + Note("C", 4, 8, start)) +
                             Measure(Note("C", 4, 4, stop + start) + Note("C", 4, 2, stop) + Note("C", 4, 2))))),
            "0+3360:60 3360+480:60");
  // A tie to nothing, and one from nothing.
  EXPECT_EQ(Notes(Parse(File(Measure(kFour + Note("C", 4, 2, start) + Note("D", 4, 2) + Note("C", 4, 4, stop))))),
            "0+480:60 480+480:62 960+960:60");
  // Programs that write only what is to be seen.
  EXPECT_EQ(Notes(Parse(File(Measure(kFour + Note("C", 4, 4, "<notations><tied type=\"start\"/></notations>") +
                                     Note("C", 4, 4, "<notations><tied type=\"stop\"/></notations>"))))),
            "0+1920:60");
}

TEST(MusicXmlReaderTest, TransposesInstruments) {
  const std::string clarinet =
      "<attributes><divisions>2</divisions><transpose><chromatic>-2</chromatic></transpose></attributes>";
  EXPECT_EQ(Notes(Parse(File(Measure(clarinet + Note("C", 4, 8))))), "0+1920:58");
  const std::string bass =
      "<attributes><divisions>2</divisions><transpose><chromatic>0</chromatic>"
      "<octave-change>-1</octave-change></transpose></attributes>";
  EXPECT_EQ(Notes(Parse(File(Measure(bass + Note("C", 4, 8))))), "0+1920:48");
}

TEST(MusicXmlReaderTest, OnlyATranspositionByOctavesKeepsTheKey) {
  const auto keys = [](const std::string& transpose) {
    const auto read = Parse(File(Measure("<attributes><divisions>2</divisions><key><fifths>3</fifths></key>" +
                                         transpose + "</attributes>" + Note("C", 4, 8))));
    CONTINUO_CHECK(read.ok());
    return read->score.key_signatures;
  };
  EXPECT_THAT(keys("<transpose><chromatic>0</chromatic><octave-change>-1</octave-change></transpose>"),
              ElementsAre(KeySignature{0, 3, 0}));
  EXPECT_THAT(keys("<transpose><chromatic>-2</chromatic></transpose>"), IsEmpty());
}

TEST(MusicXmlReaderTest, ReadsTheOctavesBelow0ThatProgramsWrite) {
  EXPECT_EQ(Notes(Parse(File(Measure(kFour + Note("C", -1, 4) + Note("B#", -2, 4))))), "0+960:0 960+960:0");
}

TEST(MusicXmlReaderTest, ReadsTemposSignaturesAndKeys) {
  const auto read = Parse(File(
      Measure(
          "<attributes><divisions>2</divisions><key><fifths>-3</fifths><mode>minor</mode></key>"
          "<time><beats>3</beats><beat-type>4</beat-type></time></attributes>"
          "<direction><direction-type><metronome><beat-unit>half</beat-unit><beat-unit-dot/><per-minute>40</per-minute>"
          "</metronome></direction-type></direction>" +
          Note("C", 4, 6)) +
      Measure(
          "<attributes><time><beats>2+3</beats><beat-type>8</beat-type></time></attributes>"
          "<direction><direction-type><words>a tempo</words></direction-type><offset>2</offset><sound tempo=\"90\"/>"
          "</direction>" +
          Note("C", 4, 5))));
  ASSERT_TRUE(read.ok());
  EXPECT_THAT(read->score.tempos, ElementsAre(Tempo{0, 500000}, Tempo{1920, 666667}));
  EXPECT_THAT(read->score.time_signatures, ElementsAre(TimeSignature{0, 3, 4}, TimeSignature{1440, 5, 8}));
  EXPECT_THAT(read->score.key_signatures, ElementsAre(KeySignature{0, -3, 1}));
}

TEST(MusicXmlReaderTest, ABarOfAnotherLengthHasItsOwnSignature) {
  const auto read = Parse(File(
      Measure(kFour + Note("G", 4, 2), "0") + Measure(Note("C", 5, 8)) + Measure(Note("C", 5, 3), "2") +
      Measure("<note><rest measure=\"yes\"/><duration>999</duration></note>", "3") + Measure(Note("C", 4, 8), "4")));
  ASSERT_TRUE(read.ok());
  EXPECT_THAT(read->score.time_signatures, ElementsAre(TimeSignature{0, 1, 4}, TimeSignature{480, 4, 4},
                                                       TimeSignature{2400, 3, 8}, TimeSignature{3120, 4, 4}));
  EXPECT_EQ(Notes(read), "0+480:67 480+1920:72 2400+720:72 5040+1920:60");
}

TEST(MusicXmlReaderTest, ReadsVelocities) {
  const auto read = Parse(File(Measure(
      kFour + "<note dynamics=\"111.11\"><pitch><step>C</step><octave>4</octave></pitch><duration>2</duration></note>" +
      Note("D", 4, 2) + "<direction><direction-type><dynamics><p/></dynamics></direction-type></direction>" +
      Note("E", 4, 2) + "<sound dynamics=\"50\"/>" + Note("F", 4, 2))));
  ASSERT_TRUE(read.ok());
  std::vector<int> velocities;
  for (const auto& note : read->score.tracks[0].notes) {
    velocities.push_back(note.velocity);
  }
  EXPECT_THAT(velocities, ElementsAre(100, 80, 49, 45));
}

TEST(MusicXmlReaderTest, PartsAreTracksAndDrumsAreDrums) {
  const std::string text =
      "<score-partwise><part-list><score-part id=\"A\"><part-name>Cello</part-name><midi-instrument id=\"A1\">"
      "<midi-program>43</midi-program></midi-instrument></score-part><score-part id=\"B\"><part-name>Drums</part-name>"
      "<midi-instrument id=\"B36\"><midi-channel>10</midi-channel><midi-unpitched>37</midi-unpitched></midi-instrument>"
      "<midi-instrument id=\"B42\"><midi-channel>10</midi-channel><midi-unpitched>43</midi-unpitched></midi-instrument>"
      "</score-part></part-list><part id=\"A\">" +
      Measure(kFour + Note("C", 3, 8)) + "</part><part id=\"B\">" +
      Measure(kFour +
              "<note><unpitched><display-step>G</display-step><display-octave>5</display-octave></unpitched>"
              "<duration>4</duration><instrument id=\"B42\"/></note>") +
      "</part></score-partwise>";
  const auto read = Parse(text);
  EXPECT_EQ(Notes(read), "0+1920:48 | 0+960:42");
  EXPECT_EQ(read->score.tracks[0].program, 42);
  EXPECT_EQ(read->score.tracks[0].name, "Cello");
  EXPECT_TRUE(read->score.tracks[1].is_drum);
}

TEST(MusicXmlReaderTest, PlaysRepeatsAndEndings) {
  const std::string repeat = "<barline location=\"right\"><repeat direction=\"backward\"/></barline>";
  const auto ending = [](const char* type, const char* number, const std::string& more = "") {
    return std::string("<barline><ending type=\"") + type + "\" number=\"" + number + "\"/>" + more + "</barline>";
  };
  const std::string text = File(
      Measure(kFour + Note("C", 4, 8)) +
      Measure(ending("start", "1") + Note("D", 4, 8) + ending("stop", "1", "<repeat direction=\"backward\"/>")) +
      Measure(ending("start", "2") + Note("E", 4, 8) + ending("discontinue", "2")) + Measure(Note("F", 4, 8) + repeat));
  EXPECT_EQ(Notes(Parse(text)), "0+1920:60 1920+1920:62 3840+1920:60 5760+1920:64 7680+1920:65 9600+1920:65");
}

TEST(MusicXmlReaderTest, ChordSymbolsBecomeMarkers) {
  const auto read = Parse(File(Measure(
      kFour +
      "<harmony><root><root-step>B</root-step><root-alter>-1</root-alter></root><kind>minor-seventh</kind></harmony>" +
      Note("C", 4, 4) + "<harmony><root><root-step>C</root-step></root><kind>none</kind></harmony>" +
      Note("C", 4, 4))));
  ASSERT_TRUE(read.ok());
  const auto chords = ChordsOfMarkers(read->score);
  ASSERT_EQ(chords.size(), 2u);
  EXPECT_EQ(chords[0].chord, (Chord{10, 4}));
  EXPECT_EQ(chords[1].time, 960);
  EXPECT_TRUE(chords[1].chord.none());
}

TEST(MusicXmlReaderTest, LeavesOutGraceNotesWithAWarning) {
  const auto read = Parse(
      File(Measure(kFour + "<note><grace/><pitch><step>C</step><octave>4</octave></pitch></note>" + Note("D", 4, 8))));
  EXPECT_EQ(Notes(read), "0+1920:62");
  EXPECT_THAT(read->warnings, ElementsAre(HasSubstr("part P1, measure 1: grace notes")));
}

TEST(MusicXmlReaderTest, RefusesWhatItDoesNotFollowByName) {
  const auto error = [](const std::string& content) { return Notes(Parse(File(Measure(kFour + content, "7")))); };
  EXPECT_THAT(
      error("<direction><direction-type><words>D.C.</words></direction-type><sound dacapo=\"yes\"/></direction>"),
      AllOf(HasSubstr("song.musicxml: part P1, measure 7: has a jump (dacapo)"), HasSubstr("MuseScore")));
  EXPECT_THAT(error("<sound tocoda=\"coda\"/>"), HasSubstr("tocoda"));
  EXPECT_THAT(
      error(
          "<attributes><measure-style><measure-repeat type=\"start\">1</measure-repeat></measure-style></attributes>"),
      HasSubstr("<measure-repeat>"));
  EXPECT_THAT(Notes(Parse("<score-timewise/>")), AllOf(HasSubstr("score-timewise"), HasSubstr("MuseScore")));
}

TEST(MusicXmlReaderTest, RefusesWhatIsWrongWithItsPlace) {
  const auto error = [](const std::string& content) { return Notes(Parse(File(Measure(content, "7")))); };
  EXPECT_THAT(error(kFour + Note("H", 4, 2)), HasSubstr("measure 7: a pitch has the step 'H'"));
  EXPECT_THAT(error(kFour + Note("C", 10, 2)), HasSubstr("the octave '10'"));
  EXPECT_THAT(error(kFour + Note("G#", 9, 2)), HasSubstr("MIDI key 128"));
  EXPECT_THAT(error(kFour + Note("C", 4, -1)), HasSubstr("<duration> is '-1'"));
  EXPECT_THAT(error(kFour + Note("C", 4, 999999)), HasSubstr("more than 4096 quarter notes"));
  EXPECT_THAT(error(kFour + "<backup><duration>1</duration></backup>"), HasSubstr("before the measure"));
  EXPECT_THAT(error(kFour + Note("C", 4, 2, "", "<chord/>")), HasSubstr("<chord> without a note"));
  EXPECT_THAT(error("<attributes><divisions>0</divisions></attributes>"), HasSubstr("<divisions> is '0'"));
  EXPECT_THAT(error("<attributes><time><beats>4</beats><beat-type>5</beat-type></time></attributes>"),
              HasSubstr("4/5"));
  EXPECT_THAT(Notes(Parse("<a>")), HasSubstr("is not XML that can be read"));
  EXPECT_THAT(Notes(Parse("")), HasSubstr("song.musicxml"));
  EXPECT_THAT(Notes(Parse("<html></html>")), HasSubstr("its first element is <html>"));
  EXPECT_THAT(Notes(Parse("PK\x03\x04 and no more")), HasSubstr("the archive cannot be read"));
}

TEST(MusicXmlReaderTest, PassesOverEntitiesAndDeepNesting) {
  // A billion laughs: entities of a DTD are not expanded.
  const std::string laughs =
      "<!DOCTYPE s [<!ENTITY a \"ha\"><!ENTITY b \"&a;&a;\"><!ENTITY f SYSTEM \"file:///etc/passwd\">]>";
  const auto read = Parse(laughs +
                          "<score-partwise><part-list><score-part id=\"P1\"><part-name>&b;&f;</part-name></score-part>"
                          "</part-list><part id=\"P1\">" +
                          Measure(kFour + Note("C", 4, 8)) + "</part></score-partwise>");
  ASSERT_TRUE(read.ok()) << read.error().message;
  EXPECT_EQ(read->score.tracks[0].name, "&b;&f;");
  std::string deep;
  for (int i = 0; i < 200000; ++i) {
    deep += "<a>";
  }
  std::string closed = deep;
  for (int i = 0; i < 200000; ++i) {
    closed += "</a>";
  }
  EXPECT_FALSE(Parse(deep).ok());
  EXPECT_THAT(Notes(Parse(closed)), HasSubstr("its first element is <a>"));
}

// A number of so many bytes, least first.
std::string Little(size_t value, int bytes) {
  std::string text;
  for (int i = 0; i < bytes; ++i) {
    text += static_cast<char>(value);
    value >>= 8;
  }
  return text;
}

// A zip archive of these files, deflated by zlib.
std::string Zip(const std::map<std::string, std::string>& files) {
  std::string archive;
  std::string directory;
  for (const auto& [name, text] : files) {
    z_stream stream = {};
    CONTINUO_CHECK(deflateInit2(&stream, 6, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY) == Z_OK);
    std::string packed(deflateBound(&stream, text.size()), '\0');
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
    stream.avail_in = static_cast<uInt>(text.size());
    stream.next_out = reinterpret_cast<Bytef*>(packed.data());
    stream.avail_out = static_cast<uInt>(packed.size());
    CONTINUO_CHECK(deflate(&stream, Z_FINISH) == Z_STREAM_END);
    packed.resize(stream.total_out);
    deflateEnd(&stream);
    const uLong sum = crc32(0, reinterpret_cast<const Bytef*>(text.data()), static_cast<uInt>(text.size()));
    // Version, flags, method 8, time, date, checksum, sizes, length of the name and of extra
    // fields.
    const std::string facts = Little(20, 2) + Little(0, 2) + Little(8, 2) + Little(0, 4) + Little(sum, 4) +
                              Little(packed.size(), 4) + Little(text.size(), 4) + Little(name.size(), 2) + Little(0, 2);
    directory += "PK\x01\x02" + Little(20, 2) + facts + Little(0, 10) + Little(archive.size(), 4) + name;
    archive += "PK\x03\x04" + facts + name + packed;
  }
  return archive + directory + "PK\x05\x06" + Little(0, 4) + Little(files.size(), 2) + Little(files.size(), 2) +
         Little(directory.size(), 4) + Little(archive.size(), 4) + Little(0, 2);
}

TEST(MusicXmlReaderTest, ReadsCompressedFiles) {
  const std::string container =
      "<container><rootfiles><rootfile full-path=\"music/score.xml\"/></rootfiles></container>";
  const std::string score = File(Measure(kFour + Note("C", 4, 8)));
  EXPECT_EQ(Notes(Parse(Zip({{"META-INF/container.xml", container}, {"music/score.xml", score}}))), "0+1920:60");
  EXPECT_THAT(Notes(Parse(Zip({{"META-INF/container.xml", container}}))), HasSubstr("has no file music/score.xml"));
  EXPECT_THAT(Notes(Parse(Zip({{"score.xml", score}}))), HasSubstr("no file META-INF/container.xml"));
  const std::string bomb(kMaxMusicXmlBytes + 1, ' ');
  EXPECT_THAT(Notes(Parse(Zip({{"META-INF/container.xml", container}, {"music/score.xml", bomb}}))),
              HasSubstr("more than the 33554432 bytes allowed"));
  // As Python's zipfile packs one.
  const std::vector<uint8_t> python =
      *ReadFile(std::string(CONTINUO_SOURCE_DIR) + "/testdata/fuzz/musicxml/compressed.mxl");
  const auto read = ParseMusicXml(python, "compressed.mxl");
  EXPECT_EQ(Notes(read),
            Notes(Parse(*ReadTextFile(std::string(CONTINUO_SOURCE_DIR) + "/testdata/fuzz/musicxml/voices.musicxml"))));
}

TEST(MusicXmlReaderTest, DamagedArchivesAreRefused) {
  const std::string good = Zip({{"META-INF/container.xml", "<container/>"}});
  EXPECT_THAT(Notes(Parse(good)), HasSubstr("names no rootfile"));
  for (size_t size = 4; size < good.size(); ++size) {
    EXPECT_THAT(Notes(Parse(good.substr(0, size))), HasSubstr("the archive cannot be read")) << size;
  }
  std::string changed = good;
  changed[14] = static_cast<char>(changed[14] ^ 1);  // what is before the file says its checksum too, and is not asked
  EXPECT_THAT(Notes(Parse(changed)), HasSubstr("names no rootfile"));
  changed = good;
  changed[30 + 22 + 3] = static_cast<char>(changed[30 + 22 + 3] ^ 1);  // packed data
  EXPECT_THAT(Notes(Parse(changed)), HasSubstr("the archive cannot be read"));
}

// Random music on the grid of 32nds, for the round trip below.
Score RandomScore(uint64_t seed) {
  Rng rng(seed, 1);
  Score score;
  constexpr int32_t kMetres[][2] = {{4, 4}, {3, 4}, {6, 8}, {7, 8}, {2, 2}, {5, 4}, {12, 8}, {5, 16}};
  Tick line = 0;
  for (int section = 0; section < 3; ++section) {
    const auto& metre = kMetres[rng.NextBelow(8)];
    score.time_signatures.push_back({line, metre[0], metre[1]});
    line += 1920 * metre[0] / metre[1] * static_cast<Tick>(1 + rng.NextBelow(3));
  }
  const Tick end = line + 1920;
  const size_t tracks = 1 + rng.NextBelow(3);
  for (size_t t = 0; t < tracks; ++t) {
    Track track;
    track.name = "track " + std::to_string(t);
    track.program = static_cast<uint8_t>(t == 0 ? 0 : 20 + rng.NextBelow(100));
    for (uint64_t n = 5 + rng.NextBelow(60); n > 0; --n) {
      const auto time = static_cast<Tick>(rng.NextBelow(static_cast<uint64_t>(end) / 60)) * 60;
      const auto duration = static_cast<Tick>(1 + rng.NextBelow(rng.NextBelow(8) == 0 ? 100 : 16)) * 60;
      // A piano's keys, or all of MIDI's.
      const auto pitch = static_cast<uint8_t>(seed % 3 == 0 ? rng.NextBelow(128) : 21 + rng.NextBelow(88));
      track.notes.push_back({time, duration, pitch, static_cast<uint8_t>(1 + rng.NextBelow(127))});
    }
    score.tracks.push_back(std::move(track));
  }
  score.tempos = {{0, 500000}, {static_cast<Tick>(rng.NextBelow(30)) * 60 + 60, 600000}};
  return score;
}

// (pitch, time) to (end, velocity): of notes that begin together the longest and the loudest; each
// ends where the next begins.
using Played = std::map<std::pair<int, Tick>, std::pair<Tick, int>>;
Played PlayedNotes(const Track& track) {
  Played notes;
  for (const continuo::Note& note : track.notes) {
    auto& found = notes[{note.pitch, note.time}];
    found = {std::max(found.first, note.time + note.duration), std::max<int>(found.second, note.velocity)};
  }
  for (auto it = notes.begin(); it != notes.end(); ++it) {
    const auto next = std::next(it);
    if (next != notes.end() && next->first.first == it->first.first) {
      it->second.first = std::min(it->second.first, next->first.second);
    }
  }
  return notes;
}

TEST(MusicXmlReaderTest, WhatIsWrittenIsReadAsTheSameMusic) {
  for (uint64_t seed = 0; seed < 300; ++seed) {
    const Score score = RandomScore(seed);
    const Result<std::string> xml = ScoreToMusicXml(score, {.title = "A & B"}, "random");
    ASSERT_TRUE(xml.ok()) << xml.error().message;
    EXPECT_EQ(*ScoreToMusicXml(score, {.title = "A & B"}, "random"), *xml);
    const auto read = Parse(*xml);
    ASSERT_TRUE(read.ok()) << seed << read.error().message;
    EXPECT_THAT(read->warnings, IsEmpty());
    ASSERT_EQ(read->score.ticks_per_quarter, 480);
    ASSERT_EQ(read->score.tracks.size(), score.tracks.size());
    for (size_t t = 0; t < score.tracks.size(); ++t) {
      EXPECT_EQ(PlayedNotes(read->score.tracks[t]), PlayedNotes(score.tracks[t])) << seed;
      EXPECT_EQ(read->score.tracks[t].program, score.tracks[t].program);
    }
    EXPECT_EQ(read->score.tempos, score.tempos) << seed;
    // The same bars, but for a pickup that a first short bar of its own signature becomes.
    const size_t bars = CountBars(score);
    for (size_t bar = 0; bar < bars; ++bar) {
      EXPECT_EQ(BarGrid(read->score).Line(bar), BarGrid(score).Line(bar)) << seed;
    }
  }
}

// Octave 0 is MusicXML's lowest.
TEST(MusicXmlReaderTest, EveryMidiKeyIsWrittenInAnOctaveOfMusicXmlAndReadAgain) {
  for (uint8_t key = 0; key < 128; ++key) {
    for (int8_t fifths = -7; fifths <= 7; ++fifths) {
      Score score;
      score.key_signatures = {{0, fifths, 1}};
      score.tracks = {Track{}};
      score.tracks[0].notes = {{0, 480, key, 64}};
      const std::string xml = *ScoreToMusicXml(score, {}, "one note");
      EXPECT_THAT(xml, Not(HasSubstr("<octave>-"))) << int{key} << " in " << int{fifths};
      const auto read = Parse(xml);
      ASSERT_TRUE(read.ok()) << read.error().message;
      EXPECT_EQ(Notes(read), "0+480:" + std::to_string(key));
      EXPECT_THAT(read->score.key_signatures, ElementsAre(testing::Field(&KeySignature::key, fifths)));
    }
  }
}

TEST(MusicXmlReaderTest, TripletsAreReadAsTheSameMusic) {
  for (uint64_t seed = 0; seed < 200; ++seed) {
    Rng rng(seed, 2);
    Score score;
    Track track;
    for (Tick beat = 0; beat < 16; ++beat) {
      // Each beat by 2, 3, 4 or 6, each place a note or not.
      constexpr Tick kParts[] = {2, 3, 4, 6};
      const Tick parts = kParts[rng.NextBelow(4)];
      for (Tick part = 0; part < parts; ++part) {
        if (rng.NextBelow(4) != 0) {
          track.notes.push_back(
              {beat * 480 + part * 480 / parts, 480 / parts, static_cast<uint8_t>(60 + rng.NextBelow(20)), 64});
        }
      }
    }
    score.tracks.push_back(track);
    const auto read = Parse(*ScoreToMusicXml(score, {}, "random"));
    ASSERT_TRUE(read.ok());
    ASSERT_EQ(read->score.tracks.size(), 1u);
    EXPECT_EQ(PlayedNotes(read->score.tracks[0]), PlayedNotes(track)) << seed;
  }
}

}  // namespace
}  // namespace continuo
