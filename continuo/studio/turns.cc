#include "continuo/studio/turns.h"

#include <algorithm>
#include <chrono>

namespace continuo {

std::unique_ptr<Turns::Place> Turns::Enter() {
  const std::lock_guard lock(mutex_);
  if (queue_.size() > most_waiting_) {
    return nullptr;
  }
  queue_.push_back(next_);
  return std::unique_ptr<Place>(new Place(*this, next_++));
}

Turns::Place::~Place() {
  {
    const std::lock_guard lock(turns_.mutex_);
    turns_.queue_.erase(std::find(turns_.queue_.begin(), turns_.queue_.end(), number_));
  }
  turns_.moved_.notify_all();
}

size_t Turns::Place::before() const {
  const std::lock_guard lock(turns_.mutex_);
  return static_cast<size_t>(std::find(turns_.queue_.begin(), turns_.queue_.end(), number_) - turns_.queue_.begin());
}

bool Turns::Place::Wait(const StopToken& stop) {
  constexpr auto kAskStop = std::chrono::milliseconds(50);
  std::unique_lock lock(turns_.mutex_);
  while (turns_.queue_.front() != number_) {
    if (stop.stop_requested()) {
      return false;
    }
    turns_.moved_.wait_for(lock, kAskStop);
  }
  return !stop.stop_requested();
}

}  // namespace continuo
