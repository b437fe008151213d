#pragma once

#include "continuo/app/command.h"

namespace continuo {

/// Adds `bench generate`: tokens per second of a model with random weights.
void AddBenchGenerateCommand(CLI::App& bench, AppContext& context);

}  // namespace continuo
