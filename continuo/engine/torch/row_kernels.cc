#include "continuo/engine/torch/row_kernels.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <vector>

// The compiler vectorizes these loops; this file is built with -O3 and without the rules that
// forbid it to reorder sums. One clone a line of CPUs, chosen by the loader; with AVX-512 for bytes
// and words too (x86-64-v4), for bf16.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define CONTINUO_CLONES __attribute__((target_clones("arch=x86-64-v4", "avx2", "default")))
#else
#define CONTINUO_CLONES
#endif
#define CONTINUO_INLINE inline __attribute__((always_inline))

namespace continuo {
namespace {

CONTINUO_INLINE float Load(float value) {
  return value;
}
CONTINUO_INLINE float Load(uint16_t value) {
  return std::bit_cast<float>(static_cast<uint32_t>(value) << 16);
}
CONTINUO_INLINE void Store(float value, float& to) {
  to = value;
}
/// Rounds to nearest even. A NaN stays one: those that arithmetic makes have their upper bits set.
CONTINUO_INLINE void Store(float value, uint16_t& to) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  to = static_cast<uint16_t>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

/// x in [-87, 88], clamped; a NaN becomes one of the ends. By way of the bits, in whose order as
/// signed integers only positive floats are above 88, and as unsigned ones only negative floats
/// above -87: from a clamp of floats the compiler makes a branch, and moves into it what comes
/// after, divisions by e^88 with subnormal results among it, which take a hundred times as long as
/// others.
CONTINUO_INLINE float ClampForExp(float x) {
  const int32_t below = std::min(std::bit_cast<int32_t>(x), std::bit_cast<int32_t>(88.0f));
  return std::bit_cast<float>(std::min(static_cast<uint32_t>(below), std::bit_cast<uint32_t>(-87.0f)));
}

/// e^x for x in about [-87, 88], clamped outside; relative error below 3e-7. Cephes' expf: 2^n
/// times a polynomial on [-ln2/2, ln2/2]. Written out because a call would keep the loop from being
/// vectorized.
CONTINUO_INLINE float Exp(float x) {
  x = ClampForExp(x);
  const float scaled = x * 1.44269504f;
  // Adding and taking away 1.5 * 2^23 rounds to the nearest integer; its bits hold that integer.
  const float magic = 12582912.0f;
  const float shifted = scaled + magic;
  const int32_t n = std::bit_cast<int32_t>(shifted) - std::bit_cast<int32_t>(magic);
  const float whole = static_cast<float>(n);
  float r = x - whole * 0.693359375f;
  r = r - whole * -2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.0f;
  return p * std::bit_cast<float>((n + 127) << 23);
}

// Murmur3's finalizer: every bit of the result depends on every bit of x.
CONTINUO_INLINE uint32_t Mix(uint32_t x) {
  x = (x ^ x >> 16) * 0x85ebca6bU;
  x = (x ^ x >> 13) * 0xc2b2ae35U;
  return x ^ x >> 16;
}

/// What the value of a number is multiplied with.
struct Keep {
  explicit Keep(Dropout dropout)
      : low(static_cast<uint32_t>(dropout.key)),
        high(static_cast<uint32_t>(dropout.key >> 32)),
        dropped(static_cast<uint32_t>(static_cast<double>(dropout.share) * 4294967296.0)),
        scale(1.0f / (1.0f - dropout.share)) {}
  CONTINUO_INLINE float operator()(uint32_t number) const {
    return Mix(Mix(number ^ low) + high) < dropped ? 0.0f : scale;
  }
  uint32_t low, high, dropped;
  float scale;
};

// gelu(x) = x * sigmoid(2u), u = sqrt(2/pi) (x + 0.044715 x^3), which is x/2 (1 + tanh u).
constexpr float kGeluScale = 1.5957691216057308f;  // 2 sqrt(2/pi)
constexpr float kGeluCubic = 0.044715f;

template <typename T, bool kRms>
CONTINUO_INLINE void AddNormForwardImpl(int64_t rows, int64_t width, const float* __restrict residual,
                                        const T* __restrict branch, Dropout dropout, uint32_t first,
                                        const float* __restrict scale, const float* __restrict bias, float epsilon,
                                        float* __restrict sum, T* __restrict normed, float* __restrict mean,
                                        float* __restrict rstd) {
  const Keep keep(dropout);
  const float share = 1.0f / static_cast<float>(width);
  for (int64_t row = 0; row < rows; ++row) {
    const float* in = residual + row * width;
    if (branch != nullptr) {
      const T* add = branch + row * width;
      float* out = sum + row * width;
      const uint32_t number = first + static_cast<uint32_t>(row * width);
      if (dropout.share > 0) {
        for (int64_t i = 0; i < width; ++i) {
          out[i] = in[i] + Load(add[i]) * keep(number + static_cast<uint32_t>(i));
        }
      } else {
        for (int64_t i = 0; i < width; ++i) {
          out[i] = in[i] + Load(add[i]);
        }
      }
      in = out;
    }
    float total = 0;
    if constexpr (!kRms) {
      for (int64_t i = 0; i < width; ++i) {
        total += in[i];
      }
    }
    const float center = total * share;
    float squares = 0;
    for (int64_t i = 0; i < width; ++i) {
      const float d = in[i] - center;
      squares += d * d;
    }
    const float inverse = 1.0f / std::sqrt(squares * share + epsilon);
    T* out = normed + row * width;
    for (int64_t i = 0; i < width; ++i) {
      if constexpr (kRms) {
        Store(in[i] * inverse * scale[i], out[i]);
      } else {
        Store((in[i] - center) * inverse * scale[i] + bias[i], out[i]);
      }
    }
    mean[row] = center;
    rstd[row] = inverse;
  }
}

template <typename T, bool kRms>
CONTINUO_INLINE void AddNormBackwardImpl(int64_t rows, int64_t width, const float* sum, const float* mean,
                                         const float* rstd, const float* __restrict scale, const float* d_sum,
                                         const T* __restrict d_normed, Dropout dropout, uint32_t first, float* d_input,
                                         T* __restrict d_branch, float* __restrict d_scale, float* __restrict d_bias) {
  const Keep keep(dropout);
  const float share = 1.0f / static_cast<float>(width);
  for (int64_t row = 0; row < rows; ++row) {
    const float* in = sum + row * width;
    const T* dy = d_normed + row * width;
    const float center = mean[row];
    const float inverse = rstd[row];
    float mean_dx = 0;
    float mean_dx_x = 0;
    for (int64_t i = 0; i < width; ++i) {
      const float x = (in[i] - center) * inverse;
      const float g = Load(dy[i]);
      const float dx = g * scale[i];
      mean_dx_x += dx * x;
      d_scale[i] += g * x;
      if constexpr (!kRms) {
        mean_dx += dx;
        d_bias[i] += g;
      }
    }
    mean_dx *= share;
    mean_dx_x *= share;
    float* out = d_input + row * width;
    const float* through = d_sum == nullptr ? nullptr : d_sum + row * width;
    if (through != nullptr) {
      for (int64_t i = 0; i < width; ++i) {
        const float x = (in[i] - center) * inverse;
        out[i] = through[i] + (Load(dy[i]) * scale[i] - mean_dx - x * mean_dx_x) * inverse;
      }
    } else {
      for (int64_t i = 0; i < width; ++i) {
        const float x = (in[i] - center) * inverse;
        out[i] = (Load(dy[i]) * scale[i] - mean_dx - x * mean_dx_x) * inverse;
      }
    }
    if (d_branch != nullptr) {
      T* branch = d_branch + row * width;
      const uint32_t number = first + static_cast<uint32_t>(row * width);
      if (dropout.share > 0) {
        for (int64_t i = 0; i < width; ++i) {
          Store(out[i] * keep(number + static_cast<uint32_t>(i)), branch[i]);
        }
      } else {
        for (int64_t i = 0; i < width; ++i) {
          Store(out[i], branch[i]);
        }
      }
    }
  }
}

/// Integers in the order of the floats whose bits they hold, and back; NaNs with a clear sign come
/// last.
CONTINUO_INLINE int32_t Ordered(int32_t bits) {
  return bits ^ ((bits >> 31) & 0x7fffffff);
}

/// The largest of count >= 1 values. By way of integers, for compilers make no vectors of a maximum
/// of floats, for the sake of NaNs.
template <typename T>
CONTINUO_INLINE float Largest(int64_t count, const T* values) {
  int32_t top = std::numeric_limits<int32_t>::min();
  for (int64_t i = 0; i < count; ++i) {
    top = std::max(top, Ordered(std::bit_cast<int32_t>(Load(values[i]))));
  }
  return std::bit_cast<float>(Ordered(top));
}

template <typename T>
CONTINUO_INLINE double CrossEntropyRowsImpl(int64_t rows, int64_t width, const T* logits, const int64_t* targets,
                                            float scale, float smoothing, T* d_logits, float* __restrict e) {
  double nll = 0;
  for (int64_t row = 0; row < rows; ++row) {
    const T* in = logits + row * width;
    const int64_t target = targets[row];
    if (target < 0) {
      if (d_logits != nullptr) {
        std::fill_n(d_logits + row * width, width, T{0});
      }
      continue;
    }
    const float top = Largest(width, in);
    float total = 0;
    for (int64_t i = 0; i < width; ++i) {
      e[i] = Exp(Load(in[i]) - top);
      total += e[i];
    }
    nll += std::log(static_cast<double>(total)) + static_cast<double>(top) - static_cast<double>(Load(in[target]));
    if (d_logits != nullptr) {
      const float factor = scale / total;
      T* out = d_logits + row * width;
      e[target] -= total * (1.0f - smoothing);
      const float floor = scale * smoothing / static_cast<float>(width);
      for (int64_t i = 0; i < width; ++i) {
        Store(e[i] * factor - floor, out[i]);
      }
    }
  }
  return nll;
}

template <typename T>
CONTINUO_INLINE void AttentionWeightsImpl(int64_t rows, int64_t keys, int64_t begin, float scale, Dropout dropout,
                                          T* __restrict scores, float* __restrict weights) {
  const Keep keep(dropout);
  for (int64_t row = 0; row < rows; ++row) {
    const int64_t seen = begin + row + 1;
    T* out = scores + row * keys;
    float* weight = weights + row * keys;
    const float top = Largest(seen, out);
    float total = 0;
    for (int64_t i = 0; i < seen; ++i) {
      weight[i] = Exp((Load(out[i]) - top) * scale);
      total += weight[i];
    }
    const float share = 1.0f / total;
    // The weights of all queries are numbered query by query.
    const auto number = static_cast<uint32_t>(seen * (seen - 1) / 2);
    if (dropout.share > 0) {
      for (int64_t i = 0; i < seen; ++i) {
        const float w = weight[i] * share;
        const float kept = keep(number + static_cast<uint32_t>(i));
        Store(w * kept, out[i]);
        weight[i] = kept > 0 ? w : -w;
      }
    } else {
      for (int64_t i = 0; i < seen; ++i) {
        weight[i] *= share;
        Store(weight[i], out[i]);
      }
    }
    std::fill(out + seen, out + keys, T{0});
    std::fill(weight + seen, weight + keys, 0.0f);
  }
}

template <typename T>
CONTINUO_INLINE void AttentionWeightsBackwardImpl(int64_t rows, int64_t keys, int64_t begin, float scale,
                                                  Dropout dropout, const float* __restrict weights,
                                                  T* __restrict gradient) {
  const float kept = 1.0f / (1.0f - dropout.share);
  for (int64_t row = 0; row < rows; ++row) {
    const int64_t seen = begin + row + 1;
    const float* weight = weights + row * keys;
    T* out = gradient + row * keys;
    // With w the softmax, m what dropout multiplies with and g the gradient: w (g m - sum(w g m)).
    float sum = 0;
    for (int64_t i = 0; i < seen; ++i) {
      sum += std::max(weight[i], 0.0f) * Load(out[i]);
    }
    sum *= kept;
    for (int64_t i = 0; i < seen; ++i) {
      const float through = std::max(weight[i], 0.0f) * kept * Load(out[i]);
      Store((through - std::abs(weight[i]) * sum) * scale, out[i]);
    }
    std::fill(out + seen, out + keys, T{0});
  }
}

template <typename T>
CONTINUO_INLINE void GeluForwardImpl(int64_t count, const T* __restrict x, T* __restrict y) {
  for (int64_t i = 0; i < count; ++i) {
    const float v = Load(x[i]);
    const float u = kGeluScale * (v + kGeluCubic * v * v * v);
    Store(v / (1.0f + Exp(-u)), y[i]);
  }
}

template <typename T>
CONTINUO_INLINE void GeluBackwardImpl(int64_t count, const T* x, const T* dy, T* dx) {
  for (int64_t i = 0; i < count; ++i) {
    const float v = Load(x[i]);
    const float u = kGeluScale * (v + kGeluCubic * v * v * v);
    const float s = 1.0f / (1.0f + Exp(-u));
    const float slope = kGeluScale * (1.0f + 3.0f * kGeluCubic * v * v);
    Store(Load(dy[i]) * (s + v * s * (1.0f - s) * slope), dx[i]);
  }
}

/// silu(x) = x s, of slope s (1 + x (1 - s)), with s = 1 / (1 + exp(-x)).
template <typename T>
CONTINUO_INLINE void SwiGluForwardImpl(int64_t rows, int64_t inner, const T* __restrict x, T* __restrict y) {
  for (int64_t row = 0; row < rows; ++row) {
    const T* gate = x + row * 2 * inner;
    const T* up = gate + inner;
    T* out = y + row * inner;
    for (int64_t i = 0; i < inner; ++i) {
      const float g = Load(gate[i]);
      Store(g / (1.0f + Exp(-g)) * Load(up[i]), out[i]);
    }
  }
}

template <typename T>
CONTINUO_INLINE void SwiGluBackwardImpl(int64_t rows, int64_t inner, const T* __restrict x, const T* __restrict dy,
                                        T* __restrict dx) {
  for (int64_t row = 0; row < rows; ++row) {
    const T* gate = x + row * 2 * inner;
    const T* up = gate + inner;
    const T* d = dy + row * inner;
    T* d_gate = dx + row * 2 * inner;
    T* d_up = d_gate + inner;
    for (int64_t i = 0; i < inner; ++i) {
      const float g = Load(gate[i]);
      const float s = 1.0f / (1.0f + Exp(-g));
      const float through = Load(d[i]);
      Store(through * Load(up[i]) * s * (1.0f + g * (1.0f - s)), d_gate[i]);
      Store(through * g * s, d_up[i]);
    }
  }
}

template <typename From, typename To>
CONTINUO_INLINE void RotateRowsImpl(int64_t rows, int64_t half, const From* __restrict from, int64_t from_stride,
                                    const float* __restrict cos, const float* __restrict sin, bool back,
                                    To* __restrict to, int64_t to_stride) {
  const float sign = back ? -1.0f : 1.0f;
  for (int64_t row = 0; row < rows; ++row) {
    const From* in = from + row * from_stride;
    To* out = to + row * to_stride;
    const float* c = cos + row * half;
    const float* s = sin + row * half;
    for (int64_t i = 0; i < half; ++i) {
      const float a = Load(in[i]);
      const float b = Load(in[half + i]);
      const float turn = sign * s[i];
      Store(a * c[i] - b * turn, out[i]);
      Store(b * c[i] + a * turn, out[half + i]);
    }
  }
}

}  // namespace

// target_clones can't stand on a template, so each instance is written out.
#define CONTINUO_INSTANCES(T, name)                                                                                   \
  CONTINUO_CLONES static void AddNormForward##name(                                                                   \
      int64_t rows, int64_t width, const float* residual, const T* branch, Dropout dropout, uint32_t first,           \
      const float* scale, const float* bias, float epsilon, float* sum, T* normed, float* mean, float* rstd) {        \
    if (bias == nullptr) {                                                                                            \
      AddNormForwardImpl<T, true>(rows, width, residual, branch, dropout, first, scale, bias, epsilon, sum, normed,   \
                                  mean, rstd);                                                                        \
    } else {                                                                                                          \
      AddNormForwardImpl<T, false>(rows, width, residual, branch, dropout, first, scale, bias, epsilon, sum, normed,  \
                                   mean, rstd);                                                                       \
    }                                                                                                                 \
  }                                                                                                                   \
  CONTINUO_CLONES static void AddNormBackward##name(int64_t rows, int64_t width, const float* sum, const float* mean, \
                                                    const float* rstd, const float* scale, const float* d_sum,        \
                                                    const T* d_normed, Dropout dropout, uint32_t first,               \
                                                    float* d_input, T* d_branch, float* d_scale, float* d_bias) {     \
    if (d_bias == nullptr) {                                                                                          \
      AddNormBackwardImpl<T, true>(rows, width, sum, mean, rstd, scale, d_sum, d_normed, dropout, first, d_input,     \
                                   d_branch, d_scale, d_bias);                                                        \
    } else {                                                                                                          \
      AddNormBackwardImpl<T, false>(rows, width, sum, mean, rstd, scale, d_sum, d_normed, dropout, first, d_input,    \
                                    d_branch, d_scale, d_bias);                                                       \
    }                                                                                                                 \
  }                                                                                                                   \
  CONTINUO_CLONES static double CrossEntropyRows##name(int64_t rows, int64_t width, const T* logits,                  \
                                                       const int64_t* targets, float scale, float smoothing,          \
                                                       T* d_logits, float* scratch) {                                 \
    return CrossEntropyRowsImpl<T>(rows, width, logits, targets, scale, smoothing, d_logits, scratch);                \
  }                                                                                                                   \
  CONTINUO_CLONES static void AttentionWeights##name(int64_t rows, int64_t keys, int64_t begin, float scale,          \
                                                     Dropout dropout, T* scores, float* weights) {                    \
    AttentionWeightsImpl<T>(rows, keys, begin, scale, dropout, scores, weights);                                      \
  }                                                                                                                   \
  CONTINUO_CLONES static void AttentionWeightsBackward##name(int64_t rows, int64_t keys, int64_t begin, float scale,  \
                                                             Dropout dropout, const float* weights, T* gradient) {    \
    AttentionWeightsBackwardImpl<T>(rows, keys, begin, scale, dropout, weights, gradient);                            \
  }                                                                                                                   \
  CONTINUO_CLONES static void GeluForward##name(int64_t count, const T* x, T* y) {                                    \
    GeluForwardImpl<T>(count, x, y);                                                                                  \
  }                                                                                                                   \
  CONTINUO_CLONES static void GeluBackward##name(int64_t count, const T* x, const T* dy, T* dx) {                     \
    GeluBackwardImpl<T>(count, x, dy, dx);                                                                            \
  }                                                                                                                   \
  template <>                                                                                                         \
  void AddNormForward<T>(int64_t rows, int64_t width, const float* residual, const T* branch, Dropout dropout,        \
                         uint32_t first, const float* scale, const float* bias, float epsilon, float* sum, T* normed, \
                         float* mean, float* rstd) {                                                                  \
    AddNormForward##name(rows, width, residual, branch, dropout, first, scale, bias, epsilon, sum, normed, mean,      \
                         rstd);                                                                                       \
  }                                                                                                                   \
  template <>                                                                                                         \
  void AddNormBackward<T>(int64_t rows, int64_t width, const float* sum, const float* mean, const float* rstd,        \
                          const float* scale, const float* d_sum, const T* d_normed, Dropout dropout, uint32_t first, \
                          float* d_input, T* d_branch, float* d_scale, float* d_bias) {                               \
    AddNormBackward##name(rows, width, sum, mean, rstd, scale, d_sum, d_normed, dropout, first, d_input, d_branch,    \
                          d_scale, d_bias);                                                                           \
  }                                                                                                                   \
  template <>                                                                                                         \
  double CrossEntropyRows<T>(int64_t rows, int64_t width, const T* logits, const int64_t* targets, float scale,       \
                             float smoothing, T* d_logits) {                                                          \
    std::vector<float> scratch(static_cast<size_t>(width));                                                           \
    return CrossEntropyRows##name(rows, width, logits, targets, scale, smoothing, d_logits, scratch.data());          \
  }                                                                                                                   \
  template <>                                                                                                         \
  void AttentionWeights<T>(int64_t rows, int64_t keys, int64_t begin, float scale, Dropout dropout, T* scores,        \
                           float* weights) {                                                                          \
    AttentionWeights##name(rows, keys, begin, scale, dropout, scores, weights);                                       \
  }                                                                                                                   \
  template <>                                                                                                         \
  void AttentionWeightsBackward<T>(int64_t rows, int64_t keys, int64_t begin, float scale, Dropout dropout,           \
                                   const float* weights, T* gradient) {                                               \
    AttentionWeightsBackward##name(rows, keys, begin, scale, dropout, weights, gradient);                             \
  }                                                                                                                   \
  CONTINUO_CLONES static void SwiGluForward##name(int64_t rows, int64_t inner, const T* x, T* y) {                    \
    SwiGluForwardImpl<T>(rows, inner, x, y);                                                                          \
  }                                                                                                                   \
  CONTINUO_CLONES static void SwiGluBackward##name(int64_t rows, int64_t inner, const T* x, const T* dy, T* dx) {     \
    SwiGluBackwardImpl<T>(rows, inner, x, dy, dx);                                                                    \
  }                                                                                                                   \
  template <>                                                                                                         \
  void SwiGluForward<T>(int64_t rows, int64_t inner, const T* x, T* y) {                                              \
    SwiGluForward##name(rows, inner, x, y);                                                                           \
  }                                                                                                                   \
  template <>                                                                                                         \
  void SwiGluBackward<T>(int64_t rows, int64_t inner, const T* x, const T* dy, T* dx) {                               \
    SwiGluBackward##name(rows, inner, x, dy, dx);                                                                     \
  }                                                                                                                   \
  template <>                                                                                                         \
  void GeluForward<T>(int64_t count, const T* x, T* y) {                                                              \
    GeluForward##name(count, x, y);                                                                                   \
  }                                                                                                                   \
  template <>                                                                                                         \
  void GeluBackward<T>(int64_t count, const T* x, const T* dy, T* dx) {                                               \
    GeluBackward##name(count, x, dy, dx);                                                                             \
  }

CONTINUO_INSTANCES(float, F32)
CONTINUO_INSTANCES(uint16_t, Bf16)

#define CONTINUO_ROTATE_INSTANCES(From, To, name)                                                                 \
  CONTINUO_CLONES static void RotateRows##name(int64_t rows, int64_t half, const From* from, int64_t from_stride, \
                                               const float* cos, const float* sin, bool back, To* to,             \
                                               int64_t to_stride) {                                               \
    RotateRowsImpl<From, To>(rows, half, from, from_stride, cos, sin, back, to, to_stride);                       \
  }                                                                                                               \
  template <>                                                                                                     \
  void RotateRows<From, To>(int64_t rows, int64_t half, const From* from, int64_t from_stride, const float* cos,  \
                            const float* sin, bool back, To* to, int64_t to_stride) {                             \
    RotateRows##name(rows, half, from, from_stride, cos, sin, back, to, to_stride);                               \
  }

CONTINUO_ROTATE_INSTANCES(float, float, F32)
CONTINUO_ROTATE_INSTANCES(uint16_t, uint16_t, Bf16)
CONTINUO_ROTATE_INSTANCES(float, uint16_t, F32ToBf16)

CONTINUO_CLONES void DropValues(int64_t count, const float* x, Dropout dropout, uint32_t first, float* y) {
  const Keep keep(dropout);
  for (int64_t i = 0; i < count; ++i) {
    y[i] = x[i] * keep(first + static_cast<uint32_t>(i));
  }
}

}  // namespace continuo
