#include "continuo/core/thread_pool.h"

#include <chrono>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "continuo/core/check.h"

namespace continuo {
namespace {

// The index of a ticket that nobody can take.
constexpr uint32_t kClosed = 0xffffffff;
// About what it takes to put a thread to sleep and to wake it.
constexpr std::chrono::microseconds kSpinTime(50);

void Pause() {
#if defined(__x86_64__)
  _mm_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

/// Watches for a condition for kSpinTime. Returns whether it came.
template <typename Condition>
bool SpinUntil(const Condition& condition) {
  constexpr int kLooksBetweenClocks = 32;
  const auto start = std::chrono::steady_clock::now();
  do {
    for (int i = 0; i < kLooksBetweenClocks; ++i) {
      if (condition()) {
        return true;
      }
      Pause();
    }
  } while (std::chrono::steady_clock::now() - start < kSpinTime);
  return condition();
}

}  // namespace

ThreadPool::ThreadPool(size_t threads) : ticket_(kClosed) {
  CONTINUO_CHECK(threads >= 1);
#if !defined(__EMSCRIPTEN__) || defined(__EMSCRIPTEN_PTHREADS__)  // else there are no threads
  for (size_t i = 1; i < threads; ++i) {
    workers_.emplace_back([this, i] { Work(i); });
  }
#endif
}

ThreadPool::~ThreadPool() {
  stop_ = true;
  ++loop_;
  loop_.notify_all();
  for (std::thread& worker : workers_) {
    worker.join();
  }
}

void ThreadPool::ForEach(size_t count, const Task& task) {
  const std::lock_guard call_lock(call_mutex_);
  if (workers_.empty() || count <= 1) {
    for (size_t i = 0; i < count; ++i) {
      task(i, 0);
    }
    return;
  }
  CONTINUO_CHECK(count < kClosed);
  // The ticket is closed: no thread can take an index until it is opened below.
  const uint32_t loop = loop_.load(std::memory_order_relaxed) + 1;
  task_.store(&task, std::memory_order_relaxed);
  count_.store(static_cast<uint32_t>(count), std::memory_order_relaxed);
  done_.store(0, std::memory_order_relaxed);
  ticket_.store(uint64_t{loop} << 32, std::memory_order_release);
  loop_.store(loop);
  if (sleepers_.load() > 0) {
    loop_.notify_all();
  }

  TakeIndices(loop, 0);
  const auto all_done = [&] { return done_.load(std::memory_order_acquire) == count; };
  if (!SpinUntil(all_done)) {
    caller_sleeps_ = true;
    for (uint32_t done = done_.load(); done != count; done = done_.load()) {
      done_.wait(done);
    }
    caller_sleeps_ = false;
  }
  ticket_.store(uint64_t{loop} << 32 | kClosed, std::memory_order_release);
}

void ThreadPool::TakeIndices(uint32_t loop, size_t thread) {
  uint64_t ticket = ticket_.load(std::memory_order_acquire);
  while (ticket >> 32 == loop) {
    // These are this loop's if the exchange below succeeds: they change only while the ticket is
    // closed.
    const Task* task = task_.load(std::memory_order_acquire);
    const uint32_t count = count_.load(std::memory_order_acquire);
    const auto index = static_cast<uint32_t>(ticket);
    if (index >= count) {
      return;
    }
    if (!ticket_.compare_exchange_weak(ticket, ticket + 1, std::memory_order_acq_rel)) {
      continue;
    }
    (*task)(index, thread);
    if (done_.fetch_add(1) + 1 == count && caller_sleeps_) {
      done_.notify_one();
    }
    ticket = ticket_.load(std::memory_order_acquire);
  }
}

void ThreadPool::Work(size_t thread) {
  uint32_t seen = 0;
  while (true) {
    if (!SpinUntil([&] { return loop_.load(std::memory_order_acquire) != seen; })) {
      ++sleepers_;
      loop_.wait(seen);
      --sleepers_;
    }
    seen = loop_.load();
    if (stop_) {
      return;
    }
    TakeIndices(seen, thread);
  }
}

}  // namespace continuo
