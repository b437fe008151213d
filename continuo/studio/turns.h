#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>

#include "continuo/core/stop_token.h"

namespace continuo {

/// Lets one at a time use something, in the order in which they asked; a bounded number may wait.
/// Thread-safe.
class Turns {
 public:
  explicit Turns(size_t most_waiting) : most_waiting_(most_waiting) {}

  /// A place in the queue, given up when it is destroyed. The Turns must outlive it.
  class Place {
   public:
    ~Place();
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;
    /// Waits until it is this place's turn. Calls `waiting`, if it is given, with the number of
    /// places before this one, which is not 0, first and whenever it has changed. False if `stop`
    /// or `waiting` asked to stop first.
    bool Wait(const StopToken& stop, const std::function<bool(size_t before)>& waiting = {});

   private:
    friend class Turns;
    Place(Turns& turns, uint64_t number) : turns_(turns), number_(number) {}
    Turns& turns_;
    const uint64_t number_;
  };

  /// nullptr if too many wait.
  std::unique_ptr<Place> Enter();

 private:
  const size_t most_waiting_;  // beside the one whose turn it is
  mutable std::mutex mutex_;
  std::condition_variable moved_;
  std::deque<uint64_t> queue_;
  uint64_t next_ = 0;
};

}  // namespace continuo
