#pragma once

#include <filesystem>

#include "continuo/core/result.h"
#include "continuo/model/model_directory.h"

namespace continuo {

/// Writes a model in fewer bits, with the texts beside it, into a directory that appears whole or
/// not at all. kBf16: all weights, as transformers reads them. kInt8: matrices as Int8Layout lays
/// them out, those that are already so unchanged, and the rest in bf16.
Status QuantizeModel(const ModelDirectory& model, NumberFormat format, const std::filesystem::path& directory);

}  // namespace continuo
