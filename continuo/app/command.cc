#include "continuo/app/command.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <system_error>

#include "continuo/os/file.h"
#include "continuo/os/process.h"
#include "continuo/score/midi_files.h"
#include "continuo/score/score_file.h"

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

Result<std::unique_ptr<Tokenizer>> LoadTokenizer(const TokenizerFlags& flags, bool trained_too) {
  CONTINUO_ASSIGN(const MidiTokRelease release, ParseMidiTokRelease(flags.release));
  return trained_too ? Tokenizer::LoadPlainOrTrained(flags.spec, release) : Tokenizer::Load(flags.spec, release);
}

namespace {

/// A text without control characters but new lines and tabs.
std::string Printable(std::string_view text) {
  std::string printable;
  printable.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<uint8_t>(text[i]);
    const bool c1 = byte == 0xC2 && i + 1 < text.size() && (static_cast<uint8_t>(text[i + 1]) & 0xE0) == 0x80;
    if (c1) {  // U+0080 to U+009F
      printable += fmt::format("\\x{:02x}", static_cast<uint8_t>(text[++i]));
    } else if ((byte < 0x20 && byte != '\n' && byte != '\t') || byte == 0x7F) {
      printable += fmt::format("\\x{:02x}", byte);
    } else {
      printable += text[i];
    }
  }
  return printable;
}

}  // namespace

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
  const std::string line = Printable(text) + "\n";
  if (std::fwrite(line.data(), 1, line.size(), stdout) != line.size()) {
    return MakeError("cannot write to standard output: {}", std::generic_category().message(errno));
  }
  return {};
}

Status PrintJson(const nlohmann::ordered_json& value) {
  // Text from files may hold bytes that are no UTF-8.
  return PrintLine(value.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace));
}

void PrintError(const Error& error) {
  fmt::print(stderr, "continuo: {}\n", Printable(error.ToString()));
}

void PrintNote(const AppContext& context, std::string_view text) {
  if (!context.quiet) {
    fmt::print(stderr, "continuo: {}\n", Printable(text));
  }
}

void PrintRepairs(const AppContext& context, const std::vector<std::string>& repairs) {
  if (!repairs.empty()) {
    PrintNote(context, RepairsInOneLine(repairs));
  }
}

namespace {

/// The files that a folder's manifest lists, or nothing if the folder has none.
std::vector<std::string> ListedPieces(const fs::path& folder) {
  const Result<std::vector<uint8_t>> bytes = ReadFile(folder / "manifest.json");
  if (!bytes.ok()) {
    return {};
  }
  const auto manifest = nlohmann::ordered_json::parse(*bytes, nullptr, false);
  std::vector<std::string> names;
  if (manifest.is_object() && manifest.contains("pieces") && manifest["pieces"].is_array()) {
    for (const auto& piece : manifest["pieces"]) {
      if (piece.is_object() && piece.contains("file") && piece["file"].is_string()) {
        names.push_back(piece["file"].get<std::string>());
      }
    }
  }
  return names;
}

Result<std::vector<fs::path>> FilesIn(const std::vector<std::string>& paths, bool pieces, const AppContext& context) {
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
    CONTINUO_ASSIGN(MidiFileList list, ListMidiFiles(path));
    for (const MidiFileList::Skipped& skipped : list.skipped) {
      PrintNote(context, fmt::format("{}: skipped: {}", (path / skipped.name).string(), skipped.reason));
    }
    if (list.names.empty()) {
      return NoMidiFiles(path);
    }
    const std::vector<std::string> listed = pieces ? ListedPieces(path) : std::vector<std::string>();
    if (!listed.empty()) {
      const size_t all = list.names.size();
      std::erase_if(list.names, [&](const std::string& name) {
        return std::find(listed.begin(), listed.end(), name) == listed.end();
      });
      if (list.names.empty()) {
        return MakeError(ErrorCode::kNotFound, "{}: has none of the pieces that its manifest.json lists",
                         path.string());
      }
      if (list.names.size() < all) {
        PrintNote(context, fmt::format("{}: {} of its {} MIDI files are measured, those that manifest.json lists",
                                       path.string(), list.names.size(), all));
      }
    }
    for (const std::string& name : list.names) {
      files.push_back(path / name);
    }
  }
  return files;
}

}  // namespace

Result<std::vector<fs::path>> MidiFilesIn(const std::vector<std::string>& paths, const AppContext& context) {
  return FilesIn(paths, false, context);
}

Result<std::vector<fs::path>> PieceFilesIn(const std::vector<std::string>& paths, const AppContext& context) {
  return FilesIn(paths, true, context);
}

std::string_view Version() {
  return CONTINUO_VERSION;
}

}  // namespace continuo
