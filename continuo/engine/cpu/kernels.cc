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

/// erfc by Abramowitz & Stegun's formula 7.1.26, whose error is at most 1.5e-7.
HWY_INLINE V ExactGeluVector(V x) {
  const D d;
  const V one = hn::Set(d, 1.0F);
  // Beyond 9 the normal distribution is 0 or 1 in f32, and exp stays a normal number.
  const V z = hn::Min(hn::Mul(hn::Abs(x), hn::Set(d, 0.7071067812F)), hn::Set(d, 9.0F));
  const V t = hn::Div(one, hn::MulAdd(hn::Set(d, 0.3275911F), z, one));
  V sum = hn::Set(d, 1.061405429F);
  for (const float coefficient : {-1.453152027F, 1.421413741F, -0.284496736F, 0.254829592F}) {
    sum = hn::MulAdd(sum, t, hn::Set(d, coefficient));
  }
  const V tail = hn::Mul(hn::Mul(hn::Mul(sum, t), hn::Exp(d, hn::Neg(hn::Mul(z, z)))), hn::Set(d, 0.5F));
  return hn::Mul(x, hn::IfThenElse(hn::Lt(x, hn::Zero(d)), tail, hn::Sub(one, tail)));
}

template <typename Function>
HWY_INLINE void ApplyToEach(float* x, size_t count, const Function& function) {
  const D d;
  const size_t lanes = hn::Lanes(d);
  size_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    hn::StoreU(function(hn::LoadU(d, x + i)), d, x + i);
  }
  for (; i < count; ++i) {
    x[i] = hn::GetLane(function(hn::Set(d, x[i])));
  }
}

void Gelu(float* x, size_t count) {
  ApplyToEach(x, count, [](V value) { return GeluVector(value); });
}

void ExactGelu(float* x, size_t count) {
  ApplyToEach(x, count, [](V value) { return ExactGeluVector(value); });
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
HWY_EXPORT(ExactGelu);
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

void ExactGelu(float* x, size_t count) {
  HWY_DYNAMIC_DISPATCH(ExactGelu)(x, count);
}

const char* KernelTargetName() {
  return HWY_DYNAMIC_DISPATCH(TargetName)();
}

bool UseFourLanes() {
#if HWY_ARCH_X86
  hwy::DisableTargets(HWY_AVX2 | (HWY_AVX2 - 1));  // smaller bits are newer instruction sets
  hwy::GetChosenTarget().DeInit();                 // chosen again at the next call
  return true;
#else
  return false;
#endif
}

}  // namespace continuo
#endif  // HWY_ONCE
