#include <memory>

#include "continuo/app/command.h"
#include "continuo/os/file.h"
#include "continuo/report/page.h"
#include "continuo/report/payload.h"
#include "continuo/results/snapshot.h"

namespace continuo {
namespace {

namespace fs = std::filesystem;

struct ReportFlags {
  std::vector<std::string> results;
  std::string output;
  PayloadOptions options;
};

Status RunReport(const ReportFlags& flags, const AppContext& context) {
  std::vector<ResultsSnapshot> shards;
  std::vector<std::string> names;
  for (const fs::path path : flags.results) {
    std::error_code code;
    const fs::path database = fs::is_directory(path, code) ? path / "results.db" : path;
    CONTINUO_ASSIGN(ResultsSnapshot shard, ReadSnapshot(database));
    shards.push_back(std::move(shard));
    names.push_back(database.string());
  }
  CONTINUO_ASSIGN(const ResultsSnapshot data, MergeSnapshots(std::move(shards), names));
  const std::string page = MakePage(MakePayload(data, flags.options));
  CONTINUO_TRY(WriteFileAtomically(flags.output, page));

  size_t done = 0;
  size_t pieces = 0;
  for (const SetRow& set : data.sets) {
    done += set.status == CellStatus::kDone ? 1 : 0;
    pieces += set.pieces.size();
  }
  if (context.json) {
    return PrintJson({{"report", flags.output},
                      {"bytes", page.size()},
                      {"sets", data.sets.size()},
                      {"done", done},
                      {"pieces", pieces}});
  }
  return PrintLine(fmt::format("{}: {} of {} sets done, {} pieces, {:.1f} MB", flags.output, done, data.sets.size(),
                               pieces, static_cast<double>(page.size()) / 1e6));
}

}  // namespace

void AddReportCommand(CLI::App& app, AppContext& context) {
  CLI::App* command = app.add_subcommand("report", "Make one HTML page from the results of an experiment");
  command->footer(
      "Examples:\n"
      "  continuo report runs/study -o report.html\n"
      "  continuo report machine-1/results.db machine-2/results.db -o report.html");
  auto flags = std::make_shared<ReportFlags>();
  command->add_option("results", flags->results, "experiment folders or results.db files; give every shard")
      ->required();
  command->add_option("-o,--output", flags->output, "the page to write")->required();
  command->add_option("--playable", flags->options.playable,
                      "pieces per row that can be played; all by default, which can make a page of many megabytes");
  command->callback([flags, &context] { context.run = [flags, &context] { return RunReport(*flags, context); }; });
}

}  // namespace continuo
