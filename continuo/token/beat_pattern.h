#pragma once

#include <array>
#include <cstddef>

namespace continuo {

/// A beat of BEAT has as many steps; a Pattern says what a key does in each, in digits of base 3.
inline constexpr int kBeatSteps = 4;
inline constexpr int kBeatPatterns = 81;
inline constexpr std::array<int, kBeatSteps> kBeatPlaces{27, 9, 3, 1};  // of each step's digit
enum BeatDigit : int { kSilentStep = 0, kOnsetStep = 1, kSustainStep = 2 };

inline BeatDigit BeatDigitOf(int pattern, size_t step) {
  return static_cast<BeatDigit>(pattern / kBeatPlaces[step] % 3);
}

}  // namespace continuo
