#pragma once

#include <memory>
#include <string_view>

#include "continuo/core/result.h"
#include "continuo/model/language_model.h"
#include "continuo/model/model_directory.h"

namespace continuo {

/// Loads a model to compute by LibTorch on `device`: "cuda", "cuda:N", "cpu", or "auto" (see
/// ParseDevice), in bf16 or f32. The directory may be closed afterwards.
///
/// A step is computed for 64 sequences (on a CPU 8), however many there are, so that a sequence's
/// logits do not depend on the others. They agree with those of the CPU engine, and with those of
/// the same ids appended in other pieces, to rounding. Throws std::bad_alloc where a GPU has not
/// enough memory for a session.
Result<std::unique_ptr<LanguageModel>> LoadTorchModel(const ModelDirectory& directory, std::string_view device,
                                                      bool as_f32);

}  // namespace continuo
