#include <memory>

#include "continuo/app/command.h"
#include "continuo/app/generation.h"
#include "continuo/app/piece_file.h"
#include "continuo/app/terminal.h"
#include "continuo/os/file.h"

namespace continuo {
namespace {

namespace fs = std::filesystem;

struct ContinueFlags : GenerationFlags {
  std::string prompt;
  size_t prompt_bars = 8;
  size_t bars = 24;
  std::optional<size_t> track;  // counted from 1
  std::string tempo = "keep";
};

Status RunContinue(const ContinueFlags& flags, const AppContext& context) {
  CONTINUO_ASSIGN(const LoadedModel model,
                  LoadModel(flags.model, PiecesAtATime(flags.options.batch, flags.options.count), context));
  CONTINUO_ASSIGN(PieceFile prompt, ReadPiece(flags.prompt));
  const std::vector<std::string>& repairs = prompt.repairs;
  PrintRepairs(context, repairs);
  ContinueRequest request{.piece = std::move(prompt.piece), .prompt_bars = flags.prompt_bars, .bars = flags.bars};
  if (flags.track) {
    request.track = *flags.track - 1;
  }
  CONTINUO_ASSIGN(ComposeOptions options, ChooseOptions(flags, model));
  options.free_tempo = flags.tempo == "free";
  CONTINUO_TRY(Composer(model).Check(request, options));  // before anything is written
  const fs::path folder = flags.output;
  CONTINUO_TRY(MakePieceFolder(folder, context));

  Manifest manifest(flags, options, flags.prompt_bars + flags.bars, model, context);
  manifest.Set("repairs", repairs);
  const auto sink = [&](const WrittenPiece& written) -> Status {
    const std::string name = PieceName(written.index);
    CONTINUO_TRY(written.new_bars->Write(folder / (name + ".new-bars.mid")));
    CONTINUO_TRY(written.piece.Write(folder / (name + ".mid")));
    const nlohmann::ordered_json tokens = {{"file", name + ".mid"},
                                           {"tracks", {model.tokenizer->ToModelIds(written.generated.ids)}}};
    CONTINUO_TRY(WriteFileAtomically(folder / (name + ".tokens.json"), tokens.dump() + "\n"));
    manifest.AddPiece(written.index, name + ".mid", written);
    return {};
  };
  const Result<ComposeReport> report = WritePieces(model, request, options, context, sink);
  CONTINUO_TRY(manifest.Write(folder));  // complete pieces count, however it ended
  if (!report.ok()) {
    return report.error();
  }
  if (context.json) {
    return PrintJson({{"output", folder.string()}, {"pieces", report->delivered}, {"repairs", repairs}});
  }
  return PrintLine(fmt::format("{}: {}, {} of {} and {}", folder.string(), FormatCount(report->delivered, "piece"),
                               FormatCount(flags.prompt_bars, "bar"), flags.prompt,
                               FormatCount(flags.bars, "new bar")));
}

}  // namespace

void AddContinueCommand(CLI::App& app, AppContext& context) {
  CLI::App* command = app.add_subcommand("continue", "Keep the first bars of a piece and write new ones after them");
  command->footer(
      "Keeps everything before the bar line, in its tracks, and drops what is after it. Writes piece-001.mid, the\n"
      "whole piece, piece-001.new-bars.mid, the new bars alone, and piece-001.tokens.json, what the model read and\n"
      "wrote.\n\n"
      "Example:\n"
      "  continuo continue --prompt examples/prompt.mid --prompt-bars 8 --bars 24 --count 3 -o out/continued");
  auto flags = std::make_shared<ContinueFlags>();
  command->add_option("--prompt", flags->prompt, "the MIDI or MusicXML file to continue")->required();
  command->add_option("--prompt-bars", flags->prompt_bars, "how many of its first bars to keep")->capture_default_str();
  command->add_option("--bars", flags->bars, "how many new bars to write")->capture_default_str();
  command
      ->add_option("--track", flags->track,
                   "continue this track alone, numbered as `continuo inspect` shows it; default: all tracks")
      ->check(CLI::PositiveNumber);
  CLI::Option* tempo = command->add_option("--tempo", flags->tempo,
                                           "keep: new tempos stay within 10 % of the mean of the prompt's last four "
                                           "bars; free: the model's choice");
  tempo->check(CLI::IsMember({"keep", "free"}))->capture_default_str();
  command->add_option("--bpm", flags->options.bpm, "the tempo of the new bars in quarter notes per minute")
      ->excludes(tempo);
  AddGenerationFlags(*command, *flags);
  command->callback([flags, &context] { context.run = [flags, &context] { return RunContinue(*flags, context); }; });
}

}  // namespace continuo
