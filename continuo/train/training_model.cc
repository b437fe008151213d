#include "continuo/train/training_model.h"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>

#include <algorithm>
#include <optional>

#include "continuo/core/check.h"
#include "continuo/core/rng.h"
#include "continuo/engine/torch/device.h"
#include "continuo/engine/torch/transformer.h"
#include "continuo/os/machine.h"
#include "continuo/train/checkpoint.h"
#include "continuo/train/gradient_buckets.h"
#include "continuo/train/optimizer.h"

namespace continuo {
namespace {

/// [rows, ...], or [0, 0]. Refers to the values.
at::Tensor AsTensor(const std::vector<int64_t>& values, size_t rows) {
  if (rows == 0) {
    return at::empty({0, 0}, at::kLong);
  }
  return at::from_blob(const_cast<int64_t*>(values.data()),
                       {static_cast<int64_t>(rows), static_cast<int64_t>(values.size() / rows)}, at::kLong);
}

/// A number for (seed, step, micro-batch) that no other has.
uint64_t DrawFor(uint64_t seed, uint64_t step, uint64_t micro) {
  constexpr uint64_t kDropoutStream = uint64_t{4} << 56;
  return Rng(seed, kDropoutStream | micro << 48 | step).NextU64();
}

NumberFormat ComputePrecision(PrecisionChoice choice) {
  CONTINUO_CHECK(choice != PrecisionChoice::kAuto);
  return choice == PrecisionChoice::kBf16 ? NumberFormat::kBf16 : NumberFormat::kF32;
}

}  // namespace

struct TrainingModel::Parts {
  Parts(const TrainSettings& wanted, Communicator& ranks)
      : settings(wanted),
        model(wanted.model, ComputePrecision(wanted.precision), wanted.seed,
              LayersFor(ParseDevice(wanted.device, 0).value())),
        optimizer(model, wanted.optimizer) {
    model.set_label_smoothing(wanted.label_smoothing);
    if (ranks.size() > 1) {
      buckets.emplace(model, ranks);
    }
  }
  TrainSettings settings;
  Transformer model;
  Optimizer optimizer;
  std::optional<GradientBuckets> buckets;
};

TrainingModel::TrainingModel(const TrainSettings& settings, Communicator& ranks)
    : parts_(std::make_unique<Parts>(settings, ranks)) {}

TrainingModel::~TrainingModel() = default;

double TrainingModel::AccumulateGradients(const Batch& batch, const Cut& cut) {
  auto& [settings, model, optimizer, buckets] = *parts_;
  const at::Tensor ids = AsTensor(batch.ids, batch.rows);
  const at::Tensor targets = AsTensor(batch.targets, batch.rows);
  const auto slack = static_cast<uint64_t>(settings.model.context_length) - batch.context;
  model.ZeroGradients();
  double nll = 0;
  for (size_t row = 0, micro = cut.first; row < batch.rows; row += cut.rows, ++micro) {
    const auto rows = static_cast<int64_t>(std::min(cut.rows, batch.rows - row));
    const uint64_t draw = DrawFor(settings.seed, cut.step, micro);
    model.set_first_position(static_cast<int64_t>(draw % (slack + 1)));
    if (buckets && row + cut.rows >= batch.rows) {
      buckets->Begin();
      model.set_gradient_observer([&to = *buckets](size_t parameter) { to.OnGradient(parameter); });
    }
    nll += model.AccumulateGradients(ids.narrow(0, static_cast<int64_t>(row), rows),
                                     targets.narrow(0, static_cast<int64_t>(row), rows),
                                     1.0 / static_cast<double>(cut.targets), draw);
  }
  model.set_first_position(0);
  if (buckets) {
    model.set_gradient_observer(nullptr);
    if (batch.rows == 0) {
      buckets->Begin();
    }
    buckets->Finish();
  }
  return nll;
}

double TrainingModel::GradientNorm() const {
  return continuo::GradientNorm(parts_->model.parameters());
}

void TrainingModel::Update(double gradient_norm, const ScheduleValue& value) {
  if (parts_->settings.clip > 0) {
    ClipGradients(parts_->model.parameters(), gradient_norm, parts_->settings.clip);
  }
  parts_->optimizer.Step(value.lr, value.beta1);
  parts_->model.RefreshCompute();
}

double TrainingModel::EvaluateNll(const Batch& batch) {
  return parts_->model.EvaluateNll(AsTensor(batch.ids, batch.rows), AsTensor(batch.targets, batch.rows));
}

void TrainingModel::SwapAverage() {
  parts_->optimizer.SwapAverage();
}

Status TrainingModel::SaveModel(const TrainData& data, bool as_bf16, const std::filesystem::path& directory) const {
  return continuo::SaveModel(parts_->model, data, as_bf16, directory);
}

Status TrainingModel::SaveCheckpoint(const TrainingFile& training, const TrainData& data,
                                     const std::filesystem::path& directory) {
  return continuo::SaveCheckpoint(parts_->model, parts_->optimizer, training, data, directory);
}

Status TrainingModel::LoadCheckpoint(const std::filesystem::path& directory, uint64_t step) {
  return continuo::LoadCheckpoint(directory, step, parts_->model, parts_->optimizer);
}

Result<std::string> TrainingModel::LoadWeights(const std::filesystem::path& directory,
                                               const std::string& vocab_sha256) {
  return continuo::LoadWeights(directory, vocab_sha256, parts_->settings.seed, parts_->model);
}

Result<ProcessDevice> FindDevice(const std::string& name, int local_rank) {
  CONTINUO_ASSIGN(const at::Device found, ParseDevice(name, local_rank));
  return ProcessDevice{found.str(), found.is_cuda() ? std::optional<int>(found.index()) : std::nullopt};
}

Result<PrecisionChoice> PrecisionOn(PrecisionChoice choice, const std::string& device) {
  if (choice != PrecisionChoice::kAuto) {
    return choice;
  }
  CONTINUO_ASSIGN(const at::Device found, ParseDevice(device, 0));
  return MultipliesBf16(found) ? PrecisionChoice::kBf16 : PrecisionChoice::kF32;
}

Status PrepareLibTorch(const std::string& device, uint64_t threads) {
  CONTINUO_ASSIGN(const at::Device found, ParseDevice(device, 0));
  at::set_num_threads(static_cast<int>(ThreadCount(threads)));
  MakeDeterministic(found);
  return {};
}

}  // namespace continuo
