#include "continuo/model/int8_matrix.h"

#include <algorithm>
#include <array>
#include <bit>

#include "continuo/core/check.h"
#include "continuo/model/half.h"

namespace continuo {
namespace {

constexpr float kLargestValue = 127.0F;
constexpr int kZero = 128;  // the value that stands for 0

/// The least bf16 that is no less than a magnitude.
uint16_t Bf16NoLess(float magnitude) {
  const auto bits = std::bit_cast<uint32_t>(magnitude);
  return static_cast<uint16_t>((bits + 0xffff) >> 16);
}

size_t WeightIndex(const Int8Layout& layout, size_t input, size_t output, bool transposed) {
  return transposed ? output * layout.inputs + input : input * layout.outputs + output;
}

using Tile = std::array<std::array<float, Int8Layout::kPanelOutputs>, Int8Layout::kGroupInputs>;

/// A group of inputs of a panel's outputs: values [quads, outputs, inputs of a quad] and scales
/// [outputs].
void QuantizeTile(const Tile& tile, uint8_t* values, uint16_t* scales) {
  constexpr size_t kOutputs = Int8Layout::kPanelOutputs;
  // Magnitudes in the order of their bits, which is theirs too.
  std::array<uint32_t, kOutputs> largest{};
  for (const auto& row : tile) {
    for (size_t o = 0; o < kOutputs; ++o) {
      largest[o] = std::max(largest[o], std::bit_cast<uint32_t>(row[o]) & 0x7fffffffU);
    }
  }
  std::array<float, kOutputs> divisors;
  for (size_t o = 0; o < kOutputs; ++o) {
    scales[o] = Bf16NoLess(std::bit_cast<float>(largest[o]) / kLargestValue);
    const float scale = Bf16ToFloat(scales[o]);
    divisors[o] = scale == 0.0F ? 1.0F : scale;
  }
  // Adding and taking away 1.5 x 2^23 leaves the nearest whole number, halves to even.
  constexpr float kRounder = 12582912.0F;
  for (size_t i = 0; i < tile.size(); ++i) {
    uint8_t* quad = values + i / Int8Layout::kQuadInputs * kOutputs * Int8Layout::kQuadInputs;
    for (size_t o = 0; o < kOutputs; ++o) {
      const float steps = tile[i][o] / divisors[o] + kRounder - kRounder;
      const float value = std::clamp(steps, -kLargestValue, kLargestValue);
      quad[o * Int8Layout::kQuadInputs + i % Int8Layout::kQuadInputs] =
          static_cast<uint8_t>(kZero + static_cast<int>(value));
    }
  }
}

}  // namespace

std::vector<int64_t> Int8Layout::value_shape() const {
  return {static_cast<int64_t>(panels()), static_cast<int64_t>(groups()), static_cast<int64_t>(kQuads),
          static_cast<int64_t>(kPanelOutputs), static_cast<int64_t>(kQuadInputs)};
}

std::vector<int64_t> Int8Layout::scale_shape() const {
  return {static_cast<int64_t>(panels()), static_cast<int64_t>(groups()), static_cast<int64_t>(kPanelOutputs)};
}

Int8Matrix QuantizeInt8(std::span<const float> weights, const Int8Layout& layout, bool transposed) {
  CONTINUO_CHECK(weights.size() == layout.inputs * layout.outputs);
  Int8Matrix matrix;
  matrix.values.resize(layout.value_count());
  matrix.scales.resize(layout.scale_count());
  uint8_t* values = matrix.values.data();
  uint16_t* scales = matrix.scales.data();
  for (size_t first_output = 0; first_output < layout.outputs; first_output += Int8Layout::kPanelOutputs) {
    for (size_t first_input = 0; first_input < layout.inputs; first_input += Int8Layout::kGroupInputs) {
      Tile tile{};
      const size_t inputs = std::min(Int8Layout::kGroupInputs, layout.inputs - first_input);
      const size_t outputs = std::min(Int8Layout::kPanelOutputs, layout.outputs - first_output);
      for (size_t i = 0; i < inputs; ++i) {
        for (size_t o = 0; o < outputs; ++o) {
          tile[i][o] = weights[WeightIndex(layout, first_input + i, first_output + o, transposed)];
        }
      }
      QuantizeTile(tile, values, scales);
      values += Int8Layout::kGroupInputs * Int8Layout::kPanelOutputs;
      scales += Int8Layout::kPanelOutputs;
    }
  }
  return matrix;
}

std::vector<float> DequantizeInt8(std::span<const uint8_t> values, std::span<const uint16_t> scales,
                                  const Int8Layout& layout, bool transposed) {
  CONTINUO_CHECK(values.size() == layout.value_count() && scales.size() == layout.scale_count());
  std::vector<float> weights(layout.inputs * layout.outputs);
  for (size_t output = 0; output < layout.outputs; ++output) {
    for (size_t input = 0; input < layout.inputs; ++input) {
      const int value = values[layout.value_index(input, output)] - kZero;
      weights[WeightIndex(layout, input, output, transposed)] =
          static_cast<float>(value) * Bf16ToFloat(scales[layout.scale_index(input, output)]);
    }
  }
  return weights;
}

}  // namespace continuo
