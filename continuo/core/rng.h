#pragma once

#include <array>
#include <cstdint>

namespace continuo {

/// Philox4x32-10: four 32-bit random words for a 128-bit counter and a 64-bit key, without state.
/// The same counter and key give the same words on every machine, in any order, on any thread.
/// Source: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
std::array<uint32_t, 4> Philox4x32(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key);

/// A uniform double in [0, 1) with 53 random bits, from two words.
inline double UniformDouble(uint32_t high, uint32_t low) {
  const uint64_t bits = (static_cast<uint64_t>(high) << 32 | low) >> 11;
  return static_cast<double>(bits) * 0x1.0p-53;
}

/// A stream of random numbers named by (seed, stream). Streams of different names are independent,
/// so that each piece, song or epoch has its own, whatever was drawn elsewhere. Not thread-safe;
/// make one per use, which costs nothing.
class Rng {
 public:
  Rng(uint64_t seed, uint64_t stream) : seed_(seed), stream_(stream) {}

  uint32_t NextU32();
  uint64_t NextU64();
  /// Uniform in [0, 1).
  double NextDouble();
  /// Uniform in [0, bound), without bias. `bound` is at least 1.
  uint64_t NextBelow(uint64_t bound);

 private:
  uint64_t seed_;
  uint64_t stream_;
  uint64_t position_ = 0;
  std::array<uint32_t, 4> block_{};
};

}  // namespace continuo
