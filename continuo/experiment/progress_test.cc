#include "continuo/experiment/progress.h"

#include <gtest/gtest.h>

#include <cmath>

namespace continuo {
namespace {

/// One finished run of 100 s, and others, with sets of 6 s.
TEST(SecondsLeft, AddsTheRestOfBegunRunsAndSetsLikeThoseOfTheirKind) {
  ExperimentProgress progress;
  progress.runs.resize(2);
  progress.runs[0].status = CellStatus::kDone;
  progress.runs[0].seconds = 100;
  progress.runs[1].status = CellStatus::kRunning;
  progress.runs[1].epoch = 2.5;
  progress.runs[1].epochs = 10;
  progress.runs[1].seconds = 25;
  progress.sets.resize(3);
  for (SetProgress& set : progress.sets) {
    set.status = CellStatus::kDone;
    set.seconds = 6;
  }
  progress.sets[1].status = CellStatus::kPending;
  progress.sets[2].kind = SetKind::kContinuation;
  // Three quarters of a training of 100 s, and one grid set of 6 s.
  EXPECT_NEAR(SecondsLeft(progress), 75 + 6, 1e-9);
  progress.workers = 3;
  EXPECT_NEAR(SecondsLeft(progress), (75 + 6) / 3.0, 1e-9);
}

TEST(SecondsLeft, CountsContinuationsThatAreNotChosenYet) {
  ExperimentProgress progress;
  progress.sets.resize(2);
  progress.sets[0].status = CellStatus::kDone;
  progress.sets[0].seconds = 10;
  progress.sets[1].kind = SetKind::kContinuation;
  progress.sets[1].status = CellStatus::kDone;
  progress.sets[1].seconds = 2;
  progress.continuations = 4;
  EXPECT_NEAR(SecondsLeft(progress), 3 * 2, 1e-9);
}

TEST(SecondsLeft, IsNotANumberBeforeAnyTrainingHasBegun) {
  ExperimentProgress progress;
  progress.runs.resize(1);
  progress.runs[0].epochs = 10;
  EXPECT_TRUE(std::isnan(SecondsLeft(progress)));
}

}  // namespace
}  // namespace continuo
