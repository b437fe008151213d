#include <csignal>
#include <cstdio>
#include <exception>
#include <new>

#include "continuo/app/command.h"
#include "continuo/app/terminal.h"
#include "continuo/os/signals.h"

namespace continuo {
namespace {

constexpr const char* kExamples = R"(Examples:
  continuo generate --bars 32 --count 4 --seed 1 -o out/new
  continuo continue --prompt song.mid --prompt-bars 8 --bars 24 -o out/continued
  continuo eval out/new --bars 32
  continuo corpus build my-midi --tokenizer remi -o out/corpus
  continuo train --corpus out/corpus -o out/run --layers 6 --heads 4 --width 256

`continuo COMMAND --help` says more of each.)";

int Run(int argc, char** argv, AppContext& context) {
  context.arguments.assign(argv, argv + argc);

  CLI::App app("Continuo learns symbolic music and writes it: MIDI in, new MIDI out.", "continuo");
  app.set_version_flag("--version", std::string("continuo ") + std::string(Version()));
  app.add_flag("--json", context.json, "machine-readable output");
  app.add_flag("-q,--quiet", context.quiet, "no progress, no notes");
  app.require_subcommand(1);
  app.fallthrough();  // global flags may stand after the subcommand
  app.footer(kExamples);
  AddVocabCommand(app, context);
  AddTokenizerCommand(app, context);
  AddTokenizeCommand(app, context);
  AddDetokenizeCommand(app, context);
  AddAlignCommand(app, context);
  AddInspectCommand(app, context);
  AddCorpusCommand(app, context);
  AddTrainCommand(app, context);
  AddPretrainCommand(app, context);
  AddGenerateCommand(app, context);
  AddContinueCommand(app, context);
  AddFillCommand(app, context);
  AddLikelihoodCommand(app, context);
  AddExportCommand(app, context);
  AddPictureCommand(app, context);
  AddEvalCommand(app, context);
  AddDiscriminatorCommand(app, context);
  AddRenderCommand(app, context);
  AddServeCommand(app, context);
  AddReportCommand(app, context);
  AddQuantizeCommand(app, context);
  AddExperimentCommand(app, context);
  AddBenchCommand(app, context);

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }

  CatchInterrupts();
  const Status status = context.run();
  if (!status.ok()) {
    PrintError(status.error());
  }
  if (std::fflush(stdout) != 0 && status.ok()) {
    PrintError({"cannot write to standard output", {}});
    return 1;
  }
  if (const int signal = InterruptSignal(); signal != 0) {
    return 128 + signal;
  }
  return status.ok() ? 0 : 1;
}

}  // namespace

int RunProgram(int argc, char** argv, AppContext context) {
  try {
    return Run(argc, argv, context);
  } catch (const std::bad_alloc&) {
    PrintError({"out of memory", "ask for less, or free some memory"});
  } catch (const std::exception& error) {
    PrintError({std::string("internal error: ") + error.what(), {}});
  }
  return 1;
}

}  // namespace continuo
