#include "continuo/train/gpt2.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/function_hook.h>
#include <torch/csrc/autograd/variable.h>

#include <cmath>
#include <utility>

#include "continuo/core/check.h"
#include "continuo/core/rng.h"

namespace continuo {
namespace {

using at::Tensor;
using torch::autograd::variable_list;

// Where each weight stands in the list of parameters.
enum BlockWeight : size_t {
  kNorm1Scale,
  kNorm1Bias,
  kAttentionWeight,
  kAttentionBias,
  kAttentionOutWeight,
  kAttentionOutBias,
  kNorm2Scale,
  kNorm2Bias,
  kFeedWeight,
  kFeedBias,
  kFeedOutWeight,
  kFeedOutBias,
  kBlockWeights,
};
constexpr size_t kTokenEmbedding = 0;
constexpr size_t kPositionEmbedding = 1;
constexpr size_t kFirstBlock = 2;

constexpr double kInitialDeviation = 0.02;  // GPT2Config.initializer_range

}  // namespace

Gpt2::Gpt2(const Gpt2Config& config, TrainPrecision precision, uint64_t seed, std::unique_ptr<const Layers> layers)
    : config_(config), precision_(precision), layers_(std::move(layers)) {
  const int64_t width = config.width;
  const int64_t inner = config.mlp_width();
  Add("transformer.wte.weight", ParameterKind::kEmbedding, {config.vocab_size, width});
  Add("transformer.wpe.weight", ParameterKind::kEmbedding, {config.context_length, width});
  for (int64_t layer = 0; layer < config.layers; ++layer) {
    const std::string prefix = "transformer.h." + std::to_string(layer) + ".";
    Add(prefix + "ln_1.weight", ParameterKind::kNormScale, {width});
    Add(prefix + "ln_1.bias", ParameterKind::kBias, {width});
    Add(prefix + "attn.c_attn.weight", ParameterKind::kMatrix, {width, 3 * width});
    Add(prefix + "attn.c_attn.bias", ParameterKind::kBias, {3 * width});
    Add(prefix + "attn.c_proj.weight", ParameterKind::kResidualMatrix, {width, width});
    Add(prefix + "attn.c_proj.bias", ParameterKind::kBias, {width});
    Add(prefix + "ln_2.weight", ParameterKind::kNormScale, {width});
    Add(prefix + "ln_2.bias", ParameterKind::kBias, {width});
    Add(prefix + "mlp.c_fc.weight", ParameterKind::kMatrix, {width, inner});
    Add(prefix + "mlp.c_fc.bias", ParameterKind::kBias, {inner});
    Add(prefix + "mlp.c_proj.weight", ParameterKind::kResidualMatrix, {inner, width});
    Add(prefix + "mlp.c_proj.bias", ParameterKind::kBias, {width});
  }
  Add("transformer.ln_f.weight", ParameterKind::kNormScale, {width});
  Add("transformer.ln_f.bias", ParameterKind::kBias, {width});
  PlaceGradients();

  at::NoGradGuard no_grad;
  at::Generator generator = at::detail::createCPUGenerator(seed);
  const double residual_deviation = kInitialDeviation / std::sqrt(2.0 * static_cast<double>(config.layers));
  const auto draw = [&](Tensor& master, double deviation) {
    master.copy_(at::empty(master.sizes(), at::kFloat).normal_(0.0, deviation, generator));
  };
  for (Parameter& parameter : parameters_) {
    switch (parameter.kind) {
      case ParameterKind::kEmbedding:
      case ParameterKind::kMatrix:
        draw(parameter.master, kInitialDeviation);
        break;
      case ParameterKind::kResidualMatrix:
        draw(parameter.master, residual_deviation);
        break;
      case ParameterKind::kBias:
        parameter.master.zero_();
        break;
      case ParameterKind::kNormScale:
        parameter.master.fill_(1.0);
        break;
    }
  }
  RefreshCompute();
}

size_t Gpt2::Add(std::string name, ParameterKind kind, std::vector<int64_t> shape) {
  Parameter parameter;
  parameter.name = std::move(name);
  parameter.kind = kind;
  parameter.master = at::zeros(shape, at::TensorOptions(device()).dtype(at::kFloat));
  const bool norm = parameter.name.find("ln_") != std::string::npos;
  const bool position = parameters_.size() == kPositionEmbedding;
  // Norms and positions enter in f32; matrices, their biases and the head in the compute precision.
  if (precision_ == TrainPrecision::kBf16 && !norm && !position) {
    parameter.compute = at::zeros_like(parameter.master, at::kBFloat16).requires_grad_(true);
    // The token embedding is read in f32 at the bottom and in bf16 at the head.
    parameter.master.requires_grad_(parameters_.size() == kTokenEmbedding);
  } else {
    parameter.master.requires_grad_(true);
    parameter.compute = parameter.master;
  }
  parameters_.push_back(std::move(parameter));
  return parameters_.size() - 1;
}

void Gpt2::PlaceGradients() {
  // The last parameter's first, for that is the order in which they get ready.
  gradients_ = at::zeros({parameter_count()}, at::TensorOptions(device()).dtype(at::kFloat));
  int64_t begin = 0;
  for (size_t i = parameters_.size(); i-- > 0;) {
    Parameter& parameter = parameters_[i];
    parameter.gradient = gradients_.narrow(0, begin, parameter.master.numel()).view(parameter.master.sizes());
    begin += parameter.master.numel();
  }
}

int64_t Gpt2::parameter_count() const {
  int64_t count = 0;
  for (const Parameter& parameter : parameters_) {
    count += parameter.master.numel();
  }
  return count;
}

void Gpt2::RefreshCompute() {
  at::NoGradGuard no_grad;
  for (Parameter& parameter : parameters_) {
    if (!parameter.compute.is_same(parameter.master)) {
      parameter.compute.copy_(parameter.master);
    }
  }
}

void Gpt2::ZeroGradients() {
  gradients_.zero_();
}

Tensor Gpt2::Hidden(const Tensor& ids, double dropout, uint64_t seed) {
  const int64_t batch = ids.size(0);
  const int64_t time = ids.size(1);
  const int64_t width = config_.width;
  CONTINUO_CHECK(first_position_ + time <= config_.context_length);
  const at::ScalarType compute = precision_ == TrainPrecision::kBf16 ? at::kBFloat16 : at::kFloat;
  uint64_t place = 0;
  const auto next_dropout = [&] { return Dropout{Rng(seed, place++).NextU64(), static_cast<float>(dropout)}; };
  const auto master = [&](size_t index) -> const Tensor& { return parameters_[index].master; };

  const Tensor positions = master(kPositionEmbedding).narrow(0, first_position_, time);
  Tensor residual = (at::embedding(master(kTokenEmbedding), ids.to(device())) + positions).view({batch * time, width});
  if (dropout > 0) {
    residual = layers_->Drop(residual, next_dropout());
  }
  std::optional<Tensor> branch;
  for (int64_t layer = 0; layer <= config_.layers; ++layer) {
    const size_t base = kFirstBlock + static_cast<size_t>(layer) * kBlockWeights;
    const auto weight = [&](size_t which) -> const Tensor& { return parameters_[base + which].compute; };
    // The norm of the block, or after the last block the final one, which stands where the next
    // would.
    const auto norm = [&](size_t scale, size_t bias) {
      Layers::SumAndNorm out = layers_->AddNorm(residual, branch, next_dropout(), weight(scale), weight(bias),
                                                config_.layer_norm_epsilon, compute);
      residual = std::move(out.sum);
      return out.normed;
    };
    Tensor normed = norm(kNorm1Scale, kNorm1Bias);
    if (layer == config_.layers) {
      return normed;
    }
    const Tensor qkv = at::addmm(weight(kAttentionBias), normed, weight(kAttentionWeight))
                           .view({batch, time, 3, config_.heads, config_.head_dim()});
    branch = at::addmm(weight(kAttentionOutBias), layers_->Attention(qkv, next_dropout()).view({batch * time, width}),
                       weight(kAttentionOutWeight));
    normed = norm(kNorm2Scale, kNorm2Bias);
    const Tensor fed = layers_->Gelu(at::addmm(weight(kFeedBias), normed, weight(kFeedWeight)));
    branch = at::addmm(weight(kFeedOutBias), fed, weight(kFeedOutWeight));
  }
  CONTINUO_CHECK(false);
}

/// Runs after the node that adds a leaf's gradient up.
struct Gpt2::LeafHook : public torch::autograd::FunctionPostHook {
  LeafHook(Gpt2* owner, size_t parameter, bool of_master) : model(owner), index(parameter), master(of_master) {}
  variable_list operator()(const variable_list& outputs, const variable_list& /*inputs*/) override {
    if (model->observer_) {
      at::NoGradGuard no_grad;
      const Parameter& parameter = model->parameters_[index];
      model->TakeGradient(master ? parameter.master : parameter.compute, index);
      if (--model->leaves_left_[index] == 0) {
        model->observer_(index);
      }
    }
    return outputs;
  }
  Gpt2* model;
  size_t index;
  bool master;
};

void Gpt2::set_gradient_observer(std::function<void(size_t)> observer) {
  observer_ = std::move(observer);
  if (!hooked_.empty() || !observer_) {
    return;
  }
  for (size_t i = 0; i < parameters_.size(); ++i) {
    const Parameter& parameter = parameters_[i];
    const auto hook = [&](const Tensor& leaf, bool master) {
      auto node = torch::autograd::impl::grad_accumulator(leaf);
      node->add_post_hook(std::make_unique<LeafHook>(this, i, master));
      // A leaf alone would let go of it. Its pointer's type is another in each release of LibTorch.
      hooked_.push_back(std::make_shared<decltype(node)>(std::move(node)));
    };
    if (!parameter.compute.is_same(parameter.master)) {
      hook(parameter.compute, false);
    }
    if (parameter.master.requires_grad()) {
      hook(parameter.master, true);
    }
  }
}

void Gpt2::TakeGradient(const Tensor& leaf, size_t index) {
  Tensor& gradient = leaf.mutable_grad();
  if (gradient.defined()) {
    parameters_[index].gradient.add_(gradient);
    gradient.reset();
  }
}

double Gpt2::AccumulateGradients(const Tensor& ids, const Tensor& targets, double scale, uint64_t seed) {
  at::AutoGradMode grad(true);
  const Tensor hidden = Hidden(ids, config_.dropout, seed);
  const Tensor logits = at::linear(hidden, Compute(kTokenEmbedding));
  double nll = 0;
  {
    at::NoGradGuard no_grad;
    const Tensor gradient = logits.detach();
    nll = layers_->CrossEntropy(gradient, targets.to(device()).flatten().contiguous(), scale, label_smoothing_);
    // The head's two products need the hidden state and the weight, not the logits, so that these
    // could be overwritten by their gradient.
    leaves_left_.clear();
    for (const Parameter& parameter : parameters_) {
      leaves_left_.push_back(!parameter.compute.is_same(parameter.master) && parameter.master.requires_grad() ? 2 : 1);
    }
    torch::autograd::backward({logits}, {gradient});
    for (size_t i = 0; i < parameters_.size(); ++i) {
      TakeGradient(parameters_[i].compute, i);
      TakeGradient(parameters_[i].master, i);
    }
  }
  return nll;
}

double Gpt2::EvaluateNll(const Tensor& ids, const Tensor& targets) {
  at::NoGradGuard no_grad;
  const Tensor logits = at::linear(Hidden(ids, 0.0, 0), Compute(kTokenEmbedding));
  return layers_->CrossEntropy(logits, targets.to(device()).flatten().contiguous(), 0.0, 0.0);
}

Tensor Gpt2::Logits(const Tensor& ids) {
  at::NoGradGuard no_grad;
  return at::linear(Hidden(ids, 0.0, 0), Compute(kTokenEmbedding))
      .to(at::kCPU, at::kFloat)
      .view({ids.size(0), ids.size(1), config_.vocab_size});
}

}  // namespace continuo
