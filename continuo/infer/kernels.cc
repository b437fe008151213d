#include "continuo/infer/kernels.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <new>

#include "continuo/core/check.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "continuo/infer/kernels.cc"  // compiled once for each instruction set
#include <hwy/foreach_target.h>                         // must come before highway.h
#include <hwy/highway.h>

#include <hwy/contrib/math/math-inl.h>

HWY_BEFORE_NAMESPACE();
namespace continuo {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

using D = hn::ScalableTag<float>;
using V = hn::Vec<D>;

// Vectors in a panel. With four rows that makes 16 accumulators: enough to hide the latency of a multiply-add, and with
// four weights and a broadcast they still fit the registers of AVX-512.
constexpr size_t kPanelVectors = 4;
constexpr size_t kMaxRows = 4;

size_t PanelWidth() { return kPanelVectors * hn::Lanes(D()); }

/// kRows rows times one panel into `out` [kRows, panel width].
template <size_t kRows>
void MultiplyPanel(const float* HWY_RESTRICT x, size_t inputs, const float* HWY_RESTRICT panel,
                   const float* HWY_RESTRICT bias, float* HWY_RESTRICT out) {
  const D d;
  const size_t lanes = hn::Lanes(d);
  V sum[kRows][kPanelVectors];
  for (size_t r = 0; r < kRows; ++r) {
    for (size_t v = 0; v < kPanelVectors; ++v) {
      sum[r][v] = hn::Load(d, bias + v * lanes);
    }
  }
  for (size_t i = 0; i < inputs; ++i) {
    const float* weights = panel + i * kPanelVectors * lanes;
    V weight[kPanelVectors];
    for (size_t v = 0; v < kPanelVectors; ++v) {
      weight[v] = hn::Load(d, weights + v * lanes);
    }
    for (size_t r = 0; r < kRows; ++r) {
      const V value = hn::Set(d, x[r * inputs + i]);
      for (size_t v = 0; v < kPanelVectors; ++v) {
        sum[r][v] = hn::MulAdd(value, weight[v], sum[r][v]);
      }
    }
  }
  for (size_t r = 0; r < kRows; ++r) {
    for (size_t v = 0; v < kPanelVectors; ++v) {
      hn::Store(sum[r][v], d, out + (r * kPanelVectors + v) * lanes);
    }
  }
}

void MatMul(const float* x, size_t rows, const PackedMatrix& w, size_t first_panel, size_t last_panel, MatMulMode mode,
            float* y) {
  HWY_ALIGN float out[kMaxRows * kPanelVectors * HWY_MAX_BYTES / sizeof(float)];
  const size_t inputs = w.inputs();
  const size_t width = w.panel_width();
  for (size_t p = first_panel; p < last_panel; ++p) {
    const size_t column = p * width;
    const size_t columns = std::min(width, w.outputs() - column);
    for (size_t row = 0; row < rows; row += kMaxRows) {
      const size_t count = std::min(kMaxRows, rows - row);
      const float* from = x + row * inputs;
      switch (count) {
        case 4:
          MultiplyPanel<4>(from, inputs, w.panel(p), w.panel_bias(p), out);
          break;
        case 3:
          MultiplyPanel<3>(from, inputs, w.panel(p), w.panel_bias(p), out);
          break;
        case 2:
          MultiplyPanel<2>(from, inputs, w.panel(p), w.panel_bias(p), out);
          break;
        default:
          MultiplyPanel<1>(from, inputs, w.panel(p), w.panel_bias(p), out);
          break;
      }
      for (size_t r = 0; r < count; ++r) {
        float* to = y + (row + r) * w.outputs() + column;
        if (mode == MatMulMode::kStore) {
          std::copy_n(out + r * width, columns, to);
        } else {
          for (size_t c = 0; c < columns; ++c) {
            to[c] += out[r * width + c];
          }
        }
      }
    }
  }
}

/// The sum of f(vector) over x, lane by lane; what is left over goes one by one to the first lanes.
template <typename Function>
float SumOver(const float* x, size_t count, const Function& function) {
  const D d;
  const size_t lanes = hn::Lanes(d);
  V sum = hn::Zero(d);
  size_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    sum = hn::Add(sum, function(hn::LoadU(d, x + i)));
  }
  float total = hn::GetLane(hn::SumOfLanes(d, sum));
  for (; i < count; ++i) {
    total += hn::GetLane(function(hn::Set(d, x[i])));
  }
  return total;
}

void LayerNorm(const float* x, const float* weight, const float* bias, size_t width, float epsilon, float* y) {
  const D d;
  const float mean = SumOver(x, width, [](V value) { return value; }) / static_cast<float>(width);
  const V mean_vector = hn::Set(d, mean);
  const float squares = SumOver(x, width, [&](V value) {
    const V difference = hn::Sub(value, mean_vector);
    return hn::Mul(difference, difference);
  });
  const float scale = 1.0F / std::sqrt(squares / static_cast<float>(width) + epsilon);
  for (size_t i = 0; i < width; ++i) {
    y[i] = (x[i] - mean) * scale * weight[i] + bias[i];
  }
}

V GeluVector(V x) {
  const D d;
  const V inner = hn::Mul(hn::Set(d, 0.7978845608F),  // sqrt(2 / pi)
                          hn::MulAdd(hn::Mul(hn::Mul(x, x), x), hn::Set(d, 0.044715F), x));
  return hn::Mul(hn::Mul(hn::Set(d, 0.5F), x), hn::Add(hn::Set(d, 1.0F), hn::Tanh(d, inner)));
}

void Gelu(float* x, size_t count) {
  const D d;
  const size_t lanes = hn::Lanes(d);
  size_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    hn::StoreU(GeluVector(hn::LoadU(d, x + i)), d, x + i);
  }
  for (; i < count; ++i) {
    x[i] = hn::GetLane(GeluVector(hn::Set(d, x[i])));
  }
}

float Dot(const float* HWY_RESTRICT a, const float* HWY_RESTRICT b, size_t count) {
  const D d;
  const size_t lanes = hn::Lanes(d);
  V sum = hn::Zero(d);
  size_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    sum = hn::MulAdd(hn::LoadU(d, a + i), hn::LoadU(d, b + i), sum);
  }
  float total = hn::GetLane(hn::SumOfLanes(d, sum));
  for (; i < count; ++i) {
    total += a[i] * b[i];
  }
  return total;
}

void Attend(const float* query, const float* keys, const float* values, size_t length, size_t head_dim, float* scores,
            float* out) {
  const D d;
  const size_t lanes = hn::Lanes(d);
  const float scale = 1.0F / std::sqrt(static_cast<float>(head_dim));
  float highest = -HUGE_VALF;
  for (size_t t = 0; t < length; ++t) {
    scores[t] = Dot(query, keys + t * head_dim, head_dim) * scale;
    highest = std::max(highest, scores[t]);
  }
  // Whole vectors: what is past the end counts as never attended.
  std::fill_n(scores + length, lanes, -HUGE_VALF);
  V sum = hn::Zero(d);
  const V highest_vector = hn::Set(d, highest);
  for (size_t t = 0; t < length; t += lanes) {
    const V difference = hn::Max(hn::Sub(hn::LoadU(d, scores + t), highest_vector), hn::Set(d, -80.0F));
    const V weight = hn::Exp(d, difference);
    hn::StoreU(weight, d, scores + t);
  }
  std::fill_n(scores + length, lanes, 0.0F);
  for (size_t t = 0; t < length; t += lanes) {
    sum = hn::Add(sum, hn::LoadU(d, scores + t));
  }
  const float inverse = 1.0F / hn::GetLane(hn::SumOfLanes(d, sum));

  size_t i = 0;
  for (; i + lanes <= head_dim; i += lanes) {
    V total = hn::Zero(d);
    for (size_t t = 0; t < length; ++t) {
      total = hn::MulAdd(hn::Set(d, scores[t]), hn::LoadU(d, values + t * head_dim + i), total);
    }
    hn::StoreU(hn::Mul(total, hn::Set(d, inverse)), d, out + i);
  }
  for (; i < head_dim; ++i) {
    float total = 0.0F;
    for (size_t t = 0; t < length; ++t) {
      total += scores[t] * values[t * head_dim + i];
    }
    out[i] = total * inverse;
  }
}

const char* TargetName() { return hwy::TargetName(HWY_TARGET); }

}  // namespace HWY_NAMESPACE
}  // namespace continuo
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace continuo {

HWY_EXPORT(PanelWidth);
HWY_EXPORT(MatMul);
HWY_EXPORT(LayerNorm);
HWY_EXPORT(Gelu);
HWY_EXPORT(Attend);
HWY_EXPORT(TargetName);

namespace {
constexpr size_t kAlignment = 64;
}  // namespace

void AlignedFloats::Free::operator()(float* data) const { std::free(data); }

AlignedFloats::AlignedFloats(size_t size) : size_(size) {
  const size_t bytes = (size * sizeof(float) + kAlignment - 1) / kAlignment * kAlignment;
  data_.reset(static_cast<float*>(std::aligned_alloc(kAlignment, std::max(bytes, kAlignment))));
  if (!data_) {
    throw std::bad_alloc();
  }
}

PackedMatrix::PackedMatrix(std::span<const float> weights, std::span<const float> bias, size_t inputs, size_t outputs,
                           bool transposed)
    : inputs_(inputs),
      outputs_(outputs),
      panel_width_(HWY_DYNAMIC_DISPATCH(PanelWidth)()),
      panels_((outputs + panel_width_ - 1) / panel_width_),
      weights_(panels_ * panel_width_ * inputs),
      bias_(panels_ * panel_width_) {
  CONTINUO_CHECK(weights.size() == inputs * outputs && (bias.empty() || bias.size() == outputs));
  for (size_t p = 0; p < panels_; ++p) {
    for (size_t i = 0; i < inputs; ++i) {
      for (size_t c = 0; c < panel_width_; ++c) {
        const size_t o = p * panel_width_ + c;
        const size_t at = transposed ? o * inputs + i : i * outputs + o;
        weights_.data()[(p * inputs + i) * panel_width_ + c] = o < outputs ? weights[at] : 0.0F;
      }
    }
  }
  std::fill_n(bias_.data(), bias_.size(), 0.0F);
  std::copy(bias.begin(), bias.end(), bias_.data());
}

void MatMul(const float* x, size_t rows, const PackedMatrix& w, size_t first_panel, size_t last_panel, MatMulMode mode,
            float* y) {
  HWY_DYNAMIC_DISPATCH(MatMul)(x, rows, w, first_panel, last_panel, mode, y);
}

void LayerNorm(const float* x, const float* weight, const float* bias, size_t width, float epsilon, float* y) {
  HWY_DYNAMIC_DISPATCH(LayerNorm)(x, weight, bias, width, epsilon, y);
}

void Gelu(float* x, size_t count) { HWY_DYNAMIC_DISPATCH(Gelu)(x, count); }

void Attend(const float* query, const float* keys, const float* values, size_t length, size_t head_dim, float* scores,
            float* out) {
  HWY_DYNAMIC_DISPATCH(Attend)(query, keys, values, length, head_dim, scores, out);
}

const char* KernelTargetName() { return HWY_DYNAMIC_DISPATCH(TargetName)(); }

}  // namespace continuo
#endif  // HWY_ONCE
