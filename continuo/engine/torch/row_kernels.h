#pragma once

#include <cstdint>

namespace continuo {

/// Loops over rows of a matrix that stand between the matrix products of a training step, each
/// fused so that memory is passed over once. Values are f32 or bfloat16 (as uint16_t: the upper
/// half of an f32, rounded to nearest even); arithmetic is in f32. Rows are contiguous. They run on
/// the calling thread; the caller shares the rows out. Compiled for several instruction sets,
/// chosen when the program starts.

/// Dropout of a share, 0 to below 1, of the values. Values are numbered on from a `first`, modulo
/// 2^32, and what is dropped is decided by the number and the key alone, so that parts may be made
/// in any order, on any thread, and made again. What is kept is multiplied by 1 / (1 - share).
struct Dropout {
  uint64_t key = 0;
  float share = 0;
};

/// sum = residual + branch, the branch with dropout (branch null: sum is not written and the
/// residual itself is normed), then normed = (sum - mean) * rstd * scale + bias. residual, sum:
/// [rows, width] f32; branch, normed: [rows, width] of T; scale, bias: [width]; mean, rstd: [rows],
/// kept for the backward pass. bias null: RMSNorm, whose mean is 0 and whose rstd is 1 / sqrt(mean
/// of squares + epsilon). The branch's values are counted for dropout from `first` on.
template <typename T>
void AddNormForward(int64_t rows, int64_t width, const float* residual, const T* branch, Dropout dropout,
                    uint32_t first, const float* scale, const float* bias, float epsilon, float* sum, T* normed,
                    float* mean, float* rstd);

/// The backward pass: d_input = d_sum + the norm's share of d_normed, which is the gradient of the
/// residual and (as T, in d_branch, unless null, with the same dropout) of the branch. d_sum may be
/// null: then it counts as zero. d_scale and d_bias [width] are added to; d_bias is null for
/// RMSNorm. d_input may be d_sum.
template <typename T>
void AddNormBackward(int64_t rows, int64_t width, const float* sum, const float* mean, const float* rstd,
                     const float* scale, const float* d_sum, const T* d_normed, Dropout dropout, uint32_t first,
                     float* d_input, T* d_branch, float* d_scale, float* d_bias);

/// Negative log likelihood in nats of each row's target, summed over rows whose target is not
/// negative. logits: [rows, width] of T. With d_logits (may be logits), writes scale x
/// d(sum)/d(logits) there, where the sum is that of the cross entropy with (1 - smoothing) x the
/// target + smoothing x the uniform distribution.
template <typename T>
double CrossEntropyRows(int64_t rows, int64_t width, const T* logits, const int64_t* targets, float scale,
                        float smoothing, T* d_logits);

/// y = x with dropout. y may be x.
void DropValues(int64_t count, const float* x, Dropout dropout, uint32_t first, float* y);

/// The weights of causal attention, for the queries `begin` to begin + rows - 1 of a sequence: over
/// the first q + 1 keys of query q, softmax(scale x scores), then dropout. scores: [rows, keys] of
/// T, overwritten by the weights with dropout, 0 beyond a query's keys. weights: [rows, keys], for
/// the backward pass: those without dropout, negative where dropped. keys is at least begin + rows.
template <typename T>
void AttentionWeights(int64_t rows, int64_t keys, int64_t begin, float scale, Dropout dropout, T* scores,
                      float* weights);
/// The backward pass: overwrites `gradient`, [rows, keys] of T, which is that of the weights with
/// dropout, by that of the scores.
template <typename T>
void AttentionWeightsBackward(int64_t rows, int64_t keys, int64_t begin, float scale, Dropout dropout,
                              const float* weights, T* gradient);

/// y = silu(gate) x up, where silu(x) = x / (1 + exp(-x)). x: [rows, 2 x inner], a row's gates
/// first; y: [rows, inner].
template <typename T>
void SwiGluForward(int64_t rows, int64_t inner, const T* x, T* y);
/// The backward pass: dx, [rows, 2 x inner], from dy, [rows, inner].
template <typename T>
void SwiGluBackward(int64_t rows, int64_t inner, const T* x, const T* dy, T* dx);

/// Turns the points (x[i], x[half + i]) of each row by the angles whose cosines and sines, [rows,
/// half], are given, or back. A row's values begin `stride` after those of the row before.
template <typename From, typename To>
void RotateRows(int64_t rows, int64_t half, const From* from, int64_t from_stride, const float* cos, const float* sin,
                bool back, To* to, int64_t to_stride);

/// y = gelu(x), the tanh form, over `count` values.
template <typename T>
void GeluForward(int64_t count, const T* x, T* y);
/// dx = dy * gelu'(x). dx may be dy.
template <typename T>
void GeluBackward(int64_t count, const T* x, const T* dy, T* dx);

}  // namespace continuo
