#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "continuo/core/result.h"
#include "continuo/train/gpt2.h"

namespace continuo {

enum class OptimizerKind { kAdamW, kMuon };

/// "adamw" or "muon".
Result<OptimizerKind> ParseOptimizerKind(std::string_view text);
std::string_view ToString(OptimizerKind kind);

struct OptimizerOptions {
  OptimizerKind kind = OptimizerKind::kAdamW;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double weight_decay = 1e-5;
  /// Decay matrices and embeddings only, not biases and norms (PyTorch's default decays all).
  bool decay_matrices_only = false;
  double muon_momentum = 0.95;
  /// Keeps a running average of the weights: average = decay x average + (1 - decay) x weights behind each update,
  /// where decay is this or, early, (1 + updates) / (10 + updates). 0: none.
  double average_decay = 0;
};

/// Updates a model's masters from its gradients. AdamW: Loshchilov and Hutter, arXiv:1711.05101, PyTorch's
/// fused kernel. Muon: Jordan et al., "Muon", 2024, for the matrices within blocks, whose momentum is made
/// orthogonal by five Newton-Schulz steps and scaled to the size of an AdamW update (Liu et al.,
/// arXiv:2502.16982), so that both kinds share a learning rate; AdamW for all else.
class Optimizer {
 public:
  /// The model must outlive the optimizer.
  Optimizer(Gpt2& model, const OptimizerOptions& options);

  /// One update with the given learning rate; beta1 0 means the options'. Counts the updates.
  void Step(double lr, double beta1);

  /// What a checkpoint keeps beside the weights: for each parameter its moments, f32 and of its shape.
  struct State {
    std::vector<at::Tensor> first;    // AdamW's first moment, or Muon's momentum
    std::vector<at::Tensor> second;   // AdamW's second moment; undefined for Muon
    std::vector<at::Tensor> average;  // of the weights; empty without average_decay
  };
  State& state() { return state_; }
  /// Exchanges the model's weights for their average, or back, and refreshes what the forward pass reads. Without an
  /// average, and before the first update, does nothing.
  void SwapAverage();
  int64_t updates() const { return updates_; }
  void set_updates(int64_t updates);

 private:
  void MoveAverage();
  void StepMuon(Parameter& parameter, at::Tensor& momentum, double lr) const;

  Gpt2& model_;
  OptimizerOptions options_;
  State state_;
  int64_t updates_ = 0;
};

/// The L2 norm of all gradients together.
double GradientNorm(const std::vector<Parameter>& parameters);
/// Scales the gradients down so that their norm is at most `limit`, as torch.nn.utils.clip_grad_norm_.
void ClipGradients(std::vector<Parameter>& parameters, double norm, double limit);

}  // namespace continuo
