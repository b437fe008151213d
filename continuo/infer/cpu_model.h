#pragma once

#include <cstddef>
#include <memory>

#include "continuo/core/result.h"
#include "continuo/model/language_model.h"
#include "continuo/model/model_directory.h"

namespace continuo {

struct CpuModelOptions {
  size_t threads = 0;  // 0: one for each core
};

/// Loads a GPT-2 to compute on the CPU in f32. The directory may be closed afterwards. One session at a time may be
/// used of all that share a model, since they share its threads. Fails on a weight that is no number.
Result<std::unique_ptr<LanguageModel>> LoadCpuModel(const ModelDirectory& directory, const CpuModelOptions& options);

}  // namespace continuo
