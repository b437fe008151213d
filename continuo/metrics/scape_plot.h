#pragma once

#include <cstdint>
#include <vector>

#include "continuo/core/result.h"
#include "continuo/core/stop_token.h"
#include "continuo/metrics/similarity_matrix.h"

namespace continuo {

/// The fitness of every segment of a piece, by its length and start in frames: how well and how
/// much of the piece repetitions of the segment explain. Drawn with length upwards, it is the
/// fitness scape plot.
struct ScapePlot {
  int64_t frames = 0;
  int64_t min_length = 1;
  int64_t max_length = 0;       // at most `frames`
  std::vector<double> fitness;  // [max_length - min_length + 1, frames]; 0 if the segment would not end in the piece

  /// `length` lies in [min_length, max_length], `start` in [0, frames).
  double At(int64_t length, int64_t start) const {
    return fitness[static_cast<size_t>((length - min_length) * frames + start)];
  }
  /// The largest fitness of segments of `shortest` to `longest` frames; 0 if there are none or none
  /// is above 0.
  double Largest(int64_t shortest, int64_t longest) const;
};

/// The fitness of all segments of `min_length` to `max_length` frames, as MusDr computes it, to the
/// last bit. Work is the sum of frames x length over the segments: 4e9 steps, and 0.3 s with
/// AVX-512, for 450 frames and lengths 6..256 of a matrix whose values are whole steps of 2^-20
/// from -2 to 1; others, and those beyond 2,047 frames, take more than twice as long. Values must
/// be finite. Fails only when `stop`, which is asked before each length, requests it. Source:
/// Mueller, Jiang and Grosche (2013); MusDr's Python.
Result<ScapePlot> ComputeScapePlot(const SimilarityMatrix& matrix, int64_t min_length, int64_t max_length,
                                   const StopToken& stop = {});

}  // namespace continuo
