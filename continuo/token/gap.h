#pragma once

#include <cstddef>

namespace continuo {

/// How ids put a piece with a gap to a model that writes bars given those on both sides: BOS and
/// the bars before (or a window of the last of them), a MASK per missing bar, the bars after, BOS;
/// then come the missing bars and EOS. Bars are cut where they begin (Tokenizer::BarOffsets).
///
/// The most bars that a gap has in training.
inline constexpr size_t kMostGapBars = 8;

}  // namespace continuo
