#include "continuo/results/scape_bytes.h"

#include <algorithm>
#include <cmath>

namespace continuo {
namespace {

/// A plot of `frames` frames in which every fitness is 0.
std::vector<uint8_t> EmptyPlot(uint64_t frames) {
  std::vector<uint8_t> bytes(4 + frames * (frames + 1) / 2);
  for (size_t byte = 0; byte < 4; ++byte) {
    bytes[byte] = static_cast<uint8_t>(frames >> (8 * byte));
  }
  return bytes;
}

/// Where the row of a length begins in a plot of n frames.
uint64_t RowOf(uint64_t n, uint64_t length) {
  return 4 + (length - 1) * n - (length - 1) * (length - 2) / 2;
}

}  // namespace

std::vector<uint8_t> PackScape(const ScapePlot& scape) {
  std::vector<uint8_t> bytes = EmptyPlot(static_cast<uint32_t>(std::max<int64_t>(scape.frames, 0)));
  size_t at = 4;
  for (int64_t length = 1; length <= scape.frames; ++length) {
    for (int64_t start = 0; start + length <= scape.frames; ++start) {
      const bool measured = length >= scape.min_length && length <= scape.max_length;
      const double fitness = measured ? std::clamp(scape.At(length, start), 0.0, 1.0) : 0.0;
      bytes[at++] = static_cast<uint8_t>(std::lround(fitness * 255));
    }
  }
  return bytes;
}

std::vector<uint8_t> ReduceScape(std::span<const uint8_t> scape, size_t size) {
  if (scape.size() < 4) {
    return {};
  }
  const uint64_t frames =
      scape[0] | (uint64_t{scape[1]} << 8) | (uint64_t{scape[2]} << 16) | (uint64_t{scape[3]} << 24);
  if (frames == 0 || scape.size() - 4 != frames * (frames + 1) / 2) {
    return {};
  }
  const uint64_t kept = std::min<uint64_t>(frames, size);
  std::vector<uint8_t> reduced = EmptyPlot(kept);
  for (uint64_t length = 1; length <= frames; ++length) {
    const uint64_t to_length = (length - 1) * kept / frames + 1;
    for (uint64_t start = 0; start + length <= frames; ++start) {
      const uint64_t to_start = std::min(start * kept / frames, kept - to_length);
      uint8_t& cell = reduced[RowOf(kept, to_length) + to_start];
      cell = std::max(cell, scape[RowOf(frames, length) + start]);
    }
  }
  return reduced;
}

}  // namespace continuo
