#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace continuo {

/// Threads that share the indices of a loop. The calling thread works too, so a pool of one starts no
/// thread. Idle threads sleep. One `ForEach` at a time: calls from several threads queue up; a call from
/// inside a task would wait for itself and is a bug.
class ThreadPool {
 public:
  /// `threads` counts the caller; 0 means one per core that this process may use.
  explicit ThreadPool(size_t threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  size_t size() const { return workers_.size() + 1; }

  /// Calls `task(index, thread)` once for each index in [0, count), with thread in [0, size()), in no
  /// particular order, and returns when all are done. Tasks must not throw.
  void ForEach(size_t count, const std::function<void(size_t index, size_t thread)>& task);

 private:
  void Work(size_t thread);
  void TakeIndices(size_t thread);

  std::mutex call_mutex_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::condition_variable done_;
  const std::function<void(size_t, size_t)>* task_ = nullptr;
  size_t next_ = 0;
  size_t count_ = 0;
  size_t active_ = 0;
  uint64_t generation_ = 0;
  bool stop_ = false;
  std::vector<std::thread> workers_;
};

/// Cores that this process may run on, at least 1.
size_t AvailableCores();

}  // namespace continuo
