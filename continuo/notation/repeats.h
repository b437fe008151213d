#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "continuo/core/result.h"

namespace continuo {

/// What the bar lines of a measure say about repeats.
struct MeasureRepeat {
  bool forward = false;          // a repeated section begins
  int32_t backward = 0;          // it ends, and is played so often in all; 0: it does not end
  std::vector<int32_t> endings;  // the measure belongs to the ending of these passes; empty: to all
};

/// The measures in the order of playing. Without a forward sign, a section begins after the last
/// that ended. Endings after an ending with a backward sign belong to the same section. Fails where
/// more than `limit` measures come out.
Result<std::vector<size_t>> PlayingOrder(const std::vector<MeasureRepeat>& measures, size_t limit,
                                         std::string_view name);

}  // namespace continuo
