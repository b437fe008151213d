#include "continuo/compose/piece_plan.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <utility>

#include "continuo/compose/generate.h"
#include "continuo/core/check.h"
#include "continuo/token/plan.h"

namespace continuo {
namespace {

constexpr double kHighestLevel = 7;
constexpr size_t kMostShown = 60;     // characters of a text in a message
constexpr size_t kMostParts = 10000;  // numbers of a course

constexpr std::array<PlanField, 3> kFields = {{
    {"form", "--form",
     "sections with their bars: \"A8 B8 A8 C8\"; a letter that returns repeats its bars; needs a remiplan model"},
    {"density", "--density",
     "how many notes, 0 to 7: one number, one for each section, or points LEVEL:BAR: \"2:1 6:24\"; needs a remiplan "
     "model"},
    {"loudness", "--loudness", "how loud, 0 to 7, as --density"},
}};

bool IsSpace(char c) {
  return c == ' ' || c == '\t' || c == ',';
}

/// A decimal number from `least` to `most` that is all of `text`.
std::optional<double> ParseNumber(std::string_view text, double least, double most) {
  double value = 0;
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed);
  const bool fits = error == std::errc() && rest == text.data() + text.size() && value >= least && value <= most;
  return fits ? std::optional(value) : std::nullopt;
}

Result<LevelCourse> ParseCourse(std::string_view name, std::string_view text) {
  LevelCourse course;
  for (size_t i = 0; i < text.size();) {
    if (IsSpace(text[i])) {
      ++i;
      continue;
    }
    const size_t end =
        std::min(static_cast<size_t>(std::find_if(text.begin() + static_cast<std::ptrdiff_t>(i), text.end(), IsSpace) -
                                     text.begin()),
                 text.size());
    const std::string_view whole = text.substr(i, end - i);
    const std::string_view word = whole.substr(0, kMostShown);
    i = end;
    const size_t colon = whole.find(':');
    const std::optional<double> level = ParseNumber(whole.substr(0, colon), 0, kHighestLevel);
    if (!level) {
      return MakeError(
          "{}: '{}' does not begin with a level from 0 to 7; expected one number, like 5, one for each "
          "section, like \"2 5 2\", or points LEVEL:BAR, like \"2:1 6:24\"",
          name, word);
    }
    if (course.levels.size() + course.points.size() == kMostParts) {
      return MakeError("{}: has more than {} numbers", name, kMostParts);
    }
    if (colon == std::string_view::npos) {
      course.levels.push_back(*level);
    } else {
      const std::optional<double> bar = ParseNumber(whole.substr(colon + 1), 1, static_cast<double>(kMaxBars));
      if (!bar || *bar != std::floor(*bar)) {
        return MakeError("{}: '{}' does not end with a bar from 1 to {}; expected LEVEL:BAR, like 2:1", name, word,
                         kMaxBars);
      }
      const auto at = static_cast<size_t>(*bar);
      if (!course.points.empty() && course.points.back().bar >= at) {
        return MakeError("{}: '{}' comes after bar {}; expected rising bars", name, word, course.points.back().bar);
      }
      course.points.push_back({*level, at});
    }
    if (!course.levels.empty() && !course.points.empty()) {
      return MakeError("{}: '{}' has both points LEVEL:BAR and levels without bars; expected one or the other", name,
                       text.substr(0, kMostShown));
    }
  }
  if (course.empty()) {
    return MakeError("{}: is empty, expected a level from 0 to 7", name);
  }
  return course;
}

Status SetRepeats(const PieceForm& form, const std::vector<FormSection>& sections, size_t first_bar,
                  std::vector<BarPlan>& plans) {
  struct Begun {
    std::string_view name;
    size_t bar;  // of the piece
    size_t bars;
  };
  const size_t known = BarsOf(form.before);
  if (known > first_bar) {
    return MakeError("form: the sections before '|' have {} bars, but {} come before the new ones", known, first_bar);
  }
  std::vector<Begun> begun;
  size_t bar = first_bar - known;
  for (const FormSection& section : form.before) {
    begun.push_back({section.name, bar, section.bars});
    bar += section.bars;
  }
  for (size_t s = 0; s < sections.size(); ++s) {
    const FormSection& section = sections[s];
    for (size_t i = 0; i < section.bars; ++i) {
      const auto before = std::find_if(begun.rbegin(), begun.rend(), [&](const Begun& other) {
        return other.name == section.name && other.bars > i;
      });
      std::optional<int>& repeat = plans[bar + i - first_bar].repeat;
      if (before == begun.rend()) {
        if (i == 0 && (s > 0 || first_bar == 0 || !form.before.empty())) {
          repeat = kNoRepeat;
        }
        continue;
      }
      const size_t lag = bar - before->bar;
      if (lag > static_cast<size_t>(kLongestRepeat)) {
        return MakeError("form: bar {} of section {} ({}) returns after {} bars, expected at most {}", i + 1, s + 1,
                         section.name, lag, kLongestRepeat);
      }
      repeat = static_cast<int>(lag);
    }
    begun.push_back({section.name, bar, section.bars});
    bar += section.bars;
  }
  return {};
}

/// On lines between the points.
double LevelAt(const std::vector<LevelCourse::Point>& points, size_t bar) {
  const auto after =
      std::find_if(points.begin(), points.end(), [bar](const LevelCourse::Point& point) { return point.bar > bar; });
  if (after == points.begin()) {
    return points.front().level;
  }
  const LevelCourse::Point& before = *(after - 1);
  if (after == points.end()) {
    return before.level;
  }
  const double share = static_cast<double>(bar - before.bar) / static_cast<double>(after->bar - before.bar);
  return before.level + share * (after->level - before.level);
}

Status SetLevels(std::string_view name, const LevelCourse& course, const std::vector<FormSection>& sections,
                 std::optional<int> BarPlan::* member, std::vector<BarPlan>& plans) {
  if (!course.points.empty()) {
    if (const size_t last = course.points.back().bar; last > plans.size()) {
      return MakeError("{}: bar {} is not among the {} new bars", name, last, plans.size());
    }
    for (size_t bar = 0; bar < plans.size(); ++bar) {
      plans[bar].*member = static_cast<int>(std::lround(LevelAt(course.points, bar + 1)));
    }
    return {};
  }
  if (course.levels.size() == 1) {
    for (BarPlan& plan : plans) {
      plan.*member = static_cast<int>(std::lround(course.levels.front()));
    }
    return {};
  }
  if (course.levels.size() != sections.size()) {
    return Error{
        fmt::format("{}: has {} levels, but the form has {} sections", name, course.levels.size(), sections.size()),
        "write one level, one for each section of the form, or points LEVEL:BAR"};
  }
  size_t bar = 0;
  for (size_t s = 0; s < sections.size(); ++s) {
    for (const size_t end = bar + sections[s].bars; bar < end; ++bar) {
      plans[bar].*member = static_cast<int>(std::lround(course.levels[s]));
    }
  }
  return {};
}

}  // namespace

std::span<const PlanField> PlanFields() {
  return kFields;
}

bool IsPlanField(std::string_view name) {
  return std::any_of(kFields.begin(), kFields.end(), [name](const PlanField& field) { return field.name == name; });
}

Status SetPlanField(std::string_view name, std::string_view text, PiecePlan& plan) {
  if (name == "form") {
    plan.form = {};
    if (!text.empty()) {
      CONTINUO_ASSIGN(plan.form, ParseForm(text));
    }
    return {};
  }
  CONTINUO_CHECK(name == "density" || name == "loudness");
  LevelCourse& course = name == "density" ? plan.density : plan.loudness;
  course = {};
  if (!text.empty()) {
    CONTINUO_ASSIGN(course, ParseCourse(name, text));
  }
  return {};
}

Result<std::vector<BarPlan>> PlanBars(const PiecePlan& plan, size_t first_bar, size_t bars) {
  if (bars > kMaxBars || first_bar > kMaxBars) {
    return MakeError("bars is {}, expected 1 to {}", std::max(bars, first_bar), kMaxBars);
  }
  std::vector<BarPlan> plans(bars);
  std::vector<FormSection> sections;
  if (!plan.form.empty()) {
    CONTINUO_ASSIGN(sections, SectionsOver(plan.form.sections, bars));
    CONTINUO_TRY(SetRepeats(plan.form, sections, first_bar, plans));
  }
  if (!plan.density.empty()) {
    CONTINUO_TRY(SetLevels("density", plan.density, sections, &BarPlan::density, plans));
  }
  if (!plan.loudness.empty()) {
    CONTINUO_TRY(SetLevels("loudness", plan.loudness, sections, &BarPlan::loudness, plans));
  }
  return plans;
}

}  // namespace continuo
