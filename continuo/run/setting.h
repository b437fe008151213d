#pragma once

#include <limits>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "continuo/core/result.h"
#include "continuo/run/train_settings.h"

namespace continuo {

/// One row of the table of training settings. From the table come the flags of continuo-train and
/// their help, the keys of a spec, the comparison of --resume, the identity of an experiment's
/// cell, and the table in docs/training.md. A new setting is a member of TrainSettings, a row here,
/// and its use.
struct TrainSetting {
  using Json = nlohmann::ordered_json;
  static constexpr double kUnbounded = std::numeric_limits<double>::infinity();

  enum class Kind { kInteger, kReal, kSwitch, kChoice, kText, kIntegers };

  /// The type of a setting, the values that it may have, and the member of TrainSettings that holds
  /// it.
  struct Value {
    Kind kind;
    double least = 0;  // of numbers, and of each number of kIntegers
    double most = kUnbounded;
    bool above_least = false;  // `least` itself is not allowed
    std::span<const std::string_view> choices = {};
    Json (*get)(const TrainSettings&);
    void (*set)(TrainSettings&, const Json&);  // of a value that Accept returned
  };

  enum class Group { kModel, kLength, kBatches, kOptimizer, kRun };

  /// What depends on a setting.
  enum class Effect {
    kNone,     // speed, or files that nothing reads a result from
    kOutputs,  // which models are written, and how: part of a cell's identity; may change when a run is resumed
    kWeights,  // the weights: part of a cell's identity; a run with another value cannot be resumed
  };

  /// Where a setting is not offered.
  enum Absence : unsigned { kEverywhere = 0, kNotInSpec = 1, kNotInPretrain = 2 };

  std::string_view key;   // in a spec, in training.json and in a cell's identity
  std::string_view flag;  // of continuo-train
  std::string_view help;
  Group group;
  Value value;
  Effect effect;
  unsigned absence = kEverywhere;  // Absence flags

  std::string_view name(SettingNames names) const { return names == SettingNames::kFlags ? flag : key; }
  /// The allowed values in words: "an integer from 1 to 1000", "above 0", "first or all".
  std::string Expected() const;
  /// `value` in the type of the setting. The error's message continues the setting's name: "must be
  /// above 0, not 0".
  Result<Json> Accept(const Json& value) const;
  /// The same for a command line's text.
  Result<Json> Parse(std::string_view text) const;
  /// A value of Accept as the command line takes it.
  std::string ToText(const Json& value) const;
};

/// All settings, by group.
std::span<const TrainSetting> TrainSettingTable();
/// Null if there is no setting of that key.
const TrainSetting* FindTrainSetting(std::string_view key);
/// "Model", the heading of a group in --help and in the documentation.
std::string_view ToString(TrainSetting::Group group);

/// Sets the settings named by the keys of an object, whose values Accept returned.
void Apply(const nlohmann::ordered_json& values, TrainSettings& settings);

/// The flags by which continuo-train gets `settings`, but for those that a spec does not state.
std::vector<std::string> FlagsOf(const TrainSettings& settings);

}  // namespace continuo
