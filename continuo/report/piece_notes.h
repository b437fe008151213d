#pragma once

#include <cstdint>
#include <vector>

#include "continuo/core/result.h"
#include "continuo/score/score.h"

namespace continuo {

/// What a page needs to play and draw a piece, in few bytes: numbers as LEB128 (7 bits per byte,
/// low bits first, the high bit set if more follow), times as differences, in this order:
///
///     ticks per quarter
///     tick at which the prompt ends and the new bars begin; 0 if everything is new
///     tempos:  count, then each: ticks since the one before, microseconds per quarter
///     bars:    count, then each: ticks since the one before
///     pedals:  count, then each: ticks since the one before, duration
///     notes:   count, then each: ticks since the one before, duration, pitch (one byte), velocity (one byte)
///
/// Notes and pedals are those of all tracks except drums, in the order of time. Fails if there are
/// more than 100,000 of any of these.
Result<std::vector<uint8_t>> PackNotes(const Score& score, int64_t prompt_bars);

}  // namespace continuo
