#include "continuo/core/thread_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <ctime>
#include <thread>
#include <vector>

namespace continuo {
namespace {

TEST(ThreadPool, CallsEachIndexOnce) {
  for (const size_t threads : {1U, 2U, 5U}) {
    ThreadPool pool(threads);
    EXPECT_EQ(pool.size(), threads);
    for (const size_t count : {0U, 1U, 3U, 1000U}) {
      std::vector<std::atomic<int>> calls(count);
      pool.ForEach(count, [&](size_t index, size_t thread) {
        ASSERT_LT(thread, threads);
        ++calls[index];
      });
      for (const auto& call : calls) {
        EXPECT_EQ(call.load(), 1);
      }
    }
  }
}

TEST(ThreadPool, CallsFromSeveralThreadsQueueUp) {
  ThreadPool pool(2);
  std::atomic<int> sum{0};
  std::vector<std::thread> callers;
  for (int i = 0; i < 4; ++i) {
    callers.emplace_back([&] { pool.ForEach(100, [&](size_t, size_t) { ++sum; }); });
  }
  for (std::thread& caller : callers) {
    caller.join();
  }
  EXPECT_EQ(sum.load(), 400);
}

TEST(ThreadPool, LoopsThatFollowCloselyCallEachIndexOnce) {
  // Late threads of one loop meet the next: each index still is called once, with its own loop's
  // task.
  ThreadPool pool(4);
  for (size_t loop = 0; loop < 20000; ++loop) {
    std::vector<std::atomic<size_t>> calls(1 + loop % 7);
    pool.ForEach(calls.size(), [&, loop](size_t index, size_t) { calls[index] += loop + 1; });
    for (const auto& call : calls) {
      ASSERT_EQ(call.load(), loop + 1);
    }
  }
}

TEST(ThreadPool, IdleThreadsSleep) {
  ThreadPool pool(4);
  pool.ForEach(4, [](size_t, size_t) {});
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  const std::clock_t before = std::clock();
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  // Processor time of all threads; three that watched would take up to 600 ms.
  EXPECT_LT(static_cast<double>(std::clock() - before) / CLOCKS_PER_SEC, 0.02);
  std::atomic<int> sum{0};
  pool.ForEach(10, [&](size_t, size_t) { ++sum; });
  EXPECT_EQ(sum.load(), 10);
}

}  // namespace
}  // namespace continuo
