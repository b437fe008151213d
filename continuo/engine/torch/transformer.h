#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "continuo/engine/torch/layers.h"
#include "continuo/engine/torch/rotary_tensors.h"
#include "continuo/model/model_config.h"
#include "continuo/model/number_format.h"
#include "continuo/model/weight_table.h"

namespace continuo {

/// A weight of the model: its f32 master under the name and in the shape of the WeightTable.
struct Parameter {
  std::string name;  // "transformer.h.0.attn.c_attn.weight"
  WeightRole role;
  WeightKind kind;
  at::Tensor master;    // f32
  at::Tensor gradient;  // f32, same shape: the sum over the micro-batches of a step
};

/// What the forward pass reads at once: one parameter, or those of one product (queries, keys and
/// values), whose masters and gradients are parts of the leaf's.
struct Leaf {
  std::vector<size_t> parameters;
  at::Tensor master;    // f32
  at::Tensor gradient;  // f32; those of all leaves lie in one piece of memory, the last leaf's first
  at::Tensor compute;   // the master, or a copy in the compute precision
};

/// A model that trains: `transformers`' GPT2LMHeadModel or LlamaForCausalLM, with the head tied to
/// the token embedding, and dropout after the embedding, within attention, and after both
/// projections of a block.
///
/// Weights are kept in f32. In bf16, a copy rounded once a step is what matrices are multiplied by;
/// sums, norms, softmax and the loss are in f32 inside their kernels. Not thread-safe.
class Transformer {
 public:
  /// Weights as Hugging Face initializes GPT-2's: normal(0, 0.02), projections into the residual
  /// stream divided by sqrt(2 x layers), biases 0, norms 1. (Its Llama leaves out the division.)
  /// The same seed gives the same weights, on any device. The model lies and computes where its
  /// layers do.
  Transformer(const ModelConfig& config, NumberFormat precision, uint64_t seed,
              std::unique_ptr<const Layers> layers = RowKernelLayers());
  Transformer(const Transformer&) = delete;
  Transformer& operator=(const Transformer&) = delete;

  /// Whether models of this kind can be trained.
  static bool Trains(Architecture architecture) {
    return architecture == Architecture::kGpt2 || architecture == Architecture::kLlama;
  }

  const ModelConfig& config() const { return config_; }
  NumberFormat precision() const { return precision_; }
  at::Device device() const { return layers_->device(); }
  std::vector<Parameter>& parameters() { return parameters_; }
  const std::vector<Parameter>& parameters() const { return parameters_; }
  const std::vector<Leaf>& leaves() const { return leaves_; }
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

  /// `observer` (or none) is called from within AccumulateGradients with the index of each leaf
  /// whose gradient is whole, as far as this micro-batch goes, while the backward pass
  /// goes on.
  void set_gradient_observer(std::function<void(size_t)> observer);

  /// The position of the first id of each sequence, 0 unless set; time + it <= context_length.
  void set_first_position(int64_t position) { first_position_ = position; }

  /// The sum of NLL without dropout and without gradients.
  double EvaluateNll(const at::Tensor& ids, const at::Tensor& targets);

  /// Logits, f32 [batch, time, vocab] on the CPU, without dropout.
  at::Tensor Logits(const at::Tensor& ids);

 private:
  /// The leaves of a block, or of what stands after the last one; none: kNoLeaf.
  struct Block {
    size_t attention_norm, attention_norm_bias, qkv, qkv_bias, attention_out, attention_out_bias;
    size_t feed_norm, feed_norm_bias, feed, feed_bias, down, down_bias;
  };
  static constexpr size_t kNoLeaf = SIZE_MAX;

  at::Tensor Hidden(const at::Tensor& ids, double dropout, uint64_t seed);
  at::Tensor Linear(const at::Tensor& x, size_t weight, size_t bias) const;
  void AddParameters(const WeightTable& table);
  void FindBlocks(const WeightTable& table);
  void MakeTensors(const WeightTable& table);
  void DrawWeights(uint64_t seed);
  void TakeGradient(const at::Tensor& tensor, size_t leaf);
  struct LeafHook;

  ModelConfig config_;
  NumberFormat precision_;
  std::unique_ptr<const Layers> layers_;
  RotaryTensors rotary_;
  int64_t first_position_ = 0;
  double label_smoothing_ = 0;
  std::function<void(size_t)> observer_;
  std::vector<size_t> gradients_left_;         // of each leaf, on this backward pass
  std::vector<std::shared_ptr<void>> hooked_;  // the nodes that carry hooks
  std::vector<Parameter> parameters_;
  std::vector<Leaf> leaves_;
  std::vector<Block> blocks_;  // and the final norm's, which has no other leaves
  size_t tokens_ = 0;          // leaves
  size_t positions_ = kNoLeaf;
  at::Tensor gradients_;  // of all leaves
};

}  // namespace continuo
