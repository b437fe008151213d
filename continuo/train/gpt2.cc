#include "continuo/train/gpt2.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/csrc/autograd/function_hook.h>
#include <torch/csrc/autograd/variable.h>

#include <cmath>
#include <utility>

#include "continuo/core/check.h"
#include "continuo/core/rng.h"
#include "continuo/train/attention.h"
#include "continuo/train/kernel_tensors.h"
#include "continuo/train/row_kernels.h"

namespace continuo {
namespace {

using at::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

constexpr int64_t kRowsPerTask = 64;

/// sum = residual + branch, the branch with dropout; normed = LayerNorm(sum), in the precision of `compute`.
class AddNorm : public torch::autograd::Function<AddNorm> {
 public:
  static variable_list forward(AutogradContext* context, const Tensor& residual,
                               const std::optional<Tensor>& maybe_branch, Dropout dropout, const Tensor& scale,
                               const Tensor& bias, double epsilon, at::ScalarType compute) {
    const Tensor branch = maybe_branch.value_or(Tensor());
    const int64_t width = residual.size(-1);
    const int64_t rows = residual.numel() / width;
    Tensor sum = branch.defined() ? at::empty_like(residual) : residual;
    Tensor normed = at::empty(residual.sizes(), residual.options().dtype(compute));
    Tensor mean = at::empty({rows}, residual.options());
    Tensor rstd = at::empty({rows}, residual.options());
    ForElementType(normed, [&](auto element) {
      using T = decltype(element);
      const T* branch_data = Data<T>(branch);
      at::parallel_for(0, rows, kRowsPerTask, [&](int64_t begin, int64_t end) {
        const int64_t at = begin * width;
        AddNormForward<T>(end - begin, width, Data<float>(residual) + at,
                          branch_data == nullptr ? nullptr : branch_data + at, dropout, static_cast<uint32_t>(at),
                          Data<float>(scale), Data<float>(bias), static_cast<float>(epsilon), Data<float>(sum) + at,
                          Data<T>(normed) + at, Data<float>(mean) + begin, Data<float>(rstd) + begin);
      });
    });
    context->save_for_backward({sum, mean, rstd, scale});
    context->saved_data["has_branch"] = branch.defined();
    SaveDropout(context, dropout);
    context->set_materialize_grads(false);
    if (!branch.defined()) {
      return {normed};
    }
    return {sum, normed};
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const auto saved = context->get_saved_variables();
    const Tensor &sum = saved[0], &mean = saved[1], &rstd = saved[2], &scale = saved[3];
    const bool has_branch = context->saved_data["has_branch"].toBool();
    const Dropout dropout = SavedDropout(context);
    const Tensor d_sum = has_branch ? gradients[0] : Tensor();
    const Tensor d_normed = gradients.back().contiguous();
    const int64_t width = sum.size(-1);
    const int64_t rows = sum.numel() / width;
    Tensor d_input = at::empty_like(sum);
    Tensor d_branch = has_branch ? at::empty(sum.sizes(), d_normed.options()) : Tensor();
    const int64_t tasks = std::min<int64_t>(at::get_num_threads(), rows);
    // A row of partial sums for each task, added up in their order: the result depends on the number of
    // threads alone.
    Tensor partial = at::zeros({tasks, 2, width}, sum.options());
    ForElementType(d_normed, [&](auto element) {
      using T = decltype(element);
      at::parallel_for(0, tasks, 1, [&](int64_t first, int64_t last) {
        for (int64_t task = first; task < last; ++task) {
          const int64_t begin = rows * task / tasks;
          const int64_t count = rows * (task + 1) / tasks - begin;
          const int64_t at = begin * width;
          float* sums = Data<float>(partial) + task * 2 * width;
          AddNormBackward<T>(count, width, Data<float>(sum) + at, Data<float>(mean) + begin, Data<float>(rstd) + begin,
                             Data<float>(scale), d_sum.defined() ? Data<float>(d_sum) + at : nullptr,
                             Data<T>(d_normed) + at, dropout, static_cast<uint32_t>(at), Data<float>(d_input) + at,
                             has_branch ? Data<T>(d_branch) + at : nullptr, sums, sums + width);
        }
      });
    });
    const Tensor sums = partial.sum(0);
    return {d_input, d_branch, Tensor(), sums[0], sums[1], Tensor(), Tensor()};
  }
};

/// Dropout of values that stand alone.
class Drop : public torch::autograd::Function<Drop> {
 public:
  static Tensor forward(AutogradContext* context, const Tensor& x, Dropout dropout) {
    SaveDropout(context, dropout);
    return Dropped(x, dropout);
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    return {Dropped(gradients[0].contiguous(), SavedDropout(context)), Tensor()};
  }

 private:
  static Tensor Dropped(const Tensor& x, Dropout dropout) {
    Tensor y = at::empty_like(x);
    at::parallel_for(0, x.numel(), 1 << 14, [&](int64_t begin, int64_t end) {
      DropValues(end - begin, Data<float>(x) + begin, dropout, static_cast<uint32_t>(begin), Data<float>(y) + begin);
    });
    return y;
  }
};

class Gelu : public torch::autograd::Function<Gelu> {
 public:
  static Tensor forward(AutogradContext* context, const Tensor& x) {
    Tensor y = at::empty_like(x);
    ForElementType(x, [&](auto element) {
      using T = decltype(element);
      at::parallel_for(0, x.numel(), 1 << 14, [&](int64_t begin, int64_t end) {
        GeluForward<T>(end - begin, Data<T>(x) + begin, Data<T>(y) + begin);
      });
    });
    context->save_for_backward({x});
    return y;
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const Tensor x = context->get_saved_variables()[0];
    const Tensor dy = gradients[0].contiguous();
    Tensor dx = at::empty_like(x);
    ForElementType(x, [&](auto element) {
      using T = decltype(element);
      at::parallel_for(0, x.numel(), 1 << 14, [&](int64_t begin, int64_t end) {
        GeluBackward<T>(end - begin, Data<T>(x) + begin, Data<T>(dy) + begin, Data<T>(dx) + begin);
      });
    });
    return {dx};
  }
};

/// Sum of NLL over the rows; overwrites the logits by their gradient times `scale` when `scale` is not 0.
double CrossEntropy(const Tensor& logits, const Tensor& targets, double scale, double smoothing) {
  const int64_t width = logits.size(-1);
  const int64_t rows = logits.numel() / width;
  const int64_t tasks = std::min<int64_t>(at::get_num_threads(), rows);
  std::vector<double> sums(static_cast<size_t>(tasks));
  ForElementType(logits, [&](auto element) {
    using T = decltype(element);
    at::parallel_for(0, tasks, 1, [&](int64_t first, int64_t last) {
      for (int64_t task = first; task < last; ++task) {
        const int64_t begin = rows * task / tasks;
        const int64_t count = rows * (task + 1) / tasks - begin;
        T* data = Data<T>(logits) + begin * width;
        sums[static_cast<size_t>(task)] =
            CrossEntropyRows<T>(count, width, data, Data<int64_t>(targets) + begin, static_cast<float>(scale),
                                static_cast<float>(smoothing), scale != 0 ? data : nullptr);
      }
    });
  });
  double total = 0;
  for (const double sum : sums) {
    total += sum;
  }
  return total;
}

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

Gpt2::Gpt2(const Gpt2Config& config, TrainPrecision precision, uint64_t seed) : config_(config), precision_(precision) {
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
  for (Parameter& parameter : parameters_) {
    switch (parameter.kind) {
      case ParameterKind::kEmbedding:
      case ParameterKind::kMatrix:
        parameter.master.normal_(0.0, kInitialDeviation, generator);
        break;
      case ParameterKind::kResidualMatrix:
        parameter.master.normal_(0.0, residual_deviation, generator);
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
  parameter.master = at::zeros(shape, at::kFloat);
  const bool norm = parameter.name.find("ln_") != std::string::npos;
  const bool position = parameters_.size() == kPositionEmbedding;
  // Norms and positions enter in f32; matrices, their biases and the head in the compute precision.
  if (precision_ == TrainPrecision::kBf16 && !norm && !position) {
    parameter.compute = at::zeros(shape, at::kBFloat16).requires_grad_(true);
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
  const Tensor all = at::zeros({parameter_count()}, at::kFloat);
  int64_t begin = 0;
  for (size_t i = parameters_.size(); i-- > 0;) {
    Parameter& parameter = parameters_[i];
    parameter.gradient = all.narrow(0, begin, parameter.master.numel()).view(parameter.master.sizes());
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
  for (Parameter& parameter : parameters_) {
    parameter.gradient.zero_();
  }
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
  Tensor residual = (at::embedding(master(kTokenEmbedding), ids) + positions).view({batch * time, width});
  if (dropout > 0) {
    residual = Drop::apply(residual, next_dropout());
  }
  std::optional<Tensor> branch;
  for (int64_t layer = 0; layer <= config_.layers; ++layer) {
    const size_t base = kFirstBlock + static_cast<size_t>(layer) * kBlockWeights;
    const auto weight = [&](size_t which) -> const Tensor& { return parameters_[base + which].compute; };
    // The norm of the block, or after the last block the final one, which stands where the next would.
    const auto norm = [&](size_t scale, size_t bias) {
      variable_list out = AddNorm::apply(residual, branch, next_dropout(), weight(scale), weight(bias),
                                         config_.layer_norm_epsilon, compute);
      if (out.size() == 2) {
        residual = out[0];
      }
      return out.back();
    };
    Tensor normed = norm(kNorm1Scale, kNorm1Bias);
    if (layer == config_.layers) {
      return normed;
    }
    const Tensor qkv = at::addmm(weight(kAttentionBias), normed, weight(kAttentionWeight))
                           .view({batch, time, 3, config_.heads, config_.head_dim()});
    branch = at::addmm(weight(kAttentionOutBias), CausalAttention(qkv, next_dropout()).view({batch * time, width}),
                       weight(kAttentionOutWeight));
    normed = norm(kNorm2Scale, kNorm2Bias);
    const Tensor fed = Gelu::apply(at::addmm(weight(kFeedBias), normed, weight(kFeedWeight)));
    branch = at::addmm(weight(kFeedOutBias), fed, weight(kFeedOutWeight));
  }
  CONTINUO_CHECK(false);
}

/// Runs behind the node that adds a leaf's gradient up.
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
    nll = CrossEntropy(gradient, targets.contiguous(), scale, label_smoothing_);
    // The head's two products need the hidden state and the weight, not the logits, so that these could be
    // overwritten by their gradient.
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
  return CrossEntropy(logits, targets.contiguous(), 0.0, 0.0);
}

Tensor Gpt2::Logits(const Tensor& ids) {
  at::NoGradGuard no_grad;
  return at::linear(Hidden(ids, 0.0, 0), Compute(kTokenEmbedding))
      .to(at::kFloat)
      .view({ids.size(0), ids.size(1), config_.vocab_size});
}

}  // namespace continuo
