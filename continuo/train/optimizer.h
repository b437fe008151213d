#pragma once

#include <cstdint>
#include <vector>

#include "continuo/engine/torch/transformer.h"
#include "continuo/run/optimizer_options.h"

namespace continuo {

/// Updates a model's masters from its gradients. AdamW: Loshchilov and Hutter, arXiv:1711.05101, by
/// PyTorch's fused kernel. Muon: Jordan et al., "Muon", 2024, for the matrices within blocks. It
/// makes their momentum orthogonal by five Newton-Schulz steps and scales it to the size of an
/// AdamW update (Liu et al., arXiv:2502.16982), so that both optimizers share a learning rate. All
/// other weights use AdamW. Not thread-safe.
class Optimizer {
 public:
  /// The model must outlive the optimizer.
  Optimizer(Transformer& model, const OptimizerOptions& options);

  /// Makes one update with the given learning rate. If beta1 is 0, that of the options holds.
  void Step(double lr, double beta1);

  /// What a checkpoint holds besides the weights: the moments of each parameter, f32, of its shape.
  struct State {
    std::vector<at::Tensor> first;    // AdamW's first moment, or Muon's momentum
    std::vector<at::Tensor> second;   // AdamW's second moment; undefined for Muon
    std::vector<at::Tensor> average;  // of the weights; empty without average_decay
  };
  State& state() { return state_; }
  /// Swaps the model's weights with their average, and refreshes what the forward pass reads. A
  /// no-op without an average and before the first update.
  void SwapAverage();
  int64_t updates() const { return updates_; }
  void set_updates(int64_t updates);

 private:
  void MoveAverage();
  void StepMuon(Parameter& parameter, at::Tensor& momentum, double lr) const;

  Transformer& model_;
  OptimizerOptions options_;
  State state_;
  int64_t updates_ = 0;
};

/// The L2 norm of all gradients together.
double GradientNorm(const std::vector<Parameter>& parameters);
/// Scales the gradients down so that their norm is at most `limit`, as
/// torch.nn.utils.clip_grad_norm_ does.
void ClipGradients(std::vector<Parameter>& parameters, double norm, double limit);

}  // namespace continuo
