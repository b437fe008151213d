#pragma once

#include <cstdint>

namespace continuo {

/// Loops over rows of a matrix that stand between the matrix products of a training step, each fused so
/// that memory is passed over once. Values are f32 or bfloat16 (as uint16_t: the upper half of an f32,
/// rounded to nearest even); arithmetic is in f32. Rows are contiguous. They run on the calling thread; the
/// caller shares the rows out. Compiled for several instruction sets, chosen when the program starts.

/// sum = residual + branch (branch null: sum is not written and the residual itself is normed), then
/// normed = (sum - mean) * rstd * scale + bias. residual, sum: [rows, width] f32; branch, normed:
/// [rows, width] of T; scale, bias: [width]; mean, rstd: [rows], kept for the way back.
template <typename T>
void AddNormForward(int64_t rows, int64_t width, const float* residual, const T* branch, const float* scale,
                    const float* bias, float epsilon, float* sum, T* normed, float* mean, float* rstd);

/// The way back: d_input = d_sum + the norm's share of d_normed, which is the gradient of the residual and
/// (as T, in d_branch, unless null) of the branch. d_sum may be null: then it counts as zero. d_scale and
/// d_bias [width] are added to. d_input may be d_sum.
template <typename T>
void AddNormBackward(int64_t rows, int64_t width, const float* sum, const float* mean, const float* rstd,
                     const float* scale, const float* d_sum, const T* d_normed, float* d_input, T* d_branch,
                     float* d_scale, float* d_bias);

/// Negative log likelihood in nats of each row's target, summed over rows whose target is not negative.
/// logits: [rows, width] of T. With d_logits (may be logits), writes scale x d(sum)/d(logits) there, where the sum is
/// that of the cross entropy with (1 - smoothing) x the target + smoothing x the uniform distribution.
template <typename T>
double CrossEntropyRows(int64_t rows, int64_t width, const T* logits, const int64_t* targets, float scale,
                        float smoothing, T* d_logits);

/// What dropout multiplies with: kept[i] is 0 with probability `dropout`, else 1 / (1 - dropout), as the number
/// first + i and the key alone decide: parts may be made in any order, on any thread, and made again.
void DropoutMask(int64_t count, uint32_t first, uint64_t key, float dropout, float* kept);

/// y = gelu(x), the tanh form, over `count` values.
template <typename T>
void GeluForward(int64_t count, const T* x, T* y);
/// dx = dy * gelu'(x). dx may be dy.
template <typename T>
void GeluBackward(int64_t count, const T* x, const T* dy, T* dx);

}  // namespace continuo
