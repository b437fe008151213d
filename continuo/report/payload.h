#pragma once

#include <limits>
#include <nlohmann/json.hpp>

#include "continuo/results/snapshot.h"

namespace continuo {

struct PayloadOptions {
  /// Pieces per set whose notes are included; most of a page's bytes are notes. Continuations
  /// always have theirs.
  size_t playable = std::numeric_limits<size_t>::max();
};

/// Everything that the page shows, as one JSON object: docs/report.md. Numbers have six digits;
/// what was not measured is null or missing. A piece whose MIDI cannot be read has a reason instead
/// of notes.
nlohmann::ordered_json MakePayload(const ResultsSnapshot& data, const PayloadOptions& options = {});

}  // namespace continuo
