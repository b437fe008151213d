#pragma once

#include <cstdint>
#include <vector>

#include "continuo/core/result.h"
#include "continuo/score/score.h"

namespace continuo {

/// What a page needs to play and draw a piece, in few bytes: numbers as LEB128 (7 bits a byte, low ones first, the high
/// bit says that more follow), times as differences, in this order:
///
///     ticks a quarter
///     tick at which what was given ends and what is new begins; 0 where all is new
///     tempos:  count, then each: ticks since the one before, microseconds a quarter
///     bars:    count, then each: ticks since the one before
///     pedals:  count, then each: ticks since the one before, duration
///     notes:   count, then each: ticks since the one before, duration, pitch (one byte), velocity (one byte)
///
/// Notes and pedals are those of all tracks but drums, in the order of time. Fails on more than 100,000 of anything.
Result<std::vector<uint8_t>> PackNotes(const Score& score, int64_t prompt_bars);

}  // namespace continuo
