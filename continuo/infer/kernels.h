#pragma once

#include <cstddef>
#include <cstdint>

namespace continuo {

/// y = (x - mean) / sqrt(variance + epsilon) * weight + bias over `width` values.
void LayerNorm(const float* x, const float* weight, const float* bias, size_t width, float epsilon, float* y);

/// x = x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) in place: GPT-2's "gelu_new" (Hendrycks &
/// Gimpel 2016). Each value depends on itself alone, to the bit.
void Gelu(float* x, size_t count);

/// The instruction set that the kernels use here, as Highway names it.
const char* KernelTargetName();

}  // namespace continuo
