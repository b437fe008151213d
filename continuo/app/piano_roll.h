#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "continuo/score/score.h"

namespace continuo {

/// A small picture of a score's notes, in lines of text: time runs to the right, pitch upwards, and
/// below are the bars' numbers. A character is two steps of time by four of pitch (Braille dots,
/// UTF-8). Drums are left out unless there is nothing else. No lines where there are no notes.
/// `columns` (at least 16) and `rows` bound its size without the line of bars; time is stretched
/// and pitch pressed together to fit.
std::vector<std::string> DrawPianoRoll(const Score& score, size_t columns, size_t rows);

/// "C4" of 60, "A#0" of 22.
std::string PitchName(int pitch);

}  // namespace continuo
