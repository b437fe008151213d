#pragma once

#include <cmath>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace continuo {

// What CPython and NumPy do, to the last bit, where MidiTok's tokens show it.

/// numpy.linspace(first, last, count) in doubles: the multiples of one step, and the last value
/// itself.
std::vector<double> Linspace(double first, double last, int count);

/// numpy.geomspace(first, last, count).
std::vector<double> Geomspace(double first, double last, int count);

/// numpy.round(value, 2).
double RoundToHundredths(double value);

/// Python's round(value, 2): correctly rounded from the double's exact decimal value.
double PythonRoundToHundredths(double value);

/// Python's repr of a double between 1e-4 and 1e16.
std::string PythonRepr(double value);

/// What PythonInt gives for a text that int() refuses.
inline constexpr int32_t kNoNumber = INT32_MIN;

/// The number that Python's int() reads in a token's value, if 32 bits hold it.
int32_t PythonInt(std::string_view text);

/// numpy.round(x / step) * step: halves go to the even multiple.
inline int32_t RoundToStep(int32_t time, int32_t step) {
  return static_cast<int32_t>(std::nearbyint(static_cast<double>(time) / step)) * step;
}

/// `values` in the order in which a Python set made from them gives them back; without repeats.
/// MidiTok numbers the program tokens in that order. Values are -1 or more.
std::vector<int> PythonSetOrder(const std::vector<int>& values);

}  // namespace continuo
