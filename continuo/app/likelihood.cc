#include <algorithm>
#include <array>
#include <cmath>
#include <memory>

#include "continuo/app/command.h"
#include "continuo/app/model_flags.h"
#include "continuo/app/terminal.h"
#include "continuo/compose/fill.h"
#include "continuo/compose/likelihood.h"
#include "continuo/compose/score_parts.h"
#include "continuo/core/rng.h"
#include "continuo/os/signals.h"
#include "continuo/score/bars.h"
#include "continuo/score/score_file.h"

namespace continuo {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

struct LikelihoodFlags {
  ModelFlags model;
  std::vector<std::string> paths;
  size_t gaps = 0;
};

/// Negative log-likelihood in nats of a file or of several, with what it is divided by.
struct Counts {
  double tokens = 0;
  double notes = 0;
  double bars = 0;
  double nll = 0;

  double PerToken() const { return tokens > 0 ? nll / tokens : NAN; }
  double PerNote() const { return notes > 0 ? nll / notes : NAN; }
  double PerBar() const { return bars > 0 ? nll / bars : NAN; }
};

struct FileLikelihood {
  std::string file;
  Counts counts;
  std::vector<double> by_bar;  // nats
  std::vector<std::string> repairs;
};

Result<FileLikelihood> MeasureFile(const fs::path& file, const LoadedModel& model) {
  CONTINUO_ASSIGN(const ScoreAndWarnings read, ReadScoreAndWarnings(file));
  const Tokenizer& tokenizer = *model.tokenizer;
  const std::vector<std::vector<TokenId>> streams = tokenizer.EncodeForModel(ReadableScore(read.score, tokenizer));
  const std::vector<TokenId> ids = streams.empty() ? std::vector<TokenId>() : streams.front();
  CONTINUO_ASSIGN(const Likelihood likelihood,
                  MeasureLikelihood(*model.model, tokenizer, ids, NoProgress(), SignalStop()));
  FileLikelihood measured;
  measured.file = file.string();
  measured.repairs = read.warnings;
  for (size_t bar = 0; bar < likelihood.bar_offsets.size(); ++bar) {
    measured.by_bar.push_back(likelihood.OfBar(bar));
  }
  measured.counts = {static_cast<double>(ids.size()), static_cast<double>(likelihood.notes),
                     static_cast<double>(measured.by_bar.size()), likelihood.total()};
  return measured;
}

Counts SumOf(const std::vector<FileLikelihood>& files) {
  Counts sum;
  for (const FileLikelihood& file : files) {
    sum.tokens += file.counts.tokens;
    sum.notes += file.counts.notes;
    sum.bars += file.counts.bars;
    sum.nll += file.counts.nll;
  }
  return sum;
}

Status PrintAsJson(const std::vector<FileLikelihood>& files, const LoadedModel& model) {
  const auto number = [](double value) { return std::isnan(value) ? Json() : Json(value); };
  Json rows = Json::array();
  for (const FileLikelihood& file : files) {
    rows.push_back({{"file", file.file},
                    {"tokens", static_cast<uint64_t>(file.counts.tokens)},
                    {"notes", static_cast<uint64_t>(file.counts.notes)},
                    {"bars", static_cast<uint64_t>(file.counts.bars)},
                    {"nll_per_token", number(file.counts.PerToken())},
                    {"nll_per_note", number(file.counts.PerNote())},
                    {"nll_per_bar", number(file.counts.PerBar())},
                    {"bar_nll", file.by_bar},
                    {"repairs", file.repairs}});
  }
  const Counts sum = SumOf(files);
  return PrintJson({{"files", rows},
                    {"all", {{"tokens", sum.tokens}, {"notes", sum.notes}, {"bars", sum.bars}, {"nll", sum.nll}}},
                    {"model", model.directory.string()}});
}

/// One character per bar, higher for a less likely one.
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

std::string Line(std::string_view name, const Counts& counts) {
  return fmt::format("{:<48} {:>7.0f} {:>7.0f} {:>5.0f} {:>9} {:>9} {:>9}", name, counts.tokens, counts.notes,
                     counts.bars, FormatNumber(counts.PerToken(), 3), FormatNumber(counts.PerNote(), 3),
                     FormatNumber(counts.PerBar(), 2));
}

Status PrintAsText(const std::vector<FileLikelihood>& files) {
  CONTINUO_TRY(PrintLine(fmt::format("{:<48} {:>7} {:>7} {:>5} {:>9} {:>9} {:>9}  {}", "", "tokens", "notes", "bars",
                                     "per token", "per note", "per bar", "nats, bar by bar")));
  for (const FileLikelihood& file : files) {
    CONTINUO_TRY(PrintLine(fmt::format("{}  {}", Line(file.file, file.counts), Curve(file.by_bar))));
  }
  return files.size() > 1 ? PrintLine(Line(fmt::format("all {}", files.size()), SumOf(files))) : Status();
}

/// Gaps of one length: sums of negative log-likelihoods in nats, of those that have both.
struct GapCounts {
  size_t bars = 0;  // of a gap
  size_t gaps = 0;
  double before = 0;
  double both = 0;

  double PerBar(double nll) const { return gaps > 0 ? nll / static_cast<double>(gaps * bars) : NAN; }
};

/// Measures gaps of 1, 2 and 4 bars in turn, at places drawn from the gap's number, each in the
/// next file. A file that is too short is passed over.
Result<std::array<GapCounts, 3>> MeasureGaps(const std::vector<fs::path>& files, size_t gaps, const LoadedModel& model,
                                             const AppContext& context) {
  std::array<GapCounts, 3> counts{{{.bars = 1}, {.bars = 2}, {.bars = 4}}};
  TerminalProgress progress("gaps", context.quiet);
  size_t measured = 0;
  for (size_t i = 0; measured < gaps && i < 10 * gaps + files.size() && !SignalStop().stop_requested(); ++i) {
    CONTINUO_ASSIGN(const MidiPiece piece, MidiPiece::Read(files[i % files.size()]));
    GapCounts& count = counts[measured % counts.size()];
    const size_t bars = CountBars(piece.score());
    if (bars < count.bars + 2) {
      continue;
    }
    const size_t first = 1 + Rng(1, i).NextBelow(bars - count.bars - 1);
    const Result<Gap> gap = MakeGap(piece, first, first + count.bars, *model.tokenizer);
    if (!gap.ok()) {
      continue;
    }
    const Result<GapLikelihood> likelihood = MeasureGap(*gap, *model.model, *model.tokenizer);
    if (!likelihood.ok() || !likelihood->both) {
      continue;
    }
    ++count.gaps;
    count.before += likelihood->before;
    count.both += *likelihood->both;
    progress.Update(++measured, gaps, "");
  }
  return counts;
}

Status RunGaps(const std::vector<fs::path>& files, size_t gaps, const LoadedModel& model, const AppContext& context) {
  if (!model.reads_both_sides) {
    return MakeError(
        "{}: reads one side only: both_sides in its generation.json is not true, as it is of models "
        "trained with gaps (continuo train --gap-share)",
        model.directory.string());
  }
  CONTINUO_ASSIGN(const auto counts, MeasureGaps(files, gaps, model, context));
  if (context.json) {
    Json rows = Json::array();
    for (const GapCounts& count : counts) {
      rows.push_back({{"bars", count.bars},
                      {"gaps", count.gaps},
                      {"nll_per_bar_before", count.gaps > 0 ? Json(count.PerBar(count.before)) : Json()},
                      {"nll_per_bar_both", count.gaps > 0 ? Json(count.PerBar(count.both)) : Json()}});
    }
    return PrintJson({{"gaps", rows}, {"model", model.directory.string()}});
  }
  CONTINUO_TRY(PrintLine("nats per bar of the bars in a gap, given the bars before it, and given both sides"));
  CONTINUO_TRY(PrintLine(fmt::format("{:>5} {:>5} {:>8} {:>8}", "bars", "gaps", "before", "both")));
  for (const GapCounts& count : counts) {
    CONTINUO_TRY(
        PrintLine(fmt::format("{:>5} {:>5} {:>8} {:>8}", count.bars, count.gaps,
                              FormatNumber(count.PerBar(count.before), 2), FormatNumber(count.PerBar(count.both), 2))));
  }
  return {};
}

Status RunLikelihood(const LikelihoodFlags& flags, const AppContext& context) {
  CONTINUO_ASSIGN(const std::vector<fs::path> files, MidiFilesIn(flags.paths, context));
  CONTINUO_ASSIGN(const LoadedModel model, LoadModel(flags.model, /*sequences=*/1, context));
  if (flags.gaps > 0) {
    return RunGaps(files, flags.gaps, model, context);
  }
  std::vector<FileLikelihood> measured;
  {
    TerminalProgress progress("files", context.quiet);
    for (size_t i = 0; i < files.size(); ++i) {
      Result<FileLikelihood> file = MeasureFile(files[i], model);
      if (InterruptSignal() != 0) {
        return {};
      }
      if (file.ok()) {
        PrintRepairs(context, file->repairs);
        measured.push_back(std::move(*file));
      } else {
        PrintError(file.error());
      }
      progress.Update(i + 1, files.size(), "");
    }
  }
  if (!measured.empty()) {
    CONTINUO_TRY(context.json ? PrintAsJson(measured, model) : PrintAsText(measured));
  }
  if (measured.size() < files.size()) {
    return MakeError("{} of {} files could not be measured", files.size() - measured.size(), files.size());
  }
  return {};
}

}  // namespace

void AddLikelihoodCommand(CLI::App& app, AppContext& context) {
  CLI::App* command = app.add_subcommand(
      "likelihood", "Measure how likely a model finds pieces: negative log-likelihood per token, note and bar");
  command->alias("score");
  command->footer(
      "Negative log-likelihoods are in nats; a lower one is likelier. Notes and bars are the same for every "
      "tokenizer,\n"
      "tokens are not: compare models of different tokenizers per note or per bar.\n\n"
      "Example:\n"
      "  continuo likelihood out/new --model out/run/best");
  auto flags = std::make_shared<LikelihoodFlags>();
  command->add_option("files", flags->paths, "MIDI files, or folders of them")->required();
  command->add_option("--gaps", flags->gaps,
                      "instead: how likely the bars in N gaps of 1, 2 and 4 bars are, given the bars before, and given "
                      "both sides; for models trained with --gap-share");
  AddModelFlags(*command, flags->model);
  command->callback([flags, &context] { context.run = [flags, &context] { return RunLikelihood(*flags, context); }; });
}

}  // namespace continuo
