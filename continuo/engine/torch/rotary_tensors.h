#pragma once

#include <ATen/core/Tensor.h>

#include "continuo/model/model_config.h"

namespace continuo {

/// The cosines and sines of a RotaryTable, f32 [positions, rotary_dim / 2], or of some positions of
/// it; undefined for a model without rotary positions.
struct RotaryTensors {
  at::Tensor cos, sin;

  bool defined() const { return cos.defined(); }
};

/// Those of all positions of a model's context, on a device; undefined for learned positions.
RotaryTensors MakeRotaryTensors(const ModelConfig& config, at::Device device);

/// Turns the points (x[..., i], x[..., i + half]) by angles whose cosines and sines, f32, are
/// broadcast to [..., half], in the type of x. What is past 2 half stays as it is.
at::Tensor RotatePairs(const at::Tensor& x, const at::Tensor& cos, const at::Tensor& sin);

}  // namespace continuo
