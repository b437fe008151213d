#include "continuo/token/bpe_trainer.h"

#include <algorithm>
#include <iterator>
#include <memory>
#include <utility>

#include "continuo/core/check.h"

namespace continuo {

namespace {

using Pair = std::pair<uint32_t, uint32_t>;

uint64_t KeyOf(const Pair& pair) {
  return static_cast<uint64_t>(pair.first) << 32 | pair.second;
}

/// Numbers by pair, in one table with open addressing: a count is looked up for every two tokens of
/// the text.
template <typename Value>
class PairTable {
 public:
  /// A new one is Value{}.
  Value& operator[](const Pair& pair) {
    if (2 * (size_ + 1) > slots_.size()) {
      Grow();
    }
    Slot& slot = Find(KeyOf(pair));
    if (slot.key == kFree) {
      slot.key = KeyOf(pair);
      ++size_;
    }
    return slot.value;
  }
  /// Calls `visit(pair, value)` for each.
  template <typename Visit>
  void ForEach(const Visit& visit) {
    for (Slot& slot : slots_) {
      if (slot.key != kFree) {
        visit(Pair(static_cast<uint32_t>(slot.key >> 32), static_cast<uint32_t>(slot.key)), slot.value);
      }
    }
  }

 private:
  static constexpr uint64_t kFree = ~uint64_t{0};  // of no pair: symbols are fewer than 2^32
  struct Slot {
    uint64_t key = kFree;
    Value value{};
  };
  Slot& Find(uint64_t key) {
    const uint64_t hash = key * 0x9E3779B97F4A7C15;
    size_t at = (hash ^ hash >> 32) & (slots_.size() - 1);
    while (slots_[at].key != key && slots_[at].key != kFree) {
      at = (at + 1) & (slots_.size() - 1);
    }
    return slots_[at];
  }
  void Grow() {
    std::vector<Slot> old(std::max<size_t>(2 * slots_.size(), 1024));
    old.swap(slots_);
    for (Slot& slot : old) {
      if (slot.key != kFree) {
        Find(slot.key) = std::move(slot);
      }
    }
  }

  std::vector<Slot> slots_;  // a power of two
  size_t size_ = 0;
};

/// Keeps lists of places in the text to the end, in few large pieces.
class PlaceLists {
 public:
  std::span<uint32_t> Make(size_t size) {
    if (left_.size() < size) {
      constexpr size_t kPiece = 1 << 18;
      const size_t piece = std::max(kPiece, size);
      pieces_.push_back(std::make_unique_for_overwrite<uint32_t[]>(piece));
      left_ = {pieces_.back().get(), piece};
    }
    const std::span<uint32_t> list = left_.first(size);
    left_ = left_.subspan(size);
    return list;
  }
  std::span<const uint32_t> Keep(const std::vector<uint32_t>& places) {
    const std::span<uint32_t> list = Make(places.size());
    std::copy(places.begin(), places.end(), list.begin());
    return list;
  }

 private:
  std::vector<std::unique_ptr<uint32_t[]>> pieces_;
  std::span<uint32_t> left_;  // of the last one
};

struct Candidate {
  int64_t count;
  Pair pair;
  std::span<const uint32_t> places;  // of the left symbol when the pair was found, ascending
};

/// The order of `tokenizers`: many before few, then low ids before high ones.
struct ComesLater {
  bool operator()(const Candidate& a, const Candidate& b) const {
    return a.count != b.count ? a.count < b.count : a.pair > b.pair;
  }
};

/// What a merge does to the pairs with one other symbol: of each symbol, the change of the count,
/// and the places of new such pairs.
class Changes {
 public:
  void Lose(uint32_t symbol) { --At(symbol).count; }
  void New(uint32_t symbol, uint32_t place) {
    Entry& entry = At(symbol);
    ++entry.count;
    entry.places.push_back(place);
  }
  /// Calls `visit(symbol, count, places)` for each symbol and forgets it.
  template <typename Visit>
  void Drain(const Visit& visit) {
    for (const uint32_t symbol : touched_) {
      Entry& entry = entries_[symbol];
      visit(symbol, entry.count, entry.places);
      entry.count = 0;
      entry.touched = false;
      entry.places.clear();
    }
    touched_.clear();
  }

 private:
  struct Entry {
    int64_t count = 0;
    bool touched = false;
    std::vector<uint32_t> places;
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

/// The words with what has been merged in them. A symbol stands in the first and the last of the
/// cells of the symbols that it was made of.
class Text {
 public:
  static constexpr uint32_t kEnd = ~uint32_t{0};  // before and after each word
  static constexpr uint32_t kInside = kEnd - 1;   // of a symbol

  Text(std::vector<uint32_t> cells, uint32_t symbols) : cells_(std::move(cells)), lengths_(symbols, 1) {}

  size_t size() const { return cells_.size(); }
  uint32_t at(uint32_t place) const { return cells_[place]; }
  /// Has a place in the cache soon.
  void Prefetch(uint32_t place) const { __builtin_prefetch(&cells_[place]); }
  uint32_t Next(uint32_t place) const { return place + lengths_[cells_[place]]; }
  uint32_t Before(uint32_t place) const { return place - lengths_[cells_[place - 1]]; }
  bool HasPair(uint32_t place, const Pair& pair) const {
    return cells_[place] == pair.first && cells_[Next(place)] == pair.second;
  }
  uint32_t AddSymbol(const Pair& pair) {
    lengths_.push_back(lengths_[pair.first] + lengths_[pair.second]);
    return static_cast<uint32_t>(lengths_.size() - 1);
  }
  /// Puts `merged` in the place of the two symbols there.
  void Merge(uint32_t place, uint32_t merged) {
    const uint32_t middle = Next(place);
    const uint32_t last = Next(middle) - 1;
    cells_[middle - 1] = kInside;
    cells_[middle] = kInside;
    cells_[place] = merged;
    cells_[last] = merged;
  }

 private:
  std::vector<uint32_t> cells_;
  std::vector<uint32_t> lengths_;  // in cells, by symbol
};

}  // namespace

void BpeTrainer::Add(std::span<const uint32_t> word) {
  text_.insert(text_.end(), word.begin(), word.end());
  text_.push_back(Text::kEnd);
}

std::vector<BpeTrainer::Merge> BpeTrainer::Train(size_t size, const StopToken& stop) {
  CONTINUO_CHECK(text_.size() < Text::kInside);
  Text text(std::exchange(text_, {Text::kEnd}), symbols_);

  PairTable<int64_t> counts;
  PlaceLists lists;
  std::vector<Candidate> queue;  // a heap
  const auto for_each_pair = [&text](const auto& visit) {
    for (uint32_t place = 0; place + 1 < text.size(); ++place) {
      if (text.at(place) != Text::kEnd && text.at(place + 1) != Text::kEnd) {
        visit(Pair(text.at(place), text.at(place + 1)), place);
      }
    }
  };
  size_t pairs = 0;
  for_each_pair([&](const Pair& pair, uint32_t /*place*/) {
    ++counts[pair];
    ++pairs;
  });
  {
    PairTable<uint32_t*> next;  // where the pair's next place goes
    std::span<uint32_t> rest = lists.Make(pairs);
    counts.ForEach([&](const Pair& pair, int64_t count) {
      const auto list = rest.first(static_cast<size_t>(count));
      rest = rest.subspan(list.size());
      next[pair] = list.data();
      queue.push_back({count, pair, list});
    });
    for_each_pair([&](const Pair& pair, uint32_t place) { *next[pair]++ = place; });
    std::make_heap(queue.begin(), queue.end(), ComesLater());
  }
  const auto push = [&queue](const Candidate& candidate) {
    queue.push_back(candidate);
    std::push_heap(queue.begin(), queue.end(), ComesLater());
  };

  std::vector<Merge> merges;
  Changes before;      // (x, left)
  Changes after;       // (right, y)
  Changes new_before;  // (x, merged)
  Changes new_after;   // (merged, y)
  std::vector<std::pair<Pair, std::span<const uint32_t>>> found;
  while (symbols_ + merges.size() < size && !queue.empty() && !stop.stop_requested()) {
    std::pop_heap(queue.begin(), queue.end(), ComesLater());
    Candidate top = queue.back();
    queue.pop_back();
    const auto [left, right] = top.pair;
    const int64_t count = counts[top.pair];
    if (count != top.count) {
      top.count = count;
      push(top);
      continue;
    }
    if (count < 1) {
      break;
    }
    // No two merges make the same of the first symbols: wherever these stand side by side and
    // nothing is merged across the ends, the same is merged within.
    const uint32_t merged = text.AddSymbol(top.pair);
    merges.push_back({left, right});

    const auto merge = [&](uint32_t place) {
      if (text.at(place - 1) != Text::kEnd) {
        const uint32_t previous = text.Before(place);
        before.Lose(text.at(previous));
        new_before.New(text.at(previous), previous);
      }
      const uint32_t next = text.at(text.Next(text.Next(place)));
      if (next != Text::kEnd) {
        after.Lose(next);
        new_after.New(next, place);
      }
      text.Merge(place, merged);
    };
    constexpr size_t kAhead = 16;
    for (size_t i = 0; i < top.places.size(); ++i) {
      text.Prefetch(top.places[std::min(i + kAhead, top.places.size() - 1)]);
      if (text.HasPair(top.places[i], top.pair)) {
        merge(top.places[i]);
      }
    }
    before.Drain([&, kept = left](uint32_t symbol, int64_t change, auto&) { counts[{symbol, kept}] += change; });
    after.Drain([&, kept = right](uint32_t symbol, int64_t change, auto&) { counts[{kept, symbol}] += change; });
    std::vector<uint32_t> doubled;  // the places of (merged, merged), which is in both
    found.clear();
    const auto add = [&](const Pair& pair, int64_t change, const std::vector<uint32_t>& having) {
      counts[pair] += change;
      if (pair.first == pair.second) {
        std::vector<uint32_t> all;
        std::set_union(doubled.begin(), doubled.end(), having.begin(), having.end(), std::back_inserter(all));
        doubled = std::move(all);
        return;
      }
      found.emplace_back(pair, lists.Keep(having));
    };
    new_before.Drain([&](uint32_t symbol, int64_t change, auto& having) { add({symbol, merged}, change, having); });
    new_after.Drain([&](uint32_t symbol, int64_t change, auto& having) { add({merged, symbol}, change, having); });
    if (!doubled.empty()) {
      found.emplace_back(Pair(merged, merged), lists.Keep(doubled));
    }
    for (const auto& [pair, places] : found) {
      if (const int64_t pair_count = counts[pair]; pair_count > 0) {
        push({pair_count, pair, places});
      }
    }
  }
  return merges;
}

}  // namespace continuo
