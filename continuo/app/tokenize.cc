#include <memory>

#include "continuo/app/command.h"
#include "continuo/app/terminal.h"
#include "continuo/os/file.h"
#include "continuo/os/signals.h"
#include "continuo/token/miditok_reader.h"

namespace continuo {
namespace {

namespace fs = std::filesystem;

struct TokenizeFlags {
  TokenizerFlags tokenizer;
  std::vector<std::string> paths;
  bool text = false;
};

/// Tokens by name, one bar a line; merged tokens, which may cross bars, in one line.
Status PrintTokens(const Tokenizer& tokenizer, const fs::path& file, const std::vector<std::vector<TokenId>>& tracks) {
  for (size_t track = 0; track < tracks.size(); ++track) {
    const std::vector<TokenId>& ids = tracks[track];
    CONTINUO_TRY(PrintLine(fmt::format("# {}, track {}, {} tokens", file.string(), track + 1, ids.size())));
    const std::vector<size_t> bars =
        tokenizer.trained() != nullptr ? std::vector<size_t>{0} : tokenizer.BarOffsets(ids);
    for (size_t bar = 0; bar < bars.size(); ++bar) {
      const size_t end = bar + 1 < bars.size() ? bars[bar + 1] : ids.size();
      std::string line = fmt::format("{:>4} ", bar + 1);
      for (size_t i = bar == 0 ? 0 : bars[bar]; i < end; ++i) {
        line += ' ';
        line += tokenizer.ModelToken(ids[i]);
      }
      CONTINUO_TRY(PrintLine(line));
    }
  }
  return {};
}

Status RunTokenize(const TokenizeFlags& flags, const AppContext& context) {
  CONTINUO_ASSIGN(const auto tokenizer, LoadTokenizer(flags.tokenizer, /*trained_too=*/true));
  CONTINUO_ASSIGN(const std::vector<fs::path> files, MidiFilesIn(flags.paths, context));
  TerminalProgress progress("files", context.quiet);
  size_t failed = 0;
  for (size_t i = 0; i < files.size() && InterruptSignal() == 0; ++i) {
    progress.Update(i, files.size(), "");
    const Result<std::vector<uint8_t>> bytes = ReadFile(files[i]);
    const Result<ScoreAndWarnings> read =
        bytes.ok() ? ParseScoreForTokens(*bytes, files[i].string(), tokenizer->config()) : bytes.error();
    if (!read.ok()) {
      PrintError(read.error());
      ++failed;
      continue;
    }
    PrintRepairs(context, read->warnings);
    const auto tracks = tokenizer->EncodeForModel(read->score);
    if (flags.text) {
      CONTINUO_TRY(PrintTokens(*tokenizer, files[i], tracks));
    } else {
      nlohmann::ordered_json line = {{"file", files[i].string()}, {"tracks", tracks}};
      if (!read->warnings.empty()) {
        line["repairs"] = read->warnings;
      }
      CONTINUO_TRY(PrintJson(line));
    }
  }
  if (failed > 0) {
    return MakeError("{} of {} files could not be read", failed, files.size());
  }
  return {};
}

}  // namespace

void AddTokenizeCommand(CLI::App& app, AppContext& context) {
  CLI::App* command = app.add_subcommand("tokenize", "Turn MIDI files into token ids, one JSON line a file");
  command->footer(
      "Examples:\n"
      "  continuo tokenize --tokenizer remi song.mid > song.json\n"
      "  continuo tokenize --tokenizer midilike --text song.mid | head");
  auto flags = std::make_shared<TokenizeFlags>();
  AddTokenizerFlags(*command, flags->tokenizer);
  command->add_option("files", flags->paths, "MIDI files, or folders of them")->required();
  command->add_flag("--text", flags->text, "print the tokens' names, one bar a line");
  command->callback([flags, &context] { context.run = [flags, &context] { return RunTokenize(*flags, context); }; });
}

}  // namespace continuo
