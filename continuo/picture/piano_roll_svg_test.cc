#include "continuo/picture/piano_roll_svg.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "continuo/core/rng.h"

namespace continuo {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

size_t Count(std::string_view text, std::string_view part) {
  size_t count = 0;
  for (size_t at = text.find(part); at != std::string_view::npos; at = text.find(part, at + part.size())) {
    ++count;
  }
  return count;
}

/// "" if `text` is one well-formed XML element: tags nest, attributes are quoted, `&` only begins
/// the predefined entities, no control characters.
std::string XmlFault(std::string_view text) {
  std::vector<std::string> open;
  for (size_t i = 0; i < text.size();) {
    const auto at = [&](std::string_view what) { return fmt::format("{} at byte {}", what, i); };
    if (text[i] == '&') {
      bool known = false;
      for (const std::string_view entity : {"&lt;", "&gt;", "&amp;", "&quot;"}) {
        known = known || text.substr(i).starts_with(entity);
      }
      if (!known) {
        return at("an unknown entity");
      }
    }
    if (static_cast<unsigned char>(text[i]) < 0x20) {
      return at("a control character");
    }
    if (text[i] != '<') {
      if (open.empty()) {
        return at("text outside of the element");
      }
      ++i;
      continue;
    }
    size_t end = i + 1;
    char quote = 0;
    for (; end < text.size() && (quote != 0 || text[end] != '>'); ++end) {
      if (quote != 0 && text[end] == '<') {
        return at("< in an attribute");
      }
      quote = quote != 0 ? (text[end] == quote ? 0 : quote) : (text[end] == '"' ? '"' : 0);
    }
    if (end == text.size()) {
      return at("a tag that does not end");
    }
    const std::string_view tag = text.substr(i + 1, end - i - 1);
    if (tag.starts_with("/")) {
      if (open.empty() || open.back() != tag.substr(1)) {
        return at("a tag that closes another");
      }
      open.pop_back();
      if (open.empty() && end + 1 != text.size()) {
        return at("something after the element");
      }
    } else if (!tag.ends_with("/")) {
      open.emplace_back(tag.substr(0, tag.find(' ')));
    }
    i = end + 1;
  }
  return open.empty() ? "" : "an element that is not closed: " + open.back();
}

std::string Draw(const Score& score, const PianoRollOptions& options = {}) {
  const Result<std::string> svg = DrawPianoRoll(score, options);
  EXPECT_TRUE(svg.ok()) << svg.error().ToString();
  if (!svg.ok()) {
    return "";
  }
  EXPECT_EQ(XmlFault(*svg), "");
  return *svg;
}

/// Four bars of quarter notes.
Score Song() {
  Score score;
  score.tracks.resize(1);
  for (int i = 0; i < 16; ++i) {
    score.tracks[0].notes.push_back({i * 480, 480, static_cast<uint8_t>(60 + i), static_cast<uint8_t>(8 * i + 7)});
  }
  return score;
}

TEST(PianoRollSvg, HasARectangleForEachNoteInItsPlace) {
  const std::string svg = Draw(Song());
  EXPECT_EQ(Count(svg, "class=\"note\""), 16U);
  EXPECT_THAT(svg, Not(HasSubstr("href")));
  // The plot is 1162 pixels wide from 30 on, and its 16 rows have 376 pixels from 18 on: 23.5 each.
  // The first note is at the bottom left, a sixteenth of the width long, less a gap of 0.3.
  EXPECT_THAT(svg,
              HasSubstr("<rect class=\"note\" x=\"30\" y=\"370.5\" width=\"72.3\" height=\"23\" opacity=\"0.39\"/>"));
  EXPECT_THAT(svg,
              HasSubstr("<rect class=\"note\" x=\"1119.4\" y=\"18\" width=\"72.3\" height=\"23\" opacity=\"1\"/>"));
  // Bars 1 to 4, and the line after the last.
  EXPECT_EQ(Count(svg, "<path class=\"bar\""), 5U);
  for (const char* number : {">1<", ">2<", ">3<", ">4<"}) {
    EXPECT_THAT(svg, HasSubstr(number));
  }
  EXPECT_THAT(svg, HasSubstr(">C4<"));
  EXPECT_THAT(svg, HasSubstr("prefers-color-scheme:dark"));
}

TEST(PianoRollSvg, DrawsTheBarsAskedFor) {
  const std::string svg = Draw(Song(), {.first_bar = 1, .last_bar = 3});
  EXPECT_EQ(Count(svg, "class=\"note\""), 8U);
  EXPECT_EQ(Count(svg, "<path class=\"bar\""), 3U);
  EXPECT_THAT(svg, AllOf(HasSubstr(">2<"), HasSubstr(">3<"), Not(HasSubstr(">1<")), Not(HasSubstr(">4<"))));
  // A note that sounds into the bars is drawn from their beginning on.
  Score score = Song();
  score.tracks[0].notes = {{0, 4 * 1920, 60, 64}};
  EXPECT_THAT(Draw(score, {.first_bar = 1, .last_bar = 3}), HasSubstr("x=\"30\" y=\"174.7\" width=\"1161.7\""));
}

TEST(PianoRollSvg, SectionsPedalsNamesAndCursor) {
  Score score = Song();
  score.tracks.resize(2);
  score.tracks[0].name = "Right";
  score.tracks[1].name = "Left";
  score.tracks[1].notes = {{0, 1920, 48, 64}};
  score.tracks[1].pedals = {{0, 1920}, {1920, 1920}, {5000, 100}};
  const std::string svg =
      Draw(score, {.sections = {{"A", 0, 2}, {"B", 2, 3}, {"A", 3, 4}}, .pedals = true, .cursor = true});
  EXPECT_THAT(svg, AllOf(HasSubstr(">A<"), HasSubstr(">B<"), HasSubstr(">Right<"), HasSubstr(">Left<")));
  EXPECT_EQ(Count(svg, "rx=\"2\""), 3U);
  EXPECT_EQ(Count(svg, "class=\"pedal\""), 3U);
  EXPECT_EQ(Count(svg, "<line class=\"cursor\""), 1U);
  // The letters A have one colour.
  EXPECT_EQ(Count(svg, "class=\"t0\" x"), 2U + 1U);  // and the name of the first track
  EXPECT_THAT(Draw(score, {.names = false}), Not(HasSubstr("Right")));
  EXPECT_THAT(Draw(score), Not(AllOf(HasSubstr("class=\"pedal\""), HasSubstr("class=\"cursor\""))));
}

TEST(PianoRollSvg, InSecondsASlowBarIsWide) {
  Score score = Song();
  score.tempos = {{0, 500000}, {1920, 1500000}};  // 2 s, then 3 x 6 s
  PianoRollPlot plot;
  const Result<std::string> svg = DrawPianoRoll(score, {.in_seconds = true}, &plot);
  ASSERT_TRUE(svg.ok());
  EXPECT_EQ(plot.left, 30);
  EXPECT_EQ(plot.width, 1162);
  EXPECT_THAT(*svg, HasSubstr("M146.2 15"));  // 30 + 1162 * 2 / 20
}

TEST(PianoRollSvg, TextCannotLeaveItsElement) {
  Score score = Song();
  score.tracks.resize(3);
  score.tracks[0].name = "</text><script>alert(1)</script>\"&";
  score.tracks[1].name = std::string("bad \x01\x00 \xff\xc0\xaf \xed\xa0\x80 \xef\xbf\xbf end", 22);
  score.tracks[1].notes = {{0, 480, 62, 64}};
  score.tracks[2].name = std::string(100000, 'x');
  score.tracks[2].notes = {{0, 480, 64, 64}};
  const std::string svg = Draw(score, {.sections = {{"<b>", 0, 4}}, .label = "\"><script>" + std::string(5000, '&')});
  EXPECT_THAT(svg, Not(HasSubstr("<script")));
  EXPECT_THAT(svg, HasSubstr("&lt;b&gt;"));
  EXPECT_THAT(svg, HasSubstr("\xEF\xBF\xBD"));
  EXPECT_LT(svg.size(), 12000U);
}

TEST(PianoRollSvg, AMillionNotesGiveABoundedPicture) {
  Rng rng(1, 0);
  Score score;
  score.tracks.resize(20);
  for (int i = 0; i < 1000000; ++i) {
    score.tracks[static_cast<size_t>(i % 20)].notes.push_back(
        {static_cast<Tick>(rng.NextBelow(INT32_MAX)), static_cast<Tick>(rng.NextBelow(INT32_MAX)),
         static_cast<uint8_t>(rng.NextBelow(128)), static_cast<uint8_t>(rng.NextBelow(128))});
  }
  const std::string svg = Draw(score);
  // At most one note per two pixels and pitch.
  EXPECT_LT(Count(svg, "class=\"note\""), 600U * 128U);
  EXPECT_LT(svg.size(), 10U << 20);
  EXPECT_LT(Count(svg, "<path class=\"bar\""), 300U);
}

TEST(PianoRollSvg, ScoresWithLittleInThem) {
  EXPECT_EQ(Count(Draw(Score()), "class=\"note\""), 0U);
  Score score;
  score.tracks.resize(1);
  score.tracks[0].notes = {{0, 0, 0, 0}, {INT32_MAX - 10, INT32_MAX, 127, 255}};
  EXPECT_EQ(Count(Draw(score), "class=\"note\""), 2U);
}

TEST(PianoRollSvg, ErrorsNameTheValue) {
  const auto error = [](const PianoRollOptions& options) {
    const Result<std::string> svg = DrawPianoRoll(Song(), options);
    return svg.ok() ? "" : svg.error().ToString();
  };
  EXPECT_EQ(error({.width = 100}), "width is 100, expected 200 to 4000");
  EXPECT_EQ(error({.height = 5000}), "height is 5000, expected 120 to 4000");
  EXPECT_EQ(error({.first_bar = 4, .last_bar = 8}), "bars 5 to 8 are not among the 4 of the piece");
}

TEST(Sections, AFormThatIsGiven) {
  const std::vector<Section> expected = {{"A", 0, 8}, {"B", 8, 12}, {"A'", 12, 20}};
  EXPECT_EQ(ParseSections("A8 B4  A'8", 20).value(), expected);
  EXPECT_EQ(ParseSections("A8 B4 | A'8", 20).value(), expected);
  const std::vector<Section> shared = {{"A", 0, 5}, {"A", 5, 10}, {"B", 10, 15}, {"A", 15, 20}};
  EXPECT_EQ(ParseSections("AABA", 20).value(), shared);
  const auto error = [](std::string_view text) { return ParseSections(text, 20).error().ToString(); };
  EXPECT_THAT(error("A8 B4"), HasSubstr("have 12 bars together, expected 20"));
  EXPECT_THAT(error("A8 8"), AllOf(HasSubstr("'8' at byte 4"), HasSubstr("A8 B8 A8")));
  EXPECT_THAT(error(""), HasSubstr("no section"));
}

TEST(Sections, WhatReturnsHasTheSameName) {
  // Four bars, four others, the first again with one note of four changed, and one bar of silence
  // before two new bars.
  Score score;
  score.tracks.resize(1);
  const auto add = [&](int bar, int root, int changed) {
    for (int i = 0; i < 4; ++i) {
      const int pitch = root + 2 * i + (i < changed ? 1 : 0);
      score.tracks[0].notes.push_back({bar * 1920 + i * 480, 480, static_cast<uint8_t>(pitch), 64});
    }
  };
  for (int bar = 0; bar < 4; ++bar) {
    add(bar, 60 + bar, 0);
    add(bar + 4, 40 + 2 * bar, 0);
    add(bar + 8, 60 + bar, 1);
  }
  add(17, 80, 0);
  const std::vector<Section> expected = {{"A", 0, 4}, {"B", 4, 8}, {"A", 8, 12}, {"C", 16, 18}};
  EXPECT_EQ(FindSections(score), expected);
  EXPECT_TRUE(FindSections(Score()).empty());
}

}  // namespace
}  // namespace continuo
