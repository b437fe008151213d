#include <algorithm>
#include <cmath>
#include <memory>

#include "continuo/app/command.h"
#include "continuo/app/model_flags.h"
#include "continuo/app/terminal.h"
#include "continuo/compose/likelihood.h"
#include "continuo/compose/score_parts.h"
#include "continuo/score/score_file.h"

namespace continuo {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

struct ScoreFlags {
  ModelFlags model;
  std::vector<std::string> paths;
};

/// One character a bar, higher for less likely.
std::string Curve(const std::vector<double>& values) {
  constexpr const char* kSteps[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  std::string curve;
  for (const double value : values) {
    const double share = *high > *low ? (value - *low) / (*high - *low) : 0.0;
    curve += kSteps[static_cast<size_t>(std::min(7.0, share * 8))];
  }
  return curve;
}

Status RunScore(const ScoreFlags& flags, const AppContext& context) {
  CONTINUO_ASSIGN(const std::vector<fs::path> files, MidiFilesIn(flags.paths));
  CONTINUO_ASSIGN(const LoadedModel model, LoadModel(flags.model, /*sequences=*/1, context));
  const Tokenizer& tokenizer = *model.tokenizer;
  Json rows = Json::array();
  std::vector<std::string> lines;
  double tokens = 0.0;
  double notes = 0.0;
  double bars = 0.0;
  double nll = 0.0;
  size_t failed = 0;
  {
    TerminalProgress progress("files", context.quiet);
    class Stopper : public Progress {  // within one file
     public:
      bool ShouldStop() const override { return InterruptSignal() != 0; }
    } stopper;
    for (size_t i = 0; i < files.size(); ++i) {
      const Result<Score> score = ReadScore(files[i].string());
      if (!score.ok()) {
        PrintError(score.error());
        ++failed;
        continue;
      }
      const std::vector<std::vector<TokenId>> streams = tokenizer.Encode(ReadableScore(*score, tokenizer));
      const std::vector<TokenId> ids = streams.empty() ? std::vector<TokenId>() : streams.front();
      Result<Likelihood> measured = MeasureLikelihood(*model.model, tokenizer, ids, stopper);
      if (!measured.ok()) {
        return measured.error();
      }
      const Likelihood& likelihood = *measured;
      std::vector<double> by_bar;
      for (size_t bar = 0; bar < likelihood.bar_offsets.size(); ++bar) {
        by_bar.push_back(likelihood.OfBar(bar));
      }
      const double total = likelihood.total();
      const auto per = [total](size_t count) { return count > 0 ? total / static_cast<double>(count) : NAN; };
      const auto json_number = [](double value) { return std::isnan(value) ? Json() : Json(value); };
      rows.push_back({{"file", files[i].string()},
                      {"tokens", ids.size()},
                      {"notes", likelihood.notes},
                      {"bars", by_bar.size()},
                      {"nll_per_token", json_number(per(ids.size()))},
                      {"nll_per_note", json_number(per(likelihood.notes))},
                      {"nll_per_bar", json_number(per(by_bar.size()))},
                      {"bar_nll", by_bar}});
      lines.push_back(fmt::format("{:<48} {:>7} {:>7} {:>5} {:>9} {:>9} {:>9}  {}", files[i].string(), ids.size(),
                                  likelihood.notes, by_bar.size(), FormatNumber(per(ids.size()), 3),
                                  FormatNumber(per(likelihood.notes), 3), FormatNumber(per(by_bar.size()), 2),
                                  Curve(by_bar)));
      tokens += static_cast<double>(ids.size());
      notes += static_cast<double>(likelihood.notes);
      bars += static_cast<double>(by_bar.size());
      nll += total;
      progress.Update(i + 1, files.size(), "");
    }
  }
  if (failed == files.size()) {
    return MakeError("{} of {} files could not be read", failed, files.size());
  }
  if (context.json) {
    return PrintJson({{"files", rows},
                      {"all", {{"tokens", tokens}, {"notes", notes}, {"bars", bars}, {"nll", nll}}},
                      {"model", model.directory.string()}});
  }
  CONTINUO_TRY(PrintLine(fmt::format("{:<48} {:>7} {:>7} {:>5} {:>9} {:>9} {:>9}  {}", "", "tokens", "notes", "bars",
                                     "a token", "a note", "a bar", "nats, bar by bar")));
  for (const std::string& line : lines) {
    CONTINUO_TRY(PrintLine(line));
  }
  if (lines.size() > 1) {
    CONTINUO_TRY(PrintLine(fmt::format("{:<48} {:>7.0f} {:>7.0f} {:>5.0f} {:>9} {:>9} {:>9}",
                                       fmt::format("all {}", lines.size()), tokens, notes, bars,
                                       FormatNumber(nll / tokens, 3), FormatNumber(nll / notes, 3),
                                       FormatNumber(nll / bars, 2))));
  }
  return {};
}

}  // namespace

void AddScoreCommand(CLI::App& app, AppContext& context) {
  CLI::App* command =
      app.add_subcommand("score", "Measure how likely a model finds pieces: NLL a token, a note, a bar");
  command->footer(
      "Negative log-likelihoods in nats; less is likelier. A note and a bar are the same thing to every tokenizer, a "
      "token\n"
      "is not: compare models of different tokenizers by those.\n\n"
      "Example:\n"
      "  continuo score out/new --model out/run/best");
  auto flags = std::make_shared<ScoreFlags>();
  command->add_option("files", flags->paths, "MIDI files, or folders of them")->required();
  AddModelFlags(*command, flags->model);
  command->callback([flags, &context] { context.run = [flags, &context] { return RunScore(*flags, context); }; });
}

}  // namespace continuo
