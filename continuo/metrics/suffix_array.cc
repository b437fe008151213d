#include "continuo/metrics/suffix_array.h"

#include <algorithm>
#include <cstddef>
#include <limits>

#include "continuo/core/check.h"

namespace continuo {
namespace {

constexpr int32_t kEmpty = -1;

// Sorts the suffixes of a text by sorting the few that begin a run of rising symbols and inducing
// the order of the rest.
//
// A suffix is "small" if it is smaller than the one that begins a symbol later, else "large"; the
// end of the text is smaller than any symbol. A small suffix after a large one is a "valley". From
// the order of the valleys that of the large suffixes follows in one pass upwards, and from that of
// the large ones that of the small ones in a pass downwards.
class InducedSort {
 public:
  InducedSort(std::span<const int32_t> text, int32_t symbols)
      : text_(text),
        size_(static_cast<int32_t>(text.size())),
        small_(text.size()),
        ends_(static_cast<size_t>(symbols)) {
    for (int32_t i = size_ - 2; i >= 0; --i) {
      small_[At(i)] = Symbol(i) < Symbol(i + 1) || (Symbol(i) == Symbol(i + 1) && small_[At(i + 1)]);
    }
    for (const int32_t symbol : text) {
      ++ends_[At(symbol)];
    }
    for (size_t c = 1; c < ends_.size(); ++c) {
      ends_[c] += ends_[c - 1];
    }
  }

  std::vector<int32_t> Sort() {
    std::vector<int32_t> valleys;  // in the order of the text
    for (int32_t i = 1; i < size_; ++i) {
      if (IsValley(i)) {
        valleys.push_back(i);
      }
    }
    // From the valleys in any order follows the order of the stretches from each valley to the
    // next.
    std::vector<int32_t> order = Induce(valleys);
    std::vector<int32_t> by_stretch;
    by_stretch.reserve(valleys.size());
    std::copy_if(order.begin(), order.end(), std::back_inserter(by_stretch), [&](int32_t i) { return IsValley(i); });

    std::vector<int32_t> name(text_.size(), kEmpty);
    int32_t names = 0;
    for (size_t i = 0; i < by_stretch.size(); ++i) {
      if (i > 0 && !SameStretch(by_stretch[i - 1], by_stretch[i])) {
        ++names;
      }
      name[At(by_stretch[i])] = names;
    }
    names += by_stretch.empty() ? 0 : 1;
    if (static_cast<size_t>(names) < valleys.size()) {
      // The text of the stretches' names is at most half as long, so this is at most 30 calls deep.
      std::vector<int32_t> shorter;
      shorter.reserve(valleys.size());
      for (const int32_t valley : valleys) {
        shorter.push_back(name[At(valley)]);
      }
      name = {};
      order = {};
      const std::vector<int32_t> sorted = BuildSuffixArray(shorter, names);
      for (size_t i = 0; i < sorted.size(); ++i) {
        by_stretch[i] = valleys[At(sorted[i])];
      }
    }
    return Induce(by_stretch);
  }

 private:
  static size_t At(int32_t index) { return static_cast<size_t>(index); }
  int32_t Symbol(int32_t i) const { return text_[At(i)]; }
  bool IsValley(int32_t i) const { return i > 0 && small_[At(i)] && !small_[At(i - 1)]; }

  // Whether the stretches from two valleys to the next ones are equal.
  bool SameStretch(int32_t a, int32_t b) const {
    for (int32_t i = 0;; ++i) {
      if (a + i >= size_ || b + i >= size_) {
        return false;
      }
      const bool end_a = i > 0 && IsValley(a + i);
      const bool end_b = i > 0 && IsValley(b + i);
      if (end_a && end_b) {
        return Symbol(a + i) == Symbol(b + i);
      }
      if (end_a != end_b || Symbol(a + i) != Symbol(b + i)) {
        return false;
      }
    }
  }

  std::vector<int32_t> Induce(const std::vector<int32_t>& valleys) const {
    std::vector<int32_t> order(text_.size(), kEmpty);
    std::vector<int32_t> ends = ends_;
    for (size_t i = valleys.size(); i-- > 0;) {
      order[At(--ends[At(Symbol(valleys[i]))])] = valleys[i];
    }
    std::vector<int32_t> starts(ends_.size());
    for (size_t c = 1; c < starts.size(); ++c) {
      starts[c] = ends_[c - 1];
    }
    const auto add_large = [&](int32_t suffix) {
      if (suffix >= 0 && !small_[At(suffix)]) {
        order[At(starts[At(Symbol(suffix))]++)] = suffix;
      }
    };
    add_large(size_ - 1);
    for (size_t i = 0; i < order.size(); ++i) {
      if (order[i] != kEmpty) {
        add_large(order[i] - 1);
      }
    }
    ends = ends_;
    for (size_t i = order.size(); i-- > 0;) {
      const int32_t suffix = order[i] - 1;
      if (order[i] != kEmpty && suffix >= 0 && small_[At(suffix)]) {
        order[At(--ends[At(Symbol(suffix))])] = suffix;
      }
    }
    return order;
  }

  const std::span<const int32_t> text_;
  const int32_t size_;
  std::vector<bool> small_;
  std::vector<int32_t> ends_;  // where the suffixes that begin with a symbol end in the order
};

}  // namespace

std::vector<int32_t> BuildSuffixArray(std::span<const int32_t> text, int32_t symbols) {
  CONTINUO_CHECK(text.size() < static_cast<size_t>(std::numeric_limits<int32_t>::max()));
  if (text.empty()) {
    return {};
  }
  return InducedSort(text, symbols).Sort();
}

std::vector<int32_t> SharedPrefixes(std::span<const int32_t> text, std::span<const int32_t> order) {
  std::vector<int32_t> rank(text.size());
  for (size_t i = 0; i < order.size(); ++i) {
    rank[static_cast<size_t>(order[i])] = static_cast<int32_t>(i);
  }
  std::vector<int32_t> shared(text.size(), 0);
  size_t length = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    const auto at = static_cast<size_t>(rank[i]);
    if (at == 0) {
      length = 0;
      continue;
    }
    const auto before = static_cast<size_t>(order[at - 1]);
    while (i + length < text.size() && before + length < text.size() && text[i + length] == text[before + length]) {
      ++length;
    }
    shared[at] = static_cast<int32_t>(length);
    length -= length > 0 ? 1 : 0;
  }
  return shared;
}

}  // namespace continuo
