#include "continuo/train/program/text_sample.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/searchsorted.h>
#include <ATen/ops/tensor.h>

#include <algorithm>
#include <vector>

#include "continuo/core/rng.h"
#include "continuo/engine/torch/device.h"
#include "continuo/engine/torch/transformer.h"
#include "continuo/run/training_state.h"
#include "continuo/train/checkpoint.h"
#include "continuo/train/training_model.h"

namespace continuo {
namespace {

constexpr size_t kMostPieces = 80;
constexpr int64_t kTopK = 40;
constexpr double kTemperature = 0.8;

std::string SampleText(Transformer& model, const SubwordTokenizer& tokenizer, uint64_t seed, uint64_t index) {
  constexpr uint64_t kSampleStream = uint64_t{5} << 56;
  Rng rng(seed, kSampleStream | index);
  std::vector<int64_t> ids = {SubwordTokenizer::kBos};
  const size_t most = std::min(kMostPieces + 1, static_cast<size_t>(model.config().context_length));
  while (ids.size() < most) {
    const auto length = static_cast<int64_t>(ids.size());
    const at::Tensor logits = model.Logits(at::tensor(ids, at::kLong).view({1, length}))[0][length - 1];
    const int64_t kept = std::min<int64_t>(kTopK, logits.size(0));
    const auto [values, candidates] = logits.topk(kept);
    const at::Tensor cumulative = (values / kTemperature).softmax(0).cumsum(0);
    const auto pick =
        at::searchsorted(cumulative, rng.NextDouble(), /*out_int32=*/false, /*right=*/true).item<int64_t>();
    const auto next = candidates[std::min(pick, kept - 1)].item<int64_t>();
    if (next == SubwordTokenizer::kEos) {
      break;
    }
    ids.push_back(next);
  }
  std::vector<uint16_t> pieces(ids.begin() + 1, ids.end());
  return tokenizer.Decode(pieces);
}

}  // namespace

Result<std::vector<std::string>> SampleTexts(const TrainSettings& settings, size_t count,
                                             const SubwordTokenizer& tokenizer, const std::filesystem::path& run) {
  CONTINUO_ASSIGN(const at::Device device, ParseDevice(settings.device, 0));
  CONTINUO_ASSIGN(const PrecisionChoice precision,
                  PrecisionOn(SavedPrecision(run).value_or(settings.precision), settings.device));
  ModelConfig config = settings.model;
  config.vocab_size = static_cast<int64_t>(tokenizer.size());
  Transformer model(config, precision == PrecisionChoice::kBf16 ? NumberFormat::kBf16 : NumberFormat::kF32,
                    settings.seed, LayersFor(device));
  CONTINUO_TRY(LoadWeights(run / "final", "", settings.seed, model));
  std::vector<std::string> texts;
  for (size_t i = 0; i < count; ++i) {
    texts.push_back(SampleText(model, tokenizer, settings.seed, i));
  }
  return texts;
}

}  // namespace continuo
