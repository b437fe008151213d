#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "continuo/model/gpt2_config.h"
#include "continuo/train/layers.h"

namespace continuo {

enum class TrainPrecision { kF32, kBf16 };

/// What a weight is, for initialization, weight decay and the choice of optimizer.
enum class ParameterKind { kEmbedding, kMatrix, kResidualMatrix, kBias, kNormScale };

/// A weight of the model: its f32 master under the name that Hugging Face's GPT2LMHeadModel gives
/// it.
struct Parameter {
  std::string name;  // "transformer.h.0.attn.c_attn.weight"
  ParameterKind kind;
  at::Tensor master;    // f32; linear weights are [in, out]
  at::Tensor gradient;  // f32, same shape; the sum over the micro-batches of a step; all lie in one piece of memory
  at::Tensor compute;   // what the forward pass reads: a leaf in the compute precision
};

/// A GPT-2 that trains: `transformers`' GPT2LMHeadModel with the head tied to the token embedding,
/// the tanh GELU, dropout after the embedding, within attention, and after both projections of a
/// block.
///
/// Weights are kept in f32. In bf16, a copy rounded once a step is what matrices are multiplied by;
/// sums, norms, softmax and the loss are in f32 inside their kernels. Not thread-safe.
class Gpt2 {
 public:
  /// Weights as Hugging Face initializes them: normal(0, 0.02), projections into the residual
  /// stream divided by sqrt(2 x layers), biases 0, norms 1. The same seed gives the same weights,
  /// on any device. The model lies and computes where its layers do.
  Gpt2(const Gpt2Config& config, TrainPrecision precision, uint64_t seed,
       std::unique_ptr<const Layers> layers = RowKernelLayers());
  Gpt2(const Gpt2&) = delete;
  Gpt2& operator=(const Gpt2&) = delete;

  const Gpt2Config& config() const { return config_; }
  TrainPrecision precision() const { return precision_; }
  at::Device device() const { return layers_->device(); }
  std::vector<Parameter>& parameters() { return parameters_; }
  const std::vector<Parameter>& parameters() const { return parameters_; }
  int64_t parameter_count() const;

  /// Copies the masters to what the forward pass reads. Call after the masters changed.
  void RefreshCompute();
  void ZeroGradients();

  /// Runs forward and backward over one micro-batch and adds scale x d(sum of NLL)/d(weights) to
  /// the gradients. Returns the sum of NLL in nats over targets that are not negative. Dropout
  /// draws from `seed`. ids: int64 [batch, time], time <= context_length; targets: int64 [batch,
  /// time], negative where nothing is to be predicted. Both may lie on any device.
  double AccumulateGradients(const at::Tensor& ids, const at::Tensor& targets, double scale, uint64_t seed);

  /// Targets are mixed with the uniform distribution over the vocabulary, of which they get this
  /// share, as PyTorch's CrossEntropyLoss(label_smoothing=share) does; 0 unless set. NLL stays that
  /// of the targets.
  void set_label_smoothing(double share) { label_smoothing_ = share; }

  /// `observer` (or none) is called from within AccumulateGradients with the index of each
  /// parameter whose gradient is whole, as far as this micro-batch goes, while the backward pass
  /// goes on.
  void set_gradient_observer(std::function<void(size_t)> observer);

  /// The position of the first id of each sequence, 0 unless set; time + it <= context_length.
  void set_first_position(int64_t position) { first_position_ = position; }

  /// The sum of NLL without dropout and without gradients.
  double EvaluateNll(const at::Tensor& ids, const at::Tensor& targets);

  /// Logits, f32 [batch, time, vocab] on the CPU, without dropout.
  at::Tensor Logits(const at::Tensor& ids);

 private:
  at::Tensor Hidden(const at::Tensor& ids, double dropout, uint64_t seed);
  at::Tensor& Compute(size_t index) { return parameters_[index].compute; }
  size_t Add(std::string name, ParameterKind kind, std::vector<int64_t> shape);
  void PlaceGradients();
  void TakeGradient(const at::Tensor& leaf, size_t index);
  struct LeafHook;

  Gpt2Config config_;
  TrainPrecision precision_;
  std::unique_ptr<const Layers> layers_;
  int64_t first_position_ = 0;
  double label_smoothing_ = 0;
  std::function<void(size_t)> observer_;
  std::vector<size_t> leaves_left_;            // of each parameter, on this backward pass
  std::vector<std::shared_ptr<void>> hooked_;  // the nodes that carry hooks
  std::vector<Parameter> parameters_;
  at::Tensor gradients_;  // of all parameters
};

}  // namespace continuo
