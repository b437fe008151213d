#include "continuo/engine/cpu/kernels.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "continuo/engine/cpu/target_testing.h"

namespace continuo {
namespace {

/// Values in [-size, size] that look random.
std::vector<float> Values(size_t count, float size) {
  std::vector<float> values(count);
  for (size_t i = 0; i < count; ++i) {
    values[i] = size * static_cast<float>(std::sin(12.9898 * static_cast<double>(i * i + 1)));
  }
  return values;
}

TEST(RmsNorm, DividesByTheRootOfTheMeanSquare) {
  for (const size_t width : {1U, 7U, 16U, 30U, 256U}) {
    const std::vector<float> x = Values(width, 3.0F);
    const std::vector<float> weight = Values(width + 1, 2.0F);
    double squares = 0;
    for (const float value : x) {
      squares += static_cast<double>(value) * value;
    }
    const double scale = 1 / std::sqrt(squares / static_cast<double>(width) + 1e-3);
    OnEachTarget([&] {
      std::vector<float> y(width);
      RmsNorm(x.data(), weight.data(), width, 1e-3F, y.data());
      for (size_t i = 0; i < width; ++i) {
        // A sum of `width` squares, a root and two products in f32.
        const double expected = x[i] * scale * weight[i];
        EXPECT_NEAR(y[i], expected, std::abs(expected) * (static_cast<double>(width) + 8) * 0x1p-24);
      }
    });
  }
}

TEST(MultiplyBySilu, IsTheDefinitionForAnySize) {
  std::vector<float> gates = Values(37, 6.0F);
  gates[3] = 1000.0F;
  gates[4] = -1000.0F;
  gates[5] = 0.0F;
  const std::vector<float> x = Values(38, 2.0F);
  OnEachTarget([&] {
    std::vector<float> y = gates;
    MultiplyBySilu(y.data(), x.data(), y.size());
    for (size_t i = 0; i < y.size(); ++i) {
      const double expected = gates[i] / (1 + std::exp(-static_cast<double>(gates[i]))) * x[i];
      // exp is exact to a few units in the last place.
      EXPECT_NEAR(y[i], expected, std::abs(expected) * 8 * 0x1p-24 + 1e-30) << gates[i];
      float alone = gates[i];
      MultiplyBySilu(&alone, &x[i], 1);
      EXPECT_EQ(alone, y[i]);
    }
  });
}

TEST(ExactGelu, IsTheDefinitionForAnySize) {
  std::vector<float> x = Values(101, 6.0F);
  x[3] = 1000.0F;
  x[4] = -1000.0F;
  x[5] = 0.0F;
  OnEachTarget([&] {
    std::vector<float> y = x;
    ExactGelu(y.data(), y.size());
    for (size_t i = 0; i < y.size(); ++i) {
      const double value = x[i];
      const double expected = value / 2 * std::erfc(-value / std::sqrt(2.0));
      EXPECT_NEAR(y[i], expected, std::max(1.0, std::abs(value)) * 0x1p-22) << value;
      float alone = x[i];
      ExactGelu(&alone, 1);
      EXPECT_EQ(alone, y[i]);
    }
  });
}

TEST(Rotate, TurnsPairsHalfAHeadApart) {
  for (const size_t half : {1U, 5U, 16U, 35U}) {
    const std::vector<float> x = Values(2 * half, 1.0F);
    std::vector<float> cos(half), sin(half);
    for (size_t i = 0; i < half; ++i) {
      cos[i] = std::cos(static_cast<float>(i));
      sin[i] = std::sin(static_cast<float>(i));
    }
    OnEachTarget([&] {
      std::vector<float> y = x;
      Rotate(y.data(), cos.data(), sin.data(), half);
      for (size_t i = 0; i < half; ++i) {
        EXPECT_NEAR(y[i], x[i] * cos[i] - x[half + i] * sin[i], 4 * 0x1p-24);
        EXPECT_NEAR(y[half + i], x[half + i] * cos[i] + x[i] * sin[i], 4 * 0x1p-24);
      }
    });
  }
}

}  // namespace
}  // namespace continuo
