#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <optional>

#include "continuo/engine/torch/rotary_tensors.h"
#include "continuo/engine/torch/row_kernels.h"

namespace continuo {

/// What stands between the matrix products of a model, differentiable but for the loss, on one
/// device. "T" is the type that matrices are multiplied in, f32 or bf16. What is dropped depends on
/// the dropout's key and the place alone; each implementation draws numbers of its own. Immutable.
class Layers {
 public:
  virtual ~Layers() = default;
  /// Where all tensors lie.
  virtual at::Device device() const = 0;

  struct SumAndNorm {
    at::Tensor sum;     // residual + branch, the branch with dropout; f32
    at::Tensor normed;  // (sum - mean) / sqrt(variance + epsilon) x scale + bias; T
  };
  /// residual: [rows, width], f32; branch: the same of T, or none; scale, bias: [width], f32.
  /// Without a bias it is RMSNorm: sum / sqrt(mean of squares + epsilon) x scale.
  virtual SumAndNorm AddNorm(const at::Tensor& residual, const std::optional<at::Tensor>& branch, Dropout dropout,
                             const at::Tensor& scale, const std::optional<at::Tensor>& bias, double epsilon,
                             at::ScalarType type) const = 0;
  /// x with dropout, f32.
  virtual at::Tensor Drop(const at::Tensor& x, Dropout dropout) const = 0;
  /// The tanh form of GELU, of T.
  virtual at::Tensor Gelu(const at::Tensor& x) const = 0;
  /// silu(gate) x up of T. x: [rows, 2 x inner], the gate first. Returns [rows, inner].
  virtual at::Tensor SwiGlu(const at::Tensor& x) const = 0;
  /// Causal attention, softmax(query key^T / sqrt(head_dim)) value, with dropout of its weights.
  /// qkv: [batch, time, heads + 2 kv_heads, head_dim] of T: queries, keys, values, of which heads /
  /// kv_heads queries after each other share one. Queries and keys are turned by `rotary`, [time,
  /// head_dim / 2], if it is defined. Returns [batch, time, heads, head_dim].
  virtual at::Tensor Attention(const at::Tensor& qkv, int64_t heads, const RotaryTensors& rotary,
                               Dropout dropout) const = 0;
  /// Sum of NLL in nats over the rows of `logits`, [rows, vocabulary] of T, whose target, [rows],
  /// is not negative. Unless `scale` is 0, overwrites the logits by scale x d(sum)/d(logits), where
  /// the sum is that of the cross entropy with (1 - smoothing) x the target + smoothing x the
  /// uniform distribution.
  virtual double CrossEntropy(const at::Tensor& logits, const at::Tensor& targets, double scale,
                              double smoothing) const = 0;
};

/// On the CPU, by the row kernels.
std::unique_ptr<const Layers> RowKernelLayers();

/// On any device, by LibTorch's operators.
std::unique_ptr<const Layers> OperatorLayers(at::Device device);

/// The faster of the two on a device.
std::unique_ptr<const Layers> LayersFor(at::Device device);

}  // namespace continuo
