#pragma once

#include <cstddef>
#include <cstdint>

namespace continuo {

/// y = (x - mean) / sqrt(variance + epsilon) * weight + bias over `width` values.
void LayerNorm(const float* x, const float* weight, const float* bias, size_t width, float epsilon, float* y);

/// y = x / sqrt(mean of x^2 + epsilon) * weight over `width` values. y may be x.
void RmsNorm(const float* x, const float* weight, size_t width, float epsilon, float* y);

/// y = silu(y) * x, where silu(y) = y / (1 + exp(-y)). Each value depends on its own two alone, to
/// the bit.
void MultiplyBySilu(float* y, const float* x, size_t count);

/// Turns the points (x[i], x[i + half]) by the angles whose cosines and sines are given (see
/// RotaryTable), in place.
void Rotate(float* x, const float* cos, const float* sin, size_t half);

/// x = x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) in place: GPT-2's "gelu_new" (Hendrycks &
/// Gimpel 2016). Each value depends on itself alone, to the bit.
void Gelu(float* x, size_t count);

/// x = x/2 (1 + erf(x / sqrt(2))) in place, in absolute value within 2^-22 max(1, |x|). Each value
/// depends on itself alone, to the bit.
void ExactGelu(float* x, size_t count);

/// The instruction set that the kernels use here, as Highway names it.
const char* KernelTargetName();

/// Computes from now on with vectors of four numbers and without fused multiply-add, as the
/// WebAssembly build does, so that a seed gives its bytes. False on processors that cannot, all but
/// x86. Not while anything is computed.
bool UseFourLanes();

}  // namespace continuo
