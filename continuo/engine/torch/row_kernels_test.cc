#include "continuo/engine/torch/row_kernels.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace continuo {
namespace {

std::vector<float> MaskOf(int64_t count, uint64_t key, float share) {
  std::vector<float> kept(static_cast<size_t>(count), 1.0F);
  DropValues(count, kept.data(), {key, share}, 0, kept.data());
  return kept;
}

TEST(Dropout, DropsTheShareAskedForAndKeepsTheMean) {
  constexpr int64_t kCount = 1 << 20;
  for (const float dropout : {0.0F, 0.1F, 0.5F, 0.9F}) {
    size_t zeros = 0;
    for (const float value : MaskOf(kCount, 0x123456789abcdefULL, dropout)) {
      EXPECT_TRUE(value == 0.0F || value == 1.0F / (1.0F - dropout));
      zeros += value == 0.0F ? 1 : 0;
    }
    // Five standard deviations of a binomial distribution.
    const double share = dropout;
    EXPECT_NEAR(static_cast<double>(zeros), share * kCount, 5 * std::sqrt(kCount * share * (1 - share)));
  }
}

TEST(Dropout, NeighboursAndKeysAreIndependent) {
  constexpr int64_t kCount = 1 << 20;
  const std::vector<float> one = MaskOf(kCount, 1, 0.5F);
  const std::vector<float> next_key = MaskOf(kCount, 2, 0.5F);
  const std::vector<float> high_key = MaskOf(kCount, 1 + (uint64_t{1} << 32), 0.5F);
  const auto agreeing = [&](const std::vector<float>& other, size_t shift) {
    size_t equal = 0;
    for (size_t i = 0; i + shift < one.size(); ++i) {
      equal += one[i] == other[i + shift] ? 1 : 0;
    }
    return static_cast<double>(equal);
  };
  const double deviation = 5 * std::sqrt(kCount * 0.25);
  for (const size_t shift : {1U, 2U, 64U, 512U, 1024U}) {
    EXPECT_NEAR(agreeing(one, shift), kCount * 0.5, deviation) << shift;
  }
  EXPECT_NEAR(agreeing(next_key, 0), kCount * 0.5, deviation);
  EXPECT_NEAR(agreeing(high_key, 0), kCount * 0.5, deviation);
}

TEST(Dropout, PartsAreThoseOfTheWhole) {
  const std::vector<float> whole = MaskOf(1000, 7, 0.3F);
  std::vector<float> parts(1000, 1.0F);
  for (const int64_t begin : {777, 13, 0}) {
    const int64_t end = begin == 777 ? 1000 : begin == 13 ? 777 : 13;
    DropValues(end - begin, parts.data() + begin, {7, 0.3F}, static_cast<uint32_t>(begin), parts.data() + begin);
  }
  EXPECT_EQ(parts, whole);
}

}  // namespace
}  // namespace continuo
