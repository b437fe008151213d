#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <system_error>

#include "continuo/app/command.h"

namespace continuo {
namespace {

/// Becomes continuo-train, which alone links LibTorch. Returns only on failure.
Status RunTrain(const std::vector<std::string>& arguments) {
  const std::string program = (ProgramFolder() / "continuo-train").string();
  if (::access(program.c_str(), X_OK) != 0) {
    return Error{fmt::format("{}: is not there: this build has no training", program),
                 "install LibTorch with tools/bootstrap.sh and build again"};
  }
  std::vector<char*> argv = {const_cast<char*>(program.c_str())};
  for (const std::string& argument : arguments) {
    argv.push_back(const_cast<char*>(argument.c_str()));
  }
  argv.push_back(nullptr);
  ::execv(program.c_str(), argv.data());
  return MakeError("{}: cannot start: {}", program, std::generic_category().message(errno));
}

}  // namespace

void AddTrainCommand(CLI::App& app, AppContext& context) {
  CLI::App* command = app.add_subcommand("train", "Train a model on a corpus (starts continuo-train)");
  command->prefix_command();
  command->fallthrough(false);  // else the program itself would take, and refuse, what it does not know
  command->set_help_flag();  // --help is continuo-train's to answer
  command->callback([&context] {
    // All that stands behind "train", in its order; flags that stand before it are for both programs.
    const auto name = std::find(context.arguments.begin(), context.arguments.end(), "train");
    std::vector<std::string> arguments(std::next(name), context.arguments.end());
    if (context.json) {
      arguments.emplace_back("--json");
    }
    if (context.quiet) {
      arguments.emplace_back("--quiet");
    }
    context.run = [arguments] { return RunTrain(arguments); };
  });
}

}  // namespace continuo
