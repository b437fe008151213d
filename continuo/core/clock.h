#pragma once

#include <chrono>

namespace continuo {

/// Measures durations; no change of the system's time moves it.
using Clock = std::chrono::steady_clock;

inline double SecondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

}  // namespace continuo
