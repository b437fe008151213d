#include "continuo/engine/cpu/kernels.h"

#include <cmath>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "continuo/engine/cpu/kernels.cc"  // compiled once for each instruction set
#include "continuo/engine/cpu/targets.h"

#include <hwy/foreach_target.h>  // must come before highway.h
#include <hwy/highway.h>

#include <hwy/contrib/math/math-inl.h>

HWY_BEFORE_NAMESPACE();
namespace continuo {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

using D = hn::CappedTag<float, 16>;
using V = hn::Vec<D>;

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

void RmsNorm(const float* x, const float* weight, size_t width, float epsilon, float* y) {
  const float squares = SumOver(x, width, [](V value) { return hn::Mul(value, value); });
  const float scale = 1.0F / std::sqrt(squares / static_cast<float>(width) + epsilon);
  for (size_t i = 0; i < width; ++i) {
    y[i] = x[i] * scale * weight[i];
  }
}

HWY_INLINE V SiluTimes(V gate, V x) {
  const D d;
  // Below -80 silu is 0 but for rounding, and exp stays finite.
  const V exp = hn::Exp(d, hn::Min(hn::Neg(gate), hn::Set(d, 80.0F)));
  return hn::Mul(hn::Div(gate, hn::Add(hn::Set(d, 1.0F), exp)), x);
}

void MultiplyBySilu(float* y, const float* x, size_t count) {
  const D d;
  const size_t lanes = hn::Lanes(d);
  size_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    hn::StoreU(SiluTimes(hn::LoadU(d, y + i), hn::LoadU(d, x + i)), d, y + i);
  }
  for (; i < count; ++i) {
    y[i] = hn::GetLane(SiluTimes(hn::Set(d, y[i]), hn::Set(d, x[i])));
  }
}

void Rotate(float* x, const float* cos, const float* sin, size_t half) {
  const D d;
  const size_t lanes = hn::Lanes(d);
  size_t i = 0;
  for (; i + lanes <= half; i += lanes) {
    const V a = hn::LoadU(d, x + i);
    const V b = hn::LoadU(d, x + half + i);
    const V c = hn::LoadU(d, cos + i);
    const V s = hn::LoadU(d, sin + i);
    hn::StoreU(hn::Sub(hn::Mul(a, c), hn::Mul(b, s)), d, x + i);
    hn::StoreU(hn::Add(hn::Mul(b, c), hn::Mul(a, s)), d, x + half + i);
  }
  for (; i < half; ++i) {
    const float a = x[i];
    const float b = x[half + i];
    x[i] = a * cos[i] - b * sin[i];
    x[half + i] = b * cos[i] + a * sin[i];
  }
}

HWY_INLINE V GeluVector(V x) {
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

const char* TargetName() {
  return hwy::TargetName(HWY_TARGET);
}

}  // namespace HWY_NAMESPACE
}  // namespace continuo
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace continuo {

HWY_EXPORT(LayerNorm);
HWY_EXPORT(RmsNorm);
HWY_EXPORT(MultiplyBySilu);
HWY_EXPORT(Rotate);
HWY_EXPORT(Gelu);
HWY_EXPORT(TargetName);

void LayerNorm(const float* x, const float* weight, const float* bias, size_t width, float epsilon, float* y) {
  HWY_DYNAMIC_DISPATCH(LayerNorm)(x, weight, bias, width, epsilon, y);
}

void RmsNorm(const float* x, const float* weight, size_t width, float epsilon, float* y) {
  HWY_DYNAMIC_DISPATCH(RmsNorm)(x, weight, width, epsilon, y);
}

void MultiplyBySilu(float* y, const float* x, size_t count) {
  HWY_DYNAMIC_DISPATCH(MultiplyBySilu)(y, x, count);
}

void Rotate(float* x, const float* cos, const float* sin, size_t half) {
  HWY_DYNAMIC_DISPATCH(Rotate)(x, cos, sin, half);
}

void Gelu(float* x, size_t count) {
  HWY_DYNAMIC_DISPATCH(Gelu)(x, count);
}

const char* KernelTargetName() {
  return HWY_DYNAMIC_DISPATCH(TargetName)();
}

}  // namespace continuo
#endif  // HWY_ONCE
