#include "continuo/metrics/bar_features.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>

#include "continuo/score/score_file.h"

namespace continuo {
namespace {

using Json = nlohmann::json;

double FeatureOf(const BarFeatureValues& values, std::string_view id) {
  const auto found = std::ranges::find(BarFeatureTable(), id, &BarFeature::id);
  return values[static_cast<size_t>(found - BarFeatureTable().begin())];
}

// numpy adds in another order and uses norms of another rounding; the golden has twelve digits.
// Values reach 127, so that their last digit is 1e-10.
TEST(BarFeatures, EqualThoseOfTheReferenceScript) {
  std::ifstream file(CONTINUO_SOURCE_DIR "/testdata/metrics/bar_features.json");
  const Json golden = Json::parse(file);
  ASSERT_EQ(golden["keys"].size(), kBarFeatures);
  for (size_t i = 0; i < kBarFeatures; ++i) {
    EXPECT_EQ(BarFeatureTable()[i].id, golden["keys"][i]);
  }
  ASSERT_EQ(golden["pieces"].size(), 8U);
  for (const Json& piece : golden["pieces"]) {
    const std::string path = CONTINUO_SOURCE_DIR "/" + piece["file"].get<std::string>();
    const BarFeatureValues values = BarFeaturesOf(ReadScore(path).value(), piece["bars"]).value();
    for (size_t i = 0; i < kBarFeatures; ++i) {
      EXPECT_NEAR(values[i], piece["values"][i].get<double>(), 1e-9) << path << " " << BarFeatureTable()[i].id;
    }
  }
}

TEST(BarFeatures, HaveNamesOfTheirOwn) {
  std::set<std::string> ids;
  std::set<std::string> words;
  size_t form = 0;
  for (const BarFeature& feature : BarFeatureTable()) {
    EXPECT_TRUE(ids.insert(feature.id).second) << feature.id;
    EXPECT_TRUE(words.insert(feature.words).second) << feature.words;
    form += feature.form ? 1 : 0;
  }
  EXPECT_EQ(form, 36U);
}

TEST(BarFeatures, AreFiniteWhateverThePiece) {
  Score score;
  score.ticks_per_quarter = 1;
  score.tracks.resize(1);
  EXPECT_FALSE(BarFeaturesOf(score, 32).has_value());
  constexpr Tick kLast = std::numeric_limits<Tick>::max();
  score.tracks[0].notes.push_back({4 * 32, kLast, 255, 255});
  EXPECT_FALSE(BarFeaturesOf(score, 32).has_value());
  for (const int64_t bars : {int64_t{33}, kMostFeatureBars}) {
    const BarFeatureValues values = BarFeaturesOf(score, bars).value();
    EXPECT_TRUE(std::ranges::all_of(values, [](double value) { return std::isfinite(value); }));
  }
  score.tracks[0].notes = {{0, 1, 60, 64}, {1, 1, 60, 64}};
  for (const int64_t bars : {1, 2, 3, 5, 24}) {
    const BarFeatureValues values = BarFeaturesOf(score, bars).value();
    EXPECT_TRUE(std::ranges::all_of(values, [](double value) { return std::isfinite(value); })) << bars;
    EXPECT_EQ(FeatureOf(values, "js24"), 0);
    EXPECT_DOUBLE_EQ(FeatureOf(values, "npb"), 2.0 / static_cast<double>(bars));
  }
}

TEST(BarFeatures, CountBarsOfFourQuartersWhateverTheSignature) {
  Score score;
  score.ticks_per_quarter = 480;
  score.time_signatures = {{0, 3, 4}};
  score.tracks.resize(1);
  score.tracks[0].notes = {{0, 480, 60, 64}, {1440, 480, 60, 64}};
  const BarFeatureValues values = BarFeaturesOf(score, 1).value();
  EXPECT_EQ(FeatureOf(values, "npb"), 2);
  EXPECT_EQ(FeatureOf(values, "pos12"), 0.5);
}

}  // namespace
}  // namespace continuo
