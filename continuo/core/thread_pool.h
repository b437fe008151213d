#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace continuo {

/// Threads that share the indices of a loop. The calling thread works too, so a pool of one starts
/// no thread. A thread without work watches for some for about as long as waking it would take
/// (tens of microseconds), then sleeps: loops that follow closely start in well under a
/// microsecond, and an idle pool costs nothing. One `ForEach` at a time: calls from several threads
/// queue up; a call from inside a task would wait for itself and is a bug.
class ThreadPool {
 public:
  /// `threads` is at least 1 and counts the caller. os/machine.h has ThreadCount for flags that may
  /// be 0. Compiled for WebAssembly, which has no threads here, every pool is one of one.
  explicit ThreadPool(size_t threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  size_t size() const { return workers_.size() + 1; }

  /// Calls `task(index, thread)` once for each index in [0, count), with thread in [0, size()), in
  /// no particular order, and returns when all are done. It doesn't wait for threads that got no
  /// index, so that one that the system keeps from running costs nothing. At most 2^32 - 2 indices.
  /// Tasks must not throw.
  void ForEach(size_t count, const std::function<void(size_t index, size_t thread)>& task);

 private:
  using Task = std::function<void(size_t, size_t)>;

  void Work(size_t thread);
  void TakeIndices(uint32_t loop, size_t thread);

  std::mutex call_mutex_;
  // Which loop runs and its next index: loop << 32 | index, index kClosed between loops. An index
  // is taken by exchanging the whole, which fails once the loop is over, however late the thread
  // comes.
  std::atomic<uint64_t> ticket_;
  std::atomic<const Task*> task_ = nullptr;
  std::atomic<uint32_t> count_ = 0;
  std::atomic<uint32_t> done_ = 0;
  // The loop's number again, alone, to sleep on.
  std::atomic<uint32_t> loop_ = 0;
  std::atomic<uint32_t> sleepers_ = 0;
  std::atomic<bool> caller_sleeps_ = false;
  std::atomic<bool> stop_ = false;
  std::vector<std::thread> workers_;
};

}  // namespace continuo
