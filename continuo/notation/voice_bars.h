#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

#include "continuo/core/result.h"
#include "continuo/notation/sheet.h"
#include "continuo/notation/sheet_grid.h"

namespace continuo {

/// What one voice has in each bar: its notes cut where others of the voice begin or end, at bar
/// lines, and where the metre wants it, with rests between. Bars without notes are left empty.
/// `notes` are in the order of time, then pitch. Accidentals are not set. Fails where more than
/// `heads` note heads come out; takes them off.
Result<std::vector<std::vector<Symbol>>> WriteVoice(const std::vector<StaffNote>& notes, const SheetGrid& grid,
                                                    size_t& heads, std::string_view name);

/// The error of a sheet that grows too large.
Error TooManyNoteHeads(std::string_view name);

/// Sets the beams of a bar's symbols; `shift` is where in the metre they begin, 0 but for a pickup.
void SetBeams(std::vector<Symbol>& symbols, const Metre& metre, Unit shift = 0);

}  // namespace continuo
