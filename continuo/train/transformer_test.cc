#include "continuo/engine/torch/transformer.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>

#include "continuo/engine/torch/layers_testing.h"
#include "continuo/model/model_directory.h"
#include "continuo/os/file.h"
#include "continuo/run/schedule.h"
#include "continuo/train/checkpoint.h"
#include "continuo/train/gradient_buckets.h"
#include "continuo/train/optimizer.h"

namespace continuo {
namespace {

namespace fs = std::filesystem;

const fs::path kGoldens = fs::path(CONTINUO_SOURCE_DIR) / "testdata" / "train";
const fs::path kSteps = kGoldens / "steps";

/// The shape of the models in testdata/train.
ModelConfig SmallConfig(Architecture architecture = Architecture::kGpt2) {
  ModelConfig config;
  config.architecture = architecture;
  if (architecture == Architecture::kLlama) {
    config.heads = 4;
    config.kv_head_count = 2;
    config.inner_width = 24;
    config.rope_theta = 500;
  } else {
    config.heads = 2;
  }
  config.vocab_size = 37;
  config.context_length = 24;
  config.width = 16;
  config.layers = 2;
  config.dropout = 0;
  return config;
}

/// ids[0 ... time-2] are followed by ids[1 ... time-1]: what transformers does with labels = ids.
struct Example {
  at::Tensor ids;
  at::Tensor targets;
  explicit Example(const at::Tensor& sequence)
      : ids(sequence.narrow(1, 0, sequence.size(1) - 1).contiguous()),
        targets(sequence.narrow(1, 1, sequence.size(1) - 1).contiguous()) {}
  double count() const { return static_cast<double>(targets.numel()); }
};

at::Tensor AsTensor(const nlohmann::json& rows) {
  std::vector<int64_t> values;
  for (const auto& row : rows) {
    for (const auto& id : row) {
      values.push_back(id.get<int64_t>());
    }
  }
  const auto count = static_cast<int64_t>(rows.size());
  return at::tensor(values, at::kLong).view({count, static_cast<int64_t>(values.size()) / count});
}

/// A fixed batch of random ids.
Example RandomExample(int64_t vocabulary, int64_t batch, int64_t time) {
  std::vector<int64_t> values;
  uint32_t state = 12345;
  for (int64_t i = 0; i < batch * time; ++i) {
    state = state * 1664525u + 1013904223u;
    values.push_back(static_cast<int64_t>(state >> 8) % vocabulary);
  }
  return Example(at::tensor(values, at::kLong).view({batch, time}));
}

/// Each weight is within 1e-3 of the file's.
void ExpectWeights(const Transformer& model, const fs::path& path) {
  const auto file = MappedFile::Open(path).value();
  const auto wanted = ParseSafetensors(file.bytes(), path.string()).value();
  std::map<std::string, const Tensor*> weights;
  for (const Tensor& tensor : wanted.tensors) {
    weights[tensor.name] = &tensor;
  }
  for (const Parameter& parameter : model.parameters()) {
    const Tensor* weight = weights.at(parameter.name);
    const at::Tensor master = parameter.master.detach().cpu();
    std::vector<float> values(static_cast<size_t>(master.numel()));
    ASSERT_EQ(weight->bytes.size(), values.size() * sizeof(float)) << parameter.name;
    std::memcpy(values.data(), weight->bytes.data(), weight->bytes.size());
    for (size_t i = 0; i < values.size(); ++i) {
      ASSERT_NEAR(master.data_ptr<float>()[i], values[i], 1e-3) << parameter.name << " " << i;
    }
  }
}

/// A way to compute the layers, and a kind of model.
using Kind = std::tuple<LayerKind, Architecture>;

std::string NameOfKind(const testing::TestParamInfo<Kind>& info) {
  return std::get<0>(info.param).name + "_" + std::string(ToString(std::get<1>(info.param)));
}

class TransformerTest : public testing::TestWithParam<Kind> {
 protected:
  static Architecture architecture() { return std::get<1>(GetParam()); }
  static ModelConfig Config() { return SmallConfig(architecture()); }
  static Transformer Make(const ModelConfig& config, NumberFormat precision, uint64_t seed) {
    return Transformer(config, precision, seed, std::get<0>(GetParam()).make());
  }
};

INSTANTIATE_TEST_SUITE_P(Kinds, TransformerTest,
                         testing::Combine(testing::ValuesIn(LayerKinds()),
                                          testing::Values(Architecture::kGpt2, Architecture::kLlama)),
                         NameOfKind);

TEST_P(TransformerTest, TwentyStepsFollowTransformersAndPyTorch) {
  const fs::path folder = architecture() == Architecture::kGpt2 ? kSteps : kGoldens / "llama_steps";
  const auto golden = nlohmann::json::parse(ReadTextFile(folder / "steps.json").value());
  Transformer model = Make(Config(), NumberFormat::kF32, 1);
  const auto loaded = LoadWeights(folder / "initial", "", 1, model);
  ASSERT_TRUE(loaded.ok()) << loaded.error().ToString();

  const at::Tensor logits = model.Logits(AsTensor(golden["ids"][0])).flatten();
  const auto expected = golden["first_logits"].get<std::vector<float>>();
  ASSERT_EQ(static_cast<size_t>(logits.numel()), expected.size());
  for (size_t i = 0; i < expected.size(); ++i) {
    ASSERT_NEAR(logits.data_ptr<float>()[i], expected[i], 1e-4) << i;
  }

  Optimizer optimizer(model, {.weight_decay = 1e-2});
  const ScheduleOptions schedule{.max_lr = 1e-2};
  for (size_t step = 0; step < 20; ++step) {
    const Example example(AsTensor(golden["ids"][step]));
    model.ZeroGradients();
    const double nll = model.AccumulateGradients(example.ids, example.targets, 1.0 / example.count(), step);
    const double loss = golden["losses"][step];
    EXPECT_NEAR(nll / example.count(), loss, 1e-4 * loss) << step;
    ClipGradients(model.parameters(), GradientNorm(model.parameters()), 1.0);
    const ScheduleValue value = ScheduleAt(schedule, static_cast<double>(step), 20);
    optimizer.Step(value.lr, value.beta1);
    model.RefreshCompute();
  }

  ExpectWeights(model, folder / "final.safetensors");
}

TEST_P(TransformerTest, SmoothedLabelsAndDecayOfMatricesAloneFollowPyTorch) {
  if (architecture() != Architecture::kGpt2) {
    return;  // the optimizer and the loss know nothing of it
  }
  const auto golden = nlohmann::json::parse(ReadTextFile(kSteps / "options.json").value());
  const auto batches = nlohmann::json::parse(ReadTextFile(kSteps / "steps.json").value())["ids"];
  Transformer model = Make(Config(), NumberFormat::kF32, 1);
  ASSERT_TRUE(LoadWeights(kSteps / "initial", "", 1, model).ok());
  model.set_label_smoothing(0.1);
  Optimizer optimizer(model, {.weight_decay = 0.1, .decay_matrices_only = true});
  for (size_t step = 0; step < 20; ++step) {
    const Example example(AsTensor(batches[step]));
    model.ZeroGradients();
    const double nll = model.AccumulateGradients(example.ids, example.targets, 1.0 / example.count(), step);
    const double loss = golden["losses"][step];
    EXPECT_NEAR(nll / example.count(), loss, 1e-4 * loss) << step;
    optimizer.Step(1e-2, 0);
    model.RefreshCompute();
  }
  ExpectWeights(model, kSteps / "options.safetensors");
}

class SlopeTest : public testing::TestWithParam<std::tuple<LayerKind, double, Architecture>> {};

TEST_P(SlopeTest, GradientsAreTheSlopesOfTheLoss) {
  ModelConfig config = SmallConfig(std::get<2>(GetParam()));
  config.dropout = std::get<1>(GetParam());
  Transformer model(config, NumberFormat::kF32, 3, std::get<0>(GetParam()).make());
  const Example example = RandomExample(37, 2, 13);
  constexpr uint64_t kSeed = 5;  // draws the same dropout each time
  model.AccumulateGradients(example.ids, example.targets, 1.0, kSeed);
  // Along the gradient g, the loss rises by h |g|^2 for a small step h.
  std::vector<at::Tensor> gradients;
  double squares = 0;
  for (const Parameter& parameter : model.parameters()) {
    gradients.push_back(parameter.gradient.clone());
    squares += parameter.gradient.square().sum().item<double>();
  }
  const double step = 2e-3 / std::sqrt(squares);
  const auto moved = [&](double by) {
    {
      at::NoGradGuard no_grad;
      for (size_t i = 0; i < gradients.size(); ++i) {
        model.parameters()[i].master.add_(gradients[i], by);
      }
    }
    model.RefreshCompute();
    return model.AccumulateGradients(example.ids, example.targets, 1.0, kSeed);
  };
  const double above = moved(step);
  const double below = moved(-2 * step);
  // Rounding of a loss of about 90 in f32 sums is some 1e-4 of the difference.
  EXPECT_NEAR((above - below) / (2 * step), squares, 2e-3 * squares);
}

INSTANTIATE_TEST_SUITE_P(Dropout, SlopeTest,
                         testing::Combine(testing::ValuesIn(LayerKinds()), testing::Values(0.0, 0.2),
                                          testing::Values(Architecture::kGpt2, Architecture::kLlama)));

TEST_P(TransformerTest, HardlyAnyDropoutIsNearNone) {
  const Example example = RandomExample(37, 2, 24);
  ModelConfig config = Config();
  Transformer without = Make(config, NumberFormat::kF32, 3);
  config.dropout = 1e-7;
  Transformer with = Make(config, NumberFormat::kF32, 3);
  const double nll = without.AccumulateGradients(example.ids, example.targets, 1.0, 0);
  EXPECT_NEAR(with.AccumulateGradients(example.ids, example.targets, 1.0, 0), nll, 1e-4 * nll);
  for (size_t i = 0; i < with.parameters().size(); ++i) {
    EXPECT_TRUE(at::allclose(with.parameters()[i].gradient, without.parameters()[i].gradient, 1e-3, 1e-4))
        << with.parameters()[i].name;
  }
}

TEST_P(TransformerTest, Bf16IsNearF32) {
  ModelConfig config = Config();
  config.width = 64;
  const Example example = RandomExample(37, 3, 24);
  Transformer exact = Make(config, NumberFormat::kF32, 3);
  Transformer rounded = Make(config, NumberFormat::kBf16, 3);
  const double nll = exact.AccumulateGradients(example.ids, example.targets, 1 / example.count(), 0);
  // bf16 has 8 bits: 0.4 % a rounding; sums of many average that out.
  EXPECT_NEAR(rounded.AccumulateGradients(example.ids, example.targets, 1 / example.count(), 0), nll, 5e-3 * nll);
  for (size_t i = 0; i < exact.parameters().size(); ++i) {
    const at::Tensor& wanted = exact.parameters()[i].gradient;
    const double difference = (rounded.parameters()[i].gradient - wanted).norm().item<double>();
    EXPECT_LE(difference, 0.05 * wanted.norm().item<double>() + 1e-5) << exact.parameters()[i].name;
  }
}

TEST_P(TransformerTest, MaskedTargetsCountForNothing) {
  Transformer model = Make(Config(), NumberFormat::kF32, 3);
  const Example example = RandomExample(37, 2, 13);
  at::Tensor masked = example.targets.clone();
  masked.narrow(1, 6, 6).fill_(-1);
  const double nll = model.EvaluateNll(example.ids, masked);
  EXPECT_NEAR(nll, model.EvaluateNll(example.ids.narrow(1, 0, 6).contiguous(), masked.narrow(1, 0, 6).contiguous()),
              1e-3);
  model.AccumulateGradients(example.ids, at::full_like(masked, -1), 1.0, 0);
  EXPECT_EQ(GradientNorm(model.parameters()), 0);
}

TEST_P(TransformerTest, GradientsOfMicroBatchesAddUp) {
  const Example example = RandomExample(37, 4, 13);
  Transformer whole = Make(Config(), NumberFormat::kF32, 3);
  whole.AccumulateGradients(example.ids, example.targets, 1.0, 0);
  Transformer parts = Make(Config(), NumberFormat::kF32, 3);
  for (const int64_t row : {0, 2}) {
    parts.AccumulateGradients(example.ids.narrow(0, row, 2), example.targets.narrow(0, row, 2), 1.0, 0);
  }
  for (size_t i = 0; i < whole.parameters().size(); ++i) {
    const at::Tensor& wanted = whole.parameters()[i].gradient;
    EXPECT_TRUE(at::allclose(parts.parameters()[i].gradient, wanted, 1e-4, 1e-5)) << whole.parameters()[i].name;
  }
}

TEST_P(TransformerTest, DropoutIsDrawnFromItsSeed) {
  ModelConfig config = Config();
  config.dropout = 0.3;
  Transformer model = Make(config, NumberFormat::kF32, 3);
  const Example example = RandomExample(37, 2, 13);
  const auto loss = [&](uint64_t seed) { return model.AccumulateGradients(example.ids, example.targets, 1.0, seed); };
  const double first = loss(1);
  EXPECT_EQ(loss(1), first);
  EXPECT_NE(loss(2), first);
  EXPECT_EQ(model.EvaluateNll(example.ids, example.targets), model.EvaluateNll(example.ids, example.targets));
}

TEST(OptimizerTest, MuonMovesAMatrixAlongAnOrthogonalOne) {
  Transformer model(SmallConfig(), NumberFormat::kF32, 3);
  Optimizer optimizer(model, {.kind = OptimizerKind::kMuon, .weight_decay = 0});
  Parameter& matrix = model.parameters()[6];
  ASSERT_EQ(matrix.name, "transformer.h.0.attn.c_proj.weight");
  // Singular values from 0.25 to 4.
  const at::Tensor rotation = std::get<0>(at::linalg_qr(at::sin(at::arange(256, at::kFloat).square()).view({16, 16})));
  matrix.gradient = at::mm(rotation, at::diag(at::linspace(0.25, 4, 16)));
  const at::Tensor before = matrix.master.detach().clone();
  optimizer.Step(1e-2, 0);
  // Those of the update are lr * 0.2 * sqrt(16) times what Newton-Schulz leaves of them, 0.6 to
  // 1.3.
  const at::Tensor values = at::linalg_svdvals((before - matrix.master.detach()) / (1e-2 * 0.2 * 4));
  EXPECT_GT(values.min().item<double>(), 0.5);
  EXPECT_LT(values.max().item<double>(), 1.4);
}

TEST(OptimizerTest, TheAverageFollowsTheWeightsAndIsExchangedForThem) {
  Transformer model(SmallConfig(), NumberFormat::kF32, 3);
  Optimizer optimizer(model, {.average_decay = 0.5});
  Parameter& parameter = model.parameters()[2];
  at::Tensor average;
  for (int update = 1; update <= 12; ++update) {
    parameter.gradient.fill_(update % 3 - 1.0);
    optimizer.Step(1e-2, 0);
    const double decay = update == 1 ? 0.0 : std::min(0.5, (1.0 + update) / (10.0 + update));
    const at::Tensor weights = parameter.master.detach();
    average = average.defined() ? average * decay + weights * (1 - decay) : weights.clone();
  }
  const at::Tensor weights = parameter.master.detach().clone();
  optimizer.SwapAverage();
  EXPECT_TRUE(at::allclose(parameter.master, average, 1e-5, 1e-7));
  EXPECT_FALSE(at::allclose(parameter.master, weights, 1e-5, 1e-7));
  optimizer.SwapAverage();
  EXPECT_TRUE(at::equal(parameter.master, weights));
}

/// Two ranks that happen to have the same gradients.
class Twins : public Communicator {
 public:
  int rank() const override { return 0; }
  int size() const override { return 2; }
  void StartSum(std::span<float> values) override {
    ++sums;
    for (float& value : values) {
      value *= 2;
    }
  }
  void Wait() override {}
  void Sum(std::span<double> /*values*/) override {}
  [[noreturn]] void Abort(int exit_code) override { std::_Exit(exit_code); }
  size_t sums = 0;
};

class GradientBucketsTest : public testing::TestWithParam<std::tuple<NumberFormat, Architecture>> {};

TEST_P(GradientBucketsTest, EveryGradientIsAddedUpOnceWhileTheWayBackRuns) {
  const auto [precision, architecture] = GetParam();
  const Example example = RandomExample(37, 2, 13);
  Transformer alone(SmallConfig(architecture), precision, 3);
  alone.AccumulateGradients(example.ids, example.targets, 1.0, 0);
  Transformer model(SmallConfig(architecture), precision, 3);
  Twins twins;
  GradientBuckets buckets(model, twins, 1024);
  for (int update = 0; update < 2; ++update) {  // hooks serve more than once
    model.ZeroGradients();
    twins.sums = 0;
    buckets.Begin();
    model.set_gradient_observer([&](size_t leaf) { buckets.OnGradient(leaf); });
    model.AccumulateGradients(example.ids, example.targets, 1.0, 0);
    model.set_gradient_observer(nullptr);
    EXPECT_GT(twins.sums, 5u);  // before Finish
    buckets.Finish();
    for (size_t i = 0; i < model.parameters().size(); ++i) {
      EXPECT_TRUE(at::equal(model.parameters()[i].gradient, 2 * alone.parameters()[i].gradient))
          << model.parameters()[i].name;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Precisions, GradientBucketsTest,
                         testing::Combine(testing::Values(NumberFormat::kF32, NumberFormat::kBf16),
                                          testing::Values(Architecture::kGpt2, Architecture::kLlama)));

}  // namespace
}  // namespace continuo
