#include "continuo/token/python_compat.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

namespace continuo {
namespace {

using testing::ElementsAre;

TEST(PythonSetOrderTest, IsThatOfCPython) {
  // Each as printed by CPython 3.11: list(set([...])).
  EXPECT_THAT(PythonSetOrder({}), ElementsAre());
  EXPECT_THAT(PythonSetOrder({-1, 0, 1}), ElementsAre(0, 1, -1));
  EXPECT_THAT(PythonSetOrder({16, 8, 0}), ElementsAre(16, 8, 0));
  EXPECT_THAT(PythonSetOrder({0, 8, 16}), ElementsAre(0, 8, 16));
  EXPECT_THAT(PythonSetOrder({40, 7, 15, 23, -1}), ElementsAre(7, 40, 15, 23, -1));
  EXPECT_THAT(PythonSetOrder({5, 5, 5}), ElementsAre(5));
}

TEST(PythonSetOrderTest, PutsDrumsLastAmongAllPrograms) {
  std::vector<int> all(129);
  std::iota(all.begin(), all.end(), -1);
  const std::vector<int> order = PythonSetOrder(all);
  EXPECT_EQ(order.front(), 0);
  EXPECT_EQ(order[127], 127);
  EXPECT_EQ(order.back(), -1);
}

TEST(PythonCompatTest, NumbersAreThoseOfNumPyAndCPython) {
  // Each as printed by CPython 3.11 with NumPy 2.4.
  EXPECT_THAT(Linspace(0, 1, 4), ElementsAre(0.0, 0.3333333333333333, 0.6666666666666666, 1.0));
  EXPECT_THAT(Linspace(40, 250, 1), ElementsAre(40.0));
  EXPECT_THAT(Geomspace(40, 250, 3), ElementsAre(40.0, 100.0, 250.0));
  EXPECT_EQ(PythonRoundToHundredths(2.675), 2.67);
  EXPECT_EQ(RoundToHundredths(2.675), 2.68);
  EXPECT_EQ(PythonRepr(40), "40.0");
  EXPECT_EQ(PythonRepr(121.29), "121.29");
  EXPECT_EQ(PythonInt("-7"), -7);
  EXPECT_EQ(PythonInt("+7"), 7);
  EXPECT_EQ(PythonInt("4/4"), kNoNumber);
  EXPECT_EQ(RoundToStep(6, 4), 8);
  EXPECT_EQ(RoundToStep(10, 4), 8);
}

}  // namespace
}  // namespace continuo
