#pragma once

#include <cstdint>
#include <vector>

#include "continuo/core/result.h"
#include "continuo/score/score.h"

namespace continuo {

/// The pitch classes that sound within 2.1 seconds around each half second, as vectors of length 1.
struct ChromaFeatures {
  static constexpr int kFramesPerSecond = 2;
  static constexpr int32_t kOne = 1 << 15;

  int64_t frames = 0;
  std::vector<int32_t> values;  // [frames, 12], 1.0 is kOne
};

/// The chroma of all notes except drums. Velocities and pedals are ignored, overlapping notes add
/// up. Without notes there are no frames. Fails on a piece of more than `max_frames`. Times in
/// `score` must not be negative.
Result<ChromaFeatures> ComputeChroma(const Score& score, int64_t max_frames);

}  // namespace continuo
