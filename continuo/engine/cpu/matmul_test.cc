#include "continuo/engine/cpu/matmul.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "continuo/core/rng.h"
#include "continuo/engine/cpu/kernels.h"
#include "continuo/engine/cpu/target_testing.h"
#include "continuo/model/half.h"

namespace continuo {
namespace {

constexpr size_t kGroup = Int8Layout::kGroupInputs;

std::vector<float> RandomFloats(size_t count, uint64_t seed) {
  Rng rng(seed, 0);
  std::vector<float> values(count);
  for (float& value : values) {
    value = static_cast<float>(rng.NextBelow(2001)) / 1000.0F - 1.0F;
  }
  return values;
}

float MulAdd(float a, float b, float sum) {
  return TargetHasFma() ? std::fma(a, b, sum) : a * b + sum;
}

/// A matrix, rows, and the product as matmul.h says it, one operation after the other.
struct Problem {
  Problem(NumberFormat p, size_t rows_, size_t inputs_, size_t outputs_)
      : precision(p),
        rows(rows_),
        inputs(inputs_),
        outputs(outputs_),
        weights(RandomFloats(inputs * outputs, 1)),
        bias(RandomFloats(outputs, 2)),
        values(RandomFloats(rows * inputs, 3)),
        matrix(precision, weights, bias, inputs, outputs, /*transposed=*/false) {
    activations.Reset(precision, values.data(), rows, inputs);
  }

  std::vector<float> Multiply(MatMulMode mode, const std::vector<float>& before) {
    PrepareRows(activations, 0, rows);
    std::vector<float> y = before;
    // In two parts, as two threads would.
    const size_t half = matrix.panels() / 2;
    MatMul(activations, matrix, half, matrix.panels(), mode, y.data(), matrix.outputs());
    MatMul(activations, matrix, 0, half, mode, y.data(), matrix.outputs());
    return y;
  }

  float Expected(size_t row, size_t output) const {
    const float* x = values.data() + row * inputs;
    float sum = bias[output];
    if (precision == NumberFormat::kF32) {
      for (size_t i = 0; i < inputs; ++i) {
        sum = MulAdd(x[i], weights[i * outputs + output], sum);
      }
    } else if (precision == NumberFormat::kBf16) {
      const auto product = [&](size_t i) {
        if (i < inputs) {
          sum = MulAdd(Bf16ToFloat(FloatToBf16(x[i])), Bf16ToFloat(FloatToBf16(weights[i * outputs + output])), sum);
        }
      };
      for (size_t i = 0; i < inputs; i += 2) {
        product(i + 1);
        product(i);
      }
    } else {
      const Int8Layout layout{inputs, outputs};
      const Int8Matrix rounded = QuantizeInt8(weights, layout, false);
      for (size_t first = 0; first < inputs; first += kGroup) {
        const size_t last = std::min(first + kGroup, inputs);
        float largest = 0.0F;
        for (size_t i = first; i < last; ++i) {
          largest = std::max(largest, std::abs(x[i]));
        }
        const float steps = largest > 0.0F ? 127.0F / largest : 0.0F;
        int32_t whole = 0;
        for (size_t i = first; i < last; ++i) {
          whole += static_cast<int32_t>(std::nearbyint(x[i] * steps)) *
                   (static_cast<int32_t>(rounded.values[layout.value_index(i, output)]) - 128);
        }
        const float scale = Bf16ToFloat(rounded.scales[layout.scale_index(first, output)]) * (largest / 127.0F);
        sum = MulAdd(static_cast<float>(whole), scale, sum);
      }
    }
    return sum;
  }

  NumberFormat precision;
  size_t rows;
  size_t inputs;
  size_t outputs;
  std::vector<float> weights;
  std::vector<float> bias;
  std::vector<float> values;
  PackedMatrix matrix;
  Activations activations;
};

class MatMulTest : public ::testing::TestWithParam<NumberFormat> {};

TEST_P(MatMulTest, IsThePlainSumToTheBitOnEveryInstructionSet) {
  for (const size_t inputs : {1U, 2U, 3U, 30U, 63U, 64U, 65U, 129U, 200U}) {
    for (const size_t outputs : {1U, 31U, 32U, 33U, 70U}) {
      Problem problem(GetParam(), 5, inputs, outputs);
      std::vector<float> expected;
      OnEachTarget([&] {
        const std::vector<float> y = problem.Multiply(MatMulMode::kStore, std::vector<float>(5 * outputs, 9.0F));
        for (size_t row = 0; row < 5; ++row) {
          for (size_t output = 0; output < outputs; ++output) {
            ASSERT_EQ(y[row * outputs + output], problem.Expected(row, output))
                << inputs << " x " << outputs << " at " << row << ", " << output;
          }
        }
      });
    }
  }
}

TEST_P(MatMulTest, ARowIsTheSameInAnyBatch) {
  OnEachTarget([&] {
    constexpr size_t kRows = 75;
    Problem problem(GetParam(), kRows, 130, 40);
    const std::vector<float> all = problem.Multiply(MatMulMode::kStore, std::vector<float>(kRows * 40));
    for (const size_t rows : {1U, 2U, 3U, 6U, 7U, 8U, 9U, 31U, 33U, 74U}) {
      Problem part(GetParam(), rows, 130, 40);
      const size_t first = kRows - rows;
      part.activations.Reset(GetParam(), problem.values.data() + first * 130, rows, 130);
      const std::vector<float> y = part.Multiply(MatMulMode::kStore, std::vector<float>(rows * 40));
      ASSERT_TRUE(std::equal(y.begin(), y.end(), all.begin() + static_cast<std::ptrdiff_t>(first * 40))) << rows;
    }
  });
}

TEST_P(MatMulTest, AddsOrPassesThroughGeluOrMultipliesAGate) {
  OnEachTarget([&] {
    Problem problem(GetParam(), 3, 70, 45);
    const std::vector<float> before = RandomFloats(3 * 45, 7);
    const std::vector<float> product = problem.Multiply(MatMulMode::kStore, before);
    const std::vector<float> sum = problem.Multiply(MatMulMode::kAdd, before);
    std::vector<float> expected = product;
    Gelu(expected.data(), expected.size());
    EXPECT_EQ(problem.Multiply(MatMulMode::kGelu, before), expected);
    std::vector<float> gated = before;
    MultiplyBySilu(gated.data(), product.data(), gated.size());
    EXPECT_EQ(problem.Multiply(MatMulMode::kGate, before), gated);
    for (size_t i = 0; i < sum.size(); ++i) {
      EXPECT_EQ(sum[i], before[i] + product[i]);
    }
  });
}

TEST_P(MatMulTest, WritesIntoColumnsOfWiderRows) {
  OnEachTarget([&] {
    constexpr size_t kRows = 3, kOutputs = 45, kStride = 50;
    Problem problem(GetParam(), kRows, 70, kOutputs);
    const std::vector<float> alone = problem.Multiply(MatMulMode::kStore, std::vector<float>(kRows * kOutputs));
    std::vector<float> wide(kRows * kStride, 7.0F);
    MatMul(problem.activations, problem.matrix, 0, problem.matrix.panels(), MatMulMode::kStore, wide.data() + 2,
           kStride);
    for (size_t row = 0; row < kRows; ++row) {
      for (size_t column = 0; column < kStride; ++column) {
        const bool inside = column >= 2 && column < 2 + kOutputs;
        EXPECT_EQ(wide[row * kStride + column], inside ? alone[row * kOutputs + column - 2] : 7.0F);
      }
    }
  });
}

INSTANTIATE_TEST_SUITE_P(Precisions, MatMulTest,
                         ::testing::Values(NumberFormat::kF32, NumberFormat::kBf16, NumberFormat::kInt8),
                         [](const auto& precision) { return std::string(ToString(precision.param)); });

TEST(Int8MatMul, ExtremesAreExactOnEveryInstructionSet) {
  // The largest sums that bytes can make, with weights of -128, which only a foreign file holds.
  constexpr size_t kInputs = 128;
  const Int8Layout layout{kInputs, 32};
  for (const int weight : {-128, 127}) {
    const std::vector<uint8_t> values(layout.value_count(), static_cast<uint8_t>(weight + 128));
    const PackedMatrix matrix(values, std::vector<uint16_t>(layout.scale_count(), FloatToBf16(1.0F)), nullptr, {},
                              layout);
    for (const float activation : {-127.0F, 127.0F}) {
      const std::vector<float> x(kInputs, activation);
      OnEachTarget([&] {
        Activations activations;
        activations.Reset(NumberFormat::kInt8, x.data(), 1, kInputs);
        PrepareRows(activations, 0, 1);
        std::vector<float> y(32);
        MatMul(activations, matrix, 0, 1, MatMulMode::kStore, y.data(), matrix.outputs());
        // Below 2^24, so exact in f32.
        EXPECT_EQ(y, std::vector<float>(32, static_cast<float>(weight) * activation * kInputs));
      });
    }
  }
}

TEST(PrepareRows, RoundsAsTheScalarFunctionsDo) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  std::vector<float> x = RandomFloats(2 * 150, 5);
  x[3] = kInfinity;
  x[4] = -kInfinity;
  x[5] = std::numeric_limits<float>::quiet_NaN();
  x[6] = std::numeric_limits<float>::max();
  x[7] = std::numeric_limits<float>::denorm_min();
  x[8] = -0.0F;
  OnEachTarget([&] {
    Activations activations;
    activations.Reset(NumberFormat::kBf16, x.data(), 2, 150);
    PrepareRows(activations, 0, 2);
    for (size_t row = 0; row < 2; ++row) {
      for (size_t i = 0; i < activations.padded_inputs(); ++i) {
        const uint16_t bits = activations.bf16(row)[i];
        const float value = i < 150 ? x[row * 150 + i] : 0.0F;
        if (std::isnan(value)) {
          EXPECT_TRUE(std::isnan(Bf16ToFloat(bits)));
        } else {
          EXPECT_EQ(bits, FloatToBf16(value)) << value;
        }
      }
    }
  });
}

/// A row's values, whichever way they are stored.
std::vector<int> Int8Values(const Activations& x, size_t row) {
  const std::string target = std::string(KernelTargetName()) + DotInstructions();
  const bool in_pairs = target == "SSE2" || target == "SSSE3" || target == "SSE4" || target == "AVX2" ||
                        target == "AVX3" || target == "AVX3BF16";
  std::vector<int> values(x.padded_inputs());
  for (size_t i = 0; i < values.size(); ++i) {
    if (!in_pairs) {
      values[i] = x.int8(row)[i];
      continue;
    }
    const size_t quad = i % kGroup / 4;
    const size_t pair = i / kGroup * (kGroup / 2) + (i % 2 == 0 ? 0 : Int8Layout::kQuads) + quad;
    int16_t both[2];
    std::memcpy(both, x.pairs(row) + pair, sizeof(both));
    values[i] = both[i % 4 / 2];
  }
  return values;
}

TEST(PrepareRows, Int8StaysWithinRangeAndSumsUp) {
  std::vector<float> x = RandomFloats(130, 5);
  std::fill_n(x.begin(), 64, 0.0F);
  std::fill_n(x.begin() + 64, 64, std::numeric_limits<float>::denorm_min());
  x[129] = 1e30F;
  OnEachTarget([&] {
    Activations activations;
    activations.Reset(NumberFormat::kInt8, x.data(), 1, x.size());
    PrepareRows(activations, 0, 1);
    const std::vector<int> values = Int8Values(activations, 0);
    for (size_t group = 0; group < 3; ++group) {
      int32_t sum = 0;
      for (size_t i = group * kGroup; i < (group + 1) * kGroup; ++i) {
        EXPECT_GE(values[i], -127);
        sum += values[i];
      }
      EXPECT_EQ(activations.offsets(0)[group], -128 * sum);
    }
    EXPECT_EQ(activations.scales(0)[0], 0.0F);
    EXPECT_EQ(values[0], 0);
    EXPECT_EQ(values[129], 127);
    EXPECT_EQ(values[130], 0);
  });
}

}  // namespace
}  // namespace continuo
