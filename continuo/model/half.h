#pragma once

#include <bit>
#include <cstdint>

namespace continuo {

/// Half-precision numbers as float, exactly.
inline float Bf16ToFloat(uint16_t bits) {
  return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16);
}
float F16ToFloat(uint16_t bits);
/// The nearest bf16, halves to even. NaN stays NaN.
uint16_t FloatToBf16(float value);

}  // namespace continuo
