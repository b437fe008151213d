#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "continuo/model/model_config.h"

namespace continuo {

/// Cosines and sines by which rotary positions turn queries and keys: at position p, dimension i
/// and dimension i + rotary_dim / 2 of a head are the coordinates of a point that is turned by the
/// angle p * frequency i.
struct RotaryTable {
  size_t half = 0;         // rotary_dim / 2
  std::vector<float> cos;  // [positions, half]
  std::vector<float> sin;
};

/// The frequencies of a model, [rotary_dim / 2]: rope_theta^(-2 i / rotary_dim), scaled as
/// rope_scaling says (transformers, modeling_rope_utils.py). In f32, as `transformers` computes
/// them.
std::vector<float> RotaryFrequencies(const ModelConfig& config);

/// Of all positions of the context.
RotaryTable MakeRotaryTable(const ModelConfig& config);

}  // namespace continuo
