#pragma once

#include <cstddef>

#include "continuo/score/score.h"

namespace continuo {

/// What begins in [from, to), moved so that `from` is tick 0; 0 <= from <= to.
///
/// The excerpt stands alone: the tempo, signatures, program, controllers, pitch bend and chord
/// marker in force at `from` are put at its head, and a pedal that is down there begins at 0. Notes
/// that began earlier are not in it. What sounds across `to` is cut there, and a pedal that is down
/// there is released, if `cut` is true; else both stay whole. All tracks are kept, also those that
/// are empty then. The lists of the score are in the order of time.
Score Excerpt(const Score& score, Tick from, Tick to, bool cut = true);

/// The bars [first, last) of a score (see BarGrid).
Score ExcerptBars(const Score& score, size_t first, size_t last, bool by_signature = true, bool cut = true);

}  // namespace continuo
