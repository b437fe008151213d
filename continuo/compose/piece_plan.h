#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "continuo/core/result.h"
#include "continuo/score/form.h"

namespace continuo {

/// Levels of density or loudness, 0 to 7, over the new bars.
struct LevelCourse {
  struct Point {
    double level = 0;
    size_t bar = 1;  // counted from 1
  };
  std::vector<double> levels;  // one: of all bars; several: one for each section of the form
  std::vector<Point> points;   // instead: at rising bars, lines between them, level before and after
  bool empty() const { return levels.empty() && points.empty(); }
};

/// What is asked of the plan tokens of new bars (REMIPlan). What is empty is the model's choice.
struct PiecePlan {
  PieceForm form;        // of the new bars, all of them; before it that of the last bars before them
  LevelCourse density;   // notes
  LevelCourse loudness;  // velocity
  bool empty() const { return form.empty() && density.empty() && loudness.empty(); }
};

/// A part of a PiecePlan as text, for flags, JSON and language bindings.
struct PlanField {
  std::string_view name;  // "density"
  std::string_view flag;  // "--density"
  std::string_view help;
};

/// form, density and loudness.
std::span<const PlanField> PlanFields();

/// True if PlanFields() has the name.
bool IsPlanField(std::string_view name);

/// Sets one part of a plan; an empty text sets none.
///
/// - form: as ParseForm reads it. A name that is there again returns: its bars repeat those of the
///   section of that name before. Sections before a stroke are those of the last bars before the new
///   ones: "A8 B8 | A8".
/// - density, loudness: one level, "5"; one for each section of the form, "2 5 2 6"; or points
///   LEVEL:BAR, "2:1 6:24". Levels are 0 to 7, with decimals; the nearest token is taken.
///
/// Fails, naming the part, what is wrong in it and what is expected. `name` is one of PlanFields().
Status SetPlanField(std::string_view name, std::string_view text, PiecePlan& plan);

/// What is asked of one bar.
struct BarPlan {
  std::optional<int> repeat;    // lag; 0: none
  std::optional<int> density;   // 0 to 7
  std::optional<int> loudness;  // 0 to 7
};

/// The plan of each of `bars` new bars, which `first_bar` bars come before.
///
/// Bar i of a section repeats bar i of the last section of its name that has one. The first bar of
/// a section whose name is new repeats none, except at the start of a continuation whose
/// earlier sections are not given. All other bars are free to repeat.
///
/// Fails if the form does not have exactly `bars` bars, has more before the new ones than there
/// are, or returns after more than 64 bars; if there are several levels, but not one for each
/// section; and on a point that is not among the bars.
Result<std::vector<BarPlan>> PlanBars(const PiecePlan& plan, size_t first_bar, size_t bars);

}  // namespace continuo
