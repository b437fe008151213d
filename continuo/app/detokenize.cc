#include <algorithm>
#include <iostream>
#include <iterator>
#include <memory>
#include <string_view>

#include "continuo/app/command.h"
#include "continuo/app/score_json.h"
#include "continuo/os/file.h"
#include "continuo/score/score_file.h"

namespace continuo {
namespace {

struct DetokenizeFlags {
  TokenizerFlags tokenizer;
  std::string input;
  std::string output;
};

// Far above any song's, far below what memory holds.
constexpr size_t kMaxInputBytes = size_t{1} << 30;

Result<std::string> ReadInput(const std::string& path) {
  if (path != "-") {
    return ReadTextFile(path, kMaxInputBytes);
  }
  std::string text;
  std::vector<char> chunk(size_t{1} << 16);
  while (std::cin.read(chunk.data(), static_cast<std::streamsize>(chunk.size())) || std::cin.gcount() > 0) {
    text.append(chunk.data(), static_cast<size_t>(std::cin.gcount()));
    if (text.size() > kMaxInputBytes) {
      return MakeError("standard input: more than the {} bytes allowed here", kMaxInputBytes);
    }
  }
  return text;
}

/// The lists of ids in {"tracks": [[...], ...]}, each id checked against the vocabulary.
Result<std::vector<std::vector<TokenId>>> ParseTracks(std::string_view text, const std::string& name,
                                                      size_t vocabulary_size) {
  const nlohmann::json json = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (json.is_discarded()) {
    return MakeError("{}: is not JSON, expected {{\"tracks\": [[ids], ...]}}", name);
  }
  if (!json.is_object() || !json.contains("tracks") || !json["tracks"].is_array()) {
    return MakeError("{}: has no list \"tracks\", expected {{\"tracks\": [[ids], ...]}}", name);
  }
  std::vector<std::vector<TokenId>> tracks;
  for (const nlohmann::json& list : json["tracks"]) {
    if (!list.is_array()) {
      return MakeError("{}: tracks[{}] is {}, expected a list of ids", name, tracks.size(), list.type_name());
    }
    std::vector<TokenId> ids;
    ids.reserve(list.size());
    for (const nlohmann::json& id : list) {
      if (!id.is_number_integer() || id.get<int64_t>() < 0 ||
          id.get<int64_t>() >= static_cast<int64_t>(vocabulary_size)) {
        return MakeError("{}: tracks[{}][{}] is {}, expected an id from 0 to {}", name, tracks.size(), ids.size(),
                         id.is_primitive() ? id.dump() : id.type_name(), vocabulary_size - 1);
      }
      ids.push_back(id.get<TokenId>());
    }
    tracks.push_back(std::move(ids));
  }
  return tracks;
}

Status DecodeOne(const Tokenizer& tokenizer, std::string_view text, const std::string& name, const std::string& output,
                 bool print) {
  CONTINUO_ASSIGN(const auto tracks, ParseTracks(text, name, tokenizer.model_size()));
  if (tokenizer.one_stream() && tracks.size() != 1) {
    return MakeError("{}: has {} tracks, but this tokenizer puts all tracks in one list", name, tracks.size());
  }
  const Score score = tokenizer.DecodeFromModel(tracks);
  if (!output.empty()) {
    CONTINUO_TRY(WriteScore(score, output));
  }
  if (print) {
    return PrintJson({{"score", ScoreToJson(score)}});
  }
  return {};
}

/// True if each of several lines is a document, as tokenize writes them for several files.
bool IsLines(std::string_view text) {
  const size_t end = text.find('\n');
  const size_t next = text.find_first_not_of(" \t\r\n", end);
  return end != std::string_view::npos && next != std::string_view::npos && text[next] == '{' &&
         nlohmann::json::accept(text.substr(0, end));
}

Status RunDetokenize(const DetokenizeFlags& flags, const AppContext& context) {
  CONTINUO_ASSIGN(const auto tokenizer, LoadTokenizer(flags.tokenizer, /*trained_too=*/true));
  CONTINUO_ASSIGN(const std::string text, ReadInput(flags.input));
  const std::string name = flags.input == "-" ? "standard input" : flags.input;
  if (!IsLines(text)) {
    return DecodeOne(*tokenizer, text, name, flags.output, context.json);
  }
  if (!flags.output.empty()) {
    return Error{fmt::format("{}: holds the ids of several files, but --output names one", name),
                 "give one line, or --json without --output"};
  }
  size_t line = 1;
  for (std::string_view rest = text; !rest.empty(); ++line) {
    const size_t end = std::min(rest.find('\n'), rest.size());
    CONTINUO_TRY(DecodeOne(*tokenizer, rest.substr(0, end), fmt::format("{}, line {}", name, line), "", context.json));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return {};
}

}  // namespace

void AddDetokenizeCommand(CLI::App& app, AppContext& context) {
  CLI::App* command = app.add_subcommand("detokenize", "Turn token ids back into a MIDI file");
  command->footer(
      "Examples:\n"
      "  continuo detokenize --tokenizer remi song.json -o song.mid\n"
      "  continuo tokenize --tokenizer remi song.mid | continuo detokenize --tokenizer remi - -o again.mid");
  auto flags = std::make_shared<DetokenizeFlags>();
  AddTokenizerFlags(*command, flags->tokenizer);
  command
      ->add_option("ids", flags->input, "a JSON file {\"tracks\": [[ids], ...]}, or lines of them; - is standard input")
      ->required();
  command->add_option("-o,--output", flags->output, "the MIDI file to write; may be left out with --json");
  command->callback([flags, &context] {
    if (flags->output.empty() && !context.json) {
      throw CLI::RequiredError("--output");
    }
    context.run = [flags, &context] { return RunDetokenize(*flags, context); };
  });
}

}  // namespace continuo
