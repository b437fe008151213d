#include <memory>

#include "continuo/app/command.h"
#include "continuo/app/generation.h"
#include "continuo/app/terminal.h"
#include "continuo/compose/continuation.h"
#include "continuo/compose/generate.h"
#include "continuo/os/file.h"
#include "continuo/score/score_file.h"

namespace continuo {
namespace {

namespace fs = std::filesystem;

struct ContinueFlags {
  GenerationFlags generation;
  std::string prompt;
  size_t prompt_bars = 8;
  size_t bars = 24;
  std::optional<size_t> track;  // counted from 1
};

Status RunContinue(const ContinueFlags& flags, const AppContext& context) {
  if (flags.prompt_bars < 1 || flags.prompt_bars > kMaxBars) {
    return MakeError("prompt-bars is {}, expected 1 to {}", flags.prompt_bars, kMaxBars);
  }
  if (flags.bars < 1 || flags.bars > kMaxBars) {
    return MakeError("bars is {}, expected 1 to {}", flags.bars, kMaxBars);
  }
  CONTINUO_ASSIGN(
      const LoadedModel model,
      LoadModel(flags.generation, SideBySide(flags.generation.options.batch, flags.generation.options.count), context));
  const Tokenizer& tokenizer = *model.tokenizer;
  CONTINUO_ASSIGN(const Score score, ReadScore(flags.prompt));
  std::optional<size_t> track;
  if (flags.track) {
    track = *flags.track - 1;
  }
  CONTINUO_ASSIGN(const Prompt prompt, TakePrompt(score, flags.prompt_bars, tokenizer, flags.prompt, track));

  GenerationOptions options = flags.generation.options;
  options.bars = flags.prompt_bars + flags.bars;
  CONTINUO_ASSIGN(options.sampling, ChooseSampling(flags.generation, model));
  CONTINUO_TRY(CheckGenerationOptions(options));
  const fs::path folder = flags.generation.output;
  CONTINUO_TRY(MakeWritableDirectory(folder));

  Manifest manifest(flags.generation, options, model, context);
  size_t written = 0;
  const auto sink = [&](size_t index, GeneratedPiece piece) -> Status {
    const std::string name = PieceName(index);
    const Continuation continuation = JoinContinuation(prompt, piece.ids, tokenizer);
    CONTINUO_TRY(WriteScore(continuation.new_bars, folder / (name + ".new-bars.mid")));
    CONTINUO_TRY(WriteScore(continuation.whole, folder / (name + ".mid")));
    const nlohmann::ordered_json tokens = {{"file", name + ".mid"}, {"tracks", {piece.ids}}};
    CONTINUO_TRY(WriteFileAtomically(folder / (name + ".tokens.json"), tokens.dump() + "\n"));
    manifest.AddPiece(index, name + ".mid", piece);
    ++written;
    return {};
  };
  const Status status = GenerateKept(flags.generation, options, model, prompt.ids, context, sink);
  CONTINUO_TRY(manifest.Write(folder));  // what is whole counts, however it ended
  CONTINUO_TRY(status);
  if (context.json) {
    return PrintJson({{"output", folder.string()}, {"pieces", written}});
  }
  return PrintLine(fmt::format("{}: {}, {} of {} and {}", folder.string(), FormatCount(written, "piece"),
                               FormatCount(flags.prompt_bars, "bar"), flags.prompt,
                               FormatCount(flags.bars, "new bar")));
}

}  // namespace

void AddContinueCommand(CLI::App& app, AppContext& context) {
  CLI::App* command = app.add_subcommand("continue", "Keep the first bars of a piece and write new ones behind them");
  command->footer(
      "Writes piece-001.mid, the whole, piece-001.new-bars.mid, the new bars alone, and\n"
      "piece-001.tokens.json, what the model read and wrote.\n\n"
      "Example:\n"
      "  continuo continue --prompt examples/prompt.mid --prompt-bars 8 --bars 24 --count 3 -o out/continued");
  auto flags = std::make_shared<ContinueFlags>();
  command->add_option("--prompt", flags->prompt, "the MIDI file to go on from")->required();
  command->add_option("--prompt-bars", flags->prompt_bars, "how many of its first bars to keep")->capture_default_str();
  command->add_option("--bars", flags->bars, "how many new bars to write")->capture_default_str();
  command
      ->add_option("--track", flags->track,
                   "go on with this track alone, counted as `inspect` shows them; all if left out")
      ->check(CLI::PositiveNumber);
  AddGenerationFlags(*command, flags->generation);
  command->callback([flags, &context] { context.run = [flags, &context] { return RunContinue(*flags, context); }; });
}

}  // namespace continuo
