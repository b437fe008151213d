#pragma once

#include <cstdint>
#include <vector>

#include "continuo/token/prepared_score.h"

namespace continuo {

struct DetectedChord {
  int32_t time = 0;
  TokenId id = kNoToken;
};

/// The chords that MidiTok's detect_chords finds in a track's notes, those with a token. Linear in
/// the notes.
std::vector<DetectedChord> DetectChords(const std::vector<PreparedNote>& notes,
                                        const std::vector<BeatSection>& sections, const TokenTables& tables);

}  // namespace continuo
