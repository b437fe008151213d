#include "continuo/sample/generate.h"

#include <memory>

#include "continuo/app/command.h"
#include "continuo/app/generation.h"
#include "continuo/app/terminal.h"
#include "continuo/core/file.h"
#include "continuo/score/score_file.h"

namespace continuo {
namespace {

namespace fs = std::filesystem;

Status RunGenerate(const GenerationFlags& flags, const AppContext& context) {
  CONTINUO_ASSIGN(const LoadedModel model, LoadModel(flags));
  GenerationOptions options = flags.options;
  CONTINUO_ASSIGN(options.sampling, ChooseSampling(flags, model));
  CONTINUO_TRY(CheckGenerationOptions(options));
  const fs::path folder = flags.output;
  CONTINUO_TRY(MakeWritableDirectory(folder));

  Manifest manifest(flags, options, model, context);
  size_t written = 0;
  const auto sink = [&](size_t index, GeneratedPiece piece) -> Status {
    const std::string file = PieceName(index) + ".mid";
    const std::vector<std::vector<TokenId>> streams(1, piece.ids);
    CONTINUO_TRY(WriteScore(model.tokenizer->Decode(streams), folder / file));
    manifest.AddPiece(index, file, piece);
    ++written;
    return {};
  };
  Status status;
  {
    TerminalProgress progress("bars", context.quiet);
    status = Generate(*model.model, *model.tokenizer, {}, options, sink, progress);
  }
  CONTINUO_TRY(manifest.Write(folder));  // what is whole counts, however it ended
  CONTINUO_TRY(status);
  if (context.json) {
    return PrintJson({{"output", folder.string()}, {"pieces", written}});
  }
  return PrintLine(fmt::format("{}: {} pieces of {} bars", folder.string(), written, options.bars));
}

}  // namespace

void AddGenerateCommand(CLI::App& app, AppContext& context) {
  CLI::App* command = app.add_subcommand("generate", "Write new pieces of exactly so many bars");
  command->footer("Examples:\n"
                  "  continuo generate --bars 32 --count 4 --seed 1 -o out/new\n"
                  "  continuo generate --bars 16 --temperature 1 --top-p 0.95 --top-k 100 -o out/bolder");
  auto flags = std::make_shared<GenerationFlags>();
  command->add_option("--bars", flags->options.bars, "bars of each piece")->capture_default_str();
  AddGenerationFlags(*command, *flags);
  command->callback([flags, &context] { context.run = [flags, &context] { return RunGenerate(*flags, context); }; });
}

}  // namespace continuo
