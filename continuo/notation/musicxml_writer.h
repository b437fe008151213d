#pragma once

#include <string>
#include <string_view>

#include "continuo/core/result.h"
#include "continuo/notation/sheet.h"

namespace continuo {

/// Sheet music as MusicXML 3.1 (score-partwise), UTF-8. Names are made valid UTF-8, and characters
/// that XML does not allow are left out. The same sheet gives the same bytes.
///
/// Each note has an attribute `dynamics` with its velocity as a percentage of 90, as the format
/// defines it.
std::string WriteMusicXml(const Sheet& sheet);

/// Engrave, then WriteMusicXml.
Result<std::string> ScoreToMusicXml(const Score& score, const NotationOptions& options, std::string_view name);

}  // namespace continuo
