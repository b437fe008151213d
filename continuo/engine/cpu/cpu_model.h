#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include "continuo/core/result.h"
#include "continuo/engine/cpu/packed_matrix.h"
#include "continuo/model/language_model.h"
#include "continuo/model/model_directory.h"
#include "continuo/model/number_format.h"

namespace continuo {

struct CpuModelOptions {
  size_t threads = 0;  // 0: one for each core
  /// What the weights are computed in; if not set, what they are stored in (F16 as f32). Keys and
  /// values are kept in the same.
  std::optional<NumberFormat> precision = std::nullopt;
};

/// What a directory's weights are computed in if nothing else is asked for.
NumberFormat StoredPrecision(const ModelDirectory& directory);

/// Bytes that a model takes while it is used.
struct MemoryNeed {
  uint64_t weights = 0;
  uint64_t sequence = 0;  // keys and values of each of a session's slots
};
MemoryNeed EstimateMemory(const ModelConfig& config, NumberFormat precision);

/// Loads a model to compute on the CPU. The directory may be closed afterwards: weights in 8 bits
/// stay where they are mapped and keep their file, others are copied. One session at a time may be
/// used of all that share a model, since they share its threads. Fails on a weight that is no
/// number.
Result<std::unique_ptr<LanguageModel>> LoadCpuModel(const ModelDirectory& directory, const CpuModelOptions& options);

}  // namespace continuo
