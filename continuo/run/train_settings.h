#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "continuo/core/result.h"
#include "continuo/corpus/blocks.h"
#include "continuo/model/model_config.h"
#include "continuo/run/optimizer_options.h"
#include "continuo/run/schedule.h"

namespace continuo {

/// What matrix products are computed in. kAuto: what the device is faster in; a resumed run keeps
/// its own.
enum class PrecisionChoice { kAuto, kBf16, kF32 };
inline constexpr std::array<std::string_view, 3> kPrecisionNames = {"auto", "bf16", "f32"};

/// Every setting of a training run. The defaults are the study's (docs/experiments.md), and are
/// stated here only. run/setting.h has a row for each of them: its name, flag, help and range.
struct TrainSettings {
  ModelConfig model;      // vocab_size comes from the data
  std::string init_from;  // a model directory whose weights the run begins with; empty: random weights

  // The length of the run: minutes if not 0, else steps if not 0, else epochs.
  uint64_t epochs = 100;
  std::vector<uint64_t> keep_epochs;  // the model after each of these epochs is kept in epoch-N
  /// The model after each of these shares of the run, in percent, is kept in percent-N.
  std::vector<uint64_t> keep_percents;
  uint64_t steps = 0;     // updates
  double minutes = 0;     // of wall clock; the schedule follows the clock, so that the last rate is low
  uint64_t patience = 0;  // ends after this many validations in a row without a lower NLL; 0: never

  uint64_t batch = 8;       // windows per micro-batch, over all ranks
  uint64_t grad_accum = 1;  // micro-batches per update
  BlockMode blocks = BlockMode::kAll;
  bool augment_transpose = false;
  bool augment_velocity = false;
  bool augment_tempo = false;
  double gap_share = 0;       // of windows (see BlockOptions)
  double plan_dropout = 0.2;  // of vocabularies with plans (see BlockOptions)
  /// The first `short_share` of the run uses windows of `short_context` ids, more of them per
  /// batch, so that a batch has the same number of ids, at positions drawn for each batch.
  double short_share = 0;
  uint64_t short_context = 512;

  OptimizerOptions optimizer;
  ScheduleOptions schedule;
  double label_smoothing = 0;  // share of each target that is spread over the vocabulary
  double clip = 1.0;           // upper bound of the gradients' norm; 0: none

  std::string device = "auto";  // auto, cpu, cuda or cuda:N
  PrecisionChoice precision = PrecisionChoice::kAuto;
  uint64_t seed = 1;               // of weights, order, dropout and augmentation
  uint64_t threads = 0;            // 0: one per core
  uint64_t valid_every = 0;        // updates between validations; 0: at the end of each epoch
  double checkpoint_minutes = 10;  // between checkpoints, in addition to those after validations
  uint64_t keep = 2;               // checkpoints to keep, the newest
  bool export_bf16 = false;        // `best`, `epoch-N`, `percent-N` and `final` in bf16
};

/// How a message names a setting: by its flag ("--grad-accum") or by its key in a spec
/// ("grad_accum").
enum class SettingNames { kFlags, kKeys };

/// A value that a run cannot have.
struct SettingsFault {
  std::vector<std::string_view> settings;  // the keys of those involved, the likeliest to be wrong first
  std::string message;                     // names each of them
};

/// The first value that is out of its range or does not fit another one. The only place that knows
/// these rules.
std::optional<SettingsFault> FindFault(const TrainSettings& settings, SettingNames names);

/// Fails with the message of the first fault.
Status Check(const TrainSettings& settings, SettingNames names = SettingNames::kFlags);

}  // namespace continuo
