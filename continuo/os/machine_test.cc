#include "continuo/os/machine.h"

#include <gtest/gtest.h>

#include <vector>

namespace continuo {
namespace {

TEST(Machine, ZeroThreadsMeansTheAvailableCores) {
  EXPECT_GE(AvailableCores(), 1U);
  EXPECT_EQ(ThreadCount(0), AvailableCores());
  EXPECT_EQ(ThreadCount(3), 3U);
}

TEST(Machine, ResidentMemoryGrowsByWhatIsWritten) {
  const uint64_t before = ResidentMemory();
  if (before == 0) {
    GTEST_SKIP() << "the system does not report resident memory";
  }
  constexpr size_t kBytes = size_t{64} << 20;
  const std::vector<char> block(kBytes, 'x');
  // Nine tenths: pages that were free in the heap before need not grow it.
  EXPECT_GE(ResidentMemory(), before + kBytes / 10 * 9);
  EXPECT_GE(PeakResidentMemory(), before + kBytes / 10 * 9);
  EXPECT_EQ(block.back(), 'x');
}

TEST(Machine, SomeMemoryIsAvailable) {
  // This test runs, so a page is available; a limit misread as kilobytes or pages would give less.
  EXPECT_GT(AvailableMemory(), uint64_t{1} << 12);
}

}  // namespace
}  // namespace continuo
