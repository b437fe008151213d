#include "continuo/token/representation.h"

#include <algorithm>
#include <array>

#include "continuo/core/check.h"

namespace continuo {

std::span<const Representation> Representations() {
  static const std::array rows{kRemiRepresentation,
                               kMidiLikeRepresentation,
                               kTsdRepresentation,
                               kStructuredRepresentation,
                               kBeatRepresentation,
                               kPerTokRepresentation,
                               MmmOf(kRemiRepresentation, "mmm_remi", TokenizationKind::kMmmRemi),
                               MmmOf(kMidiLikeRepresentation, "mmm_midilike", TokenizationKind::kMmmMidiLike),
                               MmmOf(kTsdRepresentation, "mmm_tsd", TokenizationKind::kMmmTsd)};
  return rows;
}

const Representation& RepresentationOf(const TokenizerConfig& config) {
  const std::span<const Representation> rows = Representations();
  const auto row = std::find_if(rows.begin(), rows.end(),
                                [&config](const Representation& candidate) { return candidate.kind == config.kind; });
  CONTINUO_CHECK(row != rows.end());
  return *row;
}

}  // namespace continuo
