#include "continuo/metrics/two_sample.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "continuo/core/rng.h"
#include "continuo/metrics/form.h"
#include "continuo/score/score_file.h"

namespace continuo {
namespace {

using ::testing::AllOf;
using ::testing::Ge;
using ::testing::HasSubstr;
using ::testing::Le;
using Json = nlohmann::json;

Json ReadGolden(const std::string& name) {
  std::ifstream file(CONTINUO_SOURCE_DIR "/testdata/metrics/" + name);
  return Json::parse(file);
}

TEST(MeasureAuc, EqualsThatOfScikitLearn) {
  const Json golden = ReadGolden("classifiers.json")["auc"];
  const std::vector<double> lower = golden["lower"];
  const std::vector<double> higher = golden["higher"];
  EXPECT_NEAR(MeasureAuc(lower, higher, 0).value, golden["value"].get<double>(), 1e-14);
}

TEST(MeasureAuc, CountsPairsInTheRightOrder) {
  const std::vector<double> lower = {1, 2, 3};
  const std::vector<double> higher = {2, 4};
  EXPECT_DOUBLE_EQ(MeasureAuc(lower, higher, 0).value, (1 + 0.5 + 0 + 3) / 6);
  EXPECT_EQ(MeasureAuc(lower, lower, 0).value, 0.5);
  const Auc apart = MeasureAuc(std::vector<double>{0, 1}, std::vector<double>{2, 3}, 0);
  EXPECT_EQ(apart.value, 1);
  EXPECT_EQ(apart.low, 1);
  EXPECT_EQ(apart.high, 1);
}

TEST(MeasureAuc, IntervalsHoldTheTrueValueNineteenTimesOfTwenty) {
  // Two normal distributions a deviation apart: the true AUC is Phi(1 / sqrt 2) = 0.7602.
  int inside = 0;
  double width = 0;
  constexpr int kSamples = 400;
  for (int sample = 0; sample < kSamples; ++sample) {
    Rng rng(11, static_cast<uint64_t>(sample));
    const auto draw = [&rng](double mean) {
      std::vector<double> values(60);
      for (double& value : values) {
        const double radius = std::sqrt(-2 * std::log(1 - rng.NextDouble()));
        value = mean + radius * std::cos(2 * M_PI * rng.NextDouble());
      }
      return values;
    };
    const std::vector<double> lower = draw(0);
    const std::vector<double> higher = draw(1);
    const Auc auc = MeasureAuc(lower, higher, 1, 400);
    inside += auc.low <= 0.7602 && 0.7602 <= auc.high ? 1 : 0;
    width += (auc.high - auc.low) / kSamples;
  }
  // 95 % of 400 are 380, give or take 4.4; percentile intervals of 60 pieces are slightly narrow.
  EXPECT_GE(inside, 0.91 * kSamples);
  EXPECT_LE(inside, 0.98 * kSamples);
  // 3.92 standard errors by Hanley and McNeil's formula: 3.92 * 0.0437.
  EXPECT_NEAR(width, 0.171, 0.02);
}

/// Twelve etudes with some notes a semitone higher, as tools/make_two_sample_golden.py changes
/// them.
std::vector<BarFeatureValues> ChangedEtudes(const Json& rule) {
  std::vector<BarFeatureValues> etudes;
  for (int i = 0; i < 12; ++i) {
    Score score = ReadScore(fmt::format("{}/examples/corpus/etude-{:02}.mid", CONTINUO_SOURCE_DIR,
                                        rule["first"].get<int>() + i + 1))
                      .value();
    const int divisor = rule["least"].get<int>() + i * rule["step"].get<int>() % 11;
    for (Note& note : score.tracks[0].notes) {
      const auto sixteenth = static_cast<int>(RoundHalfToEven(int64_t{note.time} * 4, score.ticks_per_quarter));
      note.pitch += (sixteenth * 7 + note.pitch) % divisor == 0 ? 1 : 0;
    }
    etudes.push_back(BarFeaturesOf(score, 32).value());
  }
  return etudes;
}

// The golden has the AUCs that scikit-learn's classifiers reach over 12 random orders of the
// pieces, which also move pieces among the ten parts. Ours is one more such order.
TEST(CompareByClassifiers, FindsTheAucsAndTheFeaturesThatScikitLearnFinds) {
  const Json golden = ReadGolden("two_sample.json");
  const std::vector<BarFeatureValues> reference = ChangedEtudes(golden["reference"]);
  const std::vector<BarFeatureValues> set = ChangedEtudes(golden["set"]);
  const TwoSample test = CompareByClassifiers(set, reference, {.threads = 2}).value();
  EXPECT_EQ(test.pieces, 12U);
  const auto expect_within = [&golden](const Auc& auc, const char* name) {
    const double mean = golden[name]["mean"];
    const double deviation = golden[name]["deviation"];
    EXPECT_NEAR(auc.value, mean, 3 * deviation) << name;
    EXPECT_LT(auc.low, auc.value);
    EXPECT_GT(auc.high, auc.value);
  };
  expect_within(test.forest, "forest");
  expect_within(test.forest_without_form, "forest_without_form");
  expect_within(test.logistic, "logistic");
  for (size_t i = 0; i < golden["differences"].size(); ++i) {
    const FeatureDifference& found = test.differences[i];
    const Json& expected = golden["differences"][i];
    EXPECT_EQ(BarFeatureTable()[found.feature].id, expected["id"]);
    EXPECT_NEAR(found.set_mean, expected["set"], 1e-8);
    EXPECT_NEAR(found.reference_mean, expected["reference"], 1e-8);
    EXPECT_NEAR(found.difference, expected["difference"], 1e-6);
  }
}

/// Features that are uniformly random, the first of them from `first` to `first` + 1, that of the
/// form "js8" from `js8` on.
std::vector<BarFeatureValues> RandomPieces(size_t count, uint64_t seed, double first, double js8 = 0) {
  const size_t form =
      static_cast<size_t>(std::ranges::find(BarFeatureTable(), "js8", &BarFeature::id) - BarFeatureTable().begin());
  std::vector<BarFeatureValues> pieces(count);
  for (size_t i = 0; i < count; ++i) {
    Rng rng(seed, i);
    for (double& value : pieces[i]) {
      value = rng.NextDouble();
    }
    pieces[i][0] += first;
    pieces[i][form] += js8;
  }
  return pieces;
}

TEST(CompareByClassifiers, CannotTellSetsOfOneKindApart) {
  const TwoSample test = CompareByClassifiers(RandomPieces(60, 1, 0), RandomPieces(60, 2, 0), {.threads = 2}).value();
  // The standard error of the AUC of 60 and 60 guesses is sqrt(121 / (12 * 60 * 60)) = 0.053.
  for (const Auc& auc : {test.forest, test.forest_without_form, test.logistic}) {
    EXPECT_NEAR(auc.value, 0.5, 3 * 0.053);
    EXPECT_THAT(auc.value, AllOf(Ge(auc.low), Le(auc.high)));
  }
}

TEST(CompareByClassifiers, TellsSetsApartByOneFeature) {
  const TwoSample test = CompareByClassifiers(RandomPieces(40, 1, 1), RandomPieces(60, 2, 0), {.threads = 2}).value();
  EXPECT_EQ(test.pieces, 40U);
  EXPECT_GT(test.forest.value, 0.95);
  EXPECT_GT(test.forest_without_form.value, 0.95);
  EXPECT_EQ(test.differences[0].feature, 0U);
  EXPECT_GT(test.differences[0].difference, 2);
  EXPECT_GT(test.differences[0].set_mean, test.differences[0].reference_mean + 0.8);
}

TEST(CompareByClassifiers, WithoutFormItDoesNotSeeAReturn) {
  const TwoSample test =
      CompareByClassifiers(RandomPieces(40, 1, 0, 1), RandomPieces(40, 2, 0), {.threads = 2}).value();
  EXPECT_GT(test.forest.value, 0.95);
  EXPECT_LT(test.forest_without_form.value, 0.75);
}

TEST(CompareByClassifiers, IsTheSameForAnyNumberOfThreads) {
  const auto set = RandomPieces(12, 1, 0.3);
  const auto reference = RandomPieces(15, 2, 0);
  const TwoSample one = CompareByClassifiers(set, reference, {.trees = 20, .threads = 1}).value();
  const TwoSample three = CompareByClassifiers(set, reference, {.trees = 20, .threads = 3}).value();
  EXPECT_EQ(one.forest.value, three.forest.value);
  EXPECT_EQ(one.forest_without_form.low, three.forest_without_form.low);
  EXPECT_EQ(one.logistic.value, three.logistic.value);
}

TEST(CompareByClassifiers, RefusesSetsThatAreTooSmall) {
  const auto test = CompareByClassifiers(RandomPieces(9, 1, 0), RandomPieces(50, 2, 0), {});
  ASSERT_FALSE(test.ok());
  EXPECT_THAT(test.error().ToString(), AllOf(HasSubstr("9 and 50 pieces"), HasSubstr("10 in each set")));
}

TEST(CompareByClassifiers, EndsWithAStop) {
  EXPECT_EQ(CompareByClassifiers(RandomPieces(10, 1, 0), RandomPieces(10, 2, 0), {}, NoProgress(),
                                 StopToken([] { return true; }))
                .error()
                .code,
            ErrorCode::kCancelled);
}

}  // namespace
}  // namespace continuo
