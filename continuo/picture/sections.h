#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "continuo/core/result.h"
#include "continuo/score/score.h"

namespace continuo {

/// Bars [first, last) of a piece, counted from 0, under a name. Sections of one name are alike.
struct Section {
  std::string name;  // "A"
  size_t first = 0;
  size_t last = 0;
  bool operator==(const Section&) const = default;
};

/// The sections of a form, as ParseForm reads it, whose bars (with those before a stroke |) are all
/// `bars` of a piece. Fails as ParseForm and SectionsOver.
Result<std::vector<Section>> ParseSections(std::string_view text, size_t bars);

/// Finds what returns in a piece: of each four bars (the last group may be shorter) the earlier
/// four bars that are most alike give the name, if at least half of the notes of one are in the
/// other on average (BarLikeness::exact); otherwise they get a new name. Groups without notes have
/// no section. Names are A to Z, then A1 to Z1, and so on.
std::vector<Section> FindSections(const Score& score);

}  // namespace continuo
