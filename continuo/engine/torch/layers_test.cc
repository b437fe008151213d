#include "continuo/engine/torch/layers.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>
#include <functional>
#include <limits>
#include <tuple>

#include "continuo/engine/torch/layers_testing.h"

namespace continuo {
namespace {

using at::Tensor;

constexpr int64_t kRows = 70, kWidth = 24;

/// Values in [-2, 2] that look random; another set for each seed.
Tensor Values(at::IntArrayRef sizes, int seed) {
  int64_t count = 1;
  for (const int64_t size : sizes) {
    count *= size;
  }
  return at::sin(at::arange(count, at::kDouble).mul(12.9898 + seed)).mul(43758.5453).frac().mul(2).view(sizes);
}

class LayersTest : public testing::TestWithParam<LayerKind> {
 protected:
  using Function = std::function<std::vector<Tensor>(const std::vector<Tensor>&)>;

  Tensor Place(const Tensor& values, at::ScalarType type) const { return values.to(layers_->device(), type); }

  /// The results and the gradients of `function` at `inputs`, which are leaves, along fixed
  /// directions; in f64.
  static std::vector<Tensor> Run(const Function& function, const std::vector<Tensor>& inputs) {
    const std::vector<Tensor> outputs = function(inputs);
    std::vector<Tensor> directions;
    for (size_t i = 0; i < outputs.size(); ++i) {
      directions.push_back(Values(outputs[i].sizes(), 100 + static_cast<int>(i)).to(outputs[i].options()));
    }
    torch::autograd::backward(outputs, directions);
    std::vector<Tensor> results;
    for (const Tensor& output : outputs) {
      results.push_back(output.detach().to(at::kCPU, at::kDouble));
    }
    for (const Tensor& input : inputs) {
      results.push_back(input.grad().to(at::kCPU, at::kDouble));
    }
    return results;
  }

  /// Compares `function`, on inputs of the types given, with `definition` on the same values in
  /// f64.
  void ExpectEqual(const Function& function, const Function& definition, const std::vector<Tensor>& values,
                   const std::vector<at::ScalarType>& types, double tolerance) const {
    std::vector<Tensor> inputs, exact;
    for (size_t i = 0; i < values.size(); ++i) {
      inputs.push_back(Place(values[i], types[i]).requires_grad_(true));
      exact.push_back(values[i].to(types[i]).to(at::kDouble).requires_grad_(true));
    }
    const std::vector<Tensor> found = Run(function, inputs);
    const std::vector<Tensor> wanted = Run(definition, exact);
    ASSERT_EQ(found.size(), wanted.size());
    for (size_t i = 0; i < found.size(); ++i) {
      EXPECT_LE((found[i] - wanted[i]).norm().item<double>(), tolerance * wanted[i].norm().item<double>()) << i;
    }
  }

  const std::unique_ptr<const Layers> layers_ = GetParam().make();
};

INSTANTIATE_TEST_SUITE_P(Kinds, LayersTest, testing::ValuesIn(LayerKinds()), NameOf);

// Sums of some dozen f32 products keep 6 digits; bf16 rounds each input, result and gradient to 8
// bits, 0.4 %.
constexpr double kF32Tolerance = 1e-5, kBf16Tolerance = 1e-2;

TEST_P(LayersTest, AddRmsNormIsTheDefinition) {
  for (const at::ScalarType type : {at::kFloat, at::kBFloat16}) {
    ExpectEqual(
        [&](const std::vector<Tensor>& in) -> std::vector<Tensor> {
          const auto out = layers_->AddNorm(in[0] * 1, in[2], {}, in[1], std::nullopt, 1e-3, type);
          EXPECT_EQ(out.normed.scalar_type(), type);
          return {out.sum, out.normed};
        },
        [](const std::vector<Tensor>& in) -> std::vector<Tensor> {
          const Tensor sum = in[0] + in[2];
          return {sum, sum * (sum.square().mean(-1, true) + 1e-3).rsqrt() * in[1]};
        },
        {Values({kRows, kWidth}, 1) + 0.5, Values({kWidth}, 2), Values({kRows, kWidth}, 4)},
        {at::kFloat, at::kFloat, type}, type == at::kFloat ? kF32Tolerance : kBf16Tolerance);
  }
}

TEST_P(LayersTest, SwiGluIsTheDefinition) {
  for (const at::ScalarType type : {at::kFloat, at::kBFloat16}) {
    ExpectEqual([&](const auto& in) -> std::vector<Tensor> { return {layers_->SwiGlu(in[0])}; },
                [](const auto& in) -> std::vector<Tensor> {
                  const Tensor gate = in[0].narrow(1, 0, kWidth / 2);
                  return {gate / (1 + (-gate).exp()) * in[0].narrow(1, kWidth / 2, kWidth / 2)};
                },
                {Values({kRows, kWidth}, 1) * 3}, {type}, type == at::kFloat ? kF32Tolerance : kBf16Tolerance);
  }
}

TEST_P(LayersTest, AddNormIsTheDefinition) {
  for (const at::ScalarType type : {at::kFloat, at::kBFloat16}) {
    for (const bool has_branch : {true, false}) {
      const auto definition = [&](const std::vector<Tensor>& in) -> std::vector<Tensor> {
        const Tensor sum = has_branch ? in[0] + in[3] : in[0] * 1;
        return {sum, at::layer_norm(sum, {kWidth}, in[1], in[2], 1e-5)};
      };
      const auto function = [&](const std::vector<Tensor>& in) -> std::vector<Tensor> {
        const auto out =
            layers_->AddNorm(in[0] * 1, has_branch ? std::optional(in[3]) : std::nullopt, {}, in[1], in[2], 1e-5, type);
        EXPECT_EQ(out.normed.scalar_type(), type);
        EXPECT_EQ(out.sum.scalar_type(), at::kFloat);
        return {out.sum, out.normed};
      };
      std::vector<Tensor> values = {Values({kRows, kWidth}, 1), Values({kWidth}, 2), Values({kWidth}, 3)};
      std::vector<at::ScalarType> types = {at::kFloat, at::kFloat, at::kFloat};
      if (has_branch) {
        values.push_back(Values({kRows, kWidth}, 4));
        types.push_back(type);
      }
      ExpectEqual(function, definition, values, types, type == at::kFloat ? kF32Tolerance : kBf16Tolerance);
    }
  }
}

TEST_P(LayersTest, GeluIsTheDefinition) {
  for (const at::ScalarType type : {at::kFloat, at::kBFloat16}) {
    ExpectEqual([&](const auto& in) -> std::vector<Tensor> { return {layers_->Gelu(in[0])}; },
                [](const auto& in) -> std::vector<Tensor> {
                  const Tensor& x = in[0];
                  return {0.5 * x * (1 + at::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)))};
                },
                {Values({kRows, kWidth}, 1) * 2}, {type}, type == at::kFloat ? kF32Tolerance : kBf16Tolerance);
  }
}

TEST_P(LayersTest, AttentionIsTheDefinition) {
  constexpr int64_t kBatch = 2, kTime = 37, kHeads = 4, kHeadDim = 8;
  const Tensor angles = at::arange(kTime, at::kFloat).unsqueeze(1) / (1 + at::arange(kHeadDim / 2, at::kFloat));
  for (const at::ScalarType type : {at::kFloat, at::kBFloat16}) {
    for (const int64_t kv_heads : {kHeads, int64_t{2}}) {
      const bool rotary = kv_heads != kHeads;
      const auto definition = [&](const auto& in) -> std::vector<Tensor> {
        const auto rows = [&](int64_t first, int64_t count, bool turned) {
          Tensor part = in[0].narrow(2, first, count).transpose(1, 2);  // [batch, count, time, head_dim]
          if (turned && rotary) {
            const Tensor cos = angles.to(at::kDouble).cos();
            const Tensor sin = angles.to(at::kDouble).sin();
            const Tensor a = part.narrow(3, 0, kHeadDim / 2);
            const Tensor b = part.narrow(3, kHeadDim / 2, kHeadDim / 2);
            part = at::cat({a * cos - b * sin, b * cos + a * sin}, -1);
          }
          return part.repeat_interleave(kHeads / count, 1);
        };
        const Tensor ahead = at::ones({kTime, kTime}, at::kBool).triu(1);
        const Tensor weights = at::matmul(rows(0, kHeads, true), rows(kHeads, kv_heads, true).transpose(-1, -2))
                                   .div(std::sqrt(kHeadDim))
                                   .masked_fill(ahead, -std::numeric_limits<double>::infinity())
                                   .softmax(-1);
        return {at::matmul(weights, rows(kHeads + kv_heads, kv_heads, false)).transpose(1, 2)};
      };
      const RotaryTensors turns =
          rotary ? RotaryTensors{Place(angles.cos(), at::kFloat), Place(angles.sin(), at::kFloat)} : RotaryTensors{};
      ExpectEqual([&](const auto& in) -> std::vector<Tensor> { return {layers_->Attention(in[0], kHeads, turns, {})}; },
                  definition, {Values({kBatch, kTime, kHeads + 2 * kv_heads, kHeadDim}, 1)}, {type},
                  type == at::kFloat ? kF32Tolerance : kBf16Tolerance);
    }
  }
}

TEST_P(LayersTest, CrossEntropyIsTheDefinition) {
  constexpr double kScale = 0.25;
  for (const double smoothing : {0.0, 0.1}) {
    const Tensor values = Values({kRows, kWidth}, 1);
    const Tensor targets = at::arange(kRows, at::kLong).remainder(kWidth + 5).sub(5);  // some of them negative
    const Tensor exact = values.clone().requires_grad_(true);
    const Tensor kept = targets.ge(0).nonzero().flatten();
    const Tensor loss = at::cross_entropy_loss(exact.index_select(0, kept), targets.index_select(0, kept), {},
                                               at::Reduction::Sum, -100, smoothing) *
                        kScale;
    torch::autograd::backward({loss});
    const double nll =
        at::cross_entropy_loss(values.index_select(0, kept), targets.index_select(0, kept), {}, at::Reduction::Sum)
            .item<double>();
    for (const at::ScalarType type : {at::kFloat, at::kBFloat16}) {
      const double tolerance = type == at::kFloat ? kF32Tolerance : kBf16Tolerance;
      const Tensor logits = Place(values, type);
      const Tensor places = targets.to(layers_->device());
      EXPECT_NEAR(layers_->CrossEntropy(logits, places, 0, smoothing), nll, tolerance * nll);
      EXPECT_TRUE(at::equal(logits, Place(values, type)));
      EXPECT_NEAR(layers_->CrossEntropy(logits, places, kScale, smoothing), nll, tolerance * nll);
      const Tensor difference = logits.to(at::kCPU, at::kDouble) - exact.grad();
      EXPECT_LE(difference.norm().item<double>(), tolerance * exact.grad().norm().item<double>());
    }
  }
}

TEST_P(LayersTest, DropoutDropsItsShareByItsKey) {
  const auto dropped = [&](uint64_t key) {
    const Tensor x = at::ones({200, 500}, at::TensorOptions(layers_->device()).dtype(at::kFloat)).requires_grad_(true);
    const Tensor y = layers_->Drop(x, {key, 0.2F});
    torch::autograd::backward({y}, {at::ones_like(y)});
    EXPECT_TRUE(at::equal(x.grad(), y.detach()));  // the same are dropped on the backward pass
    return y.detach().cpu();
  };
  const Tensor first = dropped(1);
  EXPECT_TRUE(at::equal(dropped(1), first));
  EXPECT_FALSE(at::equal(dropped(2), first));
  EXPECT_TRUE(at::logical_or(first.eq(0), first.sub(1.25).abs().lt(1e-6)).all().item<bool>());
  // The deviation of a share of 100,000 draws is 0.0013.
  EXPECT_NEAR(first.eq(0).to(at::kDouble).mean().item<double>(), 0.2, 0.006);
}

}  // namespace
}  // namespace continuo
