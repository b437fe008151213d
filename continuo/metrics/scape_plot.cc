#include "continuo/metrics/scape_plot.h"

#include <hwy/aligned_allocator.h>

#include <algorithm>
#include <cmath>

#include "continuo/core/check.h"
#include "continuo/metrics/fitness_kernel.h"

namespace continuo {
namespace {

constexpr double kFixedPointOne = 1 << kFixedPointBits;

bool FitsFixedPoint(const SimilarityMatrix& matrix, int64_t max_length) {
  if (matrix.frames > kFixedPointMaxFrames || max_length > kFixedPointMaxLength) {
    return false;
  }
  return std::all_of(matrix.values.begin(), matrix.values.end(), [](double value) {
    const double steps = value * kFixedPointOne;
    return value >= -2 && value <= 1 && steps == std::trunc(steps);
  });
}

template <typename Value>
Status Fill(const SimilarityMatrix& matrix, double one, ScapePlot& plot, const StopToken& stop) {
  const auto frames = static_cast<size_t>(matrix.frames);
  const size_t stride = frames + kMaxVectorBytes / sizeof(Value);
  std::vector<Value> padded(frames * stride);
  for (size_t n = 0; n < frames; ++n) {
    for (size_t m = 0; m < frames; ++m) {
      padded[n * stride + m] = static_cast<Value>(matrix.values[n * frames + m] * one);
    }
  }
  const PaddedMatrix<Value> view = {padded.data(), matrix.frames, static_cast<int64_t>(stride)};
  const auto scratch = hwy::AllocateAligned<uint8_t>(FitnessScratchBytes(plot.max_length));
  CONTINUO_CHECK(scratch != nullptr);
  for (int64_t length = plot.min_length; length <= plot.max_length; ++length) {
    if (stop.stop_requested()) {
      return CancelledError();
    }
    const auto row = static_cast<size_t>(length - plot.min_length);
    FitnessOfLength(view, length, scratch.get(), plot.fitness.data() + row * frames);
  }
  return {};
}

}  // namespace

double ScapePlot::Largest(int64_t shortest, int64_t longest) const {
  double largest = 0;
  for (int64_t length = std::max(shortest, min_length); length <= std::min(longest, max_length); ++length) {
    for (int64_t start = 0; start + length <= frames; ++start) {
      largest = std::max(largest, At(length, start));
    }
  }
  return largest;
}

Result<ScapePlot> ComputeScapePlot(const SimilarityMatrix& matrix, int64_t min_length, int64_t max_length,
                                   const StopToken& stop) {
  CONTINUO_CHECK(min_length >= 1);
  ScapePlot plot;
  plot.frames = matrix.frames;
  plot.min_length = min_length;
  plot.max_length = std::min(max_length, matrix.frames);
  if (plot.max_length < min_length) {
    return plot;
  }
  plot.fitness.assign(static_cast<size_t>((plot.max_length - min_length + 1) * matrix.frames), 0.0);
  if (FitsFixedPoint(matrix, plot.max_length)) {
    CONTINUO_TRY(Fill<int32_t>(matrix, kFixedPointOne, plot, stop));
  } else {
    CONTINUO_TRY(Fill<double>(matrix, 1, plot, stop));
  }
  return plot;
}

}  // namespace continuo
