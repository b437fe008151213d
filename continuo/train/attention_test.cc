#include "continuo/train/attention.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>
#include <limits>
#include <mutex>
#include <set>
#include <thread>
#include <tuple>

namespace continuo {
namespace {

at::Tensor RandomQkv(int64_t batch, int64_t time, int64_t heads, int64_t head_dim) {
  const at::Tensor places = at::arange(batch * time * 3 * heads * head_dim, at::kDouble);
  return at::sin(places * 0.7 + at::sin(places * places * 1e-3) * 9).view({batch, time, 3, heads, head_dim});
}

/// The weights that CausalAttention drops, as 0, and keeps, as 1: attention over values that are
/// the identity shows them.
at::Tensor Kept(const at::Tensor& qkv, Dropout dropout) {
  const int64_t time = qkv.size(1);
  at::Tensor shown = at::zeros({qkv.size(0), time, 3, qkv.size(3), time}, at::kFloat);
  shown.select(2, 2).copy_(at::eye(time).view({1, time, 1, time}));
  return CausalAttention(shown, dropout).transpose(1, 2).ne(0);  // [batch, heads, time, time]
}

/// By the definition, in f64.
at::Tensor Reference(const at::Tensor& qkv, const at::Tensor& kept, double dropout) {
  const auto part = [&](int64_t which) { return qkv.select(2, which).transpose(1, 2); };
  at::Tensor scores = part(0).matmul(part(1).transpose(2, 3)) / std::sqrt(static_cast<double>(qkv.size(4)));
  const at::Tensor ahead = at::ones({qkv.size(1), qkv.size(1)}, at::kBool).triu(1);
  scores = scores.masked_fill(ahead, -std::numeric_limits<double>::infinity());
  return (scores.softmax(-1) * kept / (1 - dropout)).matmul(part(2)).transpose(1, 2);
}

class AttentionTest : public testing::TestWithParam<std::tuple<int64_t, double>> {};

// Lengths of one short tile, of a full one, of a full one and a bit, and of several.
INSTANTIATE_TEST_SUITE_P(Lengths, AttentionTest,
                         testing::Combine(testing::Values(1, 17, 256, 257, 600), testing::Values(0.0, 0.2)));

TEST_P(AttentionTest, ResultAndGradientAreThoseOfTheDefinition) {
  const auto [time, dropout] = GetParam();
  const at::Tensor exact = RandomQkv(2, time, 3, 8).requires_grad_(true);
  const Dropout drawn{5, static_cast<float>(dropout)};
  const at::Tensor kept = Kept(exact.detach(), drawn);
  const at::Tensor wanted = Reference(exact, kept, dropout);
  const at::Tensor direction = at::cos(at::arange(wanted.numel(), at::kDouble)).view(wanted.sizes());
  torch::autograd::backward({wanted}, {direction});

  for (const at::ScalarType type : {at::kFloat, at::kBFloat16}) {
    const at::Tensor qkv = exact.detach().to(type).requires_grad_(true);
    const at::Tensor out = CausalAttention(qkv, drawn);
    torch::autograd::backward({out}, {direction.to(type)});
    // Of sums of some hundred f32 products; bf16 rounds the inputs, scores, weights and results to
    // 8 bits.
    const double tolerance = type == at::kFloat ? 1e-5 : 2e-2;
    const auto distance = [](const at::Tensor& a, const at::Tensor& b) {
      return ((a.to(at::kDouble) - b).norm() / b.norm()).item<double>();
    };
    EXPECT_LT(distance(out.detach(), wanted.detach()), tolerance);
    // Where a query has one key, scores have no gradient, and the reference's is 0 but for the
    // values'.
    EXPECT_LT(distance(qkv.grad(), exact.grad()), tolerance);
  }
}

TEST(AttentionDropoutTest, DropsTheShareAskedForAndElsewhereInEachHeadAndSequence) {
  const at::Tensor kept = Kept(RandomQkv(2, 300, 2, 8), {1, 0.25F});
  const double seen = 300 * 301 / 2.0;
  for (int64_t row = 0; row < 2; ++row) {
    for (int64_t head = 0; head < 2; ++head) {
      const double share = kept[row][head].sum().item<double>() / seen;
      EXPECT_NEAR(share, 0.75, 5 * std::sqrt(0.75 * 0.25 / seen));  // five deviations of a binomial distribution
    }
  }
  EXPECT_FALSE(at::equal(kept[0][0], kept[0][1]));
  EXPECT_FALSE(at::equal(kept[0][0], kept[1][0]));
  EXPECT_FALSE(at::equal(kept, Kept(RandomQkv(2, 300, 2, 8), {2, 0.25F})));
}

// Without OpenMP in the compiler's flags LibTorch's headers leave one thread.
TEST(ParallelForTest, HasSeveralThreads) {
  const int threads = at::get_num_threads();
  at::set_num_threads(2);
  std::mutex mutex;
  std::set<std::thread::id> seen;
  at::parallel_for(0, 2, 1, [&](int64_t /*begin*/, int64_t /*end*/) {
    const std::lock_guard<std::mutex> lock(mutex);
    seen.insert(std::this_thread::get_id());
  });
  at::set_num_threads(threads);
  EXPECT_EQ(seen.size(), 2u);
}

TEST(AttentionThreadsTest, DoNotChangeABit) {
  const int threads = at::get_num_threads();
  at::Tensor results[2];
  for (const int count : {1, 2}) {
    at::set_num_threads(count);
    const at::Tensor qkv = RandomQkv(1, 300, 5, 8).to(at::kFloat).requires_grad_(true);
    const at::Tensor out = CausalAttention(qkv, {3, 0.1F});
    torch::autograd::backward({out}, {at::ones_like(out)});
    results[count - 1] = at::cat({out.detach().flatten(), qkv.grad().flatten()});
  }
  at::set_num_threads(threads);
  EXPECT_TRUE(at::equal(results[0], results[1]));
}

}  // namespace
}  // namespace continuo
