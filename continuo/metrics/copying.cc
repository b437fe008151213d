#include "continuo/metrics/copying.h"

#include <algorithm>
#include <limits>

#include "continuo/core/check.h"
#include "continuo/metrics/grid_piece.h"
#include "continuo/metrics/suffix_array.h"

namespace continuo {
namespace {

constexpr size_t kMostSymbols = size_t{1} << 30;
constexpr int32_t kSongEnd = 0;

uint64_t PackStep(int interval, int64_t gap) {
  return static_cast<uint64_t>(gap) << 9 | static_cast<uint64_t>(interval + 256);
}

// The symbols of all sequences, each ended by kSongEnd.
struct Text {
  std::unordered_map<uint64_t, int32_t> symbols;
  std::vector<int32_t> text;
  std::vector<size_t> starts;
};

Text Join(std::span<const NoteSteps> sequences) {
  Text joined;
  for (const NoteSteps& sequence : sequences) {
    joined.starts.push_back(joined.text.size());
    for (const uint64_t step : sequence.steps) {
      const auto next = static_cast<int32_t>(joined.symbols.size()) + 1;
      joined.text.push_back(joined.symbols.try_emplace(step, next).first->second);
    }
    joined.text.push_back(kSongEnd);
  }
  return joined;
}

size_t CountSymbols(std::span<const NoteSteps> sequences) {
  size_t count = 0;
  for (const NoteSteps& sequence : sequences) {
    count += sequence.steps.size() + 1;
  }
  return count;
}

}  // namespace

NoteSteps StepsOf(const Score& score, int64_t first_bars) {
  return StepsOf(PlaceOnGrid(score, first_bars));
}

NoteSteps StepsOf(const GridPiece& piece) {
  std::vector<GridNote> notes = piece.notes;
  std::erase_if(notes, [](const GridNote& note) { return note.is_drum; });
  const auto place = [](const GridNote& note) { return std::pair(note.onset, note.pitch); };
  std::sort(notes.begin(), notes.end(), [&](const GridNote& a, const GridNote& b) { return place(a) < place(b); });
  notes.erase(std::unique(notes.begin(), notes.end(),
                          [&](const GridNote& a, const GridNote& b) { return place(a) == place(b); }),
              notes.end());
  NoteSteps steps;
  for (size_t i = 0; i < notes.size(); ++i) {
    steps.bars.push_back(notes[i].bar);
    if (i > 0) {
      steps.steps.push_back(PackStep(notes[i].pitch - notes[i - 1].pitch, notes[i].onset - notes[i - 1].onset));
    }
  }
  return steps;
}

Result<CopyIndex> CopyIndex::Build(std::span<const NoteSteps> songs) {
  if (CountSymbols(songs) > kMostSymbols) {
    return MakeError("the songs have {} notes, and at most {} can be searched for copies", CountSymbols(songs),
                     kMostSymbols);
  }
  CopyIndex index;
  Text joined = Join(songs);
  index.symbols_ = std::move(joined.symbols);
  index.text_ = std::move(joined.text);
  index.song_starts_ = std::move(joined.starts);
  index.bars_.reserve(index.text_.size());
  for (const NoteSteps& song : songs) {
    for (size_t i = 0; i <= song.steps.size(); ++i) {
      const int64_t bar = i < song.bars.size() ? song.bars[i] : 0;
      index.bars_.push_back(static_cast<int32_t>(std::min<int64_t>(bar, std::numeric_limits<int32_t>::max())));
    }
  }
  index.order_ = BuildSuffixArray(index.text_, static_cast<int32_t>(index.symbols_.size()) + 1);
  index.rank_.resize(index.order_.size());
  for (size_t i = 0; i < index.order_.size(); ++i) {
    index.rank_[static_cast<size_t>(index.order_[i])] = static_cast<int32_t>(i);
  }
  const std::vector<int32_t> shared = SharedPrefixes(index.text_, index.order_);
  while (index.leaves_ < shared.size()) {
    index.leaves_ *= 2;
  }
  // What is beyond the last suffix shares nothing.
  index.least_shared_.assign(2 * index.leaves_, 0);
  std::copy(shared.begin(), shared.end(), index.least_shared_.begin() + static_cast<ptrdiff_t>(index.leaves_));
  for (size_t node = index.leaves_ - 1; node >= 1; --node) {
    index.least_shared_[node] = std::min(index.least_shared_[2 * node], index.least_shared_[2 * node + 1]);
  }
  return index;
}

CopyIndex::Interval CopyIndex::Narrow(const Interval& interval, size_t length, int32_t symbol) const {
  const auto symbol_of = [&](int32_t suffix) {
    const size_t at = static_cast<size_t>(suffix) + length;
    return at < text_.size() ? text_[at] : -1;
  };
  const auto first = order_.begin() + static_cast<ptrdiff_t>(interval.begin);
  const auto last = order_.begin() + static_cast<ptrdiff_t>(interval.end);
  const auto begin = std::partition_point(first, last, [&](int32_t suffix) { return symbol_of(suffix) < symbol; });
  const auto end = std::partition_point(begin, last, [&](int32_t suffix) { return symbol_of(suffix) <= symbol; });
  return {static_cast<size_t>(begin - order_.begin()), static_cast<size_t>(end - order_.begin())};
}

CopyIndex::Interval CopyIndex::Around(size_t at, int32_t length) const {
  // The nearest suffix at or before `at` that shares less with the one before it: up the tree until
  // a subtree to the left holds one, then down to its last. The first suffix shares nothing, so
  // there is one.
  size_t node = leaves_ + at;
  if (least_shared_[node] >= length) {
    while (node % 2 == 0 || least_shared_[node - 1] >= length) {
      node /= 2;
    }
    --node;
    while (node < leaves_) {
      node = 2 * node + (least_shared_[2 * node + 1] < length ? 1 : 0);
    }
  }
  const size_t begin = node - leaves_;
  // The nearest one after `at`, in the same way.
  node = leaves_ + at;
  while (node > 1 && (node % 2 == 1 || least_shared_[node + 1] >= length)) {
    node /= 2;
  }
  if (node <= 1) {
    return {begin, order_.size()};
  }
  ++node;
  while (node < leaves_) {
    node = 2 * node + (least_shared_[2 * node] < length ? 0 : 1);
  }
  return {begin, std::min(node - leaves_, order_.size())};
}

CopiedRun CopyIndex::LongestIn(const NoteSteps& piece) const {
  // The interval holds the suffixes that begin with the `length` steps of the piece from `start`
  // on. A step more at the end narrows it; a step less at the beginning leads to the suffixes one
  // symbol later, and those around them.
  CopiedRun longest;
  Interval interval = {0, order_.size()};
  size_t length = 0;
  for (size_t start = 0; start < piece.steps.size(); ++start) {
    while (start + length < piece.steps.size()) {
      const auto symbol = symbols_.find(piece.steps[start + length]);
      if (symbol == symbols_.end()) {
        break;
      }
      const Interval narrowed = Narrow(interval, length, symbol->second);
      if (narrowed.begin == narrowed.end) {
        break;
      }
      interval = narrowed;
      ++length;
    }
    if (length == 0) {
      continue;
    }
    const auto at = static_cast<size_t>(order_[interval.begin]);
    if (static_cast<int64_t>(length) + 1 > longest.notes) {
      const auto next_song = std::upper_bound(song_starts_.begin(), song_starts_.end(), at);
      longest = {static_cast<int64_t>(length) + 1, static_cast<size_t>(next_song - song_starts_.begin()) - 1,
                 piece.bars[start], bars_[at]};
    }
    --length;
    interval = length == 0 ? Interval{0, order_.size()}
                           : Around(static_cast<size_t>(rank_[at + 1]), static_cast<int32_t>(length));
  }
  return longest;
}

double DistinctRuns(std::span<const NoteSteps> pieces, size_t notes) {
  CONTINUO_CHECK(notes >= 2);
  CONTINUO_CHECK(CountSymbols(pieces) <= kMostSymbols);
  const size_t length = notes - 1;
  const Text joined = Join(pieces);
  // Where a run of the length fits before the end of its piece.
  std::vector<bool> fits(joined.text.size());
  size_t runs = 0;
  for (size_t piece = 0; piece < pieces.size(); ++piece) {
    const size_t steps = pieces[piece].steps.size();
    for (size_t i = 0; i + length <= steps; ++i, ++runs) {
      fits[joined.starts[piece] + i] = true;
    }
  }
  const std::vector<int32_t> order = BuildSuffixArray(joined.text, static_cast<int32_t>(joined.symbols.size()) + 1);
  const std::vector<int32_t> shared = SharedPrefixes(joined.text, order);
  size_t different = 0;
  for (size_t i = 0; i < order.size(); ++i) {
    different += fits[static_cast<size_t>(order[i])] && static_cast<size_t>(shared[i]) < length ? 1 : 0;
  }
  return runs > 0 ? static_cast<double>(different) / static_cast<double>(runs)
                  : std::numeric_limits<double>::quiet_NaN();
}

}  // namespace continuo
