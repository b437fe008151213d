#include "continuo/metrics/discriminator.h"

#include <fmt/format.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "continuo/app/command.h"
#include "continuo/app/piece_file.h"
#include "continuo/app/terminal.h"
#include "continuo/os/file.h"
#include "continuo/os/signals.h"
#include "continuo/token/tokenizer.h"

namespace continuo {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kMostFileBytes = uint64_t{1} << 24;

struct DiscriminatorFlags {
  std::vector<std::string> written;
  std::vector<std::string> songs;
  std::string tokens;
  int64_t bars = 32;
  std::string before;
  std::string output;
};

/// Files that cannot be read are reported and left out. `tokenizer`, if there is one, is what their
/// notes pass through.
Result<std::vector<Score>> ReadPieces(const std::vector<fs::path>& files, const Tokenizer* tokenizer,
                                      const std::string& what, const AppContext& context) {
  TerminalProgress progress(what, context.quiet);
  const StopToken stop = SignalStop();
  std::vector<Score> pieces;
  for (size_t i = 0; i < files.size(); ++i) {
    if (stop.stop_requested()) {
      return CancelledError();
    }
    Result<PieceFile> file = ReadPiece(files[i]);
    if (!file.ok()) {
      PrintError(file.error());
      continue;
    }
    const Score& score = file->piece.score();
    pieces.push_back(tokenizer != nullptr ? tokenizer->Decode(tokenizer->Encode(score)) : score);
    progress.Update(i + 1, files.size(), "");
  }
  return pieces;
}

Status RunDiscriminator(const DiscriminatorFlags& flags, const AppContext& context) {
  if (flags.bars < Discriminator::kStepBars || flags.bars > Discriminator::kMostBars ||
      flags.bars % Discriminator::kStepBars != 0) {
    return MakeError("bars is {}, expected a multiple of {} up to {}", flags.bars, Discriminator::kStepBars,
                     Discriminator::kMostBars);
  }
  std::unique_ptr<Tokenizer> tokenizer;
  if (!flags.tokens.empty()) {
    CONTINUO_ASSIGN(tokenizer, Tokenizer::Load(flags.tokens));
  }
  std::optional<Discriminator> before;
  if (!flags.before.empty()) {
    CONTINUO_ASSIGN(const std::string text, ReadTextFile(flags.before, kMostFileBytes));
    CONTINUO_ASSIGN(before, Discriminator::Parse(text, flags.before));
    if (before->bars() != flags.bars) {
      return MakeError("bars is {}, but {} compares up to {}", flags.bars, flags.before, before->bars());
    }
  }
  CONTINUO_ASSIGN(const std::vector<fs::path> written_files, PieceFilesIn(flags.written, context));
  CONTINUO_ASSIGN(const std::vector<fs::path> song_files, PieceFilesIn(flags.songs, context));
  CONTINUO_ASSIGN(const std::vector<Score> written, ReadPieces(written_files, nullptr, "pieces", context));
  CONTINUO_ASSIGN(const std::vector<Score> songs, ReadPieces(song_files, tokenizer.get(), "songs", context));
  CONTINUO_ASSIGN(const Discriminator fitted,
                  FitDiscriminator(written, songs, flags.bars, before ? &*before : nullptr));
  CONTINUO_TRY(WriteFileAtomically(flags.output, fitted.ToJson()));
  if (context.json) {
    return PrintJson({{"output", flags.output}, {"written", written.size()}, {"songs", songs.size()}});
  }
  return PrintLine(fmt::format("{}: what tells {} pieces from {} songs", flags.output, written.size(), songs.size()));
}

}  // namespace

void AddDiscriminatorCommand(CLI::App& app, AppContext& context) {
  CLI::App* command = app.add_subcommand("discriminator", "Learn what tells a model's pieces from songs, for --drafts");
  command->footer(
      "With discriminator.json in the model's directory, `generate`, `continue` and `fill` take --drafts N: every\n"
      "two bars are written N times, and those that are most like the songs are kept. Make the pieces with\n"
      "--drafts 1, a few hundred of at least --bars bars; it holds for that model and its sampling. Pieces made with\n"
      "it and more drafts, and --add, make it better.\n\n"
      "Example:\n"
      "  continuo generate --model out/run/final --count 600 --drafts 1 -o out/pieces\n"
      "  continuo discriminator out/pieces --songs my-midi --tokens remi -o out/run/final/discriminator.json");
  auto flags = std::make_shared<DiscriminatorFlags>();
  command->add_option("pieces", flags->written, "what the model wrote: MIDI files, or folders of them")->required();
  command->add_option("--songs", flags->songs, "real music: MIDI files, or folders of them")->required();
  command->add_option("--tokens", flags->tokens,
                      "first turn the songs into tokens and back (remi, or any other preset or tokenizer.json),\n"
                      "so that what these tokens cannot express does not count as a difference");
  command->add_option("--add", flags->before,
                      "the discriminator that compared the pieces' drafts: what still tells them is added to it");
  command->add_option("--bars", flags->bars, "compare up to so many bars, an even number")->capture_default_str();
  command->add_option("-o,--output", flags->output, "the file to write")->required();
  command->callback(
      [flags, &context] { context.run = [flags, &context]() -> Status { return RunDiscriminator(*flags, context); }; });
}

}  // namespace continuo
