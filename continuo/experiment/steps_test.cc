#include "continuo/experiment/steps.h"

#include <gtest/gtest.h>

#include "continuo/os/temporary_folder_testing.h"

namespace continuo {
namespace {

namespace fs = std::filesystem;

class CheckpointTest : public testing::Test {
 protected:
  CheckpointTest() { cell_.id = "run"; }
  void Make(const char* model) { fs::create_directories(experiment_.run(cell_) / model); }
  std::string Name(int64_t epoch) const { return experiment_.checkpoint(cell_, epoch).filename().string(); }

  TemporaryFolder folder_;
  ExperimentFolder experiment_{folder_.path()};
  RunCell cell_;
};

TEST_F(CheckpointTest, IsTheModelKeptAfterThatEpoch) {
  Make("epoch-10");
  Make("final");
  EXPECT_EQ(Name(10), "epoch-10");
  EXPECT_EQ(Name(20), "epoch-20");  // it is missing, which is an error later: no other model may take its place
}

TEST_F(CheckpointTest, OfARunThatMayEndEarlyIsItsFinalModel) {
  cell_.train.steps = 100;
  Make("epoch-10");
  EXPECT_EQ(Name(20), "epoch-20");  // the run may still come to it
  Make("final");
  EXPECT_EQ(Name(10), "epoch-10");
  EXPECT_EQ(Name(20), "final");
}

}  // namespace
}  // namespace continuo
