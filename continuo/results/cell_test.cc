#include "continuo/results/cell.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace continuo {
namespace {

using ::testing::HasSubstr;

TEST(CellStatusTest, EveryStatusIsReadFromItsText) {
  for (const CellStatus status :
       {CellStatus::kPending, CellStatus::kRunning, CellStatus::kDone, CellStatus::kFailed, CellStatus::kDropped}) {
    EXPECT_EQ(ParseCellStatus(ToString(status)).value(), status);
  }
  EXPECT_EQ(ToString(CellStatus::kDropped), "dropped");
}

TEST(SetKindTest, EveryKindIsReadFromItsText) {
  for (const SetKind kind : {SetKind::kReal, SetKind::kGrid, SetKind::kContinuation}) {
    EXPECT_EQ(ParseSetKind(ToString(kind)).value(), kind);
  }
}

TEST(SetKindTest, AnUnknownTextIsAnErrorThatListsTheKnownOnes) {
  EXPECT_THAT(ParseSetKind("board").error().message,
              HasSubstr("kind is 'board', expected one of: real, grid, continuation"));
  EXPECT_THAT(ParseCellStatus("").error().message, HasSubstr("status is ''"));
}

}  // namespace
}  // namespace continuo
