#include "continuo/metrics/copying.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "continuo/core/rng.h"
#include "continuo/metrics/suffix_array.h"

namespace continuo {
namespace {

std::vector<int32_t> SortedSuffixes(const std::vector<int32_t>& text) {
  std::vector<int32_t> order(text.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](int32_t a, int32_t b) {
    return std::lexicographical_compare(text.begin() + a, text.end(), text.begin() + b, text.end());
  });
  return order;
}

std::vector<int32_t> RandomText(size_t length, int32_t symbols, uint64_t seed) {
  Rng rng(seed, length);
  std::vector<int32_t> text(length);
  for (int32_t& symbol : text) {
    symbol = static_cast<int32_t>(rng.NextBelow(static_cast<uint64_t>(symbols)));
  }
  return text;
}

TEST(SuffixArray, SortsTheSuffixesOfAnyText) {
  for (const int32_t symbols : {1, 2, 3, 50}) {
    for (size_t length = 0; length < 200; ++length) {
      const std::vector<int32_t> text = RandomText(length, symbols, static_cast<uint64_t>(symbols));
      ASSERT_EQ(BuildSuffixArray(text, symbols), SortedSuffixes(text)) << length << " of " << symbols;
    }
  }
  std::vector<int32_t> fibonacci = {0};
  std::vector<int32_t> next = {0, 1};
  while (next.size() < 2000) {
    std::vector<int32_t> longer = next;
    longer.insert(longer.end(), fibonacci.begin(), fibonacci.end());
    fibonacci = std::exchange(next, longer);
  }
  EXPECT_EQ(BuildSuffixArray(next, 2), SortedSuffixes(next));
}

TEST(SuffixArray, TakesLinearTimeOnARepeatedSymbol) {
  const std::vector<int32_t> text(3000000, 0);
  const std::vector<int32_t> order = BuildSuffixArray(text, 1);
  EXPECT_EQ(order.front(), 2999999);
  EXPECT_EQ(order.back(), 0);
  EXPECT_EQ(SharedPrefixes(text, order).back(), 2999999);
}

NoteSteps Steps(const std::vector<uint64_t>& steps) {
  NoteSteps notes{steps, {}};
  for (size_t i = 0; i <= steps.size(); ++i) {
    notes.bars.push_back(static_cast<int64_t>(i));
  }
  return notes;
}

NoteSteps RandomSteps(size_t length, int32_t symbols, uint64_t seed) {
  const std::vector<int32_t> text = RandomText(length, symbols, seed);
  return Steps({text.begin(), text.end()});
}

// The longest run of steps in `piece` that is in one of the songs, and where in the piece it is
// first.
std::pair<size_t, size_t> PlainLongest(const NoteSteps& piece, const std::vector<NoteSteps>& songs) {
  size_t longest = 0;
  size_t place = 0;
  for (size_t i = 0; i < piece.steps.size(); ++i) {
    for (const NoteSteps& song : songs) {
      for (size_t j = 0; j < song.steps.size(); ++j) {
        size_t length = 0;
        while (i + length < piece.steps.size() && j + length < song.steps.size() &&
               piece.steps[i + length] == song.steps[j + length]) {
          ++length;
        }
        if (length > longest) {
          longest = length;
          place = i;
        }
      }
    }
  }
  return {longest, place};
}

TEST(CopyIndex, FindsTheLongestRunOfAnyPieceInAnySongs) {
  for (uint64_t seed = 0; seed < 60; ++seed) {
    const auto symbols = static_cast<int32_t>(1 + seed % 4);
    std::vector<NoteSteps> songs;
    for (size_t song = 0; song < seed % 6; ++song) {
      songs.push_back(RandomSteps(seed * song % 50, symbols, 100 * seed + song));
    }
    const NoteSteps piece = RandomSteps(40, symbols + static_cast<int32_t>(seed % 2), 7777 + seed);
    const Result<CopyIndex> index = CopyIndex::Build(songs);
    ASSERT_TRUE(index.ok());
    const CopiedRun run = index->LongestIn(piece);
    const auto [length, place] = PlainLongest(piece, songs);
    ASSERT_EQ(run.notes, length == 0 ? 0 : static_cast<int64_t>(length) + 1) << seed;
    if (length > 0) {
      EXPECT_EQ(run.bar, static_cast<int64_t>(place));
      const auto& song = songs.at(run.song).steps;
      EXPECT_TRUE(std::equal(song.begin() + run.song_bar, song.begin() + run.song_bar + static_cast<ptrdiff_t>(length),
                             piece.steps.begin() + run.bar));
    }
  }
}

TEST(CopyIndex, APieceThatRepeatsItselfIsNoSlower) {
  const std::vector<NoteSteps> songs = {Steps(std::vector<uint64_t>(300000, 5))};
  const Result<CopyIndex> index = CopyIndex::Build(songs);
  ASSERT_TRUE(index.ok());
  std::vector<uint64_t> piece(600000, 5);
  EXPECT_EQ(index->LongestIn(Steps(piece)).notes, 300001);
}

constexpr Tick kQuarter = 480;

Score Melody(std::initializer_list<int> pitches, Tick from) {
  Score score;
  score.tracks.resize(1);
  for (const int pitch : pitches) {
    score.tracks[0].notes.push_back({from, kQuarter, static_cast<uint8_t>(pitch), 64});
    from += kQuarter;
  }
  return score;
}

TEST(CopyIndex, ATransposedAndDelayedCopyIsACopy) {
  const std::vector<NoteSteps> songs = {StepsOf(Melody({40, 41, 43}, 0)),
                                        StepsOf(Melody({60, 62, 64, 65, 67, 60, 60, 60, 71, 66}, 0))};
  const Result<CopyIndex> index = CopyIndex::Build(songs);
  ASSERT_TRUE(index.ok());
  // Five notes of the second song, a fourth up, in bars 3 and 4 of the piece.
  const CopiedRun run = index->LongestIn(StepsOf(Melody({30, 90, 69, 70, 72, 65, 65, 20}, 10 * kQuarter)));
  EXPECT_EQ(run.notes, 5);
  EXPECT_EQ(run.song, 1U);
  EXPECT_EQ(run.bar, 3);
  EXPECT_EQ(run.song_bar, 0);
  EXPECT_EQ(index->LongestIn(StepsOf(Melody({60}, 0))).notes, 0);
  EXPECT_EQ(index->LongestIn(StepsOf(Score{})).notes, 0);
}

TEST(StepsOf, TakesChordsFromTheBassUpAndLeavesDrumsOut) {
  Score score = Melody({67, 64, 60}, 0);
  for (Note& note : score.tracks[0].notes) {
    note.time = 0;
  }
  score.tracks.push_back(score.tracks[0]);  // doubled by another instrument
  score.tracks.emplace_back();
  score.tracks[2].is_drum = true;
  score.tracks[2].notes = {{0, 10, 36, 64}};
  Score other = Melody({60, 64, 67}, 0);
  for (Note& note : other.tracks[0].notes) {
    note.time = 0;
  }
  EXPECT_EQ(StepsOf(score).steps, StepsOf(other).steps);
  EXPECT_EQ(StepsOf(score).steps.size(), 2U);
}

TEST(DistinctRuns, CountsEachDifferentRunOnce) {
  // Runs of three notes, that is of two steps: 12 21 12 23, then 12.
  const std::vector<NoteSteps> pieces = {Steps({1, 2, 1, 2, 3}), Steps({1, 2}), Steps({3})};
  EXPECT_DOUBLE_EQ(DistinctRuns(pieces, 3), 3 / 5.0);
  EXPECT_DOUBLE_EQ(DistinctRuns(pieces, 6), 1);
  EXPECT_TRUE(std::isnan(DistinctRuns(pieces, 7)));
  EXPECT_TRUE(std::isnan(DistinctRuns({}, 2)));
}

}  // namespace
}  // namespace continuo
