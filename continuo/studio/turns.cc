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

bool Turns::Place::Wait(const StopToken& stop, const std::function<bool(size_t before)>& waiting) {
  constexpr auto kAskStop = std::chrono::milliseconds(50);
  size_t reported = 0;
  std::unique_lock lock(turns_.mutex_);
  while (true) {
    const std::deque<uint64_t>& queue = turns_.queue_;
    const auto before = static_cast<size_t>(std::find(queue.begin(), queue.end(), number_) - queue.begin());
    if (before == 0) {
      return !stop.stop_requested();
    }
    if (waiting && before != reported) {
      reported = before;
      lock.unlock();  // it may take its time
      if (!waiting(before)) {
        return false;
      }
      lock.lock();
      continue;
    }
    if (stop.stop_requested()) {
      return false;
    }
    turns_.moved_.wait_for(lock, kAskStop);
  }
}

}  // namespace continuo
