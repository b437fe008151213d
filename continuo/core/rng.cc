#include "continuo/core/rng.h"

#include "continuo/core/check.h"

namespace continuo {

std::array<uint32_t, 4> Philox4x32(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key) {
  constexpr uint32_t kMultiplier0 = 0xD2511F53;
  constexpr uint32_t kMultiplier1 = 0xCD9E8D57;
  constexpr uint32_t kWeyl0 = 0x9E3779B9;  // golden ratio
  constexpr uint32_t kWeyl1 = 0xBB67AE85;  // sqrt(3) - 1
  for (int round = 0; round < 10; ++round) {
    const uint64_t product0 = static_cast<uint64_t>(kMultiplier0) * counter[0];
    const uint64_t product1 = static_cast<uint64_t>(kMultiplier1) * counter[2];
    counter = {static_cast<uint32_t>(product1 >> 32) ^ counter[1] ^ key[0], static_cast<uint32_t>(product1),
               static_cast<uint32_t>(product0 >> 32) ^ counter[3] ^ key[1], static_cast<uint32_t>(product0)};
    key[0] += kWeyl0;
    key[1] += kWeyl1;
  }
  return counter;
}

uint32_t Rng::NextU32() {
  if (position_ % 4 == 0) {
    const uint64_t block = position_ / 4;
    block_ = Philox4x32({static_cast<uint32_t>(block), static_cast<uint32_t>(block >> 32),
                         static_cast<uint32_t>(stream_), static_cast<uint32_t>(stream_ >> 32)},
                        {static_cast<uint32_t>(seed_), static_cast<uint32_t>(seed_ >> 32)});
  }
  return block_[position_++ % 4];
}

uint64_t Rng::NextU64() {
  const uint64_t high = NextU32();
  return high << 32 | NextU32();
}

double Rng::NextDouble() {
  const uint32_t high = NextU32();
  return UniformDouble(high, NextU32());
}

uint64_t Rng::NextBelow(uint64_t bound) {
  CONTINUO_CHECK(bound >= 1);
  // Values at or above the largest multiple of `bound` would favour small remainders; draw again.
  const uint64_t excess = (UINT64_MAX % bound + 1) % bound;
  uint64_t value = NextU64();
  while (value > UINT64_MAX - excess) {
    value = NextU64();
  }
  return value % bound;
}

}  // namespace continuo
