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

/// Numbers by pair: of the lowest symbols, which the text has at first, in a matrix; of others in
/// one table with open addressing. A number is looked up for every two tokens of the text.
template <typename Value>
class PairTable {
 public:
  explicit PairTable(uint32_t symbols)
      : width_(std::min(symbols, kWidest)), matrix_(static_cast<size_t>(width_) * width_) {}

  /// A new one is Value{}.
  Value& operator[](const Pair& pair) { return IsOfLowest(pair) ? OfLowest(pair) : OfOthers(pair); }
  /// nullptr where there is none.
  Value* Find(const Pair& pair) {
    if (IsOfLowest(pair)) {
      return &OfLowest(pair);
    }
    if (slots_.empty()) {
      return nullptr;
    }
    Slot& slot = SlotOf(KeyOf(pair));
    return slot.key == kFree ? nullptr : &slot.value;
  }
  /// Has what is asked for next in the cache soon.
  void Prefetch(const Pair& pair) const {
    if (!slots_.empty()) {
      __builtin_prefetch(&slots_[Place(KeyOf(pair))]);
    }
  }
  /// Calls `visit(pair, value)` for each value that is not Value{}.
  template <typename Visit>
  void ForEach(const Visit& visit) const {
    for (uint32_t first = 0; first < width_; ++first) {
      for (uint32_t second = 0; second < width_; ++second) {
        const Value& value = matrix_[static_cast<size_t>(first) * width_ + second];
        if (value != Value{}) {
          visit(Pair(first, second), value);
        }
      }
    }
    for (const Slot& slot : slots_) {
      if (slot.key != kFree && slot.value != Value{}) {
        visit(Pair(static_cast<uint32_t>(slot.key >> 32), static_cast<uint32_t>(slot.key)), slot.value);
      }
    }
  }

 private:
  static constexpr uint32_t kWidest = 1024;
  static constexpr uint64_t kFree = ~uint64_t{0};  // of no pair: symbols are fewer than 2^32
  struct Slot {
    uint64_t key = kFree;
    Value value{};
  };
  bool IsOfLowest(const Pair& pair) const { return pair.first < width_ && pair.second < width_; }
  Value& OfLowest(const Pair& pair) { return matrix_[static_cast<size_t>(pair.first) * width_ + pair.second]; }
  Value& OfOthers(const Pair& pair) {
    if (2 * (size_ + 1) > slots_.size()) {
      Grow();
    }
    Slot& slot = SlotOf(KeyOf(pair));
    if (slot.key == kFree) {
      slot.key = KeyOf(pair);
      ++size_;
    }
    return slot.value;
  }
  size_t Place(uint64_t key) const {
    const uint64_t hash = key * 0x9E3779B97F4A7C15;
    return (hash ^ hash >> 32) & (slots_.size() - 1);
  }
  Slot& SlotOf(uint64_t key) {
    size_t at = Place(key);
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
        SlotOf(slot.key) = std::move(slot);
      }
    }
  }

  uint32_t width_;
  std::vector<Value> matrix_;
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
  std::span<const uint32_t> Keep(std::span<const uint32_t> places) {
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

/// The new pairs that a merge makes, on one side of the merged symbol: of each other symbol, their
/// places.
class NewPairs {
 public:
  void Add(uint32_t symbol, uint32_t place) {
    if (places_.size() <= symbol) {
      places_.resize(symbol + 1);
    }
    if (places_[symbol].empty()) {
      touched_.push_back(symbol);
    }
    places_[symbol].push_back(place);
  }
  /// Calls `visit(symbol, places)` for each symbol and forgets it, and before that
  /// `prepare(symbol)`.
  template <typename Prepare, typename Visit>
  void Drain(const Prepare& prepare, const Visit& visit) {
    constexpr size_t kAhead = 8;
    for (size_t i = 0; i < touched_.size() + kAhead; ++i) {
      if (i < touched_.size()) {
        prepare(touched_[i]);
      }
      if (i >= kAhead) {
        std::vector<uint32_t>& places = places_[touched_[i - kAhead]];
        visit(touched_[i - kAhead], places);
        places.clear();
      }
    }
    touched_.clear();
  }

 private:
  std::vector<std::vector<uint32_t>> places_;
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
  uint32_t Before(uint32_t place) const { return place - lengths_[cells_[place - 1]]; }
  uint32_t length(uint32_t symbol) const { return lengths_[symbol]; }
  bool HasPair(uint32_t place, const Pair& pair) const {
    return cells_[place] == pair.first && cells_[place + lengths_[pair.first]] == pair.second;
  }
  uint32_t AddSymbol(const Pair& pair) {
    lengths_.push_back(lengths_[pair.first] + lengths_[pair.second]);
    return static_cast<uint32_t>(lengths_.size() - 1);
  }
  /// Puts `merged` in the place of the two symbols from `place` to `end`, the second from `middle`
  /// on.
  void Merge(uint32_t place, uint32_t middle, uint32_t end, uint32_t merged) {
    cells_[middle - 1] = kInside;
    cells_[middle] = kInside;
    cells_[place] = merged;
    cells_[end - 1] = merged;
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

  PairTable<int64_t> counts(symbols_);
  PlaceLists lists;
  std::vector<Candidate> queue;  // a heap
  const auto for_each_pair = [&text](const auto& visit) {
    uint32_t next = 0;
    for (uint32_t place = 0; place + 1 < text.size(); ++place) {
      const uint32_t symbol = text.at(place);
      if (place < next || symbol == Text::kEnd) {
        continue;
      }
      next = place + text.length(symbol);
      if (text.at(next) != Text::kEnd) {
        visit(Pair(symbol, text.at(next)), place);
      }
    }
  };
  size_t pairs = 0;
  for_each_pair([&](const Pair& pair, uint32_t /*place*/) {
    ++counts[pair];
    ++pairs;
  });
  {
    PairTable<uint32_t*> next(symbols_);  // where the pair's next place goes
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
  // Counts never rise, so that pairs of few places need not be counted before it is their turn, and
  // those of one place, which are most, not even be known.
  std::vector<Candidate> rare;
  int64_t rare_count = 64;
  const auto push = [&](const Candidate& candidate) {
    if (candidate.count > rare_count) {
      queue.push_back(candidate);
      std::push_heap(queue.begin(), queue.end(), ComesLater());
    } else if (candidate.count > 1) {
      rare.push_back(candidate);
    }
  };
  const auto count_rare = [&] {
    rare_count /= 2;
    if (rare_count == 0) {  // all that are left have one place each
      queue.clear();
      for_each_pair([&](const Pair& pair, uint32_t place) {
        counts[pair] = 1;
        queue.push_back({1, pair, lists.Keep({&place, 1})});
      });
    }
    std::vector<Candidate> still_rare;
    for (Candidate& candidate : rare) {
      if (candidate.count > rare_count) {
        candidate.count = std::count_if(candidate.places.begin(), candidate.places.end(),
                                        [&](uint32_t place) { return text.HasPair(place, candidate.pair); });
      }
      if (candidate.count > rare_count) {
        counts[candidate.pair] = candidate.count;
        queue.push_back(candidate);
      } else if (candidate.count > 1) {
        still_rare.push_back(candidate);
      }
    }
    rare = std::move(still_rare);
    std::make_heap(queue.begin(), queue.end(), ComesLater());
  };

  std::vector<Merge> merges;
  NewPairs before;  // (x, merged), each of which was (x, left)
  NewPairs after;   // (merged, y), each of which was (right, y)
  while (symbols_ + merges.size() < size && !stop.stop_requested()) {
    while (rare_count > 0 && (queue.empty() || queue.front().count <= rare_count)) {
      count_rare();
    }
    if (queue.empty()) {
      break;
    }
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

    const uint32_t middle = text.length(left);
    const uint32_t length = text.length(merged);
    constexpr size_t kAhead = 16;
    for (size_t i = 0; i < top.places.size(); ++i) {
      text.Prefetch(top.places[std::min(i + kAhead, top.places.size() - 1)]);
      const uint32_t place = top.places[i];
      if (!text.HasPair(place, top.pair)) {
        continue;  // merged with others meanwhile
      }
      if (text.at(place - 1) != Text::kEnd) {
        const uint32_t previous = text.Before(place);
        before.Add(text.at(previous), previous);
      }
      const uint32_t end = place + length;
      if (text.at(end) != Text::kEnd) {
        after.Add(text.at(end), place);
      }
      text.Merge(place, place + middle, end, merged);
    }
    const auto lose = [&](const Pair& pair, const std::vector<uint32_t>& places) {
      if (int64_t* known = counts.Find(pair)) {
        *known -= std::ssize(places);
      }
    };
    // At `places`, but for `lost` of them.
    const auto gain = [&](const Pair& pair, const std::vector<uint32_t>& places, int64_t lost) {
      const int64_t gained = std::ssize(places) - lost;
      if (gained > rare_count) {
        counts[pair] = gained;
      }
      if (gained > (rare_count > 0 ? 1 : 0)) {
        push({gained, pair, lists.Keep(places)});
      }
    };
    int64_t twice = 0;  // (merged, left) that have become (merged, merged)
    before.Drain([&, old = left](uint32_t symbol) { counts.Prefetch({symbol, old}); },
                 [&, old = left](uint32_t symbol, const std::vector<uint32_t>& places) {
                   twice = symbol == merged ? std::ssize(places) : twice;
                   lose({symbol, old}, places);
                   gain({symbol, merged}, places, 0);
                 });
    after.Drain([&, old = right](uint32_t symbol) { counts.Prefetch({old, symbol}); },
                [&, first = left, old = right](uint32_t symbol, const std::vector<uint32_t>& places) {
                  lose({old, symbol}, places);
                  gain({merged, symbol}, places, symbol == first ? twice : 0);
                });
  }
  return merges;
}

}  // namespace continuo
