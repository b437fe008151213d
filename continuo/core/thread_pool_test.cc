#include "continuo/core/thread_pool.h"

#include <gtest/gtest.h>

#include <atomic>
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

TEST(ThreadPool, SizeZeroMeansTheCoresThatMayBeUsed) {
  EXPECT_EQ(ThreadPool(0).size(), AvailableCores());
  EXPECT_GE(AvailableCores(), 1U);
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

}  // namespace
}  // namespace continuo
