#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <memory>
#include <optional>
#include <span>

#include "continuo/app/command.h"
#include "continuo/app/terminal.h"
#include "continuo/core/thread_pool.h"
#include "continuo/metrics/copying.h"
#include "continuo/metrics/piece_measures.h"
#include "continuo/metrics/set_distance.h"
#include "continuo/metrics/statistics.h"
#include "continuo/os/file.h"
#include "continuo/os/machine.h"
#include "continuo/score/score_file.h"

namespace continuo {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

// Above so many files SI, which takes up to half a second a file, is left out unless asked for.
constexpr size_t kFilesWithSi = 100;

enum class SiWish { kAuto, kYes, kNo };

struct EvalFlags {
  std::vector<std::string> paths;
  int64_t bars = 0;
  bool tsv = false;
  bool describe = false;
  std::string si = "auto";
  std::string reference;
  std::vector<std::string> against;
  std::vector<std::string> copied_from;
  size_t threads = 0;
};

/// A table of files by columns, and each column over the files.
struct Table {
  std::span<const MeasureColumn> columns;
  std::vector<std::string> files;
  std::vector<std::vector<double>> rows;
  std::vector<Summary> summaries;
};

Table MakeTable(std::span<const MeasureColumn> columns, const std::vector<std::string>& files,
                const std::vector<PieceMeasures>& measured) {
  Table table{columns, files, {}, {}};
  for (const PieceMeasures& piece : measured) {
    std::vector<double>& row = table.rows.emplace_back();
    for (const MeasureColumn& column : table.columns) {
      row.push_back(column.value(piece));
    }
  }
  for (size_t column = 0; column < table.columns.size(); ++column) {
    std::vector<double> values;
    for (const std::vector<double>& row : table.rows) {
      values.push_back(row[column]);
    }
    table.summaries.push_back(Summarize(values));
  }
  return table;
}

Json Number(double value, int decimals = 1) {
  if (std::isnan(value)) {
    return nullptr;
  }
  if (value == std::floor(value) && decimals == 0) {
    return static_cast<int64_t>(value);
  }
  return value;
}

Json RowToJson(const Table& table, const std::vector<double>& row) {
  Json json = Json::object();
  for (size_t column = 0; column < table.columns.size(); ++column) {
    json[table.columns[column].name] = Number(row[column], table.columns[column].decimals);
  }
  return json;
}

/// What the run found beside the tables.
struct Findings {
  std::vector<SetDistance> distances;
  std::vector<CopiedRun> copies;  // of each file
  std::vector<std::string> songs;
  double distinct_runs = NAN;
};

/// Notes in a run for the distinctness of the pieces among themselves.
constexpr size_t kDistinctRun = 8;

Status PrintAsJson(const Table& table, const std::vector<PieceMeasures>& measured, const Findings& findings) {
  Json files = Json::array();
  for (size_t i = 0; i < table.files.size(); ++i) {
    Json row = {{"file", table.files[i]}};
    row.update(RowToJson(table, table.rows[i]));
    const Description& description = measured[i].description;
    for (const MeasureColumn& column : DescriptionColumns()) {
      row[column.name] = Number(column.value(measured[i]), column.decimals);
    }
    row["key"] = description.key.Name();
    if (!findings.copies.empty()) {
      const CopiedRun& run = findings.copies[i];
      row["copied"] = {{"notes", run.notes}, {"bar", run.bar + 1}};
      if (run.notes > 0) {
        row["copied"]["song"] = findings.songs[run.song];
        row["copied"]["song_bar"] = run.song_bar + 1;
      }
    }
    files.push_back(std::move(row));
  }
  Json mean;
  Json deviation;
  Json interval;
  for (size_t column = 0; column < table.columns.size(); ++column) {
    const char* name = table.columns[column].name;
    const Summary& summary = table.summaries[column];
    mean[name] = Number(summary.mean);
    deviation[name] = Number(summary.deviation);
    interval[name] = {Number(summary.low), Number(summary.high)};
  }
  Json json = {{"files", std::move(files)}, {"mean", mean}, {"std", deviation}, {"ci95", interval}};
  if (!std::isnan(findings.distinct_runs)) {
    json["distinct_runs"] = findings.distinct_runs;
  }
  if (!findings.distances.empty()) {
    json["distances"] = Json::array();
    for (const SetDistance& distance : findings.distances) {
      json["distances"].push_back({{"feature", distance.feature},
                                   {"within_reference", distance.within_reference},
                                   {"between", distance.between},
                                   {"overlap", distance.overlap},
                                   {"divergence", distance.divergence}});
    }
  }
  return PrintJson(json);
}

Status PrintAsTsv(const Table& table) {
  std::string line = "file";
  for (const MeasureColumn& column : table.columns) {
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
  Json mean;
  Json deviation;
};

Result<Reference> ReadReference(const std::string& path) {
  CONTINUO_ASSIGN(const std::string text, ReadTextFile(path, uint64_t{1} << 28));
  const Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object() || !json.contains("mean") || !json.contains("std") || !json["mean"].is_object() ||
      !json["std"].is_object()) {
    return MakeError("{}: has no \"mean\" and \"std\", expected what `continuo eval --json` prints", path);
  }
  Reference reference{path, json["mean"], json["std"]};
  if (json.contains("name") && json["name"].is_string()) {
    reference.name = json["name"];
  }
  return reference;
}

Status PrintAsText(const Table& table, const std::optional<Reference>& reference) {
  size_t width = 24;
  for (const std::string& file : table.files) {
    width = std::max(width, file.size());
  }
  if (reference) {
    width = std::max(width, reference->name.size());
  }
  const auto cell_width = [](const MeasureColumn& column) { return std::max<size_t>(9, std::strlen(column.name) + 2); };
  std::string line = fmt::format("{:<{}}", "", width);
  for (const MeasureColumn& column : table.columns) {
    line += fmt::format("{:>{}}", column.name, cell_width(column));
  }
  CONTINUO_TRY(PrintLine(line));
  const auto print = [&](std::string_view name, const auto& value_of, int least_decimals) {
    std::string text = fmt::format("{:<{}}", name, width);
    for (size_t column = 0; column < table.columns.size(); ++column) {
      const double value = value_of(column);
      const int decimals = std::max(least_decimals, table.columns[column].decimals);
      text += fmt::format("{:>{}}", FormatNumber(value, decimals), cell_width(table.columns[column]));
    }
    return PrintLine(text);
  };
  for (size_t i = 0; i < table.files.size(); ++i) {
    CONTINUO_TRY(print(table.files[i], [&](size_t column) { return table.rows[i][column]; }, 0));
  }
  if (table.files.size() > 1) {
    const auto of = [&](double Summary::* part) {
      return [&table, part](size_t column) { return table.summaries[column].*part; };
    };
    CONTINUO_TRY(print(fmt::format("mean of {}", table.files.size()), of(&Summary::mean), 1));
    CONTINUO_TRY(print("  standard deviation", of(&Summary::deviation), 1));
    CONTINUO_TRY(print("  95 % of the mean, from", of(&Summary::low), 1));
    CONTINUO_TRY(print("                      to", of(&Summary::high), 1));
  }
  if (reference) {
    const auto of = [&](const Json& numbers) {
      return [&](size_t column) {
        const auto found = numbers.find(table.columns[column].name);
        return found != numbers.end() && found->is_number() ? found->template get<double>() : NAN;
      };
    };
    CONTINUO_TRY(print(reference->name, of(reference->mean), 1));
    CONTINUO_TRY(print("  standard deviation", of(reference->deviation), 1));
  }
  return {};
}

Status PrintFindings(const Table& table, const std::vector<PieceMeasures>& measured, const EvalFlags& flags,
                     const Findings& findings) {
  if (flags.describe) {
    CONTINUO_TRY(PrintLine(""));
    CONTINUO_TRY(PrintAsText(MakeTable(DescriptionColumns(), table.files, measured), std::nullopt));
    CONTINUO_TRY(PrintLine(""));
    for (size_t i = 0; i < table.files.size(); ++i) {
      CONTINUO_TRY(PrintLine(fmt::format("{}: {}", table.files[i], measured[i].description.key.Name())));
    }
  }
  if (!findings.distances.empty()) {
    CONTINUO_TRY(PrintLine(fmt::format("\n{:<24}{:>9}{:>12}{:>16}{:>10}", "against the reference", "overlap",
                                       "divergence", "within reference", "between")));
    for (const SetDistance& distance : findings.distances) {
      CONTINUO_TRY(
          PrintLine(fmt::format("{:<24}{:>9.3f}{:>12.3f}{:>16.3f}{:>10.3f}", distance.feature, distance.overlap,
                                distance.divergence, distance.within_reference, distance.between)));
    }
  }
  if (!findings.copies.empty()) {
    CONTINUO_TRY(PrintLine("\nlongest run of notes that stands in a song too, but for the key"));
    for (size_t i = 0; i < findings.copies.size(); ++i) {
      const CopiedRun& run = findings.copies[i];
      CONTINUO_TRY(PrintLine(run.notes == 0
                                 ? fmt::format("{}: none", table.files[i])
                                 : fmt::format("{}: {} notes, bar {}; in {}, bar {}", table.files[i], run.notes,
                                               run.bar + 1, findings.songs[run.song], run.song_bar + 1)));
    }
  }
  return {};
}

Result<SiWish> ParseSi(const std::string& text) {
  if (text == "auto") {
    return SiWish::kAuto;
  }
  if (text == "yes" || text == "no") {
    return text == "yes" ? SiWish::kYes : SiWish::kNo;
  }
  return MakeError("--si is '{}', expected yes, no or auto", text);
}

/// Measures files in parallel. What can't be read is told and left out of `files`; nothing is returned on Ctrl-C.
struct Work {
  std::vector<std::string> files;
  std::vector<PieceMeasures> pieces;
  size_t failed = 0;
  bool interrupted = false;
};
Work MeasureFiles(const std::vector<fs::path>& files, int64_t bars, bool with_si, bool with_steps, size_t threads,
                  const AppContext& context) {
  std::vector<std::optional<Result<PieceMeasures>>> results(files.size());
  TerminalProgress progress("files", context.quiet);
  ThreadPool pool(ThreadCount(threads));
  std::atomic<uint64_t> done{0};
  class Stopper : public Progress {  // within one file
   public:
    bool ShouldStop() const override { return InterruptSignal() != 0; }
  } stopper;
  const auto measure = [&](const fs::path& file) -> Result<PieceMeasures> {
    CONTINUO_ASSIGN(const Score score, ReadScore(file));
    Result<PieceMeasures> measured =
        MeasurePiece(score, {.bars = bars, .structure = with_si, .steps = with_steps}, stopper);
    if (!measured.ok()) {
      return MakeError("{}: {}", file.string(), measured.error().message);
    }
    return measured;
  };
  pool.ForEach(files.size(), [&](size_t index, size_t) {
    if (!progress.ShouldStop()) {
      results[index] = measure(files[index]);
      progress.Update(++done, files.size(), "");
    }
  });
  Work work;
  work.interrupted = progress.ShouldStop();
  for (size_t i = 0; i < files.size() && !work.interrupted; ++i) {
    if (results[i]->ok()) {
      work.files.push_back(files[i].string());
      work.pieces.push_back(std::move(**results[i]));
    } else {
      PrintError(results[i]->error());
      ++work.failed;
    }
  }
  return work;
}

Status RunEval(const EvalFlags& flags, const AppContext& context) {
  if (flags.bars < 0) {
    return MakeError("bars is {}, expected 1 or more, or 0 for all", flags.bars);
  }
  CONTINUO_ASSIGN(const SiWish si, ParseSi(flags.si));
  std::optional<Reference> reference;
  if (!flags.reference.empty()) {
    CONTINUO_ASSIGN(reference, ReadReference(flags.reference));
  }
  CONTINUO_ASSIGN(const std::vector<fs::path> files, MidiFilesIn(flags.paths));
  const bool with_si = si == SiWish::kYes || (si == SiWish::kAuto && files.size() <= kFilesWithSi);
  if (si == SiWish::kAuto && !with_si) {
    PrintNote(context, fmt::format("SI is left out for more than {} files (--si yes measures it)", kFilesWithSi));
  }
  const Work work = MeasureFiles(files, flags.bars, with_si, true, flags.threads, context);
  Findings findings;
  std::optional<Work> against;
  if (!flags.against.empty() && !work.interrupted) {
    CONTINUO_ASSIGN(const std::vector<fs::path> paths, MidiFilesIn(flags.against));
    against = MeasureFiles(paths, flags.bars, false, false, flags.threads, context);
  }
  std::optional<Work> songs;
  if (!flags.copied_from.empty() && !work.interrupted) {
    CONTINUO_ASSIGN(const std::vector<fs::path> paths, MidiFilesIn(flags.copied_from));
    songs = MeasureFiles(paths, 0, false, true, flags.threads, context);
  }
  if (work.interrupted || (against && against->interrupted) || (songs && songs->interrupted)) {
    return {};
  }

  if (!work.files.empty()) {
    const Table table = MakeTable(MetricColumns(), work.files, work.pieces);
    std::vector<NoteSteps> steps;
    for (const PieceMeasures& piece : work.pieces) {
      steps.push_back(piece.steps);
    }
    findings.distinct_runs = DistinctRuns(steps, kDistinctRun);
    if (against) {
      const auto descriptions = [](const Work& set) {
        std::vector<Description> all;
        for (const PieceMeasures& piece : set.pieces) {
          all.push_back(piece.description);
        }
        return all;
      };
      CONTINUO_ASSIGN(findings.distances, CompareSets(descriptions(work), descriptions(*against)));
    }
    if (songs) {
      std::vector<NoteSteps> song_steps;
      for (const PieceMeasures& song : songs->pieces) {
        song_steps.push_back(song.steps);
      }
      findings.songs = songs->files;
      CONTINUO_ASSIGN(const CopyIndex index, CopyIndex::Build(song_steps));
      for (const NoteSteps& piece : steps) {
        findings.copies.push_back(index.LongestIn(piece));
      }
    }
    if (context.json) {
      CONTINUO_TRY(PrintAsJson(table, work.pieces, findings));
    } else if (flags.tsv) {
      CONTINUO_TRY(PrintAsTsv(table));
    } else {
      CONTINUO_TRY(PrintAsText(table, reference));
      CONTINUO_TRY(PrintFindings(table, work.pieces, flags, findings));
    }
  }
  if (work.failed > 0) {
    return MakeError("{} of {} files could not be read", work.failed, files.size());
  }
  return {};
}

}  // namespace

void AddEvalCommand(CLI::App& app, AppContext& context) {
  CLI::App* command =
      app.add_subcommand("eval", "Measure pieces: pitch-class entropy, groove, chords, structure, copying");
  command->footer(
      "H1 and H4 are bits of pitch-class entropy in one bar and in four; GS says how alike the bars' rhythms are,\n"
      "CPI how irregular the chords, SI how much comes back; docs/metrics.md defines them. SI is of the whole file.\n\n"
      "Examples:\n"
      "  continuo eval out/new --bars 32 --reference models/pop1k7.eval.json\n"
      "  continuo eval song.mid --json\n"
      "  continuo eval out/new --against my-midi --copied-from my-midi");
  auto flags = std::make_shared<EvalFlags>();
  command->add_option("files", flags->paths, "MIDI files, or folders of them")->required();
  command->add_option("--bars", flags->bars, "measure only so many bars from the start; 0: all")->capture_default_str();
  command->add_flag("--tsv", flags->tsv, "a table with tabs, all digits");
  command->add_option("--reference", flags->reference, "set beside what `eval --json` printed into this file");
  command->add_option("--si", flags->si, "measure structure too: yes, no or auto (for up to 100 files)")
      ->capture_default_str();
  command->add_flag("--describe", flags->describe,
                    "also print density, polyphony, range, key, tempo (always in --json)");
  command->add_option("--against", flags->against,
                      "compare the set with a reference set: MIDI files, or folders of them");
  command->add_option("--copied-from", flags->copied_from, "look for copies of these: MIDI files, or folders of them");
  command->add_option("--threads", flags->threads, "threads; 0: one for each core")->capture_default_str();
  command->callback([flags, &context] { context.run = [flags, &context] { return RunEval(*flags, context); }; });
}

}  // namespace continuo
