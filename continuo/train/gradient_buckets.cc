#include "continuo/train/gradient_buckets.h"

#include "continuo/core/check.h"

namespace continuo {

GradientBuckets::GradientBuckets(const Transformer& model, Communicator& ranks, size_t bucket_bytes)
    : ranks_(ranks), bucket_of_(model.leaves().size()) {
  // A model's gradients lie one after the other, the last leaf's first.
  for (size_t i = model.leaves().size(); i-- > 0;) {
    const at::Tensor& gradient = model.leaves()[i].gradient;
    const std::span<float> values(gradient.data_ptr<float>(), static_cast<size_t>(gradient.numel()));
    if (buckets_.empty() || buckets_.back().values.size_bytes() >= bucket_bytes) {
      buckets_.push_back({.values = values.first(0)});
    }
    Bucket& bucket = buckets_.back();
    CONTINUO_CHECK(bucket.values.data() + bucket.values.size() == values.data());
    bucket.values = {bucket.values.data(), bucket.values.size() + values.size()};
    ++bucket.leaves;
    bucket_of_[i] = buckets_.size() - 1;
  }
}

void GradientBuckets::Begin() {
  next_ = 0;
  for (Bucket& bucket : buckets_) {
    bucket.missing = bucket.leaves;
  }
}

void GradientBuckets::OnGradient(size_t leaf) {
  --buckets_[bucket_of_[leaf]].missing;
  StartWhole();
}

void GradientBuckets::StartWhole() {
  // In one order on all ranks, whichever gets ready first.
  while (next_ < buckets_.size() && buckets_[next_].missing == 0) {
    ranks_.StartSum(buckets_[next_++].values);
  }
}

void GradientBuckets::Finish() {
  for (Bucket& bucket : buckets_) {
    bucket.missing = 0;
  }
  StartWhole();
  ranks_.Wait();
}

}  // namespace continuo
