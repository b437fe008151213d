#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>

#include "continuo/core/progress.h"

namespace continuo {

/// A progress bar on stderr with rate and time left, shown once work has taken half a second, and
/// only where stderr is a terminal and `quiet` is false.
class TerminalProgress : public Progress {
 public:
  /// `unit` is the plural of what is counted: "files", "bars".
  TerminalProgress(std::string unit, bool quiet);
  ~TerminalProgress() override;

  void Update(uint64_t done, uint64_t total, std::string_view note) override;

 private:
  using Clock = std::chrono::steady_clock;
  const std::string unit_;
  const bool shown_;
  const Clock::time_point start_ = Clock::now();
  std::mutex mutex_;
  Clock::time_point drawn_ = start_;
  bool line_open_ = false;
};

/// "1:02:03", "2:03".
std::string FormatDuration(double seconds);

/// "1.234" with 3 decimals; "-" for a number that there is none of (NaN).
std::string FormatNumber(double value, int decimals);

/// "1 piece", "3 pieces".
std::string FormatCount(uint64_t count, std::string_view noun);

}  // namespace continuo
