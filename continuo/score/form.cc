#include "continuo/score/form.h"

#include <algorithm>
#include <charconv>
#include <cstdint>

namespace continuo {
namespace {

constexpr size_t kMost = 10000;    // sections of a form, bars of a section
constexpr size_t kMostShown = 60;  // characters of a text in a message
constexpr std::string_view kExample = "expected letters with numbers of bars, like \"A8 B8 A8 C8\"";

/// `at` is where the text begins in that of the whole form.
Result<std::vector<FormSection>> ParseSections(std::string_view text, size_t at) {
  std::vector<FormSection> sections;
  for (size_t i = 0; i < text.size();) {
    char c = text[i];
    if (c == ' ' || c == '\t' || c == ',') {
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
                       kExample);
    }
    if (sections.size() == kMost) {
      return MakeError("form: has more than {} sections", kMost);
    }
    FormSection section{.name = std::string(1, c)};
    const size_t strokes = std::min(text.find_first_not_of('\'', i + 1), text.size());
    section.name.append(text.substr(i + 1, strokes - i - 1));
    i = strokes;
    if (i < text.size() && text[i] >= '0' && text[i] <= '9') {
      const char* end = text.data() + text.size();
      const auto [rest, error] = std::from_chars(text.data() + i, end, section.bars);
      if (error != std::errc() || section.bars < 1 || section.bars > kMost) {
        return MakeError("form: section {} ({}) has a number of bars that is not from 1 to {}", sections.size() + 1,
                         section.name.substr(0, kMostShown), kMost);
      }
      i = static_cast<size_t>(rest - text.data());
    }
    sections.push_back(std::move(section));
  }
  return sections;
}

}  // namespace

Result<PieceForm> ParseForm(std::string_view text) {
  PieceForm form;
  const size_t stroke = text.find('|');
  const size_t begin = stroke == std::string_view::npos ? 0 : stroke + 1;
  CONTINUO_ASSIGN(form.sections, ParseSections(text.substr(begin), begin));
  if (stroke != std::string_view::npos) {
    CONTINUO_ASSIGN(form.before, ParseSections(text.substr(0, stroke), 0));
  }
  if (form.sections.empty()) {
    return MakeError("form: '{}' has no section{}; {}", text.substr(0, kMostShown),
                     stroke == std::string_view::npos ? "" : " after '|'", kExample);
  }
  const auto counted = [](const FormSection& section) { return section.bars > 0; };
  const bool all = std::all_of(form.sections.begin(), form.sections.end(), counted) &&
                   std::all_of(form.before.begin(), form.before.end(), counted);
  const bool none = std::none_of(form.sections.begin(), form.sections.end(), counted) && form.before.empty();
  if (!all && !none) {
    return MakeError("form: '{}' has sections without a number of bars; {}", text.substr(0, kMostShown), kExample);
  }
  return form;
}

size_t BarsOf(std::span<const FormSection> sections) {
  size_t bars = 0;
  for (const FormSection& section : sections) {
    bars += section.bars;
  }
  return bars;
}

Result<std::vector<FormSection>> SectionsOver(std::vector<FormSection> sections, size_t bars) {
  if (sections.front().bars == 0) {
    if (bars % sections.size() != 0) {
      return Error{fmt::format("form: {} bars cannot be divided evenly among {} sections", bars, sections.size()),
                   "write the bars after each letter, like \"A8 B8 A8 C8\""};
    }
    for (FormSection& section : sections) {
      section.bars = bars / sections.size();
    }
  }
  if (const size_t asked = BarsOf(sections); asked != bars) {
    return MakeError("form: its sections have {} bars together, expected {}", asked, bars);
  }
  return sections;
}

}  // namespace continuo
