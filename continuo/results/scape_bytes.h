#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "continuo/metrics/scape_plot.h"

namespace continuo {

/// A fitness scape plot as the column pieces.scape holds it: a u32 n, little-endian, the piece's
/// frames; then for each length 1..n the fitness of each segment of that many frames, a byte from 0
/// to 255 for 0 to 1. Lengths that were not measured are 0.
std::vector<uint8_t> PackScape(const ScapePlot& scape);

/// The same plot with at most `size` frames. Each cell is the largest of those that it stands for.
/// Empty where `scape` is not a plot.
std::vector<uint8_t> ReduceScape(std::span<const uint8_t> scape, size_t size);

}  // namespace continuo
