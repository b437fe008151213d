#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "continuo/core/result.h"
#include "continuo/corpus/blocks.h"
#include "continuo/run/schedule.h"
#include "continuo/run/train_settings.h"
#include "continuo/run/training_state.h"
#include "continuo/train/communicator.h"
#include "continuo/train/train_data.h"

namespace continuo {

/// The model of a run with its optimizer and gradients: everything that the trainer does with
/// tensors, through an interface without LibTorch. With several ranks, all make the same calls.
/// Methods throw LibTorch's exceptions. Not thread-safe.
class TrainingModel {
 public:
  /// Random weights, drawn by the seed. `settings` have passed Check and have a device and a
  /// precision that are not "auto"; `ranks` must outlive the model.
  TrainingModel(const TrainSettings& settings, Communicator& ranks);
  ~TrainingModel();

  /// How a batch of this rank is cut into micro-batches.
  struct Cut {
    size_t rows = 0;     // of a micro-batch
    size_t first = 0;    // the number of this rank's first micro-batch among those of all ranks
    uint64_t step = 0;   // with `first`, names the random draws
    size_t targets = 0;  // of all ranks
  };
  /// Replaces the gradients by those of the mean NLL over all ranks' targets. Returns the sum of
  /// NLL of this rank's.
  double AccumulateGradients(const Batch& batch, const Cut& cut);
  /// The L2 norm of all gradients.
  double GradientNorm() const;
  /// Clips gradients of this norm, and makes one update.
  void Update(double gradient_norm, const ScheduleValue& value);

  /// The sum of NLL without dropout.
  double EvaluateNll(const Batch& batch);
  /// Swaps the weights with their running average; a no-op without one.
  void SwapAverage();

  /// See checkpoint.h for these.
  Status SaveModel(const TrainData& data, bool as_bf16, const std::filesystem::path& directory) const;
  Status SaveCheckpoint(const TrainingFile& training, const TrainData& data, const std::filesystem::path& directory);
  Status LoadCheckpoint(const std::filesystem::path& directory, uint64_t step);
  Result<std::string> LoadWeights(const std::filesystem::path& directory, const std::string& vocab_sha256);

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

/// A device as one process uses it.
struct ProcessDevice {
  std::string name;        // "cpu", "cuda:1"
  std::optional<int> gpu;  // its number, of a GPU
};
/// The device that "cpu", "cuda", "cuda:N" or "auto" names (see ParseDevice). Fails if it does not
/// exist.
Result<ProcessDevice> FindDevice(const std::string& name, int local_rank);

/// What `choice` means on a device ("cpu", "cuda:1"): for kAuto, what that device is faster in.
/// Never kAuto.
Result<PrecisionChoice> PrecisionOn(PrecisionChoice choice, const std::string& device);

/// Sets LibTorch's threads (0: one per core) and makes its results on a device reproducible. Call
/// before a TrainingModel is made.
Status PrepareLibTorch(const std::string& device, uint64_t threads);

}  // namespace continuo
