#include "continuo/compose/sampler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <numeric>

#include "continuo/core/rng.h"

namespace continuo {
namespace {

using ::testing::HasSubstr;

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

std::vector<double> Probabilities(Sampler& sampler, const std::vector<float>& logits, const std::vector<uint8_t>& seen,
                                  const std::vector<uint8_t>& allowed) {
  std::vector<double> probabilities(logits.size(), 0.0);
  for (const Sampler::Candidate& candidate : sampler.Distribution(logits, seen, allowed)) {
    probabilities[static_cast<size_t>(candidate.id)] += candidate.probability;
  }
  return probabilities;
}

TEST(Sampler, MatchesHuggingFacesDistributions) {
  std::ifstream file(CONTINUO_SOURCE_DIR "/testdata/sample/distributions.json");
  const auto cases = nlohmann::json::parse(file);
  ASSERT_EQ(cases.size(), 12U);
  for (const auto& c : cases) {
    SamplingOptions options;
    options.temperature = c["temperature"];
    options.top_k = c["top_k"];
    options.top_p = c["top_p"];
    options.min_p = c["min_p"];
    options.repetition_penalty = c["repetition_penalty"];
    const auto logits = c["logits"].get<std::vector<float>>();
    std::vector<uint8_t> seen(logits.size(), 0);
    for (const size_t id : c["seen"]) {
      seen[id] = 1;
    }
    Sampler sampler(options);
    const auto got = Probabilities(sampler, logits, seen, std::vector<uint8_t>(logits.size(), 1));
    for (size_t id = 0; id < logits.size(); ++id) {
      // Hugging Face computes in float: a few roundings of 2^-24 of values up to 10 before exp.
      EXPECT_NEAR(got[id], c["probabilities"][id].get<double>(), 1e-6) << c.dump().substr(0, 110) << " id " << id;
    }
  }
}

TEST(Sampler, APitchHasATopPOfItsOwn) {
  // Probabilities of about 0.67, 0.24, 0.09.
  Sampler sampler({.top_p = 0.95, .pitch_top_p = 0.5}, {1, 0, 0});
  const std::vector<uint8_t> all = {1, 1, 1};
  EXPECT_EQ(sampler.Distribution(std::vector<float>{3, 2, 1}, std::vector<uint8_t>{0, 0, 0}, all).size(), 1U);
  EXPECT_EQ(sampler.Distribution(std::vector<float>{2, 3, 1}, std::vector<uint8_t>{0, 0, 0}, all).size(), 3U);
  Sampler narrow({.top_p = 0.5, .pitch_top_p = 0.95}, {1, 0, 0});
  EXPECT_EQ(narrow.Distribution(std::vector<float>{3, 2, 1}, std::vector<uint8_t>{0, 0, 0}, all).size(), 1U);
}

TEST(Sampler, KMeansKAllowedChoices) {
  Sampler sampler({.top_k = 2});
  const auto got = Probabilities(sampler, {9, 8, 7, 6, 5}, {0, 0, 0, 0, 0}, {0, 0, 1, 1, 1});
  EXPECT_EQ(got[0] + got[1] + got[4], 0.0);
  EXPECT_DOUBLE_EQ(got[2] + got[3], 1.0);
  EXPECT_NEAR(got[2] / got[3], std::exp(1.0), 1e-12);
}

TEST(Sampler, TemperatureZeroTakesTheLikeliestAndTheLowestOfEquals) {
  Sampler sampler({.temperature = 0.0});
  EXPECT_EQ(
      sampler.Sample(std::vector<float>{1, 3, 3, 2}, std::vector<uint8_t>(4, 0), std::vector<uint8_t>(4, 1), 0.99), 1);
  EXPECT_EQ(
      sampler.Sample(std::vector<float>{1, 3, 3, 2}, std::vector<uint8_t>(4, 0), std::vector<uint8_t>{1, 0, 0, 1}, 0.0),
      3);
}

TEST(Sampler, NeverReturnsNanNorAnEmptyDistribution) {
  const std::vector<SamplingOptions> all = {{},
                                            {.temperature = 0.0},
                                            {.temperature = 1e-300},
                                            {.temperature = 1e300, .top_k = 1},
                                            {.top_p = 1e-300},
                                            {.min_p = 1.0, .repetition_penalty = 1e300}};
  const std::vector<std::vector<float>> logits = {{kNan, kNan, kNan},        {-kInfinity, -kInfinity, -kInfinity},
                                                  {kInfinity, kInfinity, 0}, {3e38F, -3e38F, 0},
                                                  {kNan, 1, -kInfinity},     {0, 0, 0}};
  for (const SamplingOptions& options : all) {
    for (const auto& row : logits) {
      Sampler sampler(options);
      const auto candidates = sampler.Distribution(row, std::vector<uint8_t>{1, 0, 1}, std::vector<uint8_t>{1, 1, 0});
      ASSERT_FALSE(candidates.empty());
      double sum = 0.0;
      for (const auto& candidate : candidates) {
        EXPECT_NE(candidate.id, 2);
        EXPECT_TRUE(std::isfinite(candidate.probability));
        sum += candidate.probability;
      }
      EXPECT_NEAR(sum, 1.0, 1e-12);
    }
  }
}

TEST(Sampler, DrawsInProportion) {
  Sampler sampler(SamplingOptions{});
  const std::vector<float> logits = {std::log(0.5F), std::log(0.3F), std::log(0.2F)};
  const std::vector<uint8_t> seen(3, 0);
  const std::vector<uint8_t> allowed(3, 1);
  std::vector<int> count(3, 0);
  Rng rng(1, 0);
  for (int i = 0; i < 10000; ++i) {
    ++count[static_cast<size_t>(sampler.Sample(logits, seen, allowed, rng.NextDouble()))];
  }
  // Standard deviation sqrt(10000 p (1 - p)) <= 50; five of them.
  EXPECT_NEAR(count[0], 5000, 250);
  EXPECT_NEAR(count[1], 3000, 250);
  EXPECT_NEAR(count[2], 2000, 250);
}

}  // namespace
}  // namespace continuo
