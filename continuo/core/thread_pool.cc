#include "continuo/core/thread_pool.h"

#if defined(__linux__)
#include <sched.h>
#endif

namespace continuo {

size_t AvailableCores() {
#if defined(__linux__)
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof(set), &set) == 0) {
    const int count = CPU_COUNT(&set);
    if (count > 0) {
      return static_cast<size_t>(count);
    }
  }
#endif
  const unsigned count = std::thread::hardware_concurrency();
  return count > 0 ? count : 1;
}

ThreadPool::ThreadPool(size_t threads) {
  if (threads == 0) {
    threads = AvailableCores();
  }
  for (size_t i = 1; i < threads; ++i) {
    workers_.emplace_back([this, i] { Work(i); });
  }
}

ThreadPool::~ThreadPool() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_all();
  for (std::thread& worker : workers_) {
    worker.join();
  }
}

void ThreadPool::ForEach(size_t count, const std::function<void(size_t, size_t)>& task) {
  const std::lock_guard call_lock(call_mutex_);
  {
    const std::lock_guard lock(mutex_);
    task_ = &task;
    next_ = 0;
    count_ = count;
    active_ = workers_.size();
    ++generation_;
  }
  wake_.notify_all();
  TakeIndices(0);
  std::unique_lock lock(mutex_);
  done_.wait(lock, [this] { return active_ == 0; });
  task_ = nullptr;
}

void ThreadPool::TakeIndices(size_t thread) {
  while (true) {
    size_t index = 0;
    {
      const std::lock_guard lock(mutex_);
      if (next_ >= count_) {
        return;
      }
      index = next_++;
    }
    (*task_)(index, thread);
  }
}

void ThreadPool::Work(size_t thread) {
  uint64_t seen = 0;
  while (true) {
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [&] { return stop_ || generation_ != seen; });
      if (stop_) {
        return;
      }
      seen = generation_;
    }
    TakeIndices(thread);
    {
      const std::lock_guard lock(mutex_);
      --active_;
    }
    done_.notify_one();
  }
}

}  // namespace continuo
