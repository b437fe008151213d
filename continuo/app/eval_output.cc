#include "continuo/app/eval_output.h"

#include <algorithm>
#include <cmath>
#include <span>
#include <string_view>

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
  if (!result.copies.empty()) {
    text += "\n\nlongest run of notes that also occurs in a song, in any key";
    for (size_t i = 0; i < result.copies.size(); ++i) {
      text += CopyLine(set.names[i], result.copies[i], result.songs);
    }
  }
  return text;
}

}  // namespace continuo
