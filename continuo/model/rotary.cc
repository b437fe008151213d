#include "continuo/model/rotary.h"

#include <cmath>

namespace continuo {
namespace {

/// Periods longer than original_context / low_frequency_factor are stretched by the factor, those
/// shorter than original_context / high_frequency_factor kept, and those between interpolated.
double ScaleLlama3(double frequency, const RopeScaling& scaling) {
  const double turns = static_cast<double>(scaling.original_context) * frequency / (2 * M_PI);
  if (turns < scaling.low_frequency_factor) {
    return frequency / scaling.factor;
  }
  if (turns > scaling.high_frequency_factor) {
    return frequency;
  }
  const double kept =
      (turns - scaling.low_frequency_factor) / (scaling.high_frequency_factor - scaling.low_frequency_factor);
  return (1 - kept) * frequency / scaling.factor + kept * frequency;
}

}  // namespace

std::vector<float> RotaryFrequencies(const ModelConfig& config) {
  const auto rotary_dim = static_cast<double>(config.rotary_dim());
  std::vector<float> frequencies;
  for (int64_t i = 0; i < config.rotary_dim() / 2; ++i) {
    double frequency = std::pow(config.rope_theta, -2.0 * static_cast<double>(i) / rotary_dim);
    switch (config.rope_scaling.kind) {
      case RopeScaling::Kind::kNone:
        break;
      case RopeScaling::Kind::kLinear:
        frequency /= config.rope_scaling.factor;
        break;
      case RopeScaling::Kind::kLlama3:
        frequency = ScaleLlama3(frequency, config.rope_scaling);
        break;
    }
    frequencies.push_back(static_cast<float>(frequency));
  }
  return frequencies;
}

RotaryTable MakeRotaryTable(const ModelConfig& config) {
  const std::vector<float> frequencies = RotaryFrequencies(config);
  RotaryTable table;
  table.half = frequencies.size();
  const size_t count = static_cast<size_t>(config.context_length) * table.half;
  table.cos.reserve(count);
  table.sin.reserve(count);
  for (int64_t position = 0; position < config.context_length; ++position) {
    for (const float frequency : frequencies) {
      const float angle = static_cast<float>(position) * frequency;
      table.cos.push_back(static_cast<float>(std::cos(static_cast<double>(angle))));
      table.sin.push_back(static_cast<float>(std::sin(static_cast<double>(angle))));
    }
  }
  return table;
}

}  // namespace continuo
