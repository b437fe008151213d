#include "continuo/compose/sampling_options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <nlohmann/json.hpp>

namespace continuo {
namespace {

using ::testing::HasSubstr;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

TEST(SamplingOptions, RejectsValuesOutOfRangeByName) {
  EXPECT_THAT(CheckSamplingOptions({.temperature = -1}).error().message, HasSubstr("temperature is -1"));
  EXPECT_THAT(CheckSamplingOptions({.temperature = kNan}).error().message, HasSubstr("temperature is nan"));
  EXPECT_THAT(CheckSamplingOptions({.top_k = -3}).error().message, HasSubstr("top-k is -3"));
  EXPECT_THAT(CheckSamplingOptions({.top_p = 0}).error().message, HasSubstr("top-p is 0"));
  EXPECT_THAT(CheckSamplingOptions({.min_p = 1.5}).error().message, HasSubstr("min-p is 1.5"));
  EXPECT_THAT(CheckSamplingOptions({.repetition_penalty = 0}).error().message, HasSubstr("repetition-penalty is 0"));
}

TEST(SamplingOptions, TheTableReadsAndWritesEachField) {
  for (const SamplingField& field : SamplingFields()) {
    SamplingOptions options;
    field.set(options, field.get(options) / 2 + 4);
    EXPECT_NE(options, SamplingOptions()) << field.name;
    EXPECT_NE(field.get(options), field.get({})) << field.name;
    EXPECT_EQ(FindSamplingField(field.name), &field);
  }
  EXPECT_EQ(FindSamplingField("top-k"), nullptr);
}

TEST(SamplingOptions, JsonHasEachFieldInTheOrderOfTheTable) {
  EXPECT_EQ(
      SamplingToJson(kStudySampling).dump(),
      R"({"temperature":1.2,"top_k":5,"top_p":1.0,"pitch_top_p":1.0,"min_p":0.0,"repetition_penalty":1.2,"recall":0.0,"chord_recall":0.0,"drafts":1})");
}

TEST(SamplingOptions, OnlyWholeNumbersAreNumbersOfTokens) {
  EXPECT_THAT(FindSamplingField("top_k")->Check(2.5).error().message,
              HasSubstr("top-k is 2.5, expected a whole number"));
  EXPECT_TRUE(FindSamplingField("top_k")->Check(2).ok());
  EXPECT_TRUE(FindSamplingField("temperature")->Check(2.5).ok());
}

}  // namespace
}  // namespace continuo
