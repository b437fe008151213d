#pragma once

#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace continuo {

/// A setting of a training: its key in a spec, what it may be, and the flag of continuo-train that it becomes. It may
/// stand in [train], for all runs, in a model's table, or, as a list, in [grid].
struct TrainSetting {
  enum class Kind { kInteger, kReal, kText, kSwitch };
  std::string_view name;
  Kind kind;
  std::string_view flag;
  double least = 0;  // of numbers
  double most = 0;
  std::string_view choices{};  // of texts: "first|all"
};

std::span<const TrainSetting> TrainSettings();
const TrainSetting* FindTrainSetting(std::string_view name);

/// The study's values of all of them, an object by name.
nlohmann::ordered_json DefaultTrainSettings();

/// The flags that say `settings`, an object that has every setting.
std::vector<std::string> TrainFlags(const nlohmann::ordered_json& settings);

}  // namespace continuo
