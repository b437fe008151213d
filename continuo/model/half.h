#pragma once

#include <cstdint>

namespace continuo {

/// Half-precision numbers as float, exactly.
float Bf16ToFloat(uint16_t bits);
float F16ToFloat(uint16_t bits);
/// The nearest bf16, halves to even. NaN stays NaN.
uint16_t FloatToBf16(float value);

}  // namespace continuo
