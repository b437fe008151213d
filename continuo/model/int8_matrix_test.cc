#include "continuo/model/int8_matrix.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "continuo/core/rng.h"
#include "continuo/model/half.h"

namespace continuo {
namespace {

std::vector<float> RandomFloats(size_t count) {
  Rng rng(1, 0);
  std::vector<float> values(count);
  for (float& value : values) {
    value = static_cast<float>(rng.NextBelow(2001)) / 1000.0F - 1.0F;
  }
  return values;
}

TEST(Int8Layout, EachWeightHasAPlaceOfItsOwn) {
  const Int8Layout layout{130, 70};
  EXPECT_EQ(layout.panels(), 3U);
  EXPECT_EQ(layout.groups(), 3U);
  std::set<size_t> places;
  for (size_t input = 0; input < layout.inputs; ++input) {
    for (size_t output = 0; output < layout.outputs; ++output) {
      const size_t place = layout.value_index(input, output);
      EXPECT_LT(place, layout.value_count());
      EXPECT_TRUE(places.insert(place).second);
      EXPECT_LT(layout.scale_index(input, output), layout.scale_count());
    }
  }
  // As docs/formats/model.md has it.
  EXPECT_EQ(layout.value_index(69, 35), (((1U * 3 + 1) * 16 + 1) * 32 + 3) * 4 + 1);
  EXPECT_EQ(layout.scale_index(69, 35), (1U * 3 + 1) * 32 + 3);
  EXPECT_EQ(layout.value_shape(), (std::vector<int64_t>{3, 3, 16, 32, 4}));
  EXPECT_EQ(layout.scale_shape(), (std::vector<int64_t>{3, 3, 32}));
}

TEST(QuantizeInt8, MovesEachWeightByAtMostHalfAScale) {
  for (const bool transposed : {false, true}) {
    const Int8Layout layout{130, 33};
    std::vector<float> weights = RandomFloats(130 * 33);
    weights[5] = 30.0F;  // its group alone becomes coarse
    const Int8Matrix matrix = QuantizeInt8(weights, layout, transposed);
    const std::vector<float> back = DequantizeInt8(matrix.values, matrix.scales, layout, transposed);
    for (size_t output = 0; output < 33; ++output) {
      for (size_t input = 0; input < 130; ++input) {
        const size_t at = transposed ? output * 130 + input : input * 33 + output;
        const float scale = Bf16ToFloat(matrix.scales[layout.scale_index(input, output)]);
        EXPECT_LE(std::abs(weights[at] - back[at]), scale * 0.5001F);
        // No coarser than a group's largest magnitude asks for, but for the rounding of the scale
        // up to bf16.
        EXPECT_LE(scale, (at == 5 || scale > 0.1F ? 30.0F : 1.0F) / 127.0F * 1.008F);
      }
    }
    EXPECT_EQ(std::count(matrix.values.begin(), matrix.values.end(), 0), 0);
  }
}

TEST(QuantizeInt8, ZerosTinyAndHugeWeightsAreFinite) {
  const Int8Layout layout{64, 3};
  std::vector<float> weights(64 * 3, 0.0F);
  weights[1] = std::numeric_limits<float>::denorm_min();
  weights[2] = std::numeric_limits<float>::max();
  const Int8Matrix matrix = QuantizeInt8(weights, layout, false);
  const std::vector<float> back = DequantizeInt8(matrix.values, matrix.scales, layout, false);
  EXPECT_EQ(back[0], 0.0F);
  EXPECT_LE(std::abs(back[1]), std::numeric_limits<float>::min());
  EXPECT_NEAR(back[2] / weights[2], 1.0F, 0.01F);
  // Padding is zero.
  EXPECT_EQ(matrix.values.back(), 128);
  EXPECT_EQ(matrix.scales.back(), 0);
}

}  // namespace
}  // namespace continuo
