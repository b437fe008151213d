#include "continuo/app/command.h"

#include <cerrno>
#include <cstdio>
#include <system_error>

#include "continuo/os/process.h"
#include "continuo/score/midi_files.h"

namespace continuo {

namespace fs = std::filesystem;

void AddTokenizerFlags(CLI::App& command, TokenizerFlags& flags) {
  command
      .add_option("-t,--tokenizer", flags.spec,
                  "a preset (remi, remiplus, midilike, ...) or the path of a tokenizer.json")
      ->required();
  command
      .add_option("--miditok", flags.release,
                  "the MidiTok release whose behaviour and ids a preset has: 3.0.4 or 3.1.0")
      ->capture_default_str();
}

Result<std::unique_ptr<Tokenizer>> LoadTokenizer(const TokenizerFlags& flags) {
  CONTINUO_ASSIGN(const MidiTokRelease release, ParseMidiTokRelease(flags.release));
  return Tokenizer::Load(flags.spec, release);
}

Result<fs::path> DefaultModel() {
  const fs::path model = (ProgramFolder() / ".." / "share" / "continuo" / "models" / "pop-piano").lexically_normal();
  std::error_code code;
  if (!fs::is_directory(model, code)) {
    return Error{fmt::format("{}: is not there, where the model that ships was expected", model.string()),
                 "name a model with --model DIR"};
  }
  return model;
}

Status PrintLine(std::string_view text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fputc('\n', stdout) == EOF) {
    return MakeError("cannot write to standard output: {}", std::generic_category().message(errno));
  }
  return {};
}

Status PrintJson(const nlohmann::ordered_json& value) {
  // Text from files may hold bytes that are no UTF-8.
  return PrintLine(value.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace));
}

void PrintError(const Error& error) {
  fmt::print(stderr, "continuo: {}\n", error.ToString());
}

void PrintNote(const AppContext& context, std::string_view text) {
  if (!context.quiet) {
    fmt::print(stderr, "continuo: {}\n", text);
  }
}

Result<std::vector<fs::path>> MidiFilesIn(const std::vector<std::string>& paths, const AppContext& context) {
  std::vector<fs::path> files;
  for (const fs::path path : paths) {
    std::error_code code;
    if (!fs::exists(path, code)) {
      return MakeError(ErrorCode::kNotFound, "{}: no such file or folder", path.string());
    }
    if (!fs::is_directory(path, code)) {
      files.push_back(path);
      continue;
    }
    CONTINUO_ASSIGN(const MidiFileList list, ListMidiFiles(path));
    for (const MidiFileList::Skipped& skipped : list.skipped) {
      PrintNote(context, fmt::format("{}: skipped: {}", (path / skipped.name).string(), skipped.reason));
    }
    if (list.names.empty()) {
      return NoMidiFiles(path);
    }
    for (const std::string& name : list.names) {
      files.push_back(path / name);
    }
  }
  return files;
}

std::string_view Version() {
  return CONTINUO_VERSION;
}

}  // namespace continuo
