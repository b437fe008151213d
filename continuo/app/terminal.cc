#include "continuo/app/terminal.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "continuo/os/console.h"

namespace continuo {
std::string FormatDuration(double seconds) {
  const auto whole = static_cast<int64_t>(std::max(0.0, seconds) + 0.5);
  if (whole >= 3600) {
    return fmt::format("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60);
  }
  return fmt::format("{}:{:02}", whole / 60, whole % 60);
}

TerminalProgress::TerminalProgress(std::string unit, bool quiet)
    : unit_(std::move(unit)), shown_(!quiet && ErrorIsTerminal()) {}

TerminalProgress::~TerminalProgress() {
  if (line_open_) {
    std::fputs("\r\033[K", stderr);
  }
}

void TerminalProgress::Update(uint64_t done, uint64_t total, std::string_view note) {
  if (!shown_) {
    return;
  }
  const std::lock_guard lock(mutex_);
  const Clock::time_point now = Clock::now();
  const double elapsed = std::chrono::duration<double>(now - start_).count();
  if (elapsed < 0.5 || now - drawn_ < std::chrono::milliseconds(100)) {
    return;
  }
  drawn_ = now;
  const double rate = static_cast<double>(done) / elapsed;
  std::string line;
  if (total > 0) {
    constexpr size_t kWidth = 24;
    const size_t filled = std::min<size_t>(kWidth, kWidth * done / total);
    const double left = rate > 0 ? static_cast<double>(total - std::min(done, total)) / rate : 0.0;
    line = fmt::format("[{}{}] {}/{} {}, {:.3g}/s, {} left", std::string(filled, '#'),
                       std::string(kWidth - filled, '.'), done, total, unit_, rate, FormatDuration(left));
  } else {
    line = fmt::format("{} {}, {:.3g}/s", done, unit_, rate);
  }
  if (!note.empty()) {
    line += fmt::format("  {}", note);
  }
  fmt::print(stderr, "\r{}\033[K", line);
  std::fflush(stderr);
  line_open_ = true;
}

std::string FormatNumber(double value, int decimals) {
  return std::isnan(value) ? "-" : fmt::format("{:.{}f}", value, decimals);
}

std::string FormatCount(uint64_t count, std::string_view noun) {
  return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s");
}

}  // namespace continuo
