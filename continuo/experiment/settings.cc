#include "continuo/experiment/settings.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "continuo/core/check.h"

namespace continuo {
namespace {

using Kind = TrainSetting::Kind;
using Json = nlohmann::ordered_json;

constexpr std::array<TrainSetting, 30> kSettings = {{
    {"layers", Kind::kInteger, "--layers", 1, 1000},
    {"heads", Kind::kInteger, "--heads", 1, 1000},
    {"width", Kind::kInteger, "--width", 1, 65536},
    {"context", Kind::kInteger, "--context", 1, 65536},
    {"dropout", Kind::kReal, "--dropout", 0, 0.99},
    {"epochs", Kind::kInteger, "--epochs", 1, 1e6},
    {"batch", Kind::kInteger, "--batch", 1, 1e6},
    {"grad_accum", Kind::kInteger, "--grad-accum", 1, 1e6},
    {"blocks", Kind::kText, "--blocks", 0, 0, "first|all"},
    {"transpose", Kind::kSwitch, "--augment-transpose"},
    {"vary_velocity", Kind::kSwitch, "--augment-velocity"},
    {"vary_tempo", Kind::kSwitch, "--augment-tempo"},
    {"short_share", Kind::kReal, "--short-share", 0, 1},
    {"short_context", Kind::kInteger, "--short-context", 1, 65536},
    {"optimizer", Kind::kText, "--optimizer", 0, 0, "adamw|muon"},
    {"lr", Kind::kReal, "--lr", 1e-12, 1e3},
    {"schedule", Kind::kText, "--schedule", 0, 0, "onecycle|cosine|linear|constant"},
    {"warmup", Kind::kReal, "--warmup", 0, 1},
    {"div_factor", Kind::kReal, "--div-factor", 1e-6, 1e12},
    {"final_div_factor", Kind::kReal, "--final-div-factor", 1e-6, 1e12},
    {"no_cycle_momentum", Kind::kSwitch, "--no-cycle-momentum"},
    {"beta1", Kind::kReal, "--beta1", 0, 0.9999},
    {"beta2", Kind::kReal, "--beta2", 0, 0.999999},
    {"epsilon", Kind::kReal, "--epsilon", 0, 1},
    {"weight_decay", Kind::kReal, "--weight-decay", 0, 1e3},
    {"decay_matrices_only", Kind::kSwitch, "--decay-matrices-only"},
    {"label_smoothing", Kind::kReal, "--label-smoothing", 0, 0.99},
    {"clip", Kind::kReal, "--clip", 0, 1e9},
    {"precision", Kind::kText, "--precision", 0, 0, "bf16|f32"},
    {"export_bf16", Kind::kSwitch, "--export-bf16"},
}};

}  // namespace

std::span<const TrainSetting> TrainSettings() {
  return kSettings;
}

const TrainSetting* FindTrainSetting(std::string_view name) {
  const auto found = std::find_if(kSettings.begin(), kSettings.end(),
                                  [name](const TrainSetting& setting) { return setting.name == name; });
  return found == kSettings.end() ? nullptr : &*found;
}

Json DefaultTrainSettings() {
  return {{"layers", 12},
          {"heads", 12},
          {"width", 768},
          {"context", 1024},
          {"dropout", 0.1},
          {"epochs", 100},
          {"batch", 8},
          {"grad_accum", 1},
          {"blocks", "all"},
          {"transpose", false},
          {"vary_velocity", false},
          {"vary_tempo", false},
          {"short_share", 0.0},
          {"short_context", 512},
          {"optimizer", "adamw"},
          {"lr", 4e-4},
          {"schedule", "onecycle"},
          {"warmup", 0.3},
          {"div_factor", 25.0},
          {"final_div_factor", 1e4},
          {"no_cycle_momentum", false},
          {"beta1", 0.9},
          {"beta2", 0.999},
          {"epsilon", 1e-8},
          {"weight_decay", 1e-5},
          {"decay_matrices_only", false},
          {"label_smoothing", 0.0},
          {"clip", 1.0},
          {"precision", "bf16"},
          {"export_bf16", false}};
}

std::vector<std::string> TrainFlags(const Json& settings) {
  std::vector<std::string> flags;
  for (const TrainSetting& setting : kSettings) {
    const auto found = settings.find(setting.name);
    CONTINUO_CHECK(found != settings.end());
    if (setting.kind == Kind::kSwitch) {
      if (found->get<bool>()) {
        flags.emplace_back(setting.flag);
      }
      continue;
    }
    flags.emplace_back(setting.flag);
    flags.push_back(found->is_string() ? found->get<std::string>() : found->dump());
  }
  return flags;
}

}  // namespace continuo
