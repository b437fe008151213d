#pragma once

#include <CLI/CLI.hpp>
#include <initializer_list>
#include <optional>
#include <string_view>

#include "continuo/run/train_settings.h"
#include "continuo/train/program/run_training.h"

namespace continuo {

/// Adds a flag for each row of the table of settings but those of TrainSetting::Absence `absence`,
/// and a check of all settings together when they are parsed. The defaults shown are the values of
/// `settings`, which must outlive `app`.
void AddSettingFlags(CLI::App& app, TrainSettings& settings, unsigned absence);

/// Adds the flags of these keys only.
void AddSettingFlags(CLI::App& app, TrainSettings& settings, std::initializer_list<std::string_view> keys);

/// Adds the flags that say where a run is written and what is printed.
void AddRunFlags(CLI::App& app, RunOptions& options);

/// Parses the command line. Returns nothing if the program is to continue, else its exit code: 2
/// for a wrong flag.
std::optional<int> ParseArguments(CLI::App& app, int argc, char** argv);

}  // namespace continuo
