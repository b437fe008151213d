#include <charconv>
#include <memory>

#include "continuo/app/command.h"
#include "continuo/app/generation.h"
#include "continuo/app/piece_file.h"
#include "continuo/app/terminal.h"
#include "continuo/os/file.h"

namespace continuo {
namespace {

namespace fs = std::filesystem;

struct FillFlags : GenerationFlags {
  std::string file;
  std::string bars;
  size_t candidates = 16;
};

/// "9:12": the bars 9 to 12, as indices [8, 12).
Result<std::pair<size_t, size_t>> ParseBars(const std::string& text) {
  size_t first = 0;
  size_t last = 0;
  const char* end = text.data() + text.size();
  const auto [colon, first_error] = std::from_chars(text.data(), end, first);
  if (first_error == std::errc() && colon != end && *colon == ':') {
    const auto [rest, last_error] = std::from_chars(colon + 1, end, last);
    if (last_error == std::errc() && rest == end && first >= 1 && first <= last && last <= kMaxBars) {
      return std::pair(first - 1, last);
    }
  }
  return MakeError("--bars is '{}', expected the first and the last bar to rewrite, like 9:12", text);
}

Status RunFill(const FillFlags& flags, const AppContext& context) {
  CONTINUO_ASSIGN(const auto bars, ParseBars(flags.bars));
  CONTINUO_ASSIGN(const LoadedModel model,
                  LoadModel(flags.model, PiecesAtATime(flags.options.batch, flags.candidates), context));
  CONTINUO_ASSIGN(PieceFile given, ReadPiece(flags.file));
  const std::vector<std::string>& repairs = given.repairs;
  PrintRepairs(context, repairs);
  const Request request = FillRequest{.piece = std::move(given.piece), .first = bars.first, .last = bars.second};
  CONTINUO_ASSIGN(ComposeOptions options, ChooseOptions(flags, model));
  options.count = flags.candidates;
  CONTINUO_TRY(Composer(model).Check(request, options));  // before anything is written
  const fs::path folder = flags.output;
  CONTINUO_TRY(MakePieceFolder(folder, context));

  Manifest manifest(flags, options, bars.second, model, context);
  manifest.Set("repairs", repairs);
  size_t written_pieces = 0;
  const auto sink = [&](const WrittenPiece& written) -> Status {  // best first
    const std::string file = PieceName(written_pieces) + ".mid";
    CONTINUO_TRY(written.piece.Write(folder / file));
    manifest.AddPiece(written_pieces, file, written);
    ++written_pieces;
    return {};
  };
  CONTINUO_ASSIGN(const ComposeReport report, WritePieces(model, request, options, context, sink));
  if (report.ranking.empty()) {
    return {};  // interrupted
  }
  nlohmann::ordered_json rows = nlohmann::ordered_json::array();
  for (size_t i = 0; i < report.ranking.size(); ++i) {
    const RankedPiece& candidate = report.ranking[i];
    rows.push_back({{"candidate", candidate.index},
                    {"nll_of_what_follows", candidate.nll},
                    {"file", i < report.delivered ? PieceName(i) + ".mid" : ""}});
  }
  manifest.Set("candidates", rows);
  CONTINUO_TRY(manifest.Write(folder));
  if (context.json) {
    return PrintJson(
        {{"output", folder.string()}, {"pieces", report.delivered}, {"candidates", rows}, {"repairs", repairs}});
  }
  return PrintLine(fmt::format(
      "{}: bars {} to {} of {} rewritten: the best {} of {} candidates ({:.3f} nats per token in the bars that follow)",
      folder.string(), bars.first + 1, bars.second, flags.file, report.delivered, report.ranking.size(),
      report.ranking.front().nll));
}

}  // namespace

void AddFillCommand(CLI::App& app, AppContext& context) {
  CLI::App* command = app.add_subcommand("fill", "Rewrite bars of a piece and keep the bars around them");
  command->footer(
      "Keeps everything but the notes that begin in the bars. Writes several candidates and keeps the one after which "
      "the model finds the next eight bars likeliest.\n\n"
      "Examples:\n"
      "  continuo fill song.mid --bars 9:12 --candidates 16 -o out/filled\n"
      "  continuo fill song.mid --bars 9:12 --keep-top --scale \"A minor\" -o out/accompanied");
  auto flags = std::make_shared<FillFlags>();
  command->add_option("file", flags->file, "a MIDI or MusicXML file; MIDI is written")->required();
  command->add_option("--bars", flags->bars, "the first and the last bar to rewrite: 9:12")->required();
  command->add_option("--candidates", flags->candidates, "how many to choose from")
      ->check(CLI::Range(1, 10000))
      ->capture_default_str();
  command->add_flag("--keep-top", flags->options.limits.keep_top,
                    "keep the top notes of the bars, taken for their melody, and write new notes below them");
  AddGenerationFlags(*command, *flags);
  command->remove_option(command->get_option("--count"));
  command->remove_option(command->get_option("--rank"));
  command->get_option("--keep")->description("keep only the N best candidates; 0 keeps the best one");
  command->callback([flags, &context] { context.run = [flags, &context] { return RunFill(*flags, context); }; });
}

}  // namespace continuo
