#include "continuo/model/int8_matrix.h"

#include <algorithm>
#include <bit>
#include <cmath>

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
  matrix.values.assign(layout.value_count(), kZero);
  matrix.scales.assign(layout.scale_count(), 0);
  for (size_t output = 0; output < layout.outputs; ++output) {
    for (size_t first = 0; first < layout.inputs; first += Int8Layout::kGroupInputs) {
      const size_t last = std::min(first + Int8Layout::kGroupInputs, layout.inputs);
      float largest = 0.0F;
      for (size_t input = first; input < last; ++input) {
        largest = std::max(largest, std::abs(weights[WeightIndex(layout, input, output, transposed)]));
      }
      const uint16_t scale_bits = Bf16NoLess(largest / kLargestValue);
      matrix.scales[layout.scale_index(first, output)] = scale_bits;
      const float scale = Bf16ToFloat(scale_bits);
      if (scale == 0.0F) {
        continue;
      }
      for (size_t input = first; input < last; ++input) {
        const float steps = weights[WeightIndex(layout, input, output, transposed)] / scale;
        const float value = std::clamp(std::nearbyint(steps), -kLargestValue, kLargestValue);
        matrix.values[layout.value_index(input, output)] = static_cast<uint8_t>(kZero + static_cast<int>(value));
      }
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
