#include "continuo/compose/fill.h"

#include <algorithm>
#include <charconv>
#include <memory>

#include "continuo/app/command.h"
#include "continuo/app/generation.h"
#include "continuo/app/terminal.h"
#include "continuo/compose/generate.h"
#include "continuo/os/file.h"
#include "continuo/score/score_file.h"

namespace continuo {
namespace {

namespace fs = std::filesystem;

struct FillFlags {
  GenerationFlags generation;
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
                  LoadModel(flags.generation, SideBySide(flags.generation.options.batch, flags.candidates), context));
  const Tokenizer& tokenizer = *model.tokenizer;
  CONTINUO_ASSIGN(const Score score, ReadScore(flags.file));
  CONTINUO_ASSIGN(const Gap gap, MakeGap(score, bars.first, bars.second, tokenizer, flags.file));
  GenerationOptions options = flags.generation.options;
  options.bars = gap.last;
  options.count = flags.candidates;
  CONTINUO_ASSIGN(options.sampling, ChooseSampling(flags.generation, model));
  CONTINUO_TRY(CheckGenerationOptions(options));
  const fs::path folder = flags.generation.output;
  CONTINUO_TRY(MakeWritableDirectory(folder));

  struct Candidate {
    size_t index;
    GeneratedPiece piece;
    Score filled;
    double nll;
  };
  std::vector<Candidate> candidates;
  const auto sink = [&](size_t index, GeneratedPiece piece) -> Status {
    Score filled = FillGap(gap, piece.ids, tokenizer);
    CONTINUO_ASSIGN(const double nll, FollowingNll(gap, filled, *model.model, tokenizer));
    candidates.push_back({index, std::move(piece), std::move(filled), nll});
    return {};
  };
  Status status;
  {
    TerminalProgress progress("bars", context.quiet);
    status = Generate(*model.model, tokenizer, gap.prompt, options, sink, progress);
  }
  CONTINUO_TRY(status);
  if (candidates.empty()) {
    return {};  // interrupted
  }
  std::sort(candidates.begin(), candidates.end(),
            [](const Candidate& a, const Candidate& b) { return a.nll != b.nll ? a.nll < b.nll : a.index < b.index; });
  const size_t kept = std::clamp<size_t>(flags.generation.keep, 1, candidates.size());
  Manifest manifest(flags.generation, options, model, context);
  nlohmann::ordered_json rows = nlohmann::ordered_json::array();
  for (size_t i = 0; i < candidates.size(); ++i) {
    const Candidate& candidate = candidates[i];
    std::string file;
    if (i < kept) {
      file = PieceName(i) + ".mid";
      CONTINUO_TRY(WriteScore(candidate.filled, folder / file));
      manifest.AddPiece(i, file, candidate.piece);
    }
    rows.push_back({{"candidate", candidate.index}, {"nll_of_what_follows", candidate.nll}, {"file", file}});
  }
  manifest.Set("candidates", rows);
  CONTINUO_TRY(manifest.Write(folder));
  if (context.json) {
    return PrintJson({{"output", folder.string()}, {"pieces", kept}, {"candidates", rows}});
  }
  return PrintLine(fmt::format(
      "{}: bars {} to {} of {} written anew, the best {} of {} candidates ({:.3f} nats a token of what follows)",
      folder.string(), gap.first + 1, gap.last, flags.file, kept, candidates.size(), candidates.front().nll));
}

}  // namespace

void AddFillCommand(CLI::App& app, AppContext& context) {
  CLI::App* command = app.add_subcommand("fill", "Write bars of a piece anew, so that what stands around them stays");
  command->footer(
      "Of several candidates it takes the one under which the model finds the bars behind the gap likeliest.\n\n"
      "Example:\n"
      "  continuo fill song.mid --bars 9:12 --candidates 16 -o out/filled");
  auto flags = std::make_shared<FillFlags>();
  command->add_option("file", flags->file, "a MIDI file")->required();
  command->add_option("--bars", flags->bars, "the first and the last bar to write anew: 9:12")->required();
  command->add_option("--candidates", flags->candidates, "how many to choose from")
      ->check(CLI::Range(1, 10000))
      ->capture_default_str();
  AddGenerationFlags(*command, flags->generation);
  command->remove_option(command->get_option("--count"));
  command->remove_option(command->get_option("--rank"));
  command->get_option("--keep")->description("write the best so many of the candidates; 0: the best alone");
  command->callback([flags, &context] { context.run = [flags, &context] { return RunFill(*flags, context); }; });
}

}  // namespace continuo
