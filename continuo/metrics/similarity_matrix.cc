#include "continuo/metrics/similarity_matrix.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>

namespace continuo {
namespace {

constexpr size_t kRun = 16;  // frames in a row that are compared
constexpr size_t kTempos = 7;
constexpr double kKept = 0.25;
constexpr double kPenalty = -2;
constexpr int64_t kSteps = 1 << 20;

// A piece of N frames played at another tempo has `frames` frames: frame j of it is frame take[j]
// of the piece, and frame m of the piece is frame back[m] of it.
struct TempoMap {
  size_t frames = 0;
  std::vector<size_t> take;
  std::vector<size_t> back;
};

// The last of the frames of one pace that falls on the `index`-th of `from` frames of another, to
// the nearest, halves to even.
size_t MapFrame(size_t index, size_t from, size_t to) {
  const double share = static_cast<double>(index + 1) / static_cast<double>(from);
  const double frame = std::nearbyint(share * static_cast<double>(to)) - 1;
  return static_cast<size_t>(std::max(frame, 0.0));
}

std::array<TempoMap, kTempos> TempoMaps(size_t frames) {
  std::array<TempoMap, kTempos> maps;
  for (size_t i = 0; i < kTempos; ++i) {
    TempoMap& map = maps[i];
    const double tempo = std::pow(2.0, (static_cast<double>(i) - 3) / 3);
    map.frames = static_cast<size_t>(std::ceil(static_cast<double>(frames) / tempo));
    for (size_t j = 0; j < map.frames; ++j) {
      map.take.push_back(MapFrame(j, map.frames, frames));
    }
    for (size_t m = 0; m < frames; ++m) {
      map.back.push_back(MapFrame(m, frames, map.frames));
    }
  }
  return maps;
}

// product[n][m] = frame n, transposed by `shift`, times frame m; at most a little above 2^30.
// by_pitch_class is [12, frames].
void Products(const ChromaFeatures& chroma, const std::vector<int32_t>& by_pitch_class, size_t shift,
              std::vector<int32_t>& product) {
  const auto frames = static_cast<size_t>(chroma.frames);
  for (size_t n = 0; n < frames; ++n) {
    int32_t* row = product.data() + n * frames;
    std::fill(row, row + frames, 0);
    for (size_t c = 0; c < 12; ++c) {
      const int32_t factor = chroma.values[n * 12 + (c + 12 - shift) % 12];
      const int32_t* column = by_pitch_class.data() + c * frames;
      for (size_t m = 0; m < frames; ++m) {
        row[m] += factor * column[m];
      }
    }
  }
}

// Raises best[n][m] to the sums of kRun products along the diagonal that begins or ends at (n, m),
// with the columns at another tempo.
class DiagonalSums {
 public:
  explicit DiagonalSums(size_t frames) : frames_(frames) {}

  void Raise(const std::vector<int32_t>& product, const TempoMap& map, std::vector<int64_t>& best) {
    const size_t width = map.frames + kRun - 1;  // columns in which a run can end
    // A row as it is kept: kRun zeros, the row, kRun zeros. So that `row + kRun` is the row, and
    // `row` the row moved by kRun columns.
    const size_t stride = map.frames + 2 * kRun;
    rows_.assign(stride * kKeptRows, 0);
    // sums_[d] is the sum over the last kRun rows on diagonal d = column - row + frames_ + kRun -
    // 1.
    sums_.assign(frames_ + kRun + width, 0);
    for (size_t n = 0; n < frames_ + kRun - 1; ++n) {
      int32_t* entering = rows_.data() + n % kKeptRows * stride + kRun;
      const int32_t* leaving = rows_.data() + (n + 1) % kKeptRows * stride;
      if (n < frames_) {
        for (size_t j = 0; j < map.frames; ++j) {
          entering[j] = product[n * frames_ + map.take[j]];
        }
      } else {
        std::fill(entering, entering + map.frames, 0);
      }
      int64_t* sums = sums_.data() + (frames_ + kRun - 1 - n);
      for (size_t j = 0; j < width; ++j) {
        sums[j] += entering[j] - leaving[j];
      }
      if (n < frames_) {
        RaiseRow(sums, map, best.data() + n * frames_);
      }
      if (n + 1 >= kRun) {
        RaiseRow(sums + kRun - 1, map, best.data() + (n + 1 - kRun) * frames_);
      }
    }
  }

 private:
  static constexpr size_t kKeptRows = kRun + 1;

  void RaiseRow(const int64_t* sums, const TempoMap& map, int64_t* best) const {
    for (size_t m = 0; m < frames_; ++m) {
      best[m] = std::max(best[m], sums[map.back[m]]);
    }
  }

  const size_t frames_;
  std::vector<int32_t> rows_;
  std::vector<int64_t> sums_;
};

// Scales the highest quarter to 0..1.
SimilarityMatrix KeepHighest(const std::vector<int64_t>& best, int64_t frames) {
  SimilarityMatrix matrix;
  matrix.frames = frames;
  const auto cells = static_cast<double>(best.size());
  const auto below = static_cast<ptrdiff_t>(std::nearbyint(cells * (1 - kKept)));
  int64_t least = std::numeric_limits<int64_t>::max();
  int64_t largest = 0;
  if (below < static_cast<ptrdiff_t>(best.size())) {
    std::vector<int64_t> sorted = best;
    std::nth_element(sorted.begin(), sorted.begin() + below, sorted.end());
    const int64_t threshold = sorted[static_cast<size_t>(below)];
    for (const int64_t value : best) {
      if (value >= threshold && value > 0) {
        least = std::min(least, value);
        largest = std::max(largest, value);
      }
    }
  }
  matrix.values.assign(best.size(), kPenalty);
  const int64_t range = largest - least;
  for (size_t i = 0; i < best.size(); ++i) {
    if (best[i] >= least) {
      const int64_t steps = range > 0 ? ((best[i] - least) * (2 * kSteps) + range) / (2 * range) : kSteps;
      matrix.values[i] = static_cast<double>(steps) / kSteps;
    }
  }
  for (size_t n = 0; n < static_cast<size_t>(frames); ++n) {
    matrix.values[n * (static_cast<size_t>(frames) + 1)] = 1;
  }
  return matrix;
}

}  // namespace

Result<SimilarityMatrix> ComputeSelfSimilarity(const ChromaFeatures& chroma, const StopToken& stop) {
  const auto frames = static_cast<size_t>(chroma.frames);
  std::vector<int32_t> by_pitch_class(12 * frames);
  for (size_t n = 0; n < frames; ++n) {
    for (size_t c = 0; c < 12; ++c) {
      by_pitch_class[c * frames + n] = chroma.values[n * 12 + c];
    }
  }
  const std::array<TempoMap, kTempos> maps = TempoMaps(frames);
  std::vector<int64_t> best(frames * frames, 0);
  {
    std::vector<int32_t> product(frames * frames);
    DiagonalSums sums(frames);
    for (size_t shift = 0; shift < 12; ++shift) {
      Products(chroma, by_pitch_class, shift, product);
      for (const TempoMap& map : maps) {
        if (stop.stop_requested()) {
          return CancelledError();
        }
        sums.Raise(product, map, best);
      }
    }
  }
  return KeepHighest(best, chroma.frames);
}

}  // namespace continuo
