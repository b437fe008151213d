#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
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
    /// Waits until it is this place's turn. False if `stop` asked for it first.
    bool Wait(const StopToken& stop);
    /// How many are before it; 0: it is its turn.
    size_t before() const;

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
