#include "continuo/token/bpe_trainer.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <string_view>
#include <unordered_map>

namespace continuo {

namespace {

using Pair = std::pair<uint32_t, uint32_t>;

uint64_t KeyOf(const Pair& pair) {
  return static_cast<uint64_t>(pair.first) << 32 | pair.second;
}

struct KeyHash {
  size_t operator()(uint64_t key) const {
    key *= 0x9E3779B97F4A7C15;
    return key ^ key >> 32;
  }
};

struct Candidate {
  int64_t count;
  Pair pair;
  std::vector<uint32_t> words;  // that had the pair when it was found
};

/// The order of `tokenizers`: many before few, then low ids before high ones.
struct ComesLater {
  bool operator()(const Candidate& a, const Candidate& b) const {
    return a.count != b.count ? a.count < b.count : a.pair > b.pair;
  }
};

/// What a merge does to the pairs with one other symbol: of each symbol, the change of the count,
/// and the words that have a new such pair.
class Changes {
 public:
  void Count(uint32_t symbol, int64_t change) { At(symbol).count += change; }
  void New(uint32_t symbol, int64_t change, uint32_t word) {
    Entry& entry = At(symbol);
    entry.count += change;
    if (entry.words.empty() || entry.words.back() != word) {
      entry.words.push_back(word);
    }
  }
  /// Calls `visit(symbol, count, words)` for each symbol and forgets it.
  template <typename Visit>
  void Drain(const Visit& visit) {
    for (const uint32_t symbol : touched_) {
      Entry& entry = entries_[symbol];
      visit(symbol, entry.count, entry.words);
      entry = {};
    }
    touched_.clear();
  }

 private:
  struct Entry {
    int64_t count = 0;
    bool touched = false;
    std::vector<uint32_t> words;
  };
  Entry& At(uint32_t symbol) {
    if (entries_.size() <= symbol) {
      entries_.resize(symbol + 1);
    }
    Entry& entry = entries_[symbol];
    if (!entry.touched) {
      entry.touched = true;
      touched_.push_back(symbol);
    }
    return entry;
  }

  std::vector<Entry> entries_;
  std::vector<uint32_t> touched_;
};

}  // namespace

void BpeTrainer::Add(std::span<const uint32_t> word) {
  text_.insert(text_.end(), word.begin(), word.end());
  starts_.push_back(text_.size());
}

std::vector<BpeTrainer::Merge> BpeTrainer::Train(size_t size, const StopToken& stop) {
  // Equal words are counted, not repeated.
  struct Word {
    uint32_t* symbols;
    uint32_t length;
    int64_t count;
  };
  std::vector<Word> words;
  {
    std::unordered_map<std::string_view, uint32_t> known;
    for (size_t i = 0; i + 1 < starts_.size(); ++i) {
      uint32_t* symbols = text_.data() + starts_[i];
      const size_t length = starts_[i + 1] - starts_[i];
      const std::string_view bytes(reinterpret_cast<const char*>(symbols), length * sizeof(uint32_t));
      const auto [entry, is_new] = known.emplace(bytes, static_cast<uint32_t>(words.size()));
      if (is_new) {
        words.push_back({symbols, static_cast<uint32_t>(length), 1});
      } else {
        ++words[entry->second].count;
      }
    }
  }

  // What each symbol stands for, as the first symbols.
  std::vector<std::vector<uint32_t>> spelled(symbols_);
  std::map<std::vector<uint32_t>, uint32_t> by_spelling;
  for (uint32_t symbol = 0; symbol < symbols_; ++symbol) {
    spelled[symbol].assign(1, symbol);
    by_spelling.emplace(spelled[symbol], symbol);
  }

  std::unordered_map<uint64_t, int64_t, KeyHash> counts;
  std::vector<Candidate> queue;  // a heap
  const auto push = [&queue](Candidate candidate) {
    queue.push_back(std::move(candidate));
    std::push_heap(queue.begin(), queue.end(), ComesLater());
  };
  {
    std::unordered_map<uint64_t, std::vector<uint32_t>, KeyHash> found;
    for (size_t w = 0; w < words.size(); ++w) {
      for (uint32_t i = 0; i + 1 < words[w].length; ++i) {
        const uint64_t key = KeyOf({words[w].symbols[i], words[w].symbols[i + 1]});
        counts[key] += words[w].count;
        std::vector<uint32_t>& having = found[key];
        if (having.empty() || having.back() != w) {
          having.push_back(static_cast<uint32_t>(w));
        }
      }
    }
    for (auto& [key, having] : found) {
      queue.push_back({counts[key], {static_cast<uint32_t>(key >> 32), static_cast<uint32_t>(key)}, std::move(having)});
    }
    std::make_heap(queue.begin(), queue.end(), ComesLater());
  }

  std::vector<Merge> merges;
  Changes before;      // (x, left)
  Changes after;       // (right, y)
  Changes new_before;  // (x, merged)
  Changes new_after;   // (merged, y)
  while (spelled.size() < size && !queue.empty() && !stop.stop_requested()) {
    std::pop_heap(queue.begin(), queue.end(), ComesLater());
    Candidate top = std::move(queue.back());
    queue.pop_back();
    const auto [left, right] = top.pair;
    const int64_t count = counts[KeyOf(top.pair)];
    if (count != top.count) {
      top.count = count;
      push(std::move(top));
      continue;
    }
    if (count < 1) {
      break;
    }
    std::vector<uint32_t> whole = spelled[left];
    whole.insert(whole.end(), spelled[right].begin(), spelled[right].end());
    const auto [entry, is_new] = by_spelling.emplace(whole, static_cast<uint32_t>(spelled.size()));
    const uint32_t merged = entry->second;
    if (is_new) {
      spelled.push_back(std::move(whole));
    }
    merges.push_back({left, right, merged});

    for (const uint32_t w : top.words) {
      Word& word = words[w];
      uint32_t* const symbols = word.symbols;
      uint32_t out = 0;
      for (uint32_t i = 0; i < word.length;) {
        if (symbols[i] != left || i + 1 == word.length || symbols[i + 1] != right) {
          symbols[out++] = symbols[i++];
          continue;
        }
        if (out > 0) {
          before.Count(symbols[out - 1], -word.count);
          new_before.New(symbols[out - 1], word.count, w);
        }
        if (i + 2 < word.length) {
          after.Count(symbols[i + 2], -word.count);
          new_after.New(symbols[i + 2], word.count, w);
        }
        symbols[out++] = merged;
        i += 2;
      }
      word.length = out;
    }
    before.Drain([&, kept = left](uint32_t symbol, int64_t change, auto&) { counts[KeyOf({symbol, kept})] += change; });
    after.Drain([&, kept = right](uint32_t symbol, int64_t change, auto&) { counts[KeyOf({kept, symbol})] += change; });
    std::vector<uint32_t> doubled;  // the words of (merged, merged), which is in both
    int64_t doubled_change = 0;
    std::vector<std::pair<Pair, std::vector<uint32_t>>> found;
    const auto add = [&](const Pair& pair, int64_t change, std::vector<uint32_t>& having) {
      counts[KeyOf(pair)] += change;
      if (pair.first == pair.second && pair.first == merged) {
        doubled_change += change;
        std::vector<uint32_t> all;
        std::set_union(doubled.begin(), doubled.end(), having.begin(), having.end(), std::back_inserter(all));
        doubled = std::move(all);
        return;
      }
      found.emplace_back(pair, std::move(having));
    };
    new_before.Drain([&](uint32_t symbol, int64_t change, auto& having) { add({symbol, merged}, change, having); });
    new_after.Drain([&](uint32_t symbol, int64_t change, auto& having) { add({merged, symbol}, change, having); });
    if (!doubled.empty()) {
      found.emplace_back(Pair(merged, merged), std::move(doubled));
    }
    for (auto& [pair, having] : found) {
      if (const int64_t pair_count = counts[KeyOf(pair)]; pair_count > 0) {
        push({pair_count, pair, std::move(having)});
      }
    }
  }
  text_.clear();
  starts_.assign(1, 0);
  return merges;
}

}  // namespace continuo
