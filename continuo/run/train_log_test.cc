#include "continuo/run/train_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "continuo/os/file.h"
#include "continuo/os/temporary_folder_testing.h"

namespace continuo {
namespace {

using testing::HasSubstr;

class TrainLogTest : public testing::Test {
 protected:
  std::filesystem::path path() const { return folder_.path() / "train.jsonl"; }
  std::string text() const { return ReadTextFile(path()).value(); }

  /// A log of updates 1 to `steps` with a validation after each.
  void WriteSteps(uint64_t steps) {
    TrainLog log = TrainLog::Open(path(), 0).value();
    for (uint64_t step = 1; step <= steps; ++step) {
      ASSERT_TRUE(log.Write(UpdateRecord{.step = step, .loss = 5.0}).ok());
      ASSERT_TRUE(log.Write(ValidationRecord{.step = step, .nll_per_token = 4.0}).ok());
    }
  }

  TemporaryFolder folder_;
};

TEST_F(TrainLogTest, WhatIsWrittenIsReadBack) {
  const UpdateRecord update = {.step = 2,
                               .epoch = 1,
                               .tokens = 8148,
                               .seconds = 3.5,
                               .progress = 0.25,
                               .loss = 5.75,
                               .lr = 6.7e-05,
                               .gradient_norm = 5.5,
                               .tokens_per_second = 2900};
  const ValidationRecord validation = {.step = 2,
                                       .epoch = 1,
                                       .tokens = 8148,
                                       .seconds = 4.5,
                                       .nll_per_token = 2.25,
                                       .nll_per_note = 7.5,
                                       .nll_per_bar = 88.5,
                                       .valid_tokens = 459958};
  TrainLog log = TrainLog::Open(path(), 0).value();
  ASSERT_TRUE(log.Write(update).ok() && log.Write(validation).ok());
  const TrainLogRecords records = ReadTrainLog(path()).value();
  ASSERT_EQ(records.updates.size(), 1U);
  EXPECT_EQ(ToJson(records.updates[0]), ToJson(update));
  ASSERT_EQ(records.validations.size(), 1U);
  EXPECT_EQ(ToJson(records.validations[0]), ToJson(validation));
}

TEST_F(TrainLogTest, LinesHaveTheKeysOfTheDocumentedFormatInItsOrder) {
  TrainLog log = TrainLog::Open(path(), 0).value();
  ASSERT_TRUE(log.Write(UpdateRecord{.step = 1, .loss = 5.5}).ok());
  ASSERT_TRUE(log.Write(ValidationRecord{.step = 1, .nll_per_token = 2.5}).ok());
  EXPECT_EQ(text(),
            R"({"step":1,"epoch":0,"tokens":0,"seconds":0.0,"progress":0.0,"loss":5.5,"lr":0.0,"gradient_norm":0.0,)"
            R"("tokens_per_second":0.0})"
            "\n"
            R"({"step":1,"epoch":0,"tokens":0,"seconds":0.0,"valid_nll":2.5,"valid_tokens":0})"
            "\n");
}

TEST_F(TrainLogTest, AResumedRunDropsTheStepsThatItWillRepeat) {
  WriteSteps(3);
  TrainLog log = TrainLog::Open(path(), 2).value();
  ASSERT_TRUE(log.Write(UpdateRecord{.step = 3, .loss = 1.0}).ok());
  const TrainLogRecords records = ReadTrainLog(path()).value();
  ASSERT_EQ(records.updates.size(), 3U);
  EXPECT_EQ(records.updates[2].loss, 1.0);
  EXPECT_EQ(records.validations.size(), 2U);
}

TEST_F(TrainLogTest, ANewRunBeginsAnEmptyLog) {
  WriteSteps(3);
  ASSERT_TRUE(TrainLog::Open(path(), 0).ok());
  EXPECT_EQ(text(), "");
}

TEST_F(TrainLogTest, ALineThatIsBeingWrittenIsSkipped) {
  WriteSteps(1);
  std::ofstream(path(), std::ios::app) << R"({"step":2,"lo)";
  const TrainLogRecords records = ReadTrainLog(path()).value();
  EXPECT_EQ(records.updates.size(), 1U);
  EXPECT_EQ(records.validations.size(), 1U);
}

TEST_F(TrainLogTest, AMissingFileIsAnErrorThatNamesIt) {
  const auto records = ReadTrainLog(path());
  ASSERT_FALSE(records.ok());
  EXPECT_THAT(records.error().message, HasSubstr("train.jsonl"));
}

}  // namespace
}  // namespace continuo
