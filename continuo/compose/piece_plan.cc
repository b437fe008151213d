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
constexpr size_t kMostParts = 10000;  // sections of a form, numbers of a course
constexpr std::string_view kFormExample = "expected letters with numbers of bars, like \"A8 B8 A8 C8\"";

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

/// The sections of a part of a form. `at` is where it begins in the whole text.
Result<std::vector<FormSection>> ParseSections(std::string_view text, size_t at) {
  std::vector<FormSection> sections;
  for (size_t i = 0; i < text.size();) {
    char c = text[i];
    if (IsSpace(c)) {
      ++i;
      continue;
    }
    c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    if (c < 'A' || c > 'Z') {
      size_t end = i + 1;
      while (end < text.size() && (static_cast<uint8_t>(text[end]) & 0xC0) == 0x80) {
        ++end;  // of a character of several bytes
      }
      return MakeError("form: '{}' at byte {} is not a letter from A to Z; {}", text.substr(i, end - i), at + i + 1,
                       kFormExample);
    }
    if (sections.size() == kMostParts) {
      return MakeError("form: has more than {} sections", kMostParts);
    }
    FormSection section{.letter = c};
    ++i;
    if (i < text.size() && text[i] >= '0' && text[i] <= '9') {
      const char* end = text.data() + text.size();
      const auto [rest, error] = std::from_chars(text.data() + i, end, section.bars);
      if (error != std::errc() || section.bars < 1 || section.bars > kMaxBars) {
        return MakeError("form: section {} ({}) has a number of bars that is not from 1 to {}", sections.size() + 1, c,
                         kMaxBars);
      }
      i = static_cast<size_t>(rest - text.data());
    }
    sections.push_back(section);
  }
  return sections;
}

Result<PieceForm> ParseForm(std::string_view text) {
  PieceForm form;
  const size_t stroke = text.find('|');
  const size_t begin = stroke == std::string_view::npos ? 0 : stroke + 1;
  CONTINUO_ASSIGN(form.sections, ParseSections(text.substr(begin), begin));
  if (stroke != std::string_view::npos) {
    CONTINUO_ASSIGN(form.before, ParseSections(text.substr(0, stroke), 0));
  }
  if (form.sections.empty()) {
    return MakeError("form: '{}' has no section of new bars; {}", text.substr(0, kMostShown), kFormExample);
  }
  const auto counted = [](const FormSection& section) { return section.bars > 0; };
  const bool all = std::all_of(form.sections.begin(), form.sections.end(), counted) &&
                   std::all_of(form.before.begin(), form.before.end(), counted);
  const bool none = std::none_of(form.sections.begin(), form.sections.end(), counted) && form.before.empty();
  if (!all && !none) {
    return MakeError("form: '{}' has sections without a number of bars; {}", text.substr(0, kMostShown), kFormExample);
  }
  return form;
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

size_t BarsOf(std::span<const FormSection> sections) {
  size_t bars = 0;
  for (const FormSection& section : sections) {
    bars += section.bars;
  }
  return bars;
}

/// The new sections, each with its number of bars.
Result<std::vector<FormSection>> SectionsOver(const PieceForm& form, size_t bars) {
  std::vector<FormSection> sections = form.sections;
  if (sections.front().bars == 0) {
    if (bars % sections.size() != 0) {
      return Error{fmt::format("form: {} new bars cannot be divided evenly among {} sections", bars, sections.size()),
                   "write the bars after each letter, like \"A8 B8 A8 C8\""};
    }
    for (FormSection& section : sections) {
      section.bars = bars / sections.size();
    }
  }
  if (const size_t asked = BarsOf(sections); asked != bars) {
    return MakeError("form: its sections have {} bars, but there are {} new ones", asked, bars);
  }
  return sections;
}

Status SetRepeats(const PieceForm& form, const std::vector<FormSection>& sections, size_t first_bar,
                  std::vector<BarPlan>& plans) {
  struct Begun {
    char letter;
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
    begun.push_back({section.letter, bar, section.bars});
    bar += section.bars;
  }
  for (size_t s = 0; s < sections.size(); ++s) {
    const FormSection& section = sections[s];
    for (size_t i = 0; i < section.bars; ++i) {
      const auto before = std::find_if(begun.rbegin(), begun.rend(), [&](const Begun& other) {
        return other.letter == section.letter && other.bars > i;
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
                         section.letter, lag, kLongestRepeat);
      }
      repeat = static_cast<int>(lag);
    }
    begun.push_back({section.letter, bar, section.bars});
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
    CONTINUO_ASSIGN(sections, SectionsOver(plan.form, bars));
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
