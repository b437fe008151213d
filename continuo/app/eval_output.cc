#include "continuo/app/eval_output.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <span>
#include <string_view>
#include <utility>

#include "continuo/app/terminal.h"

namespace continuo {
namespace {

using Json = nlohmann::ordered_json;

/// The columns of one group of metrics: their rows in the catalogue, and their place among a
/// piece's values.
struct Columns {
  std::span<const MetricRow> metrics;
  size_t first;
  double Of(const PieceMeasures& piece, size_t column) const { return piece.values[first + column]; }
};

Columns BarColumns() {
  return {MetricsOf(MetricGroup::kBars), 0};
}

Columns DescriptionColumns() {
  return {MetricsOf(MetricGroup::kDescription), MetricsOf(MetricGroup::kBars).size()};
}

/// null for NaN, an integer where the metric counts something.
Json Number(double value, int decimals = 1) {
  if (std::isnan(value)) {
    return nullptr;
  }
  if (value == std::floor(value) && decimals == 0) {
    return static_cast<int64_t>(value);
  }
  return value;
}

Json CopyToJson(const CopiedRun& run, const std::vector<std::string>& songs) {
  Json json = {{"notes", run.notes}, {"bar", run.bar + 1}};
  if (run.notes > 0) {
    json["song"] = songs[run.song];
    json["song_bar"] = run.song_bar + 1;
  }
  return json;
}

Json FilesToJson(const EvalResult& result) {
  Json files = Json::array();
  for (size_t i = 0; i < result.set.names.size(); ++i) {
    const PieceMeasures& piece = result.set.pieces[i];
    Json row = {{"file", result.set.names[i]}};
    for (size_t metric = 0; metric < PieceMetrics().size(); ++metric) {
      row[PieceMetrics()[metric].name] = Number(piece.values[metric], PieceMetrics()[metric].decimals);
    }
    row["key"] = piece.description.key.Name();
    if (!result.set.repairs[i].empty()) {
      row["repairs"] = result.set.repairs[i];
    }
    if (!result.copies.empty()) {
      row["copied"] = CopyToJson(result.copies[i], result.songs);
    }
    files.push_back(std::move(row));
  }
  return files;
}

/// Appends lines of a table whose first column, `width` wide, names what the line shows.
class TableText {
 public:
  TableText(Columns columns, size_t width) : columns_(columns), width_(width) {}

  void AddHeader() {
    AddName("");
    for (const MetricRow& metric : columns_.metrics) {
      text_ += fmt::format("{:>{}}", metric.name, WidthOf(metric));
    }
  }
  /// `value_of(column)` is the number in each column, shown with at least `least_decimals`.
  template <typename ValueOf>
  void AddLine(std::string_view name, int least_decimals, const ValueOf& value_of) {
    AddName(name);
    for (size_t column = 0; column < columns_.metrics.size(); ++column) {
      const MetricRow& metric = columns_.metrics[column];
      const int decimals = std::max(least_decimals, metric.decimals);
      text_ += fmt::format("{:>{}}", FormatNumber(value_of(column), decimals), WidthOf(metric));
    }
  }
  const std::string& text() const { return text_; }

 private:
  static size_t WidthOf(const MetricRow& metric) { return std::max<size_t>(9, metric.name.size() + 2); }
  void AddName(std::string_view name) { text_ += fmt::format("{}{:<{}}", text_.empty() ? "" : "\n", name, width_); }

  Columns columns_;
  size_t width_;
  std::string text_;
};

std::string TableOf(Columns columns, const MeasuredSet& set, const std::optional<EvalReference>& reference) {
  size_t width = reference ? std::max<size_t>(24, reference->name.size()) : 24;
  for (const std::string& name : set.names) {
    width = std::max(width, name.size());
  }
  TableText table(columns, width);
  table.AddHeader();
  for (size_t i = 0; i < set.names.size(); ++i) {
    table.AddLine(set.names[i], 0, [&](size_t column) { return columns.Of(set.pieces[i], column); });
  }
  if (set.names.size() > 1) {
    const std::vector<Summary> summaries = set.Summaries();
    const auto of = [&](double Summary::* part) {
      return [&summaries, part, columns](size_t column) { return summaries[columns.first + column].*part; };
    };
    table.AddLine(fmt::format("mean of {}", set.names.size()), 1, of(&Summary::mean));
    table.AddLine("  standard deviation", 1, of(&Summary::deviation));
    table.AddLine("  95 % of the mean, from", 1, of(&Summary::low));
    table.AddLine("                      to", 1, of(&Summary::high));
  }
  if (reference) {
    const auto of = [&](const Json& numbers) {
      return [&numbers, columns](size_t column) {
        const auto found = numbers.find(columns.metrics[column].name);
        return found != numbers.end() && found->is_number() ? found->template get<double>() : NAN;
      };
    };
    table.AddLine(reference->name, 1, of(reference->mean));
    table.AddLine("  standard deviation", 1, of(reference->deviation));
  }
  return table.text();
}

// The lags of the table of form; JSON has all.
constexpr std::array<size_t, 6> kShownLags = {1, 2, 4, 8, 16, 24};
// Features of the two-sample test that the text shows; JSON has all.
constexpr size_t kShownFeatures = 12;

struct Likeness {
  std::string_view id;
  std::string_view words;
  double BarLikeness::* value;
};
constexpr std::array<Likeness, 3> kLikenesses = {{{"exact", "exact notes", &BarLikeness::exact},
                                                  {"rhythm", "rhythm", &BarLikeness::rhythm},
                                                  {"chroma", "pitch classes", &BarLikeness::chroma}}};

/// How much returns after how many bars, and SI, in both sets.
std::string FormTable(const MeasuredSet& set, const MeasuredSet& reference) {
  std::string text = fmt::format("\n\n{:<24}", "form: alike after bars");
  for (const size_t lag : kShownLags) {
    text += fmt::format("{:>9}", lag);
  }
  const std::pair<std::string_view, Form> forms[] = {{"", set.MeanForm()}, {"  reference", reference.MeanForm()}};
  for (const Likeness& likeness : kLikenesses) {
    for (const auto& [name, form] : forms) {
      text += fmt::format("\n{:<24}", name.empty() ? likeness.words : name);
      for (const size_t lag : kShownLags) {
        text += fmt::format("{:>9}", FormatNumber(form.At(lag).*likeness.value, 3));
      }
    }
  }
  constexpr std::array<std::string_view, 3> kStructure = {"SI_short", "SI_mid", "SI_long"};
  text += fmt::format("\n{:<24}", "");
  for (const std::string_view name : kStructure) {
    text += fmt::format("{:>9}", name);
  }
  const std::pair<std::string_view, std::vector<Summary>> summaries[] = {{"structure, whole pieces", set.Summaries()},
                                                                         {"  reference", reference.Summaries()}};
  for (const auto& [name, of_metrics] : summaries) {
    text += fmt::format("\n{:<24}", name);
    for (const std::string_view metric : kStructure) {
      const auto place = static_cast<size_t>(FindMetric(metric) - PieceMetrics().data());
      text += fmt::format("{:>9}", FormatNumber(of_metrics[place].mean, 3));
    }
  }
  return text;
}

std::string TwoSampleTable(const Result<TwoSample>& result) {
  if (!result.ok()) {
    return "\n\ntwo-sample test: left out; " + result.error().ToString();
  }
  std::string text = fmt::format(
      "\n\ntwo-sample test: does a classifier tell {} pieces of each set apart? (0.5: it guesses, 1: always)",
      result->pieces);
  text += fmt::format("\n{:<32}{:>9}  95 % interval", "", "AUC");
  const auto add = [&text](std::string_view name, const Auc& auc) {
    text += fmt::format("\n  {:<30}{:>9.3f}  [{:.3f}, {:.3f}]", name, auc.value, auc.low, auc.high);
  };
  add("random forest", result->forest);
  add("random forest without form", result->forest_without_form);
  add("logistic regression", result->logistic);
  constexpr std::string_view kHeading = "what gives the set away, the most revealing first";
  const auto shown = std::span(result->differences).first(std::min(kShownFeatures, result->differences.size()));
  size_t width = kHeading.size();
  for (const FeatureDifference& d : shown) {
    width = std::max(width, BarFeatureTable()[d.feature].words.size() + 2);
  }
  text += fmt::format("\n{:<{}}{:>10}{:>11}{:>12}", kHeading, width, "mean", "reference", "difference");
  for (const FeatureDifference& d : shown) {
    text += fmt::format("\n  {:<{}}{:>10.3f}{:>11.3f}{:>+12.2f}", BarFeatureTable()[d.feature].words, width - 2,
                        d.set_mean, d.reference_mean, d.difference);
  }
  return text;
}

Json FormToJson(const MeasuredSet& set) {
  const Form form = set.MeanForm();
  Json json = Json::object();
  for (const Likeness& likeness : kLikenesses) {
    Json& values = json[likeness.id] = Json::array();
    for (const BarLikeness& lag : form.lags) {
      values.push_back(Number(lag.*likeness.value));
    }
  }
  return json;
}

Json TwoSampleToJson(const Result<TwoSample>& result) {
  if (!result.ok()) {
    return {{"left_out", result.error().ToString()}};
  }
  const auto auc = [](const Auc& value) { return Json{{"auc", value.value}, {"ci95", {value.low, value.high}}}; };
  Json json = {{"pieces", result->pieces},
               {"forest", auc(result->forest)},
               {"forest_without_form", auc(result->forest_without_form)},
               {"logistic", auc(result->logistic)},
               {"features", Json::array()}};
  for (const FeatureDifference& d : result->differences) {
    const BarFeature& feature = BarFeatureTable()[d.feature];
    json["features"].push_back({{"feature", feature.words},
                                {"id", feature.id},
                                {"form", feature.form},
                                {"mean", d.set_mean},
                                {"std", d.set_deviation},
                                {"reference_mean", d.reference_mean},
                                {"reference_std", d.reference_deviation},
                                {"difference", d.difference}});
  }
  return json;
}

std::string CopyLine(const std::string& name, const CopiedRun& run, const std::vector<std::string>& songs) {
  return run.notes == 0 ? fmt::format("\n{}: none", name)
                        : fmt::format("\n{}: {} notes, bar {}; in {}, bar {}", name, run.notes, run.bar + 1,
                                      songs[run.song], run.song_bar + 1);
}

}  // namespace

Result<EvalReference> ParseEvalReference(const std::string& text, const std::string& path) {
  const Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object() || !json.contains("mean") || !json.contains("std") || !json["mean"].is_object() ||
      !json["std"].is_object()) {
    return MakeError("{}: has no \"mean\" and \"std\", expected the output of `continuo eval --json`", path);
  }
  EvalReference reference{path, json["mean"], json["std"]};
  if (json.contains("name") && json["name"].is_string()) {
    reference.name = json["name"];
  }
  return reference;
}

Json EvalToJson(const EvalResult& result) {
  Json mean;
  Json deviation;
  Json interval;
  const std::vector<Summary> summaries = result.set.Summaries();
  for (size_t column = 0; column < BarColumns().metrics.size(); ++column) {
    const std::string_view name = BarColumns().metrics[column].name;
    const Summary& summary = summaries[BarColumns().first + column];
    mean[name] = Number(summary.mean);
    deviation[name] = Number(summary.deviation);
    interval[name] = {Number(summary.low), Number(summary.high)};
  }
  Json json = {{"files", FilesToJson(result)}, {"mean", mean}, {"std", deviation}, {"ci95", interval}};
  const std::vector<double> set_values = result.set.SetValues();
  for (size_t i = 0; i < set_values.size(); ++i) {
    if (!std::isnan(set_values[i])) {
      json[MetricsOf(MetricGroup::kSet)[i].name] = set_values[i];
    }
  }
  if (!result.distances.empty()) {
    json["distances"] = Json::array();
    for (const SetDistance& distance : result.distances) {
      json["distances"].push_back({{"feature", distance.feature},
                                   {"within_reference", distance.within_reference},
                                   {"between", distance.between},
                                   {"overlap", distance.overlap},
                                   {"divergence", distance.divergence}});
    }
  }
  if (result.reference) {
    json["form"] = {{"set", FormToJson(result.set)}, {"reference", FormToJson(*result.reference)}};
  }
  if (result.two_sample) {
    json["two_sample"] = TwoSampleToJson(*result.two_sample);
  }
  return json;
}

std::string EvalToTsv(const EvalResult& result) {
  const Columns columns = BarColumns();
  std::string text = "file";
  for (const MetricRow& metric : columns.metrics) {
    text += fmt::format("\t{}", metric.name);
  }
  for (size_t i = 0; i < result.set.names.size(); ++i) {
    text += "\n" + result.set.names[i];
    for (size_t column = 0; column < columns.metrics.size(); ++column) {
      text += fmt::format("\t{}", columns.Of(result.set.pieces[i], column));
    }
  }
  return text;
}

std::string EvalToText(const EvalResult& result, const std::optional<EvalReference>& reference, bool describe) {
  const MeasuredSet& set = result.set;
  std::string text = TableOf(BarColumns(), set, reference);
  if (describe) {
    text += "\n\n" + TableOf(DescriptionColumns(), set, std::nullopt) + "\n";
    for (size_t i = 0; i < set.names.size(); ++i) {
      text += fmt::format("\n{}: {}", set.names[i], set.pieces[i].description.key.Name());
    }
  }
  if (!result.distances.empty()) {
    text += fmt::format("\n\n{:<24}{:>9}{:>12}{:>16}{:>10}", "against the reference", "overlap", "divergence",
                        "within reference", "between");
    for (const SetDistance& distance : result.distances) {
      text += fmt::format("\n{:<24}{:>9.3f}{:>12.3f}{:>16.3f}{:>10.3f}", distance.feature, distance.overlap,
                          distance.divergence, distance.within_reference, distance.between);
    }
  }
  if (result.reference) {
    text += FormTable(set, *result.reference);
  }
  if (result.two_sample) {
    text += TwoSampleTable(*result.two_sample);
  }
  if (!result.copies.empty()) {
    text += "\n\nlongest run of notes that also occurs in a song, in any key";
    for (size_t i = 0; i < result.copies.size(); ++i) {
      text += CopyLine(set.names[i], result.copies[i], result.songs);
    }
  }
  return text;
}

}  // namespace continuo
