#include "continuo/token/bpe_trainer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "continuo/core/rng.h"

namespace continuo {
namespace {

using Word = std::vector<uint32_t>;
using Merge = BpeTrainer::Merge;
using testing::ElementsAre;
using Pair = std::pair<uint32_t, uint32_t>;

/// What `tokenizers` does (BpeTrainer::do_train), as plainly as it can be said: a queue of pairs,
/// each with the words that had it when it was put there; all pairs of those words are merged.
std::vector<Merge> Reference(std::vector<Word> words, uint32_t symbols, size_t size) {
  std::vector<Word> spelled(symbols);
  std::map<Word, uint32_t> by_spelling;
  for (uint32_t symbol = 0; symbol < symbols; ++symbol) {
    spelled[symbol] = {symbol};
    by_spelling[spelled[symbol]] = symbol;
  }
  struct Entry {
    int count;
    Pair pair;
    std::set<size_t> words;
  };
  std::vector<Entry> queue;
  // Counts are kept by changes, so that those of overlapping pairs (a a a) are `tokenizers`' own.
  std::map<Pair, int> counts;
  std::map<Pair, std::set<size_t>> first;
  for (size_t w = 0; w < words.size(); ++w) {
    for (size_t i = 0; i + 1 < words[w].size(); ++i) {
      const Pair pair(words[w][i], words[w][i + 1]);
      ++counts[pair];
      first[pair].insert(w);
    }
  }
  for (const auto& [pair, having] : first) {
    queue.push_back({counts[pair], pair, having});
  }
  std::vector<Merge> merges;
  while (spelled.size() < size && !queue.empty()) {
    const auto best = std::max_element(queue.begin(), queue.end(), [](const Entry& a, const Entry& b) {
      return a.count != b.count ? a.count < b.count : a.pair > b.pair;
    });
    Entry top = *best;
    queue.erase(best);
    if (counts[top.pair] != top.count) {
      top.count = counts[top.pair];
      queue.push_back(top);
      continue;
    }
    if (top.count < 1) {
      break;
    }
    const auto [left, right] = top.pair;
    Word whole = spelled[left];
    whole.insert(whole.end(), spelled[right].begin(), spelled[right].end());
    const auto [entry, is_new] = by_spelling.emplace(whole, static_cast<uint32_t>(spelled.size()));
    const uint32_t merged = entry->second;
    if (is_new) {
      spelled.push_back(whole);
    }
    merges.push_back({left, right});
    std::map<Pair, std::set<size_t>> found;
    for (const size_t w : top.words) {
      Word& word = words[w];
      for (size_t i = 0; i + 1 < word.size(); ++i) {
        if (Pair(word[i], word[i + 1]) != top.pair) {
          continue;
        }
        if (i > 0) {
          --counts[{word[i - 1], left}];
          ++counts[{word[i - 1], merged}];
          found[{word[i - 1], merged}].insert(w);
        }
        if (i + 2 < word.size()) {
          --counts[{right, word[i + 2]}];
          ++counts[{merged, word[i + 2]}];
          found[{merged, word[i + 2]}].insert(w);
        }
        word[i] = merged;
        word.erase(word.begin() + static_cast<std::ptrdiff_t>(i) + 1);
      }
    }
    for (const auto& [pair, having] : found) {
      if (counts[pair] > 0) {
        queue.push_back({counts[pair], pair, having});
      }
    }
  }
  return merges;
}

TEST(BpeTrainerTest, MergesTheMostFrequentPairAndOfEqualsTheLowest) {
  BpeTrainer trainer(4);
  trainer.Add(Word{0, 1, 2});
  trainer.Add(Word{0, 1, 3});
  trainer.Add(Word{3, 2, 0});
  // (0,1) twice; then (2,0), (3,2), (4,2), (4,3) once each.
  EXPECT_THAT(trainer.Train(7), ElementsAre(Merge{0, 1}, Merge{2, 0}, Merge{3, 5}));
}

TEST(BpeTrainerTest, OverlappingPairsAreMergedFromTheLeft) {
  BpeTrainer trainer(2);
  trainer.Add(Word{0, 0, 0, 0, 0, 1});
  EXPECT_THAT(trainer.Train(5), ElementsAre(Merge{0, 0}, Merge{0, 1}, Merge{2, 2}));
}

TEST(BpeTrainerTest, StopsWhenNothingIsLeft) {
  BpeTrainer trainer(3);
  trainer.Add(Word{0, 1});
  trainer.Add(Word{2});
  trainer.Add(Word{});
  EXPECT_THAT(trainer.Train(100), ElementsAre(Merge{0, 1}));
}

TEST(BpeTrainerTest, MergesWhatTheReferenceMerges) {
  for (uint64_t seed = 0; seed < 400; ++seed) {
    Rng rng(seed, 0);
    // Pairs of the lowest symbols are counted in one way and others in another, and so are frequent
    // and rare pairs.
    const uint32_t unused = seed % 2 == 0 ? 0 : 1022;
    const auto symbols = static_cast<uint32_t>(unused + 1 + rng.NextBelow(4));
    const uint64_t most_times = seed % 3 == 0 ? 60 : 3;
    BpeTrainer trainer(symbols);
    std::vector<Word> words;
    for (uint64_t n = 1 + rng.NextBelow(12); n > 0; --n) {
      Word word(rng.NextBelow(30));
      for (uint32_t& symbol : word) {
        symbol = static_cast<uint32_t>(unused + rng.NextBelow(symbols - unused));
      }
      for (uint64_t times = 1 + rng.NextBelow(most_times); times > 0; --times) {
        trainer.Add(word);
        words.push_back(word);
      }
    }
    const size_t size = symbols + rng.NextBelow(60);
    ASSERT_EQ(trainer.Train(size), Reference(words, symbols, size)) << seed;
  }
}

TEST(BpeTrainerTest, LearnsNothingFromNothing) {
  EXPECT_TRUE(BpeTrainer(3).Train(10).empty());
  BpeTrainer trainer(3);
  trainer.Add({});
  trainer.Add(Word{1});
  EXPECT_TRUE(trainer.Train(10).empty());
}

}  // namespace
}  // namespace continuo
