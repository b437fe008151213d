#include "continuo/corpus/corpus.h"

#include <memory>

#include "continuo/app/command.h"
#include "continuo/app/terminal.h"
#include "continuo/os/signals.h"

namespace continuo {
namespace {

struct CorpusFlags {
  TokenizerFlags tokenizer;
  std::string folder;
  std::string output;
  CorpusBuildOptions options;
};

Status RunCorpusBuild(const CorpusFlags& flags, const AppContext& context) {
  CONTINUO_ASSIGN(const auto tokenizer, LoadTokenizer(flags.tokenizer));
  TerminalProgress progress("files", context.quiet);
  CONTINUO_ASSIGN(const CorpusBuildReport report,
                  BuildCorpus(flags.folder, *tokenizer, flags.output, flags.options, progress, SignalStop()));
  constexpr size_t kTrain = static_cast<size_t>(Split::kTrain);
  constexpr size_t kValid = static_cast<size_t>(Split::kValid);
  if (context.json) {
    auto failures = nlohmann::ordered_json::array();
    for (const CorpusBuildReport::Failure& failure : report.failures) {
      failures.push_back({{"file", failure.file}, {"reason", failure.reason}});
    }
    return PrintJson({{"corpus", flags.output},
                      {"files", report.files},
                      {"songs", report.songs},
                      {"duplicates", report.duplicates},
                      {"train_tokens", report.tokens[kTrain]},
                      {"valid_tokens", report.tokens[kValid]},
                      {"failures", std::move(failures)}});
  }
  for (const CorpusBuildReport::Failure& failure : report.failures) {
    PrintNote(context, fmt::format("skipped {}", failure.reason));
  }
  return PrintLine(
      fmt::format("{}: {} songs of {} files ({} duplicates, {} skipped), {} tokens to train on, {} to validate",
                  flags.output, report.songs, report.files, report.duplicates, report.failures.size(),
                  report.tokens[kTrain], report.tokens[kValid]));
}

}  // namespace

void AddCorpusCommand(CLI::App& app, AppContext& context) {
  CLI::App* corpus = app.add_subcommand("corpus", "Prepare music for training");
  corpus->require_subcommand(1);
  CLI::App* command = corpus->add_subcommand("build", "Tokenize a folder of MIDI files into a corpus directory");
  command->footer("Example:\n  continuo corpus build my-midi --tokenizer remi -o out/corpus");
  auto flags = std::make_shared<CorpusFlags>();
  AddTokenizerFlags(*command, flags->tokenizer);
  command->add_option("folder", flags->folder, "a folder with MIDI files (.mid, .midi, .kar, .rmi), at any depth")
      ->required();
  command->add_option("-o,--output", flags->output, "the corpus directory to write")->required();
  command->add_option("--valid", flags->options.valid_fraction, "share of the songs kept for validation")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
  command->add_option("--threads", flags->options.threads, "threads; 0: one per core")->capture_default_str();
  command->callback([flags, &context] { context.run = [flags, &context] { return RunCorpusBuild(*flags, context); }; });
}

}  // namespace continuo
