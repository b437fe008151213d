#pragma once

#include <cstdint>
#include <vector>

#include "continuo/core/result.h"
#include "continuo/core/stop_token.h"
#include "continuo/metrics/chroma.h"

namespace continuo {

/// The similarity of each frame of a piece to each other one.
struct SimilarityMatrix {
  int64_t frames = 0;
  std::vector<double> values;  // [frames, frames]: 0..1, or a penalty below 0
};

/// The similarity of 16 frames (8 seconds) from each frame, forwards or backwards, to 16 from each
/// other frame, the best of 12 transpositions and 7 relative tempos from half to double. The
/// highest quarter of the matrix is scaled to 0..1 in steps of 2^-20, the rest is -2, the main
/// diagonal 1. Exact in integers, so the same on every machine. Takes 16 bytes of memory per cell.
/// Fails only when `progress` asks to stop. Source: Mueller, Jiang and Grosche, "A robust fitness
/// measure for capturing repetitions in music recordings", IEEE Transactions on Audio, Speech and
/// Language Processing 21 (2013), with the parameters of MusDr.
Result<SimilarityMatrix> ComputeSelfSimilarity(const ChromaFeatures& chroma, const StopToken& stop = {});

}  // namespace continuo
