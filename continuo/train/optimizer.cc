#include "continuo/train/optimizer.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/_fused_adamw.h>
#include <ATen/ops/addmm.h>
#include <ATen/ops/full.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/zeros_like.h>

#include <algorithm>
#include <cmath>

namespace continuo {
namespace {

bool IsBlockMatrix(const Parameter& parameter) {
  return parameter.kind == WeightKind::kMatrix || parameter.kind == WeightKind::kResidualMatrix;
}

bool UsesMuon(const Parameter& parameter, const OptimizerOptions& options) {
  return options.kind == OptimizerKind::kMuon && IsBlockMatrix(parameter);
}

bool Decays(const Parameter& parameter, const OptimizerOptions& options) {
  return !options.decay_matrices_only || IsBlockMatrix(parameter) || parameter.kind == WeightKind::kEmbedding;
}

/// U V^T of the singular value decomposition U S V^T of `matrix`, roughly: the singular values end
/// in about [0.7, 1.2], which is all that Muon asks. A quintic iteration, in the precision `type`.
at::Tensor Orthogonalize(const at::Tensor& matrix, at::ScalarType type) {
  // Coefficients of the quintic, from Jordan's Muon: the steepest at 0 that still maps [0, 1] to
  // near 1.
  constexpr double kA = 3.4445, kB = -4.7750, kC = 2.0315;
  constexpr int kIterations = 5;
  const bool tall = matrix.size(0) > matrix.size(1);
  at::Tensor x = tall ? matrix.t() : matrix;
  x = (x / (x.norm() + 1e-7)).to(type);
  for (int i = 0; i < kIterations; ++i) {
    const at::Tensor square = at::mm(x, x.t());
    const at::Tensor polynomial = at::addmm(square, square, square, kB, kC);
    x = at::addmm(x, polynomial, x, kA, 1.0);
  }
  return tall ? x.t() : x;
}

}  // namespace

Optimizer::Optimizer(Transformer& model, const OptimizerOptions& options) : model_(model), options_(options) {
  for (const Parameter& parameter : model.parameters()) {
    const auto zeros = [&] { return at::zeros_like(parameter.gradient); };
    state_.first.push_back(zeros());
    state_.second.push_back(UsesMuon(parameter, options) ? at::Tensor() : zeros());
    if (options.average_decay > 0) {
      state_.average.push_back(zeros());
    }
  }
}

void Optimizer::set_updates(int64_t updates) {
  updates_ = updates;
}

void Optimizer::Step(double lr, double beta1) {
  at::NoGradGuard no_grad;
  ++updates_;
  const double first_beta = beta1 > 0 ? beta1 : options_.beta1;
  const at::Tensor updates = at::full({}, static_cast<double>(updates_), model_.parameters()[0].gradient.options());
  // The fused kernel takes one decay for a whole list, so there is a list with and one without.
  for (const bool decays : {true, false}) {
    std::vector<at::Tensor> masters, gradients, first, second, steps;
    for (size_t i = 0; i < model_.parameters().size(); ++i) {
      Parameter& parameter = model_.parameters()[i];
      if (Decays(parameter, options_) != decays || UsesMuon(parameter, options_)) {
        continue;
      }
      masters.push_back(parameter.master);
      gradients.push_back(parameter.gradient);
      first.push_back(state_.first[i]);
      second.push_back(state_.second[i]);
      steps.push_back(updates);
    }
    if (!masters.empty()) {
      at::_fused_adamw_(masters, gradients, first, second, {}, steps, lr, first_beta, options_.beta2,
                        decays ? options_.weight_decay : 0.0, options_.epsilon, /*amsgrad=*/false, /*maximize=*/false);
    }
  }
  for (size_t i = 0; i < model_.parameters().size(); ++i) {
    if (UsesMuon(model_.parameters()[i], options_)) {
      StepMuon(model_.parameters()[i], state_.first[i], lr);
    }
  }
  MoveAverage();
}

void Optimizer::MoveAverage() {
  const auto updates = static_cast<double>(updates_);
  const double decay = updates_ == 1 ? 0.0 : std::min(options_.average_decay, (1.0 + updates) / (10.0 + updates));
  for (size_t i = 0; i < state_.average.size(); ++i) {
    state_.average[i].lerp_(model_.parameters()[i].master, 1.0 - decay);
  }
}

void Optimizer::SwapAverage() {
  if (state_.average.empty() || updates_ == 0) {
    return;
  }
  at::NoGradGuard no_grad;
  for (size_t i = 0; i < state_.average.size(); ++i) {
    const at::Tensor weights = model_.parameters()[i].master.detach().clone();
    model_.parameters()[i].master.copy_(state_.average[i]);
    state_.average[i].copy_(weights);
  }
  model_.RefreshCompute();
}

void Optimizer::StepMuon(Parameter& parameter, at::Tensor& momentum, double lr) const {
  momentum.mul_(options_.muon_momentum).add_(parameter.gradient);
  const at::Tensor direction = parameter.gradient + momentum * options_.muon_momentum;  // Nesterov
  parameter.master.mul_(1.0 - lr * options_.weight_decay);
  // Queries, keys and values are three maps that share one matrix; each is made orthogonal for
  // itself.
  const at::ScalarType type = model_.precision() == NumberFormat::kBf16 ? at::kBFloat16 : at::kFloat;
  const int64_t parts = parameter.role == WeightRole::kQkv ? 3 : 1;
  for (int64_t part = 0; part < parts; ++part) {
    const int64_t columns = parameter.master.size(1) / parts;
    at::Tensor master = parameter.master.narrow(1, part * columns, columns);
    const at::Tensor update = Orthogonalize(direction.narrow(1, part * columns, columns), type);
    // An orthogonal m x n matrix has RMS 1/sqrt(max(m, n)); an AdamW update has about 0.2.
    const double scale = 0.2 * std::sqrt(static_cast<double>(std::max(master.size(0), columns)));
    master.add_(update, -lr * scale);
  }
}

double GradientNorm(const std::vector<Parameter>& parameters) {
  std::vector<at::Tensor> norms;
  for (const Parameter& parameter : parameters) {
    norms.push_back(parameter.gradient.norm());
  }
  return at::stack(norms).to(at::kDouble).norm().item<double>();  // looked at once: a GPU would be waited for each time
}

void ClipGradients(std::vector<Parameter>& parameters, double norm, double limit) {
  const double factor = limit / (norm + 1e-6);  // PyTorch's epsilon
  if (factor < 1.0) {
    for (Parameter& parameter : parameters) {
      parameter.gradient.mul_(factor);
    }
  }
}

}  // namespace continuo
