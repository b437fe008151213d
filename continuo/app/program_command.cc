#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <iterator>
#include <system_error>

#include "continuo/app/command.h"

namespace continuo {

Status BecomeProgram(const std::string& name, const std::vector<std::string>& arguments, const std::string& missing) {
  const std::string program = (ProgramFolder() / name).string();
  if (::access(program.c_str(), X_OK) != 0) {
    return Error{fmt::format("{}: is not there, it was not built", program), missing};
  }
  std::vector<char*> argv = {const_cast<char*>(program.c_str())};
  for (const std::string& argument : arguments) {
    argv.push_back(const_cast<char*>(argument.c_str()));
  }
  argv.push_back(nullptr);
  // LibTorch's threads spin while they wait for each other, for as long as another program holds a core: measured on
  // two busy cores, 2 steps of training where 27 fit without. Only the environment, read before main, can tell them to
  // sleep.
  ::setenv("OMP_WAIT_POLICY", "PASSIVE", /*overwrite=*/0);
  // Large tensors in huge pages, where the system gives them to those who ask: 3 to 10 % of a training's time at 12 x
  // 768.
  ::setenv("GLIBC_TUNABLES", "glibc.malloc.hugetlb=1", /*overwrite=*/0);
  ::execv(program.c_str(), argv.data());
  return MakeError("{}: cannot start: {}", program, std::generic_category().message(errno));
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
  AddProgramCommand(
      app, context,
      {.name = "render",
       .program = "continuo-render",
       .command = "",
       .description = "Turn MIDI files into audio (starts continuo-render)",
       .missing = "install libfluidsynth-dev and libsndfile1-dev with tools/bootstrap.sh and build again"});
}

}  // namespace continuo
