#include "continuo/engine/cpu/packed_matrix.h"

#include <algorithm>

#include "continuo/core/check.h"
#include "continuo/model/half.h"

namespace continuo {

PackedMatrix::PackedMatrix(NumberFormat precision, std::span<const float> weights, std::span<const float> bias,
                           size_t inputs, size_t outputs, bool transposed)
    : precision_(precision), layout_{inputs, outputs} {
  CONTINUO_CHECK(weights.size() == inputs * outputs && precision != NumberFormat::kF16);
  SetBias(bias);
  if (precision == NumberFormat::kInt8) {
    Int8Matrix matrix = QuantizeInt8(weights, layout_, transposed);
    const auto bytes = std::make_shared<AlignedBytes>(matrix.values.size());
    std::copy(matrix.values.begin(), matrix.values.end(), bytes->data());
    scales_ = std::move(matrix.scales);
    weights_ = bytes->data();
    owner_ = bytes;
    return;
  }
  const auto weight = [&](size_t input, size_t output) {
    if (input >= inputs || output >= outputs) {
      return 0.0F;
    }
    return weights[transposed ? output * inputs + input : input * outputs + output];
  };
  const size_t steps = precision == NumberFormat::kF32 ? 1 : 2;  // inputs that lie side by side
  const size_t padded_inputs = (inputs + steps - 1) / steps * steps;
  const size_t count = panels() * padded_inputs * kPanelOutputs;
  const auto bytes = std::make_shared<AlignedBytes>(count * (precision == NumberFormat::kF32 ? 4 : 2));
  size_t at = 0;
  for (size_t panel = 0; panel < panels(); ++panel) {
    for (size_t input = 0; input < inputs; input += steps) {
      for (size_t output = panel * kPanelOutputs; output < (panel + 1) * kPanelOutputs; ++output) {
        if (precision == NumberFormat::kF32) {
          bytes->as<float>()[at++] = weight(input, output);
        } else {
          bytes->as<uint16_t>()[at++] = FloatToBf16(weight(input, output));
          bytes->as<uint16_t>()[at++] = FloatToBf16(weight(input + 1, output));
        }
      }
    }
  }
  weights_ = bytes->data();
  owner_ = bytes;
}

PackedMatrix::PackedMatrix(std::span<const uint8_t> values, std::vector<uint16_t> scales,
                           std::shared_ptr<const void> owner, std::span<const float> bias, const Int8Layout& layout)
    : precision_(NumberFormat::kInt8),
      layout_(layout),
      weights_(values.data()),
      owner_(std::move(owner)),
      scales_(std::move(scales)) {
  CONTINUO_CHECK(values.size() == layout.value_count() && scales_.size() == layout.scale_count());
  SetBias(bias);
}

void PackedMatrix::SetBias(std::span<const float> bias) {
  CONTINUO_CHECK(bias.empty() || bias.size() == outputs());
  bias_.assign(panels() * kPanelOutputs, 0.0F);
  std::copy(bias.begin(), bias.end(), bias_.begin());
}

}  // namespace continuo
