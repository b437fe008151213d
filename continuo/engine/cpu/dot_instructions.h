#pragma once

namespace continuo {

/// Whether kernels compiled for AVX-512 use the CPU's instructions for dot products of 8-bit and of
/// bf16 numbers; those for WebAssembly have some for the former.
bool UseVnni();
bool UseBf16Dot();

/// For tests: whether they may, where the CPU has them (they may by default). Integers are the same
/// either way, and bf16 sums where no number is denormal. Thread-safe.
void AllowDotInstructions(bool allow);
/// For measurements: from now on kernels use no instructions beyond AVX2.
void ForbidAvx512();
/// "VNNI, BF16", "VNNI", in WebAssembly "I16", or "" where there are none or they are not allowed.
const char* DotInstructions();

}  // namespace continuo
