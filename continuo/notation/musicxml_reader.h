#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string_view>

#include "continuo/core/result.h"
#include "continuo/score/score_file.h"

namespace continuo {

/// Larger files, and larger contents of compressed files, are not read.
inline constexpr size_t kMaxMusicXmlBytes = size_t{32} << 20;
/// More notes, repeats played out, are not read.
inline constexpr size_t kMaxMusicXmlNotes = 2'000'000;

/// Whether a file's name is that of MusicXML: .musicxml, .xml or .mxl, in any case.
bool IsMusicXmlName(const std::filesystem::path& path);

/// Reads MusicXML (score-partwise), as text or compressed (.mxl), from memory. `name` stands for
/// the file in messages.
///
/// Each part becomes a track, and its notes without pitch a track of drums. Read are notes with
/// ties, chords and voices, at their sounding pitch; velocities from notes, <sound> and dynamic
/// marks; tempos, time and key signatures; the program of a part's first instrument; chord symbols,
/// as markers. Repeats and endings are played out. Grace and cue notes are left out, with a
/// warning. A bar that is shorter or longer than its signature gets one of its own.
///
/// Fails, naming part and measure, on XML that is not well-formed, on score-timewise, on what
/// would change the order of measures in other ways (da capo, dal segno, coda, fine, repeated
/// measures written as a sign), on values out of range, and on more than the limits allow. DTDs are
/// passed over and external entities never read. Memory is bounded by a multiple of the input and
/// the notes; nothing recurses on the input. Any number of threads may read.
Result<ScoreAndWarnings> ParseMusicXml(std::span<const uint8_t> bytes, std::string_view name);

}  // namespace continuo
