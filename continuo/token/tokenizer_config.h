#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "continuo/core/result.h"

namespace continuo {

enum class MidiTokRelease { k3_0_4, k3_1_0 };
enum class TokenizationKind { kRemi, kMidiLike, kTsd };

/// "3.0.4" or "3.1.0".
Result<MidiTokRelease> ParseMidiTokRelease(std::string_view text);
std::string_view ToString(MidiTokRelease release);

}  // namespace continuo
