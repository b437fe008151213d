#include "continuo/corpus/corpus.h"

#include <charconv>
#include <filesystem>
#include <memory>
#include <system_error>

#include "continuo/app/command.h"
#include "continuo/app/terminal.h"
#include "continuo/os/signals.h"

namespace continuo {
namespace {

struct CorpusFlags {
  TokenizerFlags tokenizer;
  std::vector<std::string> folders;
  std::string output;
  bool merge_tracks = false;
  CorpusBuildOptions options;
};

constexpr std::string_view kMerge = ":merge";

/// "FOLDER", "FOLDER:WEIGHT", "FOLDER:merge" or "FOLDER:WEIGHT:merge". A folder whose own name ends
/// like that is taken as it is.
Result<CorpusSource> ParseSource(const std::string& text) {
  std::error_code code;
  const size_t colon = text.rfind(':');
  if (colon == std::string::npos || colon == 0 || std::filesystem::is_directory(text, code)) {
    return CorpusSource{text};
  }
  if (text.ends_with(kMerge)) {
    CONTINUO_ASSIGN(CorpusSource source, ParseSource(text.substr(0, text.size() - kMerge.size())));
    source.merge_tracks = true;
    return source;
  }
  double weight = 0;
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data() + colon + 1, end, weight);
  if (error != std::errc() || rest != end || !(weight >= kLeastWeight && weight <= kLargestWeight)) {
    return Error{fmt::format("'{}': the weight is '{}', expected a number from {} to {}", text, text.substr(colon + 1),
                             kLeastWeight, kLargestWeight),
                 "write a folder and its weight as my-midi:2, or my-midi:2:merge to merge its tracks"};
  }
  return CorpusSource{text.substr(0, colon), weight};
}

nlohmann::ordered_json SourcesToJson(const std::vector<CorpusBuildReport::Source>& sources) {
  auto list = nlohmann::ordered_json::array();
  for (const CorpusBuildReport::Source& source : sources) {
    list.push_back({{"name", source.name},
                    {"weight", source.weight},
                    {"songs", source.songs},
                    {"train_tokens", source.tokens[static_cast<size_t>(Split::kTrain)]},
                    {"valid_tokens", source.tokens[static_cast<size_t>(Split::kValid)]}});
    if (source.merge_tracks) {
      list.back()["merged_tracks"] = source.merged_tracks;
      list.back()["dropped_notes"] = source.dropped_notes;
      list.back()["shortened_notes"] = source.shortened_notes;
    }
  }
  return list;
}

Status RunCorpusBuild(const CorpusFlags& flags, const AppContext& context) {
  CONTINUO_ASSIGN(const auto tokenizer, LoadTokenizer(flags.tokenizer, /*trained_too=*/true));
  std::vector<CorpusSource> sources;
  for (const std::string& folder : flags.folders) {
    CONTINUO_ASSIGN(sources.emplace_back(), ParseSource(folder));
    sources.back().merge_tracks |= flags.merge_tracks;
  }
  TerminalProgress progress("files", context.quiet);
  CONTINUO_ASSIGN(const CorpusBuildReport report,
                  BuildCorpus(sources, *tokenizer, flags.output, flags.options, progress, SignalStop()));
  constexpr size_t kTrain = static_cast<size_t>(Split::kTrain);
  constexpr size_t kValid = static_cast<size_t>(Split::kValid);
  if (context.json) {
    auto failures = nlohmann::ordered_json::array();
    for (const CorpusBuildReport::Failure& failure : report.failures) {
      failures.push_back({{"file", failure.file}, {"reason", failure.reason}});
    }
    auto repairs = nlohmann::ordered_json::array();
    for (const CorpusBuildReport::Failure& repair : report.repairs) {
      repairs.push_back({{"file", repair.file}, {"repair", repair.reason}});
    }
    return PrintJson({{"corpus", flags.output},
                      {"files", report.files},
                      {"songs", report.songs},
                      {"duplicates", report.duplicates},
                      {"train_tokens", report.tokens[kTrain]},
                      {"valid_tokens", report.tokens[kValid]},
                      {"sources", SourcesToJson(report.sources)},
                      {"failures", std::move(failures)},
                      {"repairs", std::move(repairs)}});
  }
  for (const std::string& line : report.Lines()) {
    PrintNote(context, line);
  }
  CONTINUO_TRY(PrintLine(
      fmt::format("{}: {} songs of {} files ({} duplicates, {} skipped), {} tokens to train on, {} to validate",
                  flags.output, report.songs, report.files, report.duplicates, report.failures.size(),
                  report.tokens[kTrain], report.tokens[kValid])));
  for (const CorpusBuildReport::Source& source : report.sources) {
    if (report.sources.size() > 1 || source.weight != 1) {
      CONTINUO_TRY(
          PrintLine(fmt::format("  {}, weight {}: {} songs, {} tokens to train on, {} to validate", source.name,
                                source.weight, source.songs, source.tokens[kTrain], source.tokens[kValid])));
    }
    if (source.merge_tracks) {
      CONTINUO_TRY(PrintLine(
          fmt::format("  {}: {} melodic tracks merged into one per song, {} doubled notes dropped, {} notes shortened",
                      source.name, source.merged_tracks, source.dropped_notes, source.shortened_notes)));
    }
  }
  return {};
}

}  // namespace

void AddCorpusCommand(CLI::App& app, AppContext& context) {
  CLI::App* corpus = app.add_subcommand("corpus", "Prepare music for training");
  corpus->require_subcommand(1);
  CLI::App* command = corpus->add_subcommand("build", "Tokenize folders of MIDI files into a corpus directory");
  command->footer(
      "Examples:\n"
      "  continuo corpus build my-midi --tokenizer remi -o out/corpus\n"
      "  continuo corpus build my-midi pop909:2 --tokenizer remi -o out/corpus\n"
      "  continuo corpus build my-midi pop909:merge --tokenizer remi -o out/corpus");
  auto flags = std::make_shared<CorpusFlags>();
  AddTokenizerFlags(*command, flags->tokenizer);
  command
      ->add_option(
          "folders", flags->folders,
          "folders with MIDI files (.mid, .midi, .kar, .rmi), at any depth; FOLDER:2 has each song to train on "
          "twice in an epoch, FOLDER:merge or FOLDER:2:merge merges tracks as --merge-tracks does")
      ->required();
  command->add_flag("--merge-tracks", flags->merge_tracks,
                    "make one piano track of each song's melodic tracks; one note is left of those of a pitch that "
                    "begin together, and a note ends where the next of its pitch begins");
  command->add_flag("--skip-silence", flags->options.skip_silence,
                    "leave out the bars before each song's first note, so that pieces do not begin with silence");
  command->add_option("-o,--output", flags->output, "the corpus directory to write")->required();
  command->add_option("--valid", flags->options.valid_fraction, "share of the songs kept for validation")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
  command->add_option("--threads", flags->options.threads, "threads; 0: one per core")->capture_default_str();
  command->callback([flags, &context] { context.run = [flags, &context] { return RunCorpusBuild(*flags, context); }; });
}

}  // namespace continuo
