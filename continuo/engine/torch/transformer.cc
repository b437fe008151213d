#include "continuo/engine/torch/transformer.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/function_hook.h>
#include <torch/csrc/autograd/variable.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <tuple>
#include <utility>

#include "continuo/core/check.h"
#include "continuo/core/rng.h"

namespace continuo {
namespace {

using torch::autograd::variable_list;

constexpr double kInitialDeviation = 0.02;  // initializer_range of GPT2Config and LlamaConfig

bool IsNorm(WeightRole role) {
  return role == WeightRole::kAttentionNorm || role == WeightRole::kFeedNorm || role == WeightRole::kFinalNorm;
}

}  // namespace

Transformer::Transformer(const ModelConfig& config, NumberFormat precision, uint64_t seed,
                         std::unique_ptr<const Layers> layers)
    : config_(config), precision_(precision), layers_(std::move(layers)), rotary_(MakeRotaryTensors(config, device())) {
  CONTINUO_CHECK(Trains(config.architecture) && config.tied_head && config.window == 0);
  const WeightTable table(config);
  AddParameters(table);
  FindBlocks(table);
  MakeTensors(table);
  DrawWeights(seed);
  RefreshCompute();
}

void Transformer::AddParameters(const WeightTable& table) {
  // Matrices of one product, and their biases, share a leaf.
  std::map<std::tuple<Product, int64_t, bool>, size_t> leaf_of_product;
  for (size_t i = 0; i < table.weights().size(); ++i) {
    const Weight& weight = table.weights()[i];
    parameters_.push_back({weight.name, weight.role, weight.kind, {}, {}});
    const Weight* matrix = weight.is_bias() ? table.Find(weight.role, weight.layer) : &weight;
    size_t leaf = leaves_.size();
    if (const auto product = matrix->product()) {
      leaf = leaf_of_product.emplace(std::tuple(*product, weight.layer, weight.is_bias()), leaf).first->second;
    }
    if (leaf == leaves_.size()) {
      leaves_.emplace_back();
    }
    leaves_[leaf].parameters.push_back(i);
  }
}

void Transformer::FindBlocks(const WeightTable& table) {
  const auto leaf_of = [&](const Weight* weight) {
    for (size_t leaf = 0; leaf < leaves_.size() && weight != nullptr; ++leaf) {
      const std::vector<size_t>& parts = leaves_[leaf].parameters;
      if (std::find(parts.begin(), parts.end(), table.index(*weight)) != parts.end()) {
        return leaf;
      }
    }
    return kNoLeaf;
  };
  tokens_ = leaf_of(table.Find(WeightRole::kTokens));
  positions_ = leaf_of(table.Find(WeightRole::kPositions));
  const WeightRole qkv = config_.architecture == Architecture::kGpt2 ? WeightRole::kQkv : WeightRole::kQuery;
  for (int64_t layer = 0; layer < config_.layers; ++layer) {
    const auto weight = [&](WeightRole role) { return leaf_of(table.Find(role, layer)); };
    const auto bias = [&](WeightRole role) { return leaf_of(table.FindBias(role, layer)); };
    blocks_.push_back({.attention_norm = weight(WeightRole::kAttentionNorm),
                       .attention_norm_bias = bias(WeightRole::kAttentionNorm),
                       .qkv = weight(qkv),
                       .qkv_bias = bias(qkv),
                       .attention_out = weight(WeightRole::kAttentionOut),
                       .attention_out_bias = bias(WeightRole::kAttentionOut),
                       .feed_norm = weight(WeightRole::kFeedNorm),
                       .feed_norm_bias = bias(WeightRole::kFeedNorm),
                       .feed = weight(WeightRole::kUp),
                       .feed_bias = bias(WeightRole::kUp),
                       .down = weight(WeightRole::kDown),
                       .down_bias = bias(WeightRole::kDown)});
  }
  Block last{};
  last.attention_norm = leaf_of(table.Find(WeightRole::kFinalNorm));
  last.attention_norm_bias = leaf_of(table.FindBias(WeightRole::kFinalNorm));
  blocks_.push_back(last);
}

void Transformer::MakeTensors(const WeightTable& table) {
  const auto on_device = at::TensorOptions(device()).dtype(at::kFloat);
  gradients_ = at::zeros({table.parameter_count()}, on_device);
  int64_t begin = 0;
  // The last leaf's gradient first, for that is the order in which they get ready.
  for (size_t i = leaves_.size(); i-- > 0;) {
    Leaf& leaf = leaves_[i];
    // The parts lie one after the other along their first dimension.
    std::vector<int64_t> shape = table.weights()[leaf.parameters[0]].shape;
    shape[0] = 0;
    for (const size_t part : leaf.parameters) {
      shape[0] += table.weights()[part].shape[0];
    }
    leaf.master = at::zeros(shape, on_device);
    leaf.gradient = gradients_.narrow(0, begin, leaf.master.numel()).view(shape);
    begin += leaf.master.numel();
    int64_t row = 0;
    for (const size_t part : leaf.parameters) {
      const int64_t rows = table.weights()[part].shape[0];
      // Shares the leaf's memory, but is none of autograd's.
      parameters_[part].master = leaf.master.detach().narrow(0, row, rows);
      parameters_[part].gradient = leaf.gradient.narrow(0, row, rows);
      row += rows;
    }
    // Norms and positions enter in f32; matrices, their biases and the head in the compute
    // precision.
    if (precision_ == NumberFormat::kBf16 && !IsNorm(parameters_[leaf.parameters[0]].role) && i != positions_) {
      leaf.compute = at::zeros_like(leaf.master, at::kBFloat16).requires_grad_(true);
      // The token embedding is read in f32 at the bottom and in bf16 at the head.
      leaf.master.requires_grad_(i == tokens_);
    } else {
      leaf.master.requires_grad_(true);
      leaf.compute = leaf.master;
    }
  }
}

void Transformer::DrawWeights(uint64_t seed) {
  at::NoGradGuard no_grad;
  at::Generator generator = at::detail::createCPUGenerator(seed);
  const double residual_deviation = kInitialDeviation / std::sqrt(2.0 * static_cast<double>(config_.layers));
  const auto draw = [&](at::Tensor& master, double deviation) {
    master.copy_(at::empty(master.sizes(), at::kFloat).normal_(0.0, deviation, generator));
  };
  for (Parameter& parameter : parameters_) {
    switch (parameter.kind) {
      case WeightKind::kEmbedding:
      case WeightKind::kMatrix:
      case WeightKind::kHeadMatrix:
        draw(parameter.master, kInitialDeviation);
        break;
      case WeightKind::kResidualMatrix:
        draw(parameter.master, residual_deviation);
        break;
      case WeightKind::kBias:
        parameter.master.zero_();
        break;
      case WeightKind::kNormScale:
        parameter.master.fill_(1.0);
        break;
    }
  }
}

int64_t Transformer::parameter_count() const {
  return gradients_.numel();
}

void Transformer::RefreshCompute() {
  at::NoGradGuard no_grad;
  for (Leaf& leaf : leaves_) {
    if (!leaf.compute.is_same(leaf.master)) {
      leaf.compute.copy_(leaf.master);
    }
  }
}

void Transformer::ZeroGradients() {
  gradients_.zero_();
}

at::Tensor Transformer::Linear(const at::Tensor& x, size_t weight, size_t bias) const {
  const at::Tensor& matrix = leaves_[weight].compute;
  const at::Tensor inputs_first = config_.architecture == Architecture::kGpt2 ? matrix : matrix.t();
  return bias == kNoLeaf ? at::mm(x, inputs_first) : at::addmm(leaves_[bias].compute, x, inputs_first);
}

at::Tensor Transformer::Hidden(const at::Tensor& ids, double dropout, uint64_t seed) {
  const int64_t batch = ids.size(0);
  const int64_t time = ids.size(1);
  const int64_t width = config_.width;
  CONTINUO_CHECK(first_position_ + time <= config_.context_length);
  const at::ScalarType compute = precision_ == NumberFormat::kBf16 ? at::kBFloat16 : at::kFloat;
  uint64_t place = 0;
  const auto next_dropout = [&] { return Dropout{Rng(seed, place++).NextU64(), static_cast<float>(dropout)}; };

  at::Tensor residual = at::embedding(leaves_[tokens_].master, ids.to(device()));
  RotaryTensors rotary;
  if (positions_ != kNoLeaf) {
    residual = residual + leaves_[positions_].master.narrow(0, first_position_, time);
  } else {
    rotary = {rotary_.cos.narrow(0, first_position_, time), rotary_.sin.narrow(0, first_position_, time)};
  }
  residual = residual.view({batch * time, width});
  if (dropout > 0) {
    residual = layers_->Drop(residual, next_dropout());
  }
  std::optional<at::Tensor> branch;
  const auto norm = [&](size_t scale, size_t bias) {
    Layers::SumAndNorm out = layers_->AddNorm(residual, branch, next_dropout(), leaves_[scale].compute,
                                              bias == kNoLeaf ? std::nullopt : std::optional(leaves_[bias].compute),
                                              config_.norm_epsilon, compute);
    residual = std::move(out.sum);
    return out.normed;
  };
  for (int64_t layer = 0; layer < config_.layers; ++layer) {
    const Block& block = blocks_[static_cast<size_t>(layer)];
    at::Tensor normed = norm(block.attention_norm, block.attention_norm_bias);
    const at::Tensor qkv = Linear(normed, block.qkv, block.qkv_bias)
                               .view({batch, time, config_.heads + 2 * config_.kv_heads(), config_.head_dim()});
    const at::Tensor attended = layers_->Attention(qkv, config_.heads, rotary, next_dropout());
    branch =
        Linear(attended.view({batch * time, config_.query_width()}), block.attention_out, block.attention_out_bias);
    normed = norm(block.feed_norm, block.feed_norm_bias);
    const at::Tensor fed = Linear(normed, block.feed, block.feed_bias);
    branch = Linear(config_.block().feed == FeedKind::kGelu ? layers_->Gelu(fed) : layers_->SwiGlu(fed), block.down,
                    block.down_bias);
  }
  return norm(blocks_.back().attention_norm, blocks_.back().attention_norm_bias);
}

/// Runs after the node that adds a leaf's gradient up.
struct Transformer::LeafHook : public torch::autograd::FunctionPostHook {
  LeafHook(Transformer* owner, size_t leaf, bool of_master) : model(owner), index(leaf), master(of_master) {}
  variable_list operator()(const variable_list& outputs, const variable_list& /*inputs*/) override {
    if (model->observer_) {
      at::NoGradGuard no_grad;
      const Leaf& leaf = model->leaves_[index];
      model->TakeGradient(master ? leaf.master : leaf.compute, index);
      if (--model->gradients_left_[index] == 0) {
        model->observer_(index);
      }
    }
    return outputs;
  }
  Transformer* model;
  size_t index;
  bool master;
};

void Transformer::set_gradient_observer(std::function<void(size_t)> observer) {
  observer_ = std::move(observer);
  if (!hooked_.empty() || !observer_) {
    return;
  }
  for (size_t i = 0; i < leaves_.size(); ++i) {
    const Leaf& leaf = leaves_[i];
    const auto hook = [&](const at::Tensor& tensor, bool master) {
      auto node = torch::autograd::impl::grad_accumulator(tensor);
      node->add_post_hook(std::make_unique<LeafHook>(this, i, master));
      // A leaf alone would let go of it. Its pointer's type is another in each release of LibTorch.
      hooked_.push_back(std::make_shared<decltype(node)>(std::move(node)));
    };
    if (!leaf.compute.is_same(leaf.master)) {
      hook(leaf.compute, false);
    }
    if (leaf.master.requires_grad()) {
      hook(leaf.master, true);
    }
  }
}

void Transformer::TakeGradient(const at::Tensor& tensor, size_t leaf) {
  at::Tensor& gradient = tensor.mutable_grad();
  if (gradient.defined()) {
    leaves_[leaf].gradient.add_(gradient);
    gradient.reset();
  }
}

double Transformer::AccumulateGradients(const at::Tensor& ids, const at::Tensor& targets, double scale, uint64_t seed) {
  at::AutoGradMode grad(true);
  const at::Tensor hidden = Hidden(ids, config_.dropout, seed);
  const at::Tensor logits = at::linear(hidden, leaves_[tokens_].compute);
  double nll = 0;
  {
    at::NoGradGuard no_grad;
    const at::Tensor gradient = logits.detach();
    nll = layers_->CrossEntropy(gradient, targets.to(device()).flatten().contiguous(), scale, label_smoothing_);
    // The head's two products need the hidden state and the weight, not the logits, so that these
    // could be overwritten by their gradient.
    gradients_left_.clear();
    for (const Leaf& leaf : leaves_) {
      gradients_left_.push_back(!leaf.compute.is_same(leaf.master) && leaf.master.requires_grad() ? 2 : 1);
    }
    torch::autograd::backward({logits}, {gradient});
    for (size_t i = 0; i < leaves_.size(); ++i) {
      TakeGradient(leaves_[i].compute, i);
      TakeGradient(leaves_[i].master, i);
    }
  }
  return nll;
}

double Transformer::EvaluateNll(const at::Tensor& ids, const at::Tensor& targets) {
  at::NoGradGuard no_grad;
  const at::Tensor logits = at::linear(Hidden(ids, 0.0, 0), leaves_[tokens_].compute);
  return layers_->CrossEntropy(logits, targets.to(device()).flatten().contiguous(), 0.0, 0.0);
}

at::Tensor Transformer::Logits(const at::Tensor& ids) {
  at::NoGradGuard no_grad;
  return at::linear(Hidden(ids, 0.0, 0), leaves_[tokens_].compute)
      .to(at::kCPU, at::kFloat)
      .view({ids.size(0), ids.size(1), config_.vocab_size});
}

}  // namespace continuo
