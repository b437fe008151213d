#include "continuo/app/plan_flags.h"

namespace continuo {

void AddPlanFlags(CLI::App& command, PlanFlags& flags) {
  command.add_option("--chords", flags.chords,
                     "follow this chord progression, repeated to the end: \"C | Am | F G7\"; needs a remichord or "
                     "remiplan model");
  flags.plan.resize(PlanFields().size());
  for (size_t i = 0; i < flags.plan.size(); ++i) {
    const PlanField& field = PlanFields()[i];
    command.add_option(std::string(field.flag), flags.plan[i], std::string(field.help));
  }
}

Status SetPlan(const PlanFlags& flags, ComposeOptions& options) {
  if (!flags.chords.empty()) {
    CONTINUO_ASSIGN(options.chords, ParseChordProgression(flags.chords));
  }
  for (size_t i = 0; i < flags.plan.size(); ++i) {
    CONTINUO_TRY(SetPlanField(PlanFields()[i].name, flags.plan[i], options.plan));
  }
  return {};
}

}  // namespace continuo
