#pragma once

#include <array>
#include <string_view>

namespace continuo {

enum class OptimizerKind { kAdamW, kMuon };
inline constexpr std::array<std::string_view, 2> kOptimizerNames = {"adamw", "muon"};  // by OptimizerKind

struct OptimizerOptions {
  OptimizerKind kind = OptimizerKind::kAdamW;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double weight_decay = 1e-5;
  /// Decay only matrices and embeddings, not biases and norms (PyTorch's default decays all).
  bool decay_matrices_only = false;
  double muon_momentum = 0.95;
  /// Keeps a running average of the weights: average = decay x average + (1 - decay) x weights
  /// after each update, where decay is the smaller of this and (1 + updates) / (10 + updates). 0:
  /// none.
  double average_decay = 0;
};

}  // namespace continuo
