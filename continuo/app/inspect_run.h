#pragma once

#include <filesystem>

#include "continuo/app/command.h"

namespace continuo {

/// Whether a directory is that of a training run.
bool IsRun(const std::filesystem::path& path);

/// Sums a training run up, from its train.jsonl and its newest checkpoint: how far it is, its
/// losses, its speed, what it keeps.
Status InspectRun(const std::filesystem::path& path, const AppContext& context);

}  // namespace continuo
