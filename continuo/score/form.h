#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "continuo/core/result.h"

namespace continuo {

struct FormSection {
  std::string name = "A";  // a letter from A to Z, or one with strokes: A'
  size_t bars = 0;         // 0: an even share, with all others
  bool operator==(const FormSection&) const = default;
};

/// The sections of a piece. A name that is there again returns.
struct PieceForm {
  std::vector<FormSection> before;  // those before a stroke |
  std::vector<FormSection> sections;
  bool empty() const { return sections.empty(); }
};

/// Reads sections with their bars, "A8 B8 A8 C8"; small letters count as capitals, and commas as
/// spaces. Sections without bars, "AABA", have even shares. "A8 B8 | A8" has sections before
/// others.
///
/// Fails, naming what is wrong and what is expected, on other texts, on more than 10,000 sections
/// or bars of one, and if some sections have bars and others have not.
Result<PieceForm> ParseForm(std::string_view text);

size_t BarsOf(std::span<const FormSection> sections);

/// The sections, each with its number of bars. Fails if that is not `bars` together, or if `bars`
/// cannot be shared evenly. `sections` is not empty.
Result<std::vector<FormSection>> SectionsOver(std::vector<FormSection> sections, size_t bars);

}  // namespace continuo
