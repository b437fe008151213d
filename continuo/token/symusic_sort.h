#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <utility>
#include <vector>

namespace continuo {

/// Sorts events by `time` and leaves those of one time in the order in which symusic leaves them,
/// which MidiTok's tokens show: the last of several tempos at one tick counts. symusic sorts with
/// pattern-defeating quicksort in its branchless form (Peters, "Pattern-defeating Quicksort",
/// 2021), which is stable below 24 elements only. This is that algorithm, exchange by exchange: the
/// constants, the choice of pivots and the block-wise partition (Edelkamp and Weiß,
/// "BlockQuicksort", 2016) decide the order. O(n log n).
template <typename Event>
class SymusicSort {
 public:
  static void Sort(std::vector<Event>& events) {
    if (events.size() > 1) {
      SymusicSort(events).Run();
    }
  }

 private:
  static constexpr size_t kInsertion = 24;  // shorter ranges are sorted by insertion
  static constexpr size_t kNinther = 128;   // longer ranges take the median of nine
  static constexpr size_t kMostMoves = 8;   // of an insertion sort that is given up
  static constexpr size_t kBlock = 64;

  struct Range {
    size_t begin;
    size_t end;
    int bad_allowed;  // partitions that may be unbalanced before heap sort takes over
    bool leftmost;
  };

  explicit SymusicSort(std::vector<Event>& events) : e_(events) {}

  void Run() {
    // Ranges to the left are done first, as a recursion would.
    std::vector<Range> left{{0, e_.size(), static_cast<int>(std::bit_width(e_.size())) - 1, true}};
    while (!left.empty()) {
      Range range = left.back();
      left.pop_back();
      Step(range, left);
    }
  }

  bool Less(size_t a, size_t b) const { return e_[a].time < e_[b].time; }
  void Swap(size_t a, size_t b) { std::swap(e_[a], e_[b]); }
  void Order(size_t a, size_t b) {
    if (Less(b, a)) {
      Swap(a, b);
    }
  }
  void Order(size_t a, size_t b, size_t c) {
    Order(a, b);
    Order(b, c);
    Order(a, b);
  }

  // Sorts the range or splits it in two, which go onto the stack.
  void Step(Range range, std::vector<Range>& stack) {
    auto& [begin, end, bad_allowed, leftmost] = range;
    const size_t size = end - begin;
    if (size < kInsertion) {
      Insert(begin, end, SIZE_MAX);
      return;
    }
    ChoosePivot(begin, end);
    if (!leftmost && !Less(begin - 1, begin)) {
      // The pivot is the smallest: what equals it is in place.
      stack.push_back({PartitionLeft(begin, end) + 1, end, bad_allowed, leftmost});
      return;
    }
    const auto [pivot, partitioned] = PartitionRight(begin, end);
    const size_t l_size = pivot - begin;
    const size_t r_size = end - (pivot + 1);
    if (l_size < size / 8 || r_size < size / 8) {
      if (--bad_allowed == 0) {
        const auto earlier = [](const Event& a, const Event& b) { return a.time < b.time; };
        std::make_heap(At(begin), At(end), earlier);
        std::sort_heap(At(begin), At(end), earlier);
        return;
      }
      BreakPatterns(begin, pivot, end, l_size, r_size);
    } else if (partitioned && Insert(begin, pivot, kMostMoves) && Insert(pivot + 1, end, kMostMoves)) {
      return;
    }
    stack.push_back({pivot + 1, end, bad_allowed, false});
    stack.push_back({begin, pivot, bad_allowed, leftmost});
  }

  void ChoosePivot(size_t begin, size_t end) {
    const size_t middle = begin + (end - begin) / 2;
    if (end - begin > kNinther) {
      Order(begin, middle, end - 1);
      Order(begin + 1, middle - 1, end - 2);
      Order(begin + 2, middle + 1, end - 3);
      Order(middle - 1, middle, middle + 1);
      Swap(begin, middle);
    } else {
      Order(middle, begin, end - 1);
    }
  }

  // Insertion sort. False, with the range half sorted, where it takes more than `most` moves.
  bool Insert(size_t begin, size_t end, size_t most) {
    size_t moves = 0;
    for (size_t i = begin + 1; i < end; ++i) {
      if (Less(i, i - 1)) {
        Event event = std::move(e_[i]);
        size_t hole = i;
        do {
          e_[hole] = std::move(e_[hole - 1]);
          --hole;
        } while (hole > begin && event.time < e_[hole - 1].time);
        e_[hole] = std::move(event);
        moves += i - hole;
      }
      if (moves > most) {
        return false;
      }
    }
    return true;
  }

  // Puts what is not above the pivot, which stands at `begin`, before it.
  size_t PartitionLeft(size_t begin, size_t end) {
    const Event pivot = e_[begin];
    const auto above = [&](size_t i) { return pivot.time < e_[i].time; };
    size_t first = begin;
    size_t last = end;
    while (above(--last)) {
    }
    if (last + 1 == end) {
      while (first < last && !above(++first)) {
      }
    } else {
      while (!above(++first)) {
      }
    }
    while (first < last) {
      Swap(first, last);
      while (above(--last)) {
      }
      while (!above(++first)) {
      }
    }
    e_[begin] = std::move(e_[last]);
    e_[last] = pivot;
    return last;
  }

  // Puts what is below the pivot, which stands at `begin`, before it. Its place, and whether all
  // stood right.
  std::pair<size_t, bool> PartitionRight(size_t begin, size_t end) {
    const Event pivot = e_[begin];
    const auto below = [&](size_t i) { return e_[i].time < pivot.time; };
    size_t first = begin;
    size_t last = end;
    while (below(++first)) {
    }
    if (first - 1 == begin) {
      while (first < last && !below(--last)) {
      }
    } else {
      while (!below(--last)) {
      }
    }
    const bool partitioned = first >= last;
    if (!partitioned) {
      Swap(first, last);
      ++first;
      first = PartitionBlocks(first, last, pivot);
    }
    e_[begin] = std::move(e_[first - 1]);
    e_[first - 1] = pivot;
    return {first - 1, partitioned};
  }

  // A block's elements that stand on the wrong side, as distances from where the block begins.
  struct Misplaced {
    std::array<unsigned char, kBlock> offsets{};
    size_t count = 0;
    size_t start = 0;
    size_t base = 0;
    size_t at(size_t i) const { return offsets[start + i]; }
  };

  // Partitions [first, last); where its right part begins.
  size_t PartitionBlocks(size_t first, size_t last, const Event& pivot) {
    Misplaced left;
    Misplaced right;
    left.base = first;
    right.base = last;
    while (first < last) {
      const size_t unknown = last - first;
      const size_t of_left = left.count == 0 ? (right.count == 0 ? unknown / 2 : unknown) : 0;
      const size_t of_right = right.count == 0 ? unknown - of_left : 0;
      const size_t left_size = std::min(of_left, kBlock);
      for (size_t i = 0; i < left_size; ++i, ++first) {
        left.offsets[left.count] = static_cast<unsigned char>(i);
        left.count += e_[first].time < pivot.time ? 0 : 1;
      }
      const size_t right_size = std::min(of_right, kBlock);
      for (size_t i = 0; i < right_size; ++i) {
        right.offsets[right.count] = static_cast<unsigned char>(i + 1);
        right.count += e_[--last].time < pivot.time ? 1 : 0;
      }
      const size_t count = std::min(left.count, right.count);
      Exchange(left, right, count);
      left.count -= count;
      right.count -= count;
      left.start += count;
      right.start += count;
      if (left.count == 0) {
        left.start = 0;
        left.base = first;
      }
      if (right.count == 0) {
        right.start = 0;
        right.base = last;
      }
    }
    if (left.count > 0) {
      while (left.count-- > 0) {
        Swap(left.base + left.at(left.count), --last);
      }
      first = last;
    }
    if (right.count > 0) {
      while (right.count-- > 0) {
        Swap(right.base - right.at(right.count), first++);
      }
    }
    return first;
  }

  void Exchange(const Misplaced& left, const Misplaced& right, size_t count) {
    if (left.count == right.count) {
      for (size_t i = 0; i < count; ++i) {
        Swap(left.base + left.at(i), right.base - right.at(i));
      }
    } else if (count > 0) {
      // One cycle instead of exchanges.
      size_t l = left.base + left.at(0);
      size_t r = right.base - right.at(0);
      Event event = std::move(e_[l]);
      e_[l] = std::move(e_[r]);
      for (size_t i = 1; i < count; ++i) {
        l = left.base + left.at(i);
        e_[r] = std::move(e_[l]);
        r = right.base - right.at(i);
        e_[l] = std::move(e_[r]);
      }
      e_[r] = std::move(event);
    }
  }

  // After an unbalanced partition.
  void BreakPatterns(size_t begin, size_t pivot, size_t end, size_t l_size, size_t r_size) {
    if (l_size >= kInsertion) {
      Swap(begin, begin + l_size / 4);
      Swap(pivot - 1, pivot - l_size / 4);
      if (l_size > kNinther) {
        Swap(begin + 1, begin + l_size / 4 + 1);
        Swap(begin + 2, begin + l_size / 4 + 2);
        Swap(pivot - 2, pivot - (l_size / 4 + 1));
        Swap(pivot - 3, pivot - (l_size / 4 + 2));
      }
    }
    if (r_size >= kInsertion) {
      Swap(pivot + 1, pivot + 1 + r_size / 4);
      Swap(end - 1, end - r_size / 4);
      if (r_size > kNinther) {
        Swap(pivot + 2, pivot + 2 + r_size / 4);
        Swap(pivot + 3, pivot + 3 + r_size / 4);
        Swap(end - 2, end - (1 + r_size / 4));
        Swap(end - 3, end - (2 + r_size / 4));
      }
    }
  }

  auto At(size_t i) { return e_.begin() + static_cast<std::ptrdiff_t>(i); }

  std::vector<Event>& e_;
};

}  // namespace continuo
