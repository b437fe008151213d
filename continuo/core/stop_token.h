#pragma once

#include <functional>
#include <utility>

namespace continuo {

/// What long work asks, between two steps, whether it should stop. Work that stops returns
/// CancelledError() or what its header states, and leaves nothing half written.
///
/// Copies ask the same question. Any thread may ask, so the function given must be thread-safe; it
/// must also be cheap, as inner loops call it.
class StopToken {
 public:
  /// Never requests a stop.
  StopToken() = default;
  explicit StopToken(std::function<bool()> asked) : asked_(std::move(asked)) {}

  bool stop_requested() const { return asked_ && asked_(); }

 private:
  std::function<bool()> asked_;
};

}  // namespace continuo
