#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <vector>

#include "continuo/engine/torch/attention.h"
#include "continuo/engine/torch/kernel_tensors.h"
#include "continuo/engine/torch/layers.h"

namespace continuo {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

constexpr int64_t kRowsPerTask = 64;

/// sum = residual + branch, the branch with dropout; normed = LayerNorm(sum), or without a bias
/// RMSNorm(sum), in the precision of `compute`.
class AddNormFunction : public torch::autograd::Function<AddNormFunction> {
 public:
  static variable_list forward(AutogradContext* context, const at::Tensor& residual,
                               const std::optional<at::Tensor>& maybe_branch, Dropout dropout, const at::Tensor& scale,
                               const std::optional<at::Tensor>& maybe_bias, double epsilon, at::ScalarType compute) {
    const at::Tensor branch = maybe_branch.value_or(at::Tensor());
    const at::Tensor bias = maybe_bias.value_or(at::Tensor());
    const int64_t width = residual.size(-1);
    const int64_t rows = residual.numel() / width;
    at::Tensor sum = branch.defined() ? at::empty_like(residual) : residual;
    at::Tensor normed = at::empty(residual.sizes(), residual.options().dtype(compute));
    at::Tensor mean = at::empty({rows}, residual.options());
    at::Tensor rstd = at::empty({rows}, residual.options());
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
    context->saved_data["has_bias"] = bias.defined();
    SaveDropout(context, dropout);
    context->set_materialize_grads(false);
    if (!branch.defined()) {
      return {normed};
    }
    return {sum, normed};
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const auto saved = context->get_saved_variables();
    const at::Tensor &sum = saved[0], &mean = saved[1], &rstd = saved[2], &scale = saved[3];
    const bool has_branch = context->saved_data["has_branch"].toBool();
    const bool has_bias = context->saved_data["has_bias"].toBool();
    const Dropout dropout = SavedDropout(context);
    const at::Tensor d_sum = has_branch ? gradients[0] : at::Tensor();
    const at::Tensor d_normed = gradients.back().contiguous();
    const int64_t width = sum.size(-1);
    const int64_t rows = sum.numel() / width;
    at::Tensor d_input = at::empty_like(sum);
    at::Tensor d_branch = has_branch ? at::empty(sum.sizes(), d_normed.options()) : at::Tensor();
    const int64_t tasks = std::min<int64_t>(at::get_num_threads(), rows);
    // A row of partial sums for each task, added up in their order: the result depends on the
    // number of threads alone.
    at::Tensor partial = at::zeros({tasks, 2, width}, sum.options());
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
                             has_branch ? Data<T>(d_branch) + at : nullptr, sums, has_bias ? sums + width : nullptr);
        }
      });
    });
    const at::Tensor sums = partial.sum(0);
    return {d_input, d_branch, at::Tensor(), sums[0], has_bias ? sums[1] : at::Tensor(), at::Tensor(), at::Tensor()};
  }
};

/// Dropout of values that stand alone.
class DropFunction : public torch::autograd::Function<DropFunction> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, Dropout dropout) {
    SaveDropout(context, dropout);
    return Dropped(x, dropout);
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    return {Dropped(gradients[0].contiguous(), SavedDropout(context)), at::Tensor()};
  }

 private:
  static at::Tensor Dropped(const at::Tensor& x, Dropout dropout) {
    at::Tensor y = at::empty_like(x);
    at::parallel_for(0, x.numel(), 1 << 14, [&](int64_t begin, int64_t end) {
      DropValues(end - begin, Data<float>(x) + begin, dropout, static_cast<uint32_t>(begin), Data<float>(y) + begin);
    });
    return y;
  }
};

class GeluFunction : public torch::autograd::Function<GeluFunction> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x) {
    at::Tensor y = at::empty_like(x);
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
    const at::Tensor x = context->get_saved_variables()[0];
    const at::Tensor dy = gradients[0].contiguous();
    at::Tensor dx = at::empty_like(x);
    ForElementType(x, [&](auto element) {
      using T = decltype(element);
      at::parallel_for(0, x.numel(), 1 << 14, [&](int64_t begin, int64_t end) {
        GeluBackward<T>(end - begin, Data<T>(x) + begin, Data<T>(dy) + begin, Data<T>(dx) + begin);
      });
    });
    return {dx};
  }
};

class SwiGluFunction : public torch::autograd::Function<SwiGluFunction> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x) {
    const int64_t rows = x.size(0);
    const int64_t inner = x.size(1) / 2;
    at::Tensor y = at::empty({rows, inner}, x.options());
    ForElementType(x, [&](auto element) {
      using T = decltype(element);
      at::parallel_for(0, rows, kRowsPerTask, [&](int64_t begin, int64_t end) {
        SwiGluForward<T>(end - begin, inner, Data<T>(x) + begin * 2 * inner, Data<T>(y) + begin * inner);
      });
    });
    context->save_for_backward({x});
    return y;
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const at::Tensor x = context->get_saved_variables()[0];
    const at::Tensor dy = gradients[0].contiguous();
    const int64_t rows = x.size(0);
    const int64_t inner = x.size(1) / 2;
    at::Tensor dx = at::empty_like(x);
    ForElementType(x, [&](auto element) {
      using T = decltype(element);
      at::parallel_for(0, rows, kRowsPerTask, [&](int64_t begin, int64_t end) {
        SwiGluBackward<T>(end - begin, inner, Data<T>(x) + begin * 2 * inner, Data<T>(dy) + begin * inner,
                          Data<T>(dx) + begin * 2 * inner);
      });
    });
    return {dx};
  }
};

class RowKernels : public Layers {
 public:
  at::Device device() const override { return at::kCPU; }

  SumAndNorm AddNorm(const at::Tensor& residual, const std::optional<at::Tensor>& branch, Dropout dropout,
                     const at::Tensor& scale, const std::optional<at::Tensor>& bias, double epsilon,
                     at::ScalarType type) const override {
    const variable_list out = AddNormFunction::apply(residual, branch, dropout, scale, bias, epsilon, type);
    return {out.size() == 2 ? out[0] : residual, out.back()};
  }

  at::Tensor Drop(const at::Tensor& x, Dropout dropout) const override { return DropFunction::apply(x, dropout); }

  at::Tensor Gelu(const at::Tensor& x) const override { return GeluFunction::apply(x); }

  at::Tensor SwiGlu(const at::Tensor& x) const override { return SwiGluFunction::apply(x); }

  at::Tensor Attention(const at::Tensor& qkv, int64_t heads, const RotaryTensors& rotary,
                       Dropout dropout) const override {
    return CausalAttention(qkv, heads, rotary, dropout);
  }

  double CrossEntropy(const at::Tensor& logits, const at::Tensor& targets, double scale,
                      double smoothing) const override {
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
};

}  // namespace

std::unique_ptr<const Layers> RowKernelLayers() {
  return std::make_unique<RowKernels>();
}

}  // namespace continuo
