#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <memory>
#include <optional>

#include "continuo/app/command.h"
#include "continuo/app/terminal.h"
#include "continuo/core/file.h"
#include "continuo/core/thread_pool.h"
#include "continuo/metrics/metrics.h"
#include "continuo/score/score_file.h"

namespace continuo {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

struct EvalFlags {
  std::vector<std::string> paths;
  int64_t bars = 0;
  bool tsv = false;
  std::string reference;
  size_t threads = 0;
};

/// A column of the table: a metric's name, its value, and how many decimals are shown.
struct Column {
  const char* name;
  double (*value)(const Metrics&);
  int decimals;
};
constexpr std::array<Column, 6> kColumns = {{
    {"bars", [](const Metrics& m) { return static_cast<double>(m.bars); }, 0},
    {"notes", [](const Metrics& m) { return static_cast<double>(m.notes); }, 0},
    {"H1", [](const Metrics& m) { return m.h1; }, 3},
    {"H4", [](const Metrics& m) { return m.h4; }, 3},
    {"GS", [](const Metrics& m) { return m.gs; }, 3},
    {"CPI", [](const Metrics& m) { return m.cpi; }, 3},
}};

using Row = std::array<double, kColumns.size()>;

struct Table {
  std::vector<std::string> files;
  std::vector<Row> rows;
  Row mean{};
  Row deviation{};  // of a sample: n - 1
};

/// Mean and deviation of each column's values that are defined.
void Summarize(Table& table) {
  for (size_t column = 0; column < kColumns.size(); ++column) {
    double sum = 0.0;
    double count = 0.0;
    for (const Row& row : table.rows) {
      if (!std::isnan(row[column])) {
        sum += row[column];
        ++count;
      }
    }
    const double mean = count > 0 ? sum / count : Metrics::kUndefined;
    double squares = 0.0;
    for (const Row& row : table.rows) {
      if (!std::isnan(row[column])) {
        squares += (row[column] - mean) * (row[column] - mean);
      }
    }
    table.mean[column] = mean;
    table.deviation[column] = count > 1 ? std::sqrt(squares / (count - 1)) : Metrics::kUndefined;
  }
}

Json RowToJson(const Row& row) {
  Json json = Json::object();
  for (size_t column = 0; column < kColumns.size(); ++column) {
    const double value = row[column];
    if (std::isnan(value)) {
      json[kColumns[column].name] = nullptr;
    } else if (value == std::floor(value) && kColumns[column].decimals == 0) {
      json[kColumns[column].name] = static_cast<int64_t>(value);
    } else {
      json[kColumns[column].name] = value;
    }
  }
  return json;
}

Status PrintAsJson(const Table& table) {
  Json files = Json::array();
  for (size_t i = 0; i < table.files.size(); ++i) {
    Json row = {{"file", table.files[i]}};
    row.update(RowToJson(table.rows[i]));
    files.push_back(std::move(row));
  }
  return PrintJson({{"files", std::move(files)}, {"mean", RowToJson(table.mean)}, {"std", RowToJson(table.deviation)}});
}

Status PrintAsTsv(const Table& table) {
  std::string line = "file";
  for (const Column& column : kColumns) {
    line += fmt::format("\t{}", column.name);
  }
  CONTINUO_TRY(PrintLine(line));
  for (size_t i = 0; i < table.files.size(); ++i) {
    line = table.files[i];
    for (const double value : table.rows[i]) {
      line += fmt::format("\t{}", value);
    }
    CONTINUO_TRY(PrintLine(line));
  }
  return {};
}

/// What an earlier `eval --json` printed, to set beside.
struct Reference {
  std::string name;
  Row mean{};
  Row deviation{};
};

Result<Reference> ReadReference(const std::string& path) {
  CONTINUO_ASSIGN(const std::string text, ReadTextFile(path, uint64_t{1} << 28));
  const Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object() || !json.contains("mean") || !json.contains("std")) {
    return MakeError("{}: has no \"mean\" and \"std\", expected what `continuo eval --json` prints", path);
  }
  const auto read = [](const Json& object) {
    Row row;
    for (size_t column = 0; column < kColumns.size(); ++column) {
      const auto found = object.is_object() ? object.find(kColumns[column].name) : object.end();
      row[column] = object.is_object() && found != object.end() && found->is_number() ? found->get<double>()
                                                                                     : Metrics::kUndefined;
    }
    return row;
  };
  Reference reference{path, read(json["mean"]), read(json["std"])};
  if (json.contains("name") && json["name"].is_string()) {
    reference.name = json["name"];
  }
  return reference;
}

Status PrintAsText(const Table& table, const std::optional<Reference>& reference) {
  size_t width = 16;
  for (const std::string& file : table.files) {
    width = std::max(width, file.size());
  }
  if (reference) {
    width = std::max(width, reference->name.size());
  }
  std::string line = fmt::format("{:<{}}", "", width);
  for (const Column& column : kColumns) {
    line += fmt::format("{:>15}", column.name);
  }
  CONTINUO_TRY(PrintLine(line));
  const auto cell = [](double value, int decimals) {
    return std::isnan(value) ? std::string("-") : fmt::format("{:.{}f}", value, decimals);
  };
  for (size_t i = 0; i < table.files.size(); ++i) {
    line = fmt::format("{:<{}}", table.files[i], width);
    for (size_t column = 0; column < kColumns.size(); ++column) {
      line += fmt::format("{:>15}", cell(table.rows[i][column], kColumns[column].decimals));
    }
    CONTINUO_TRY(PrintLine(line));
  }
  const auto summary = [&](std::string_view name, const Row& mean, const Row& deviation) {
    std::string text = fmt::format("{:<{}}", name, width);
    for (size_t column = 0; column < kColumns.size(); ++column) {
      const int decimals = std::max(1, kColumns[column].decimals);
      std::string both = cell(mean[column], decimals);
      if (!std::isnan(deviation[column])) {
        both += fmt::format(" ± {}", cell(deviation[column], decimals));
      }
      // "±" is one column wide but two bytes long; fmt counts columns.
      text += fmt::format("{:>15}", both);
    }
    return PrintLine(text);
  };
  if (table.files.size() > 1) {
    CONTINUO_TRY(summary(fmt::format("mean of {}", table.files.size()), table.mean, table.deviation));
  }
  if (reference) {
    CONTINUO_TRY(summary(reference->name, reference->mean, reference->deviation));
  }
  return {};
}

Status RunEval(const EvalFlags& flags, const AppContext& context) {
  if (flags.bars < 0) {
    return MakeError("bars is {}, expected 1 or more, or 0 for all", flags.bars);
  }
  std::optional<Reference> reference;
  if (!flags.reference.empty()) {
    CONTINUO_ASSIGN(reference, ReadReference(flags.reference));
  }
  CONTINUO_ASSIGN(const std::vector<fs::path> files, MidiFilesIn(flags.paths));
  std::vector<std::optional<Result<Metrics>>> measured(files.size());
  {
    TerminalProgress progress("files", context.quiet);
    ThreadPool pool(flags.threads);
    std::atomic<uint64_t> done{0};
    pool.ForEach(files.size(), [&](size_t index, size_t) {
      if (progress.ShouldStop()) {
        return;
      }
      const Result<Score> score = ReadScore(files[index]);
      measured[index] = score.ok() ? Result<Metrics>(MeasureBars(*score, flags.bars)) : Result<Metrics>(score.error());
      progress.Update(++done, files.size(), "");
    });
    if (progress.ShouldStop()) {
      return {};
    }
  }

  Table table;
  size_t failed = 0;
  for (size_t i = 0; i < files.size(); ++i) {
    if (!measured[i]->ok()) {
      PrintError(measured[i]->error());
      ++failed;
      continue;
    }
    table.files.push_back(files[i].string());
    Row row;
    std::transform(kColumns.begin(), kColumns.end(), row.begin(),
                   [&](const Column& column) { return column.value(**measured[i]); });
    table.rows.push_back(row);
  }
  if (!table.files.empty()) {
    Summarize(table);
    if (context.json) {
      CONTINUO_TRY(PrintAsJson(table));
    } else if (flags.tsv) {
      CONTINUO_TRY(PrintAsTsv(table));
    } else {
      CONTINUO_TRY(PrintAsText(table, reference));
    }
  }
  if (failed > 0) {
    return MakeError("{} of {} files could not be read", failed, files.size());
  }
  return {};
}

}  // namespace

void AddEvalCommand(CLI::App& app, AppContext& context) {
  CLI::App* command = app.add_subcommand("eval", "Measure pieces: pitch-class entropy, groove similarity, chords");
  command->footer("H1 and H4 are bits of pitch-class entropy in one bar and in four; GS says how alike the bars' rhythms are,\n"
                  "CPI how irregular the chords; docs/metrics.md defines them.\n\n"
                  "Examples:\n"
                  "  continuo eval out/new --bars 32 --reference models/pop1k7.eval.json\n"
                  "  continuo eval song.mid --json");
  auto flags = std::make_shared<EvalFlags>();
  command->add_option("files", flags->paths, "MIDI files, or folders of them")->required();
  command->add_option("--bars", flags->bars, "measure only so many bars from the start; 0: all")->capture_default_str();
  command->add_flag("--tsv", flags->tsv, "a table with tabs, all digits");
  command->add_option("--reference", flags->reference, "set beside what `eval --json` printed into this file");
  command->add_option("--threads", flags->threads, "threads; 0: one for each core")->capture_default_str();
  command->callback([flags, &context] { context.run = [flags, &context] { return RunEval(*flags, context); }; });
}

}  // namespace continuo
