#include <algorithm>
#include <memory>
#include <optional>

#include "continuo/app/command.h"
#include "continuo/app/eval_output.h"
#include "continuo/app/terminal.h"
#include "continuo/os/file.h"
#include "continuo/os/machine.h"
#include "continuo/os/signals.h"

namespace continuo {
namespace {

namespace fs = std::filesystem;

// For more files than this, SI, which takes up to half a second per file, is left out unless it is
// asked for.
constexpr size_t kFilesWithSi = 100;
// The two-sample test looks at this many bars unless --bars says otherwise: the usual length of
// generated pieces.
constexpr int64_t kTwoSampleBars = 32;

struct EvalFlags {
  std::vector<std::string> paths;
  int64_t bars = 0;
  bool tsv = false;
  bool describe = false;
  std::string si = "auto";
  std::string reference;
  std::vector<std::string> against;
  std::string against_tokens;
  std::vector<std::string> copied_from;
  size_t threads = 0;
};

/// Whether `--si` asks for SI of this many files.
Result<bool> WantsStructure(const std::string& si, size_t files, const AppContext& context) {
  if (si == "yes" || si == "no") {
    return si == "yes";
  }
  if (si != "auto") {
    return MakeError("--si is '{}', expected yes, no or auto", si);
  }
  if (files > kFilesWithSi) {
    PrintNote(context, fmt::format("SI is left out for more than {} files (--si yes measures it)", kFilesWithSi));
  }
  return files <= kFilesWithSi;
}

/// Reports the pieces that are left out.
void PrintFailures(const std::vector<Error>& failures) {
  for (const Error& failure : failures) {
    PrintError(failure);
  }
}

/// Measures files and prints which could not be.
Result<MeasuredSet> MeasureFiles(std::span<const fs::path> files, const SetOptions& options,
                                 const AppContext& context) {
  TerminalProgress progress("files", context.quiet);
  CONTINUO_ASSIGN(MeasuredSet set, MeasureSet(PiecesOf(files), options, progress, SignalStop()));
  PrintFailures(set.failures);
  for (size_t i = 0; i < set.names.size(); ++i) {
    PrintRepairs(context, set.repairs[i]);
    if (options.structure && !set.pieces[i].structure) {
      PrintNote(context, fmt::format("{}: too long for SI; --bars N measures its first bars", set.names[i]));
    }
  }
  return set;
}

Result<SongIndex> IndexFiles(std::span<const fs::path> files, size_t threads, const AppContext& context) {
  TerminalProgress progress("songs", context.quiet);
  CONTINUO_ASSIGN(SongIndex songs, IndexSongs(PiecesOf(files), threads, progress, SignalStop()));
  PrintFailures(songs.failures);
  return songs;
}

/// Compares the set with the reference set.
Status CompareWithReference(EvalResult& result, size_t threads, const AppContext& context) {
  CONTINUO_ASSIGN(result.distances, CompareSets(result.set.Descriptions(), result.reference->Descriptions()));
  TerminalProgress progress("two-sample test", context.quiet);
  result.two_sample = CompareByClassifiers(result.set.BarFeatures(), result.reference->BarFeatures(),
                                           {.threads = threads}, progress, SignalStop());
  if (!result.two_sample->ok() && result.two_sample->error().code == ErrorCode::kCancelled) {
    return result.two_sample->error();
  }
  return {};
}

Status RunEval(const EvalFlags& flags, const AppContext& context) {
  if (flags.bars < 0) {
    return MakeError("bars is {}, expected 1 or more, or 0 for all", flags.bars);
  }
  std::unique_ptr<Tokenizer> tokenizer;
  if (!flags.against_tokens.empty()) {
    if (flags.against.empty()) {
      return MakeError("--against-tokens {} needs a reference set, which --against names", flags.against_tokens);
    }
    CONTINUO_ASSIGN(tokenizer, Tokenizer::Load(flags.against_tokens));
  }
  std::optional<EvalReference> reference;
  if (!flags.reference.empty()) {
    CONTINUO_ASSIGN(const std::string text, ReadTextFile(flags.reference, uint64_t{1} << 28));
    CONTINUO_ASSIGN(reference, ParseEvalReference(text, flags.reference));
  }
  CONTINUO_ASSIGN(const std::vector<fs::path> files, PieceFilesIn(flags.paths, context));
  SetOptions options = {.bars = flags.bars, .skip_long_structure = true, .threads = ThreadCount(flags.threads)};
  CONTINUO_ASSIGN(options.structure, WantsStructure(flags.si, files.size(), context));

  if (!flags.against.empty()) {
    options.feature_bars = std::min(flags.bars > 0 ? flags.bars : kTwoSampleBars, kMostFeatureBars);
  }

  EvalResult result;
  CONTINUO_ASSIGN(result.set, MeasureFiles(files, options, context));
  options.structure = flags.si == "yes";
  if (!flags.against.empty()) {
    CONTINUO_ASSIGN(const std::vector<fs::path> paths, PieceFilesIn(flags.against, context));
    if (tokenizer) {
      options.prepare = [&tokenizer](const Score& score) { return tokenizer->Decode(tokenizer->Encode(score)); };
    }
    CONTINUO_ASSIGN(result.reference, MeasureFiles(paths, options, context));
  }
  std::optional<SongIndex> songs;
  if (!flags.copied_from.empty()) {
    CONTINUO_ASSIGN(const std::vector<fs::path> paths, MidiFilesIn(flags.copied_from, context));
    CONTINUO_ASSIGN(songs, IndexFiles(paths, options.threads, context));
  }
  if (!result.set.names.empty()) {
    if (result.reference) {
      CONTINUO_TRY(CompareWithReference(result, options.threads, context));
    }
    if (songs) {
      result.copies = result.set.FindCopies(songs->index);
      result.songs = std::move(songs->names);
    }
    CONTINUO_TRY(context.json ? PrintJson(EvalToJson(result))
                 : flags.tsv  ? PrintLine(EvalToTsv(result))
                              : PrintLine(EvalToText(result, reference, flags.describe)));
  }
  if (!result.set.failures.empty()) {
    return MakeError("{} of {} files could not be measured", result.set.failures.size(), files.size());
  }
  return {};
}

}  // namespace

void AddEvalCommand(CLI::App& app, AppContext& context) {
  CLI::App* command =
      app.add_subcommand("eval", "Measure pieces: pitch-class entropy, groove, chords, structure, copying");
  command->footer(
      "H1 and H4 are bits of pitch-class entropy in one bar and in four; GS is the similarity of the bars' rhythms,\n"
      "CPI the irregularity of the chords, SI the amount of repetition; docs/metrics.md defines them. With --bars\n"
      "all are of the first N bars.\n\n"
      "--against compares the set with real music, say: in what bars return after how many bars (form), in the\n"
      "distributions of ten features, and in how well a classifier tells the two sets apart (AUC; 0.5: it guesses,\n"
      "1: always). The classifier takes bars of 4/4 and, without --bars, the first 32.\n\n"
      "Examples:\n"
      "  continuo eval out/new --bars 32 --reference models/pop1k7.eval.json\n"
      "  continuo eval song.mid --json\n"
      "  continuo eval out/new --against my-midi --against-tokens remi --copied-from my-midi");
  auto flags = std::make_shared<EvalFlags>();
  command->add_option("files", flags->paths, "MIDI files, or folders of them")->required();
  command->add_option("--bars", flags->bars, "measure only the first N bars; 0: all")->capture_default_str();
  command->add_flag("--tsv", flags->tsv, "print a table with tabs and all digits");
  command->add_option("--reference", flags->reference, "also show the means in this file, the output of `eval --json`");
  command->add_option("--si", flags->si, "measure structure too: yes, no or auto (for up to 100 files)")
      ->capture_default_str();
  command->add_flag("--describe", flags->describe,
                    "also print density, polyphony, range, key, tempo (always in --json)");
  command->add_option("--against", flags->against,
                      "compare the set with a reference set: MIDI files, or folders of them");
  command->add_option(
      "--against-tokens", flags->against_tokens,
      "first turn the reference set into tokens and back (remi, or any other preset or tokenizer.json),\n"
      "so that what these tokens cannot express does not count as a difference");
  command->add_option("--copied-from", flags->copied_from,
                      "search these songs for copies: MIDI files, or folders of them");
  command->add_option("--threads", flags->threads, "threads; 0: one for each core")->capture_default_str();
  command->callback([flags, &context] {
    context.run = [flags, &context]() -> Status {
      const Status status = RunEval(*flags, context);
      const bool stopped = !status.ok() && status.error().code == ErrorCode::kCancelled;
      return stopped ? Status() : status;
    };
  });
}

}  // namespace continuo
