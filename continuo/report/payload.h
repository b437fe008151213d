#pragma once

#include <limits>
#include <nlohmann/json.hpp>

#include "continuo/results/snapshot.h"

namespace continuo {

struct PayloadOptions {
  /// Pieces of a row whose notes go along; most of a page's bytes are notes. Continuations all have theirs.
  size_t playable = std::numeric_limits<size_t>::max();
};

/// All that the page shows, as one JSON object: docs/report.md. Numbers have six digits; what was not measured
/// is null or missing. A piece whose MIDI can't be read has a reason in place of notes.
nlohmann::ordered_json MakePayload(const ResultsSnapshot& data, const PayloadOptions& options = {});

}  // namespace continuo
