#include "continuo/run/training_state.h"

#include <array>
#include <nlohmann/json.hpp>
#include <type_traits>
#include <utility>

#include "continuo/core/check.h"
#include "continuo/os/file.h"
#include "continuo/run/run_directory.h"
#include "continuo/run/setting.h"

namespace continuo {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr std::string_view kFile = "training.json";
constexpr std::string_view kFormat = "continuo-training";
constexpr int kVersion = 2;

/// Names of version 1 for settings that have another key in specs.
constexpr std::array<std::pair<std::string_view, std::string_view>, 4> kNamesOfVersion1 = {{
    {"augment_transpose", "transpose"},
    {"augment_velocity", "vary_velocity"},
    {"augment_tempo", "vary_tempo"},
    {"average_decay", "ema"},
}};

Json FromVersion1(const Json& settings) {
  Json translated = Json::object();
  for (const auto& [key, value] : settings.items()) {
    std::string_view name = key;
    for (const auto& [old_name, now] : kNamesOfVersion1) {
      name = name == old_name ? now : name;
    }
    if (name == "cycle_momentum" && value.is_boolean()) {
      translated["no_cycle_momentum"] = !value.get<bool>();
    } else {
      translated[std::string(name)] = value;
    }
  }
  return translated;
}

/// Reads a number that is not negative. Returns whether there is one.
template <typename T>
bool ReadNumber(const Json& object, const char* key, T& value) {
  const auto found = object.find(key);
  if (found == object.end() || !found->is_number() || found->template get<double>() < 0) {
    return false;
  }
  value = found->template get<T>();
  return true;
}

std::optional<TrainState> ReadState(const Json& saved) {
  TrainState state;
  const auto short_windows = saved.is_object() ? saved.find("short_windows") : saved.end();
  if (!saved.is_object() || short_windows == saved.end() || !short_windows->is_boolean()) {
    return std::nullopt;
  }
  state.short_windows = short_windows->get<bool>();
  if (!ReadNumber(saved, "step", state.step) || !ReadNumber(saved, "epoch", state.epoch) ||
      !ReadNumber(saved, "block", state.block) || !ReadNumber(saved, "tokens", state.tokens) ||
      !ReadNumber(saved, "seconds", state.seconds) || !ReadNumber(saved, "best_nll", state.best_nll) ||
      !ReadNumber(saved, "best_step", state.best_step)) {
    return std::nullopt;
  }
  // The first checkpoints of version 1 do not have these.
  ReadNumber(saved, "stale", state.stale);
  ReadNumber(saved, "first_loss", state.first_loss);
  return state;
}

}  // namespace

std::string RunIdentity(const TrainSettings& settings, const DataIdentity& data) {
  Json identity = {{"vocab_sha256", data.vocab_sha256},
                   {"songs", data.songs},
                   {"data_sha256", data.data_sha256},
                   {"vocab_size", data.vocab_size}};
  for (const TrainSetting& row : TrainSettingTable()) {
    if (row.effect == TrainSetting::Effect::kWeights) {
      identity[std::string(row.key)] = row.value.get(settings);
    }
  }
  return identity.dump();
}

std::string FirstDifference(std::string_view saved_text, std::string_view wanted_text) {
  const Json saved = Json::parse(saved_text, nullptr, /*allow_exceptions=*/false);
  const Json wanted = Json::parse(wanted_text, nullptr, /*allow_exceptions=*/false);
  CONTINUO_CHECK(saved.is_object() && wanted.is_object());
  const TrainSettings defaults;
  for (const auto& [key, value] : wanted.items()) {
    const auto found = saved.find(key);
    const TrainSetting* row = FindTrainSetting(key);
    if (found == saved.end() && row == nullptr) {
      continue;  // of the data: there is nothing to compare with
    }
    const Json before = found != saved.end() ? *found : row->value.get(defaults);
    if (before != value) {
      return fmt::format("{} was {}, is now {}", row != nullptr ? row->flag : key, before.dump(), value.dump());
    }
  }
  return {};
}

Status WriteTrainingFile(const fs::path& checkpoint, const TrainingFile& file) {
  const TrainState& state = file.state;
  const Json training = {{"format", kFormat},
                         {"version", kVersion},
                         {"settings", Json::parse(file.identity)},
                         {"state",
                          {{"step", state.step},
                           {"epoch", state.epoch},
                           {"block", state.block},
                           {"short_windows", state.short_windows},
                           {"tokens", state.tokens},
                           {"seconds", state.seconds},
                           {"best_nll", state.best_nll},
                           {"best_step", state.best_step},
                           {"stale", state.stale},
                           {"first_loss", state.first_loss}}}};
  return WriteFileAtomically(checkpoint / kFile, training.dump(2) + "\n");
}

Result<TrainingFile> ReadTrainingFile(const fs::path& checkpoint) {
  const fs::path path = checkpoint / kFile;
  CONTINUO_ASSIGN(const std::string text, ReadTextFile(path));
  const Json training = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  const Json version = training.is_object() ? training.value("version", Json()) : Json();
  if (!training.is_object() || training.value("format", Json()) != kFormat || (version != 1 && version != kVersion)) {
    return MakeError("{}: is not a training state of version 1 or {}", path.string(), kVersion);
  }
  const Json settings = training.value("settings", Json());
  const std::optional<TrainState> state = ReadState(training.value("state", Json()));
  if (!settings.is_object() || !state) {
    return MakeError("{}: \"settings\" or a number of \"state\" is missing", path.string());
  }
  return TrainingFile{(version == 1 ? FromVersion1(settings) : settings).dump(), *state};
}

std::optional<PrecisionChoice> SavedPrecision(const fs::path& run) {
  const TrainSetting& row = *FindTrainSetting("precision");
  for (const fs::path& checkpoint : Checkpoints(run)) {
    const Result<TrainingFile> file = ReadTrainingFile(checkpoint);
    if (!file.ok()) {
      continue;
    }
    TrainSettings saved;
    if (const auto value = row.Accept(Json::parse(file->identity).value("precision", Json())); value.ok()) {
      row.value.set(saved, *value);
      return saved.precision;
    }
  }
  return std::nullopt;
}

}  // namespace continuo
