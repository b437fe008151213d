#include "continuo/score/beats.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <fstream>

#include "continuo/os/temporary_folder_testing.h"

namespace continuo {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

Beat At(double seconds, bool downbeat, uint32_t line) {
  return {seconds, downbeat, line};
}

std::vector<Beat> Read(std::string_view text) {
  const Result<BeatList> list = ParseBeats(text, "b.txt");
  EXPECT_TRUE(list.ok()) << list.error().ToString();
  return list.ok() ? list->beats : std::vector<Beat>();
}

std::string Refusal(std::string_view text) {
  const Result<BeatList> list = ParseBeats(text, "b.txt");
  return list.ok() ? "accepted" : list.error().ToString();
}

TEST(BeatsTest, ReadsThreeColumnsAsPop909WritesThem) {
  EXPECT_THAT(Read("0.510000034 1.0 1.0\n1.4777420340000003 0.0 0.0\n2.445484034 1.0 0.0\n"),
              ElementsAre(At(0.510000034, true, 1), At(1.4777420340000003, false, 2), At(2.445484034, false, 3)));
}

TEST(BeatsTest, ReadsTimeAndBeatNumberWithAnySeparator) {
  const auto expected = ElementsAre(At(0.5, false, 1), At(1, true, 2), At(1.25, false, 3));
  EXPECT_THAT(Read("0.5,4\n1,1\n1.25,2\n"), expected);
  EXPECT_THAT(Read("0.5\t4\n1.0\t1\n1.25\t2"), expected);  // no line end at the end
  EXPECT_THAT(Read("  0.5 , 4\r\n1e0   1.0\r\n1.25\t,2 \r\n"), expected);
}

TEST(BeatsTest, PassesOverCommentsEmptyLinesAndAHeading) {
  EXPECT_THAT(Read("\xEF\xBB\xBFtime,beat\n# made by hand\n\n1,1\n2,2\n"),
              ElementsAre(At(1, true, 4), At(2, false, 5)));
}

TEST(BeatsTest, ARefusalNamesFileLineAndValue) {
  const auto expect = [](std::string_view text, const std::string& place, const std::string& what) {
    EXPECT_THAT(Refusal(text), AllOf(HasSubstr("b.txt: " + place), HasSubstr(what))) << text;
  };
  expect("1 1\n0.5 2\n", "line 2", "'0.5' is not later than 1 in line 1");
  expect("1 1\n1 2\n", "line 2", "'1' is not later than 1");
  expect("1 1\n1.04 2\n", "line 2", "expected at least 0.05 s");
  expect("1 1\n18 2\n", "line 2", "expected at most 16.7 s");
  expect("-1 1\n", "line 1", "'-1' is negative");
  expect("nan 1\n2 1\n", "line 1", "'nan' is not finite");
  expect("1 1\n2 2\ninf 1\n", "line 3", "'inf' is not finite");
  expect("1 1\n1e999 1\n", "line 2", "'1e999' is not finite");
  expect("1 1\ntwo 2\n", "line 2", "'two', expected a number of seconds");
  expect("1 1\n2s 2\n", "line 2", "'2s', expected a number of seconds");
  expect("1 1\n2 0\n", "line 2", "'0', expected 1 (the downbeat) to 255");
  expect("1 1\n2 1.5\n", "line 2", "'1.5', expected 1");
  expect("1 1\n2 256\n", "line 2", "'256', expected 1");
  expect("1 1\n2 nan\n", "line 2", "'nan', expected 1");
  expect("1 1\n2 x\n", "line 2", "'x', expected 1");
  expect("1 1 1\n2 2 0\n", "line 2", "half-bar flag is '2', expected 0 or 1");
  expect("1 1 1\n2 0 x\n", "line 2", "bar flag is 'x', expected 0 or 1");
  expect("1 1\n2 2 0\n", "line 2", "has 3 columns, expected 2, as before");
  expect("1\n", "line 1", "has 1 column, expected 2 or 3");
  expect("1 1 1 1\n", "line 1", "has more than 3 columns, expected 2 or 3");
  expect("1,1\n2,\n", "line 2", "'', expected 1");
  expect("time\n#\nbeat\n", "line 3", "'beat' has 1 column");  // one heading at most
  expect("", "has no beats", "at least 2");
  expect("1 1\n", "has 1 beat", "at least 2");
  expect("1 2\n2 3\n", "none of its 2 beats is a downbeat", "beat number 1");
  expect("1 1 0\n2 0 0\n", "none of its 2 beats is a downbeat", "bar flag 1");
}

TEST(BeatsTest, AMessageShowsNoControlCharactersAndNoLongValues) {
  const std::string refusal = Refusal("1 1\n\x1b[31m" + std::string(1000, 'x') + " 2\n");
  EXPECT_THAT(refusal, HasSubstr("'?[31mxxx"));
  EXPECT_LT(refusal.size(), 300U);
}

TEST(BeatsTest, IntervalsOfExactlyTheLeastLengthAreTaken) {
  EXPECT_EQ(Read("0.1 1\n0.15 2\n0.2 3\n").size(), 3U);  // 0.15 - 0.1 < 0.05 in binary
}

TEST(BeatsTest, RefusesMoreBeatsThanAllowed) {
  std::string text;
  for (size_t i = 0; i < kMostBeats; ++i) {
    text += fmt::format("{} {}\n", i, i % 4 + 1);
  }
  EXPECT_EQ(Read(text).size(), kMostBeats);
  EXPECT_THAT(Refusal(text + "60000 1\n"), HasSubstr("b.txt: line 60001: more than the 60000 beats allowed"));
}

TEST(BeatsTest, ReadsAFileAndNamesOneThatIsMissing) {
  const TemporaryFolder folder;
  std::ofstream(folder.path() / "b.txt") << "0 1\n1 2\n";
  EXPECT_EQ(ReadBeats(folder.path() / "b.txt")->beats.size(), 2U);
  EXPECT_THAT(ReadBeats(folder.path() / "none").error().message, HasSubstr("none"));
}

/// Beats one second apart: bars of these lengths after `pickup` beats, and a last downbeat.
std::vector<Beat> Annotated(size_t pickup, const std::vector<size_t>& lengths) {
  std::vector<Beat> beats(pickup);
  for (const size_t length : lengths) {
    beats.push_back({.downbeat = true});
    beats.resize(beats.size() + length - 1);
  }
  beats.push_back({.downbeat = true});
  for (size_t i = 0; i < beats.size(); ++i) {
    beats[i].seconds = static_cast<double>(i);
  }
  return beats;
}

std::vector<size_t> Repeat(std::vector<std::pair<size_t, size_t>> runs) {
  std::vector<size_t> lengths;
  for (const auto& [length, count] : runs) {
    lengths.insert(lengths.end(), count, length);
  }
  return lengths;
}

/// "1 | 4x3 2 4x8": the pickup, then runs of bars.
std::string Cut(const std::vector<Beat>& beats) {
  const BeatBars bars = CutIntoBars(beats);
  std::string text = fmt::format("{} |", bars.pickup);
  size_t covered = bars.pickup;
  for (size_t i = 0; i < bars.beats.size();) {
    size_t run = 1;
    for (; i + run < bars.beats.size() && bars.beats[i + run] == bars.beats[i]; ++run) {
    }
    text += fmt::format(" {}x{}", bars.beats[i], run);
    covered += bars.beats[i] * run;
    i += run;
  }
  EXPECT_GE(covered, beats.size());
  EXPECT_LT(covered - bars.beats.back(), beats.size());
  return text;
}

TEST(CutIntoBarsTest, RegularBarsAreCutAtTheirDownbeats) {
  EXPECT_EQ(Cut(Annotated(0, Repeat({{4, 20}}))), "0 | 4x21");
  EXPECT_EQ(Cut(Annotated(3, Repeat({{4, 20}}))), "3 | 4x21");
  EXPECT_EQ(Cut(Annotated(1, Repeat({{3, 20}}))), "1 | 3x21");
  EXPECT_EQ(Cut(Annotated(0, Repeat({{7, 20}}))), "0 | 7x21");
  EXPECT_EQ(Cut(Annotated(0, Repeat({{12, 20}}))), "0 | 12x21");
}

TEST(CutIntoBarsTest, AnIrregularBarStaysWhereItsPhasePersists) {
  EXPECT_EQ(Cut(Annotated(0, Repeat({{4, 12}, {2, 1}, {4, 12}}))), "0 | 4x12 2x1 4x13");
  EXPECT_EQ(Cut(Annotated(2, Repeat({{4, 11}, {6, 1}, {4, 24}}))), "2 | 4x11 6x1 4x25");
  // Before the end it has no bars to persist for.
  EXPECT_EQ(Cut(Annotated(0, Repeat({{4, 20}, {2, 1}}))), "0 | 4x21");
}

TEST(CutIntoBarsTest, AnErrorThatIsMadeGoodIsPassedOver) {
  EXPECT_EQ(Cut(Annotated(0, Repeat({{4, 10}, {3, 1}, {5, 1}, {4, 10}}))), "0 | 4x23");
  EXPECT_EQ(Cut(Annotated(0, Repeat({{4, 10}, {2, 1}, {4, 2}, {2, 1}, {4, 10}}))), "0 | 4x24");
  EXPECT_EQ(Cut(Annotated(0, Repeat({{4, 10}, {2, 2}, {4, 10}}))), "0 | 4x22");  // a downbeat too many
  EXPECT_EQ(Cut(Annotated(0, Repeat({{4, 10}, {8, 3}, {4, 10}}))), "0 | 4x27");  // three are missing
}

TEST(CutIntoBarsTest, AChangeOfMetreIsKept) {
  EXPECT_EQ(Cut(Annotated(0, Repeat({{4, 20}, {3, 12}, {4, 20}}))), "0 | 4x20 3x12 4x21");
}

TEST(CutIntoBarsTest, AWrongBeginningFollowsTheRest) {
  EXPECT_EQ(Cut(Annotated(1, Repeat({{5, 1}, {4, 66}}))), "2 | 4x68");
}

TEST(CutIntoBarsTest, WithOneDownbeatBarsHaveFourBeats) {
  std::vector<Beat> beats(10);
  beats[2].downbeat = true;
  EXPECT_EQ(Cut(beats), "2 | 4x2");
}

TEST(CutIntoBarsTest, CostsTheLeastOfAllDivisions) {
  // All divisions of short lists, by recursion, with the costs that the header states.
  struct Search {
    const std::vector<Beat>& beats;
    size_t usual;
    size_t Run(size_t length) const { return length == usual ? 0 : length <= 6 ? 8 : 16; }
    size_t Bars(size_t at, size_t before) const {
      size_t best = SIZE_MAX;
      for (size_t length = 1; length <= kLongestBar; ++length) {
        size_t cost = (beats[at].downbeat ? 0 : 1) + (length == before ? 0 : Run(length));
        for (size_t i = at + 1; i < std::min(at + length, beats.size()); ++i) {
          cost += beats[i].downbeat ? 1 : 0;
        }
        cost += at + length < beats.size() ? Bars(at + length, length) : 0;
        best = std::min(best, cost);
      }
      return best;
    }
    size_t Cost(const BeatBars& bars) const {
      size_t cost = 0;
      std::vector<bool> line(beats.size());
      size_t at = bars.pickup;
      for (size_t i = 0; i < bars.beats.size(); ++i) {
        cost += i == 0 || bars.beats[i] != bars.beats[i - 1] ? Run(bars.beats[i]) : 0;
        line[at] = true;
        at += bars.beats[i];
      }
      for (size_t i = 0; i < beats.size(); ++i) {
        cost += line[i] != beats[i].downbeat ? 1 : 0;
      }
      return cost;
    }
  };
  for (unsigned pattern = 1; pattern < 1U << 13; pattern += 37) {
    std::vector<Beat> beats(13);
    for (size_t i = 0; i < beats.size(); ++i) {
      beats[i].downbeat = (pattern >> i & 1) != 0;
    }
    std::array<size_t, kLongestBar + 1> count{};
    for (size_t i = 0, last = SIZE_MAX; i < beats.size(); ++i) {
      if (beats[i].downbeat) {
        if (last != SIZE_MAX) {
          ++count[i - last];
        }
        last = i;
      }
    }
    const auto most = std::max_element(count.begin(), count.end());
    const Search search{beats, *most == 0 ? 4 : static_cast<size_t>(most - count.begin())};
    size_t least = SIZE_MAX;
    size_t downbeats = 0;
    for (size_t pickup = 0; pickup < beats.size(); ++pickup) {
      // A pickup is shorter than the first bar.
      for (size_t length = pickup + 1; length <= kLongestBar; ++length) {
        size_t cost = downbeats + (beats[pickup].downbeat ? 0 : 1) + search.Run(length);
        for (size_t i = pickup + 1; i < std::min(pickup + length, beats.size()); ++i) {
          cost += beats[i].downbeat ? 1 : 0;
        }
        cost += pickup + length < beats.size() ? search.Bars(pickup + length, length) : 0;
        least = std::min(least, cost);
      }
      downbeats += beats[pickup].downbeat ? 1 : 0;
    }
    EXPECT_EQ(search.Cost(CutIntoBars(beats)), least) << pattern;
  }
}

}  // namespace
}  // namespace continuo
