#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "continuo/engine/torch/transformer.h"
#include "continuo/train/communicator.h"

namespace continuo {

/// Adds up a model's gradients over the ranks while the backward pass still runs: gradients are cut
/// into buckets in the order in which they get ready, the last layer's first, and a bucket is on
/// its way as soon as it is whole.
class GradientBuckets {
 public:
  /// `bucket_bytes`: a bucket is closed when it has this many. The default is that of PyTorch's
  /// DistributedDataParallel: an all-reduce of less is bound by latency, one of much more begins
  /// late.
  GradientBuckets(const Transformer& model, Communicator& ranks, size_t bucket_bytes = size_t{25} << 20);

  /// Begins an update's last micro-batch.
  void Begin();
  /// A leaf's gradient is whole.
  void OnGradient(size_t leaf);
  /// Starts what no gradient came for, and returns when the model's gradients are the sums over all
  /// ranks.
  void Finish();

 private:
  struct Bucket {
    std::span<float> values;
    size_t leaves = 0;
    size_t missing = 0;
  };
  void StartWhole();

  Communicator& ranks_;
  std::vector<Bucket> buckets_;
  std::vector<size_t> bucket_of_;  // for each leaf
  size_t next_ = 0;                // the first bucket that was not started
};

}  // namespace continuo
