#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace continuo {

/// A matrix [inputs, outputs] in 8 bits a weight, cut as the CPU engine reads it, so that a file
/// can be used where it is mapped. Outputs are cut into panels of 32 and inputs into groups of 64,
/// the last of each padded with zeros. Each group of an output has a scale of its own: the weight
/// is (value - 128) * scale.
struct Int8Layout {
  static constexpr size_t kPanelOutputs = 32;
  static constexpr size_t kGroupInputs = 64;
  static constexpr size_t kQuadInputs = 4;  // neighbours in memory: what one 8-bit dot product instruction takes
  static constexpr size_t kQuads = kGroupInputs / kQuadInputs;

  size_t inputs = 0;
  size_t outputs = 0;

  size_t panels() const { return (outputs + kPanelOutputs - 1) / kPanelOutputs; }
  size_t groups() const { return (inputs + kGroupInputs - 1) / kGroupInputs; }
  size_t value_count() const { return panels() * groups() * kGroupInputs * kPanelOutputs; }
  size_t scale_count() const { return panels() * groups() * kPanelOutputs; }
  /// [panels, groups, quads of a group, outputs of a panel, inputs of a quad]
  std::vector<int64_t> value_shape() const;
  /// [panels, groups, outputs of a panel]
  std::vector<int64_t> scale_shape() const;

  size_t value_index(size_t input, size_t output) const {
    const size_t group = output / kPanelOutputs * groups() + input / kGroupInputs;
    const size_t quad = group * kQuads + input % kGroupInputs / kQuadInputs;
    return (quad * kPanelOutputs + output % kPanelOutputs) * kQuadInputs + input % kQuadInputs;
  }
  size_t scale_index(size_t input, size_t output) const {
    return (output / kPanelOutputs * groups() + input / kGroupInputs) * kPanelOutputs + output % kPanelOutputs;
  }
};

/// Values in [1, 255] around 128 and scales as bf16 bits, laid out by Int8Layout.
struct Int8Matrix {
  std::vector<uint8_t> values;
  std::vector<uint16_t> scales;
};

/// Rounds finite weights [inputs, outputs], or [outputs, inputs] if `transposed`. A group's scale
/// is the least bf16 that is no less than its largest magnitude / 127, so that each weight moves by
/// at most scale / 2.
Int8Matrix QuantizeInt8(std::span<const float> weights, const Int8Layout& layout, bool transposed);

/// The weights that the values stand for, [inputs, outputs], or [outputs, inputs] if `transposed`.
/// Takes any bytes.
std::vector<float> DequantizeInt8(std::span<const uint8_t> values, std::span<const uint16_t> scales,
                                  const Int8Layout& layout, bool transposed);

}  // namespace continuo
