#include <memory>

#include "continuo/app/command.h"
#include "continuo/app/generation.h"
#include "continuo/app/terminal.h"
#include "continuo/os/file.h"

namespace continuo {
namespace {

namespace fs = std::filesystem;

struct GenerateFlags : GenerationFlags {
  size_t bars = 32;
  bool stream = false;
};

/// One JSON line with the notes that became known with a bar.
Status PrintBar(const BarUpdate& update) {
  nlohmann::ordered_json notes = nlohmann::ordered_json::array();
  for (const TimedNote& note : update.notes) {
    notes.push_back({{"seconds", note.seconds},
                     {"duration", note.duration_seconds},
                     {"pitch", note.note.pitch},
                     {"velocity", note.note.velocity},
                     {"program", note.program},
                     {"drum", note.is_drum}});
  }
  return PrintJson({{"piece", update.index + 1}, {"bars", update.bars}, {"notes", notes}});
}

Status RunGenerate(const GenerateFlags& flags, const AppContext& context) {
  if (flags.stream && flags.options.retries > 0) {
    return MakeError("--stream and --retries: bars that are printed cannot be taken back");
  }
  CONTINUO_ASSIGN(const LoadedModel model,
                  LoadModel(flags.model, PiecesAtATime(flags.options.batch, flags.options.count), context));
  CONTINUO_ASSIGN(const ComposeOptions options, ChooseOptions(flags, model));
  const Request request = NewRequest{.bars = flags.bars};
  CONTINUO_TRY(Composer(model).Check(request, options));  // before anything is written
  const fs::path folder = flags.output;
  CONTINUO_TRY(MakePieceFolder(folder, context));

  Manifest manifest(flags, options, flags.bars, model, context);
  const auto sink = [&](const WrittenPiece& written) -> Status {
    const std::string file = PieceName(written.index) + ".mid";
    CONTINUO_TRY(written.piece.Write(folder / file));
    manifest.AddPiece(written.index, file, written);
    return {};
  };
  const Result<ComposeReport> report =
      WritePieces(model, request, options, context, sink, flags.stream ? BarSink(PrintBar) : BarSink());
  CONTINUO_TRY(manifest.Write(folder));  // complete pieces count, however it ended
  if (!report.ok()) {
    return report.error();
  }
  if (flags.stream) {
    return {};
  }
  if (context.json) {
    return PrintJson({{"output", folder.string()}, {"pieces", report->delivered}});
  }
  return PrintLine(fmt::format("{}: {} of {}", folder.string(), FormatCount(report->delivered, "piece"),
                               FormatCount(flags.bars, "bar")));
}

}  // namespace

void AddGenerateCommand(CLI::App& app, AppContext& context) {
  CLI::App* command = app.add_subcommand("generate", "Write new pieces of exactly N bars");
  command->footer(
      "Examples:\n"
      "  continuo generate --bars 32 --count 4 --seed 1 -o out/new\n"
      "  continuo generate --bars 16 --temperature 1 --top-p 0.95 --top-k 100 -o out/bolder\n"
      "  continuo generate --count 64 --keep 8 -o out/best\n"
      "  continuo generate --bars 32 --form \"A8 B8 A8 C8\" --density \"3 5 3 6\" -o out/song\n"
      "  continuo generate --scale \"C major\" --scale \"A minor@9-16\" --range C3:C6 --max-polyphony 4 -o "
      "out/limited");
  auto flags = std::make_shared<GenerateFlags>();
  command->add_option("--bars", flags->bars, "bars of each piece")->capture_default_str();
  command->add_option("--bpm", flags->options.bpm,
                      "the tempo in quarter notes per minute; 40 to 250 with the model that ships");
  command->add_flag("--stream", flags->stream,
                    "print the notes of each bar when it is complete, a JSON line per bar, with times in seconds");
  AddGenerationFlags(*command, *flags);
  command->callback([flags, &context] { context.run = [flags, &context] { return RunGenerate(*flags, context); }; });
}

}  // namespace continuo
