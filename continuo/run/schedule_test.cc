#include "continuo/run/schedule.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "continuo/os/file.h"

namespace continuo {
namespace {

TEST(ScheduleTest, OneCycleIsPyTorchs) {
  const auto path = std::filesystem::path(CONTINUO_SOURCE_DIR) / "testdata" / "train" / "onecycle.json";
  const auto cases = nlohmann::json::parse(ReadTextFile(path).value());
  ASSERT_EQ(cases.size(), 4u);
  for (const auto& item : cases) {
    ScheduleOptions options;
    options.max_lr = item["max_lr"];
    options.warmup = item["pct_start"];
    options.div_factor = item["div_factor"];
    options.final_div_factor = item["final_div_factor"];
    const int total = item["total_steps"];
    for (int step = 0; step < total; ++step) {
      const ScheduleValue value = ScheduleAt(options, step, total);
      EXPECT_NEAR(value.lr, item["lr"][static_cast<size_t>(step)].get<double>(), 1e-12) << total << " " << step;
      EXPECT_NEAR(value.beta1, item["beta1"][static_cast<size_t>(step)].get<double>(), 1e-12) << total << " " << step;
    }
  }
}

TEST(ScheduleTest, OtherSchedulesRiseToTheHighestRateAndEndLow) {
  for (const ScheduleKind kind : {ScheduleKind::kCosine, ScheduleKind::kLinear}) {
    const ScheduleOptions options{.kind = kind, .max_lr = 2.0, .warmup = 0.1, .final_div_factor = 100};
    double before = 0;
    for (int step = 0; step < 100; ++step) {
      const double lr = ScheduleAt(options, step, 1000).lr;
      EXPECT_GT(lr, before);
      before = lr;
    }
    EXPECT_NEAR(ScheduleAt(options, 100, 1000).lr, 2.0, 1e-12);
    for (int step = 101; step < 1000; ++step) {
      const double lr = ScheduleAt(options, step, 1000).lr;
      EXPECT_LT(lr, before + 2.0);
      before = lr;
    }
    EXPECT_NEAR(ScheduleAt(options, 999, 1000).lr, 0.02, 1e-12);
  }
  EXPECT_EQ(ScheduleAt({.kind = ScheduleKind::kConstant, .max_lr = 2.0, .warmup = 0}, 999, 1000).lr, 2.0);
}

TEST(ScheduleTest, ARunOfOneStepHasARate) {
  for (const ScheduleKind kind :
       {ScheduleKind::kOneCycle, ScheduleKind::kCosine, ScheduleKind::kLinear, ScheduleKind::kConstant}) {
    const ScheduleValue value = ScheduleAt({.kind = kind}, 0, 1);
    EXPECT_GT(value.lr, 0);
    EXPECT_LE(value.lr, 4e-4);
  }
}

}  // namespace
}  // namespace continuo
