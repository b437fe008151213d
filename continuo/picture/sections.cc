#include "continuo/picture/sections.h"

#include <algorithm>
#include <array>
#include <map>
#include <utility>

#include "continuo/metrics/form.h"
#include "continuo/score/bars.h"
#include "continuo/score/form.h"

namespace continuo {
namespace {

constexpr size_t kGroup = 4;          // bars
constexpr double kAlike = 0.5;        // of a group's mean
constexpr size_t kMostGroups = 2000;  // compared with each other

std::string NameOf(size_t number) {
  std::string name(1, static_cast<char>('A' + number % 26));
  return number < 26 ? name : name + std::to_string(number / 26);
}

/// The patterns of the bars of each group, by the bar's place in it; null where a bar has no notes.
using Group = std::array<const BarPattern*, kGroup>;

/// The mean likeness of the bars of two groups, of those that have notes in either.
double Likeness(const Group& a, const Group& b) {
  double sum = 0;
  int bars = 0;
  for (size_t i = 0; i < kGroup; ++i) {
    if (a[i] != nullptr && b[i] != nullptr) {
      sum += a[i]->LikenessTo(*b[i]).exact;
    }
    bars += a[i] != nullptr || b[i] != nullptr ? 1 : 0;
  }
  return bars > 0 ? sum / bars : 0;
}

}  // namespace

Result<std::vector<Section>> ParseSections(std::string_view text, size_t bars) {
  CONTINUO_ASSIGN(PieceForm form, ParseForm(text));
  form.sections.insert(form.sections.begin(), form.before.begin(), form.before.end());
  CONTINUO_ASSIGN(const std::vector<FormSection> parts, SectionsOver(std::move(form.sections), bars));
  std::vector<Section> sections;
  for (size_t first = 0; const FormSection& part : parts) {
    sections.push_back({part.name, first, first + part.bars});
    first += part.bars;
  }
  return sections;
}

std::vector<Section> FindSections(const Score& score) {
  const BarGrid grid(score);
  std::vector<FormNote> notes;
  for (const Track& track : score.tracks) {
    for (const Note& note : track.notes) {
      const size_t bar = grid.BarAt(std::max<Tick>(note.time, 0));
      const int64_t into_bar = std::max<Tick>(note.time, 0) - grid.Line(bar);
      const int64_t whole = std::max<int64_t>(4 * int64_t{score.ticks_per_quarter}, 1);
      notes.push_back({.bar = static_cast<int64_t>(bar),
                       .position = RoundHalfToEven(into_bar * kFormPositions, whole),
                       .pitch = note.pitch,
                       .is_drum = track.is_drum,
                       .duration = static_cast<double>(note.duration)});
    }
  }
  std::stable_sort(notes.begin(), notes.end(), [](const FormNote& a, const FormNote& b) { return a.bar < b.bar; });
  if (notes.empty()) {
    return {};
  }
  const std::vector<BarPattern> patterns = BarPatternsOf(notes);
  const size_t bars = CountBars(score);
  std::map<size_t, Group> groups;  // those that have notes
  for (const BarPattern& pattern : patterns) {
    const auto bar = static_cast<size_t>(pattern.bar());
    groups[bar / kGroup][bar % kGroup] = &pattern;
    if (groups.size() > kMostGroups) {
      return {};
    }
  }
  std::vector<Section> sections;
  std::vector<const Group*> seen;
  size_t names = 0;
  for (const auto& [number, group] : groups) {
    double best = 0;
    size_t like = 0;
    for (size_t i = 0; i < seen.size(); ++i) {
      if (const double likeness = Likeness(group, *seen[i]); likeness > best) {
        best = likeness;
        like = i;
      }
    }
    sections.push_back({.name = best >= kAlike ? sections[like].name : NameOf(names++),
                        .first = number * kGroup,
                        .last = std::min((number + 1) * kGroup, bars)});
    seen.push_back(&group);
  }
  return sections;
}

}  // namespace continuo
