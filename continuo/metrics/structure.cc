#include "continuo/metrics/structure.h"

#include "continuo/metrics/chroma.h"
#include "continuo/metrics/similarity_matrix.h"

namespace continuo {

Result<Structure> MeasureStructure(const Score& score, const StructureOptions& options, const StopToken& stop) {
  constexpr int64_t kRate = ChromaFeatures::kFramesPerSecond;
  CONTINUO_ASSIGN(const ChromaFeatures chroma, ComputeChroma(score, options.max_frames));
  Structure structure;
  structure.frames = chroma.frames;
  if (chroma.frames < 3 * kRate) {
    return structure;
  }
  CONTINUO_ASSIGN(const SimilarityMatrix matrix, ComputeSelfSimilarity(chroma, stop));
  CONTINUO_ASSIGN(structure.scape, ComputeScapePlot(matrix, 3 * kRate, 128 * kRate, stop));
  structure.si_short = structure.scape.Largest(3 * kRate, 8 * kRate);
  structure.si_mid = structure.scape.Largest(8 * kRate, 15 * kRate);
  structure.si_long = structure.scape.Largest(15 * kRate, 128 * kRate);
  return structure;
}

}  // namespace continuo
