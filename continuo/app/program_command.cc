#include <algorithm>
#include <iterator>

#include "continuo/app/command.h"
#include "continuo/app/render_program.h"
#include "continuo/os/process.h"

namespace continuo {

Status BecomeProgram(const std::string& name, const std::vector<std::string>& arguments, const std::string& missing) {
  const std::filesystem::path program = ProgramFolder() / name;
  if (!IsExecutable(program)) {
    return Error{fmt::format("{}: was not built", program.string()), missing};
  }
  // LibTorch's threads spin while they wait for each other, which is slow when another program
  // holds a core: measured on two busy cores, 2 training steps in the time of 27. OpenMP reads this
  // setting before main, so only the environment can change it.
  SetEnvironmentDefault("OMP_WAIT_POLICY", "PASSIVE");
  // Large tensors in huge pages, where the system offers them: 3 to 10 % of the training time at 12
  // x 768.
  SetEnvironmentDefault("GLIBC_TUNABLES", "glibc.malloc.hugetlb=1");
  return ReplaceProgram(program, arguments);
}

void AddProgramCommand(CLI::App& app, AppContext& context, const ProgramCommand& what) {
  CLI::App* command = app.add_subcommand(what.name, what.description);
  command->prefix_command();
  command->fallthrough(false);  // else the program itself would take, and refuse, what it does not know
  command->set_help_flag();     // --help is the other program's to answer
  command->callback([&context, what] {
    const auto found = std::find(context.arguments.begin(), context.arguments.end(), what.name);
    std::vector<std::string> arguments(std::next(found), context.arguments.end());
    // Flags that stand before the subcommand are for both programs.
    if (context.json) {
      arguments.emplace_back("--json");
    }
    if (context.quiet) {
      arguments.emplace_back("--quiet");
    }
    if (!what.command.empty()) {
      arguments.insert(arguments.begin(), what.command);
    }
    context.run = [what, arguments] { return BecomeProgram(what.program, arguments, what.missing); };
  });
}

void AddTrainCommand(CLI::App& app, AppContext& context) {
  AddProgramCommand(app, context,
                    {.name = "train",
                     .program = "continuo-train",
                     .command = "",
                     .description = "Train a model on a corpus (starts continuo-train)",
                     .missing = kNoLibTorch});
}

void AddPretrainCommand(CLI::App& app, AppContext& context) {
  AddProgramCommand(app, context,
                    {.name = "pretrain",
                     .program = "continuo-train",
                     .command = "pretrain",
                     .description = "Train a model on text (starts continuo-train)",
                     .missing = kNoLibTorch});
}

void AddRenderCommand(CLI::App& app, AppContext& context) {
  AddProgramCommand(app, context,
                    {.name = "render",
                     .program = kRenderProgram,
                     .command = "",
                     .description = "Turn MIDI files into audio (starts continuo-render)",
                     .missing = kNoAudio});
}

void AddServeCommand(CLI::App& app, AppContext& context) {
  constexpr const char* kNoHttp = "install libmicrohttpd-dev with tools/bootstrap.sh and build again";
  AddProgramCommand(app, context,
                    {.name = "serve",
                     .program = "continuo-serve",
                     .command = "",
                     .description = "Serve the HTTP API on this machine (starts continuo-serve)",
                     .missing = kNoHttp});
  AddProgramCommand(app, context,
                    {.name = "studio",
                     .program = "continuo-serve",
                     .command = "studio",
                     .description = "Compose in the browser (starts continuo-serve)",
                     .missing = kNoHttp});
}

}  // namespace continuo
