#pragma once

#include <string>
#include <vector>

#include "continuo/app/command.h"
#include "continuo/compose/composer.h"

namespace continuo {

/// What is asked of new bars, in text: the flags --form, --density, --loudness and --chords.
struct PlanFlags {
  std::vector<std::string> plan;  // by PlanFields()
  std::string chords;
};

void AddPlanFlags(CLI::App& command, PlanFlags& flags);

/// Sets the plan and the chords of the options.
Status SetPlan(const PlanFlags& flags, ComposeOptions& options);

}  // namespace continuo
