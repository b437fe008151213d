#include <ATen/ATen.h>
#include <ATen/Context.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/rms_norm.h>

#include <mutex>

#include "continuo/engine/torch/layers.h"

namespace continuo {
namespace {

class Operators : public Layers {
 public:
  explicit Operators(at::Device device) : device_(device) {}

  at::Device device() const override { return device_; }

  SumAndNorm AddNorm(const at::Tensor& residual, const std::optional<at::Tensor>& branch, Dropout dropout,
                     const at::Tensor& scale, const std::optional<at::Tensor>& bias, double epsilon,
                     at::ScalarType type) const override {
    const at::Tensor sum = branch ? residual + Drop(*branch, dropout) : residual;
    const at::Tensor normed = bias ? at::layer_norm(sum, {sum.size(-1)}, scale, *bias, epsilon)
                                   : at::rms_norm(sum, {sum.size(-1)}, scale, epsilon);
    return {sum, normed.to(type)};
  }

  at::Tensor Drop(const at::Tensor& x, Dropout dropout) const override {
    if (dropout.share == 0) {
      return x;
    }
    SeedFrom(dropout);
    return at::dropout(x, dropout.share, /*train=*/true);
  }

  at::Tensor Gelu(const at::Tensor& x) const override { return at::gelu(x, "tanh"); }

  at::Tensor SwiGlu(const at::Tensor& x) const override {
    const int64_t inner = x.size(-1) / 2;
    return at::silu(x.narrow(-1, 0, inner)) * x.narrow(-1, inner, inner);
  }

  at::Tensor Attention(const at::Tensor& qkv, int64_t heads, const RotaryTensors& rotary,
                       Dropout dropout) const override {
    const int64_t kv_heads = (qkv.size(2) - heads) / 2;
    // Of each query head: [batch, heads, time, head_dim].
    const auto rows = [&](int64_t first, int64_t count, bool turned) {
      const at::Tensor part = qkv.narrow(2, first, count).transpose(1, 2);
      const at::Tensor placed = turned && rotary.defined() ? RotatePairs(part, rotary.cos, rotary.sin) : part;
      return count == heads ? placed : placed.repeat_interleave(heads / count, 1);
    };
    SeedFrom(dropout);
    return at::scaled_dot_product_attention(rows(0, heads, true), rows(heads, kv_heads, true),
                                            rows(heads + kv_heads, kv_heads, false), /*attn_mask=*/{}, dropout.share,
                                            /*is_causal=*/true)
        .transpose(1, 2)
        .contiguous();
  }

  double CrossEntropy(const at::Tensor& logits, const at::Tensor& targets, double scale,
                      double smoothing) const override {
    at::NoGradGuard no_grad;
    const at::Tensor log_shares = at::log_softmax(logits, -1, at::kFloat);
    const at::Tensor counts = targets.ge(0).unsqueeze(1);
    const at::Tensor places = targets.clamp_min(0).unsqueeze(1);
    const at::Tensor nll = log_shares.gather(1, places).masked_fill_(counts.logical_not(), 0).sum(at::kDouble).neg();
    if (scale != 0) {
      const at::Tensor ids = at::arange(logits.size(1), targets.options());
      const at::Tensor wanted = places.eq(ids).to(at::kFloat).mul_(1 - smoothing).add_(smoothing / logits.size(1));
      logits.copy_(log_shares.exp().sub_(wanted).mul_(counts).mul_(scale));
    }
    return nll.item<double>();
  }

 private:
  /// The operators that drop draw from their device's own generator.
  void SeedFrom(Dropout dropout) const {
    if (dropout.share > 0) {
      at::Generator generator = at::globalContext().defaultGenerator(device_);
      const std::lock_guard lock(generator.mutex());
      generator.set_current_seed(dropout.key);
    }
  }

  at::Device device_;
};

}  // namespace

std::unique_ptr<const Layers> OperatorLayers(at::Device device) {
  return std::make_unique<Operators>(device);
}

std::unique_ptr<const Layers> LayersFor(at::Device device) {
  return device.is_cpu() ? RowKernelLayers() : OperatorLayers(device);
}

}  // namespace continuo
