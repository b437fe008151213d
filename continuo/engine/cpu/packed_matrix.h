#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "continuo/engine/cpu/aligned_bytes.h"
#include "continuo/model/int8_matrix.h"
#include "continuo/model/number_format.h"

namespace continuo {

/// A matrix [inputs, outputs] and a bias, cut into panels of 32 outputs, whose weights lie in the
/// order in which they are read. Activations follow the weights' format in products: bf16 in pairs,
/// int8 by row and group of 64. F16 is not computed in. The same on every instruction set:
///   f32   [panels, inputs, 32]
///   bf16  [panels, pairs of inputs, 32, 2]
///   int8  Int8Layout
/// What is past the end is zero.
class PackedMatrix {
 public:
  static constexpr size_t kPanelOutputs = Int8Layout::kPanelOutputs;

  PackedMatrix() = default;
  /// From weights [inputs, outputs], or from [outputs, inputs] if `transposed`, and a bias
  /// [outputs], which may be empty (zeros).
  PackedMatrix(NumberFormat precision, std::span<const float> weights, std::span<const float> bias, size_t inputs,
               size_t outputs, bool transposed);
  /// From a matrix in 8 bits whose values `owner` keeps.
  PackedMatrix(std::span<const uint8_t> values, std::vector<uint16_t> scales, std::shared_ptr<const void> owner,
               std::span<const float> bias, const Int8Layout& layout);

  NumberFormat precision() const { return precision_; }
  size_t inputs() const { return layout_.inputs; }
  size_t outputs() const { return layout_.outputs; }
  size_t panels() const { return layout_.panels(); }
  /// Groups of 64 inputs, the last of which may have fewer.
  size_t groups() const { return layout_.groups(); }

  const float* f32_panel(size_t index) const {
    return reinterpret_cast<const float*>(weights_) + index * inputs() * kPanelOutputs;
  }
  const uint16_t* bf16_panel(size_t index) const {
    return reinterpret_cast<const uint16_t*>(weights_) + index * ((inputs() + 1) / 2 * 2) * kPanelOutputs;
  }
  const uint8_t* int8_panel(size_t index) const {
    return weights_ + index * groups() * Int8Layout::kGroupInputs * kPanelOutputs;
  }
  /// bf16 [groups, 32]
  const uint16_t* scales(size_t panel) const { return scales_.data() + panel * groups() * kPanelOutputs; }
  const float* bias(size_t panel) const { return bias_.data() + panel * kPanelOutputs; }

 private:
  void SetBias(std::span<const float> bias);

  NumberFormat precision_ = NumberFormat::kF32;
  Int8Layout layout_;
  const uint8_t* weights_ = nullptr;
  std::shared_ptr<const void> owner_;  // of weights_
  std::vector<uint16_t> scales_;
  std::vector<float> bias_;  // [panels, 32]
};

}  // namespace continuo
