#pragma once

#include <array>
#include <string_view>

#include "continuo/score/chord.h"

namespace continuo {

/// The kinds of MusicXML, by Chord::quality.
inline constexpr std::array<std::string_view, kChordQualities.size()> kMusicXmlKinds = {"major",
                                                                                        "minor",
                                                                                        "dominant",
                                                                                        "major-seventh",
                                                                                        "minor-seventh",
                                                                                        "diminished",
                                                                                        "augmented",
                                                                                        "suspended-second",
                                                                                        "suspended-fourth",
                                                                                        "half-diminished",
                                                                                        "diminished-seventh"};

}  // namespace continuo
