#pragma once

#include <CLI/CLI.hpp>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "continuo/compose/loaded_model.h"
#include "continuo/core/result.h"
#include "continuo/token/tokenizer.h"

namespace continuo {

/// Flags that every subcommand takes, and the subcommand that the command line chose.
struct AppContext {
  bool json = false;
  bool quiet = false;
  std::vector<std::string> arguments;  // the command line, for manifests
  std::function<Status()> run;         // set by the chosen subcommand's parser
  /// Loads models to compute on --device; empty in the program that has the CPU's engine alone.
  std::function<ModelLoader(const std::string& device)> loader_for;
};

/// The whole program, with all of its subcommands. Returns its exit code.
int RunProgram(int argc, char** argv, AppContext context);

/// Each adds one subcommand to the parser.
void AddVocabCommand(CLI::App& app, AppContext& context);
void AddTokenizeCommand(CLI::App& app, AppContext& context);
void AddTokenizerCommand(CLI::App& app, AppContext& context);
void AddDetokenizeCommand(CLI::App& app, AppContext& context);
void AddAlignCommand(CLI::App& app, AppContext& context);
void AddInspectCommand(CLI::App& app, AppContext& context);
void AddCorpusCommand(CLI::App& app, AppContext& context);
void AddTrainCommand(CLI::App& app, AppContext& context);
void AddPretrainCommand(CLI::App& app, AppContext& context);
void AddGenerateCommand(CLI::App& app, AppContext& context);
void AddContinueCommand(CLI::App& app, AppContext& context);
void AddFillCommand(CLI::App& app, AppContext& context);
void AddLikelihoodCommand(CLI::App& app, AppContext& context);
void AddExportCommand(CLI::App& app, AppContext& context);
void AddPictureCommand(CLI::App& app, AppContext& context);
void AddEvalCommand(CLI::App& app, AppContext& context);
void AddDiscriminatorCommand(CLI::App& app, AppContext& context);
void AddRenderCommand(CLI::App& app, AppContext& context);
void AddServeCommand(CLI::App& app, AppContext& context);
void AddReportCommand(CLI::App& app, AppContext& context);
void AddQuantizeCommand(CLI::App& app, AppContext& context);
void AddExperimentCommand(CLI::App& app, AppContext& context);
void AddBenchCommand(CLI::App& app, AppContext& context);

/// The flags by which a tokenizer is named.
struct TokenizerFlags {
  std::string spec;
  std::string release = "3.1.0";
};
void AddTokenizerFlags(CLI::App& command, TokenizerFlags& flags);
Result<std::unique_ptr<Tokenizer>> LoadTokenizer(const TokenizerFlags& flags, bool trained_too = false);

/// A subcommand that a program beside this one answers, as git does.
struct ProgramCommand {
  std::string name;
  std::string program;  // gets every argument after the subcommand
  std::string command;  // stands before that, where the program answers several; empty: nothing does
  std::string description;
  std::string missing;  // what to do where the program was not built
};
void AddProgramCommand(CLI::App& app, AppContext& context, const ProgramCommand& what);

/// What to do where continuo-train and continuo-torch were not built.
inline constexpr const char* kNoLibTorch = "install LibTorch with tools/bootstrap.sh and build again";

/// Becomes `program` beside this one. Returns only on failure.
Status BecomeProgram(const std::string& program, const std::vector<std::string>& arguments, const std::string& missing);

/// The directory of the model that ships: ../share/continuo/models beside this program's folder.
Result<std::filesystem::path> DefaultModel();

/// Writes one line of text, or a JSON value on one line, to stdout; fails when stdout can't take
/// it. Control characters of a text, which may come from a file, are written as \x1b.
Status PrintLine(std::string_view text);
Status PrintJson(const nlohmann::ordered_json& value);

/// Writes "continuo: message (hint)" to stderr.
void PrintError(const Error& error);

/// Writes "continuo: text" to stderr, unless --quiet was given.
void PrintNote(const AppContext& context, std::string_view text);

/// Writes what was repaired in a file that was read, which may be nothing, in one line to stderr,
/// unless --quiet was given.
void PrintRepairs(const AppContext& context, const std::vector<std::string>& repairs);

/// The files named in `paths`, and of a folder named there its MIDI files by the rules of
/// ListMidiFiles. Prints a note for each entry that is skipped. Fails on a path that does not exist
/// and on a folder without MIDI files.
Result<std::vector<std::filesystem::path>> MidiFilesIn(const std::vector<std::string>& paths,
                                                       const AppContext& context);

/// The same for commands that measure pieces: of a folder with a manifest.json, what `generate`,
/// `continue` and `fill` write, the pieces that it lists. Prints a note on other MIDI files there.
Result<std::vector<std::filesystem::path>> PieceFilesIn(const std::vector<std::string>& paths,
                                                        const AppContext& context);

/// "0.1.0".
std::string_view Version();

}  // namespace continuo
