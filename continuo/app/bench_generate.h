#pragma once

#include "continuo/app/command.h"

namespace continuo {

/// `bench generate`: tokens a second of a GPT-2 of random weights.
void AddBenchGenerateCommand(CLI::App& bench, AppContext& context);

}  // namespace continuo
