#include <csignal>
#include <cstdio>
#include <exception>
#include <new>

#include "continuo/app/command.h"
#include "continuo/app/terminal.h"

namespace {

constexpr const char* kExamples = R"(Examples:
  continuo generate --bars 32 --count 4 --seed 1 -o out/new
  continuo continue --prompt song.mid --prompt-bars 8 --bars 24 -o out/continued
  continuo eval out/new --bars 32
  continuo corpus build my-midi --tokenizer remi -o out/corpus
  continuo train --corpus out/corpus -o out/run --layers 6 --heads 4 --width 256

`continuo COMMAND --help` says more of each.)";

int Run(int argc, char** argv) {
  continuo::AppContext context;
  context.arguments.assign(argv, argv + argc);

  CLI::App app("Continuo learns symbolic music and writes it: MIDI in, new MIDI out.", "continuo");
  app.set_version_flag("--version", std::string("continuo ") + std::string(continuo::Version()));
  app.add_flag("--json", context.json, "machine-readable output");
  app.add_flag("-q,--quiet", context.quiet, "no progress, no notes");
  app.add_flag("-v,--verbose", context.verbose, "say more");
  app.require_subcommand(1);
  app.fallthrough();  // global flags may stand after the subcommand
  app.footer(kExamples);
  continuo::AddVocabCommand(app, context);
  continuo::AddTokenizeCommand(app, context);
  continuo::AddDetokenizeCommand(app, context);
  continuo::AddInspectCommand(app, context);
  continuo::AddCorpusCommand(app, context);
  continuo::AddTrainCommand(app, context);
  continuo::AddPretrainCommand(app, context);
  continuo::AddGenerateCommand(app, context);
  continuo::AddContinueCommand(app, context);
  continuo::AddFillCommand(app, context);
  continuo::AddScoreCommand(app, context);
  continuo::AddEvalCommand(app, context);
  continuo::AddRenderCommand(app, context);
  continuo::AddReportCommand(app, context);
  continuo::AddQuantizeCommand(app, context);
  continuo::AddExperimentCommand(app, context);

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }

  continuo::CatchInterrupts();
  const continuo::Status status = context.run();
  if (!status.ok()) {
    continuo::PrintError(status.error());
  }
  if (std::fflush(stdout) != 0 && status.ok()) {
    continuo::PrintError({"cannot write to standard output", {}});
    return 1;
  }
  if (const int signal = continuo::InterruptSignal(); signal != 0) {
    return 128 + signal;
  }
  return status.ok() ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return Run(argc, argv);
  } catch (const std::bad_alloc&) {
    continuo::PrintError({"out of memory", "ask for less, or free some memory"});
  } catch (const std::exception& error) {
    continuo::PrintError({std::string("internal error: ") + error.what(), {}});
  }
  return 1;
}
