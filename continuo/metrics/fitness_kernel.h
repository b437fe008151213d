#pragma once

#include <cstddef>
#include <cstdint>

namespace continuo {

/// A square matrix of similarities in the kernel's layout: rows of `stride` values. Columns from
/// `frames` on are finite padding, at least one vector wide. For int32_t, 1.0 is 1 <<
/// kFixedPointBits.
template <typename Value>
struct PaddedMatrix {
  const Value* values = nullptr;
  int64_t frames = 0;
  int64_t stride = 0;
};

inline constexpr size_t kMaxVectorBytes = 64;  // AVX-512's
inline constexpr int kFixedPointBits = 20;

/// Beyond these limits the int32_t kernel would overflow: the best path of 2,047 frames scores less
/// than 2^31 units, and the value used for minus infinity stays below every real score of a segment
/// of 256 frames.
inline constexpr int64_t kFixedPointMaxFrames = 2047;
inline constexpr int64_t kFixedPointMaxLength = 256;

/// Bytes of scratch memory, aligned to 64, that FitnessOfLength needs for segments up to `length`.
size_t FitnessScratchBytes(int64_t length);

/// fitness[s] = fitness of the segment of `length` frames from frame s, for s = 0 .. frames -
/// length. Needs 1 <= length <= frames. Where both kernels apply they give the same doubles, on
/// every CPU.
void FitnessOfLength(const PaddedMatrix<int32_t>& matrix, int64_t length, void* scratch, double* fitness);
void FitnessOfLength(const PaddedMatrix<double>& matrix, int64_t length, void* scratch, double* fitness);

}  // namespace continuo
