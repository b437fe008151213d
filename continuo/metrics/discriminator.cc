#include "continuo/metrics/discriminator.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <numeric>
#include <utility>

#include "continuo/core/check.h"
#include "continuo/metrics/classifiers.h"
#include "continuo/metrics/two_sample.h"
#include "continuo/score/bars.h"

namespace continuo {
namespace {

using Json = nlohmann::json;

// Songs that differ by less do not differ.
constexpr double kLeastDeviation = 1e-6;

/// The notes that begin in the bars [first, end), as a score that begins with them; nullopt if not
/// all of these bars are four quarter notes long.
std::optional<Score> BarsOf(const Score& score, size_t first, size_t end) {
  const BarGrid grid(score);
  const int64_t bar_ticks = 4 * int64_t{score.ticks_per_quarter};
  for (size_t bar = first; bar < end; ++bar) {
    if (int64_t{grid.Line(bar + 1)} - grid.Line(bar) != bar_ticks) {
      return std::nullopt;
    }
  }
  const Tick begin = grid.Line(first);
  const Tick last = grid.Line(end);
  Score bars;
  bars.ticks_per_quarter = score.ticks_per_quarter;
  for (const Track& track : score.tracks) {
    Track& shifted = bars.tracks.emplace_back();
    for (Note note : track.notes) {
      if (note.time >= begin && note.time < last) {
        note.time -= begin;
        shifted.notes.push_back(note);
      }
    }
  }
  return bars;
}

/// The features of each piece's first bars.
std::vector<BarFeatureValues> FeaturesOf(std::span<const Score> pieces, int64_t bars) {
  std::vector<BarFeatureValues> rows;
  for (const Score& piece : pieces) {
    if (const std::optional<Score> first = BarsOf(piece, 0, static_cast<size_t>(bars))) {
      if (const std::optional<BarFeatureValues> features = BarFeaturesOf(*first, bars)) {
        rows.push_back(*features);
      }
    }
  }
  return rows;
}

/// `count` finite numbers.
Result<std::vector<double>> ReadNumbers(const Json& json, size_t count, std::string_view what) {
  if (!json.is_array() || json.size() != count) {
    return MakeError("{} is not a list of {} numbers", what, count);
  }
  std::vector<double> numbers;
  for (const Json& number : json) {
    if (!number.is_number() || !std::isfinite(number.get<double>())) {
      return MakeError("{} has {}, expected a number", what, number.dump());
    }
    numbers.push_back(number.get<double>());
  }
  return numbers;
}

/// To five digits, which is more than the fit knows.
double Rounded(double value) {
  return std::stod(fmt::format("{:.5g}", value));
}

}  // namespace

const std::array<std::pair<const char*, BarFeatureValues Discriminator::Regression::*>, 4> Discriminator::kLists = {
    {{"means", &Regression::means},
     {"deviations", &Regression::deviations},
     {"linear", &Regression::linear},
     {"squared", &Regression::squared}}};

std::optional<double> Discriminator::LogOdds(const Score& score, size_t end) const {
  const size_t steps = std::min(end / static_cast<size_t>(kStepBars), regressions_.size());
  if (steps == 0) {
    return std::nullopt;
  }
  const int64_t bars = static_cast<int64_t>(steps) * kStepBars;
  const std::optional<Score> last = BarsOf(score, end - static_cast<size_t>(bars), end);
  if (!last) {
    return std::nullopt;
  }
  const std::optional<BarFeatureValues> features = BarFeaturesOf(*last, bars);
  if (!features) {
    return -std::numeric_limits<double>::infinity();
  }
  const Regression& regression = regressions_[steps - 1];
  const auto terms = regression.Terms(*features);
  const double linear =
      std::inner_product(regression.linear.begin(), regression.linear.end(), terms.begin(), regression.intercept);
  return std::inner_product(regression.squared.begin(), regression.squared.end(), terms.begin() + kBarFeatures, linear);
}

Discriminator::Regression::Regression(std::span<const BarFeatureValues> songs) {
  for (size_t i = 0; i < kBarFeatures; ++i) {
    const auto [mean, variance] = MeanAndVariance(songs, i);
    means[i] = Rounded(mean);
    deviations[i] = Rounded(std::sqrt(variance));
    if (deviations[i] < kLeastDeviation) {
      deviations[i] = 1;
    }
  }
}

std::array<double, 2 * kBarFeatures> Discriminator::Regression::Terms(const BarFeatureValues& features) const {
  std::array<double, 2 * kBarFeatures> terms{};
  for (size_t i = 0; i < kBarFeatures; ++i) {
    terms[i] = std::clamp((features[i] - means[i]) / deviations[i], -kMostDeviations, kMostDeviations);
    terms[kBarFeatures + i] = terms[i] * terms[i];
  }
  return terms;
}

Result<Discriminator> Discriminator::Parse(std::string_view json, std::string_view name) {
  const Json file = Json::parse(json, nullptr, /*allow_exceptions=*/false);
  if (!file.is_object() || !file.contains("features") || !file.contains("regressions")) {
    return MakeError("{}: is not a JSON object with features and regressions", name);
  }
  Json features = Json::array();
  for (const BarFeature& feature : BarFeatureTable()) {
    features.push_back(feature.id);
  }
  if (file["features"] != features) {
    return MakeError("{}: its features are not those of this version of Continuo", name);
  }
  const Json& regressions = file["regressions"];
  constexpr size_t kMost = static_cast<size_t>(kMostBars / kStepBars);
  if (!regressions.is_array() || regressions.empty() || regressions.size() > kMost) {
    return MakeError("{}: regressions is not a list of 1 to {}", name, kMost);
  }
  Discriminator discriminator;
  for (const Json& regression : regressions) {
    const auto bars = static_cast<int64_t>(discriminator.regressions_.size() + 1) * kStepBars;
    if (!regression.is_object() || regression.value("bars", Json()) != bars || !regression.contains("intercept")) {
      return MakeError("{}: expected a regression of {} bars with an intercept", name, bars);
    }
    const std::string place = fmt::format("{}: regression of {} bars: ", name, bars);
    CONTINUO_ASSIGN(const std::vector<double> intercept,
                    ReadNumbers(Json::array({regression["intercept"]}), 1, place + "intercept"));
    Regression& read = discriminator.regressions_.emplace_back();
    read.intercept = intercept.front();
    for (const auto& [key, values] : kLists) {
      CONTINUO_ASSIGN(const std::vector<double> numbers,
                      ReadNumbers(regression.value(key, Json()), kBarFeatures, place + key));
      std::copy(numbers.begin(), numbers.end(), (read.*values).begin());
    }
    const double least = *std::min_element(read.deviations.begin(), read.deviations.end());
    if (least < kLeastDeviation) {
      return MakeError("{}deviations has {}, expected {} or more", place, least, kLeastDeviation);
    }
  }
  return discriminator;
}

std::string Discriminator::ToJson() const {
  nlohmann::ordered_json file = {{"features", Json::array()}, {"regressions", Json::array()}};
  for (const BarFeature& feature : BarFeatureTable()) {
    file["features"].push_back(feature.id);
  }
  for (size_t i = 0; i < regressions_.size(); ++i) {
    nlohmann::ordered_json& regression = file["regressions"].emplace_back();
    regression["bars"] = static_cast<int64_t>(i + 1) * kStepBars;
    regression["intercept"] = regressions_[i].intercept;
    for (const auto& [key, values] : kLists) {
      regression[key] = regressions_[i].*values;
    }
  }
  return file.dump() + "\n";
}

Result<Discriminator> FitDiscriminator(std::span<const Score> written, std::span<const Score> songs, int64_t bars,
                                       const Discriminator* before) {
  CONTINUO_CHECK(bars >= Discriminator::kStepBars && bars <= Discriminator::kMostBars &&
                 bars % Discriminator::kStepBars == 0);
  CONTINUO_CHECK(before == nullptr || before->bars() == bars);
  Discriminator discriminator;
  for (int64_t first = Discriminator::kStepBars; first <= bars; first += Discriminator::kStepBars) {
    const std::vector<BarFeatureValues> of_written = FeaturesOf(written, first);
    const std::vector<BarFeatureValues> of_songs = FeaturesOf(songs, first);
    if (std::min(of_written.size(), of_songs.size()) < kLeastForTwoSample) {
      return MakeError(
          "{} written pieces and {} songs with notes in their first {} bars of 4/4 are too few, expected {} of each",
          of_written.size(), of_songs.size(), first, kLeastForTwoSample);
    }
    LabelledRows rows;
    rows.columns = 2 * kBarFeatures;
    Discriminator::Regression regression = before != nullptr
                                               ? before->regressions_[discriminator.regressions_.size()]
                                               : Discriminator::Regression(std::span<const BarFeatureValues>(of_songs));
    for (const BarFeatureValues& features : of_written) {
      rows.Add(regression.Terms(features), 0);
    }
    for (const BarFeatureValues& features : of_songs) {
      rows.Add(regression.Terms(features), 1);
    }
    const LogisticRegression fitted = FitLogistic(rows, kTwoSampleInverseStrength);
    const double prior = std::log(static_cast<double>(of_songs.size()) / static_cast<double>(of_written.size()));
    regression.intercept = Rounded(regression.intercept + fitted.intercept - prior);
    for (size_t i = 0; i < kBarFeatures; ++i) {
      regression.linear[i] = Rounded(regression.linear[i] + fitted.weights[i]);
      regression.squared[i] = Rounded(regression.squared[i] + fitted.weights[kBarFeatures + i]);
    }
    discriminator.regressions_.push_back(regression);
  }
  return discriminator;
}

}  // namespace continuo
