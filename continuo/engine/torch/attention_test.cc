#include "continuo/engine/torch/attention.h"

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

/// Heads of queries, and of keys and values; whether positions are rotary.
struct Shape {
  int64_t heads;
  int64_t kv_heads;
  bool rotary = false;
  int64_t all() const { return heads + 2 * kv_heads; }
};

at::Tensor RandomQkv(int64_t batch, int64_t time, const Shape& shape, int64_t head_dim) {
  const at::Tensor places = at::arange(batch * time * shape.all() * head_dim, at::kDouble);
  return at::sin(places * 0.7 + at::sin(places * places * 1e-3) * 9).view({batch, time, shape.all(), head_dim});
}

RotaryTensors Turns(const Shape& shape, int64_t time, int64_t head_dim) {
  if (!shape.rotary) {
    return {};
  }
  const at::Tensor angles = at::arange(time, at::kFloat).unsqueeze(1) / (1 + at::arange(head_dim / 2, at::kFloat));
  return {angles.cos().contiguous(), angles.sin().contiguous()};
}

/// The weights that CausalAttention drops, as 0, and keeps, as 1: attention over values that are
/// the identity shows them.
at::Tensor Kept(const at::Tensor& qkv, const Shape& shape, Dropout dropout) {
  const int64_t time = qkv.size(1);
  at::Tensor shown = at::zeros({qkv.size(0), time, shape.all(), time}, at::kFloat);
  shown.narrow(2, shape.heads + shape.kv_heads, shape.kv_heads).copy_(at::eye(time).view({1, time, 1, time}));
  return CausalAttention(shown, shape.heads, {}, dropout).transpose(1, 2).ne(0);  // [batch, heads, time, time]
}

/// By the definition, in f64.
at::Tensor Reference(const at::Tensor& qkv, const Shape& shape, const at::Tensor& kept, double dropout) {
  const RotaryTensors turns = Turns(shape, qkv.size(1), qkv.size(3));
  const auto part = [&](int64_t first, int64_t count, bool turned) {
    const at::Tensor rows = qkv.narrow(2, first, count).transpose(1, 2);
    const at::Tensor placed =
        turned && shape.rotary ? RotatePairs(rows, turns.cos.to(at::kDouble), turns.sin.to(at::kDouble)) : rows;
    return placed.repeat_interleave(shape.heads / count, 1);
  };
  const at::Tensor keys = part(shape.heads, shape.kv_heads, true);
  const at::Tensor values = part(shape.heads + shape.kv_heads, shape.kv_heads, false);
  at::Tensor scores = part(0, shape.heads, true).matmul(keys.transpose(2, 3)) / std::sqrt(qkv.size(3));
  const at::Tensor ahead = at::ones({qkv.size(1), qkv.size(1)}, at::kBool).triu(1);
  scores = scores.masked_fill(ahead, -std::numeric_limits<double>::infinity());
  return (scores.softmax(-1) * kept / (1 - dropout)).matmul(values).transpose(1, 2);
}

constexpr Shape kShapes[] = {{3, 3}, {4, 2}, {3, 1, true}, {2, 2, true}};

class AttentionTest : public testing::TestWithParam<std::tuple<int64_t, double, Shape>> {};

// Lengths of one short tile, of a full one, of a full one and a bit, and of several.
INSTANTIATE_TEST_SUITE_P(Lengths, AttentionTest,
                         testing::Combine(testing::Values(1, 17, 256, 257, 600), testing::Values(0.0, 0.2),
                                          testing::ValuesIn(kShapes)));

TEST_P(AttentionTest, ResultAndGradientAreThoseOfTheDefinition) {
  const auto [time, dropout, shape] = GetParam();
  const at::Tensor exact = RandomQkv(2, time, shape, 8).requires_grad_(true);
  const Dropout drawn{5, static_cast<float>(dropout)};
  const at::Tensor kept = Kept(exact.detach(), shape, drawn);
  const at::Tensor wanted = Reference(exact, shape, kept, dropout);
  const at::Tensor direction = at::cos(at::arange(wanted.numel(), at::kDouble)).view(wanted.sizes());
  torch::autograd::backward({wanted}, {direction});

  for (const at::ScalarType type : {at::kFloat, at::kBFloat16}) {
    const at::Tensor qkv = exact.detach().to(type).requires_grad_(true);
    const at::Tensor out = CausalAttention(qkv, shape.heads, Turns(shape, time, 8), drawn);
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
  const at::Tensor kept = Kept(RandomQkv(2, 300, {2, 2}, 8), {2, 2}, {1, 0.25F});
  const double seen = 300 * 301 / 2.0;
  for (int64_t row = 0; row < 2; ++row) {
    for (int64_t head = 0; head < 2; ++head) {
      const double share = kept[row][head].sum().item<double>() / seen;
      EXPECT_NEAR(share, 0.75, 5 * std::sqrt(0.75 * 0.25 / seen));  // five deviations of a binomial distribution
    }
  }
  EXPECT_FALSE(at::equal(kept[0][0], kept[0][1]));
  EXPECT_FALSE(at::equal(kept[0][0], kept[1][0]));
  EXPECT_FALSE(at::equal(kept, Kept(RandomQkv(2, 300, {2, 2}, 8), {2, 2}, {2, 0.25F})));
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
    const at::Tensor qkv = RandomQkv(1, 300, {6, 3, true}, 8).to(at::kFloat).requires_grad_(true);
    const at::Tensor out = CausalAttention(qkv, 6, Turns({6, 3, true}, 300, 8), {3, 0.1F});
    torch::autograd::backward({out}, {at::ones_like(out)});
    results[count - 1] = at::cat({out.detach().flatten(), qkv.grad().flatten()});
  }
  at::set_num_threads(threads);
  EXPECT_TRUE(at::equal(results[0], results[1]));
}

}  // namespace
}  // namespace continuo
