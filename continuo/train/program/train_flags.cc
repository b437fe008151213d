#include "continuo/train/program/train_flags.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "continuo/core/check.h"
#include "continuo/run/setting.h"

namespace continuo {
namespace {

using Kind = TrainSetting::Kind;

[[noreturn]] void ThrowWrongFlag(const std::string& message) {
  throw CLI::ValidationError(message, CLI::ExitCodes::ValidationError);
}

void SetFromText(const TrainSetting& row, std::string_view text, TrainSettings& settings) {
  const auto value = row.Parse(text);
  if (!value.ok()) {
    ThrowWrongFlag(fmt::format("{} {}", row.flag, value.error().message));
  }
  row.value.set(settings, *value);
}

/// The type in --help.
std::string TypeName(const TrainSetting& row) {
  switch (row.value.kind) {
    case Kind::kInteger:
    case Kind::kIntegers:
      return "INTEGER";
    case Kind::kReal:
      return "NUMBER";
    case Kind::kChoice:
      return fmt::format("{}", fmt::join(row.value.choices, "|"));
    case Kind::kText:
    case Kind::kSwitch:
      break;
  }
  return "TEXT";
}

void AddSettingFlag(CLI::App& app, TrainSettings& settings, const TrainSetting& row) {
  const std::string flag(row.flag);
  const std::string help(row.help);
  CLI::Option* option = nullptr;
  if (row.value.kind == Kind::kSwitch) {
    option =
        app.add_flag_function(flag, [&settings, &row](int64_t count) { row.value.set(settings, count > 0); }, help);
  } else {
    // Several texts, since a configuration file may hold a list.
    option = app.add_option_function<std::vector<std::string>>(
        flag,
        [&settings, &row](const std::vector<std::string>& texts) {
          SetFromText(row, fmt::format("{}", fmt::join(texts, ",")), settings);
        },
        help);
    option->type_name(TypeName(row))->default_str(row.ToText(row.value.get(settings)));
    if (row.value.kind != Kind::kIntegers) {
      option->expected(1);
    }
  }
  option->group(std::string(ToString(row.group)));
}

void CheckWhenParsed(CLI::App& app, const TrainSettings& settings) {
  app.callback([&settings] {
    if (const Status status = Check(settings); !status.ok()) {
      ThrowWrongFlag(status.error().message);
    }
  });
}

}  // namespace

void AddSettingFlags(CLI::App& app, TrainSettings& settings, unsigned absence) {
  for (const TrainSetting& row : TrainSettingTable()) {
    if ((row.absence & absence) == 0) {
      AddSettingFlag(app, settings, row);
    }
  }
  CheckWhenParsed(app, settings);
}

void AddSettingFlags(CLI::App& app, TrainSettings& settings, std::initializer_list<std::string_view> keys) {
  for (const std::string_view key : keys) {
    const TrainSetting* row = FindTrainSetting(key);
    CONTINUO_CHECK(row != nullptr);
    AddSettingFlag(app, settings, *row);
  }
  CheckWhenParsed(app, settings);
}

void AddRunFlags(CLI::App& app, RunOptions& options) {
  app.set_config("--config", "", "read flags from a TOML file, as in: layers = 6");
  app.add_option("-o,--output", options.output,
                 "the run's directory: latest/, best/, epoch-N/, percent-N/, final/, train.jsonl")
      ->required();
  app.add_flag("--resume", options.resume, "continue from the run's latest checkpoint");
  app.add_flag("-q,--quiet", options.quiet, "no progress");
  app.add_flag("--json", options.json, "a JSON line at the end");
}

std::optional<int> ParseArguments(CLI::App& app, int argc, char** argv) {
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  return std::nullopt;
}

}  // namespace continuo
