#include "continuo/metrics/catalogue.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <fstream>
#include <set>
#include <sstream>
#include <string>

namespace continuo {
namespace {

TEST(MetricCatalogue, NamesEachMetricOnceAndDescribesIt) {
  std::set<std::string_view> names;
  for (const MetricRow& metric : MetricCatalogue()) {
    EXPECT_TRUE(names.insert(metric.name).second) << metric.name;
    EXPECT_FALSE(metric.title.empty()) << metric.name;
    EXPECT_FALSE(metric.description.empty()) << metric.name;
    EXPECT_EQ(FindMetric(metric.name), &metric);
  }
  EXPECT_EQ(FindMetric("H2"), nullptr);
}

TEST(MetricCatalogue, GroupsSayHowAMetricIsComputed) {
  size_t rows = 0;
  for (const MetricGroup group :
       {MetricGroup::kBars, MetricGroup::kDescription, MetricGroup::kSet, MetricGroup::kElsewhere}) {
    for (const MetricRow& metric : MetricsOf(group)) {
      EXPECT_EQ(metric.group, group);
      EXPECT_EQ(metric.of_piece != nullptr, group == MetricGroup::kBars || group == MetricGroup::kDescription)
          << metric.name;
      EXPECT_EQ(metric.of_set != nullptr, group == MetricGroup::kSet) << metric.name;
      ++rows;
    }
  }
  EXPECT_EQ(rows, MetricCatalogue().size());
  EXPECT_EQ(PieceMetrics().size(), MetricsOf(MetricGroup::kBars).size() + MetricsOf(MetricGroup::kDescription).size());
}

TEST(MetricCatalogue, RanksOnlyByMetricsOfWhichOneEndIsBetter) {
  for (const MetricRow& metric : MetricCatalogue()) {
    EXPECT_TRUE(metric.ranking.empty() || metric.better != Better::kNeither) << metric.name;
  }
}

TEST(MetricCatalogue, EveryMetricIsDocumented) {
  std::ifstream file(CONTINUO_SOURCE_DIR "/docs/metrics.md");
  const std::string page = (std::ostringstream() << file.rdbuf()).str();
  for (const MetricRow& metric : MetricCatalogue()) {
    EXPECT_NE(page.find(fmt::format("`{}`", metric.name)), std::string::npos) << metric.name;
  }
}

}  // namespace
}  // namespace continuo
