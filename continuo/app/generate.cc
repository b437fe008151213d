#include "continuo/compose/generate.h"

#include <algorithm>
#include <map>
#include <memory>
#include <set>
#include <tuple>

#include "continuo/app/command.h"
#include "continuo/app/generation.h"
#include "continuo/app/terminal.h"
#include "continuo/os/file.h"
#include "continuo/score/score_file.h"
#include "continuo/score/tempo_map.h"

namespace continuo {
namespace {

namespace fs = std::filesystem;

/// Prints the notes of each bar as soon as it is whole, one JSON line a bar.
class BarStream {
 public:
  BarStream(const Tokenizer& tokenizer, const Plan& plan) : tokenizer_(tokenizer), plan_(plan) {}

  Status Print(size_t index, std::span<const TokenId> ids, size_t bars) {
    const Score score = DecodePlanned(ids, plan_, tokenizer_);
    const TempoMap seconds(score);
    std::set<Key>& told = told_[index];
    nlohmann::ordered_json notes = nlohmann::ordered_json::array();
    for (const Track& track : score.tracks) {
      for (const Note& note : track.notes) {
        if (told.emplace(note.time, note.duration, note.pitch, note.velocity, track.program, track.is_drum).second) {
          const double begin = seconds.Seconds(note.time);
          notes.push_back({{"seconds", begin},
                           {"duration", seconds.Seconds(note.time + note.duration) - begin},
                           {"pitch", note.pitch},
                           {"velocity", note.velocity},
                           {"program", track.program},
                           {"drum", track.is_drum}});
        }
      }
    }
    return PrintJson({{"piece", index + 1}, {"bars", bars}, {"notes", notes}});
  }

 private:
  using Key = std::tuple<Tick, Tick, uint8_t, uint8_t, uint8_t, bool>;

  const Tokenizer& tokenizer_;
  const Plan& plan_;
  std::map<size_t, std::set<Key>> told_;  // by piece
};

struct GenerateFlags : GenerationFlags {
  bool stream = false;
  std::string chords;
};

Status RunGenerate(const GenerateFlags& flags, const AppContext& context) {
  if (flags.stream && flags.options.retries > 0) {
    return MakeError("--stream and --retries: bars that were written out can't be taken back");
  }
  GenerationOptions options = flags.options;
  if (!flags.chords.empty()) {
    CONTINUO_ASSIGN(options.plan.chords, ParseChordPlan(flags.chords));
  }
  CONTINUO_ASSIGN(const LoadedModel model, LoadModel(flags, SideBySide(options.batch, options.count), context));
  if (!options.plan.empty()) {  // said before anything is written
    const Result<PlanTable> plan = PlanTable::Create(options.plan, *model.tokenizer);
    if (!plan.ok()) {
      return plan.error();
    }
  }
  CONTINUO_ASSIGN(options.sampling, ChooseSampling(flags, model));
  CONTINUO_TRY(CheckGenerationOptions(options));
  const fs::path folder = flags.output;
  CONTINUO_TRY(MakeWritableDirectory(folder));

  Manifest manifest(flags, options, model, context);
  size_t written = 0;
  const auto sink = [&](size_t index, GeneratedPiece piece) -> Status {
    const std::string file = PieceName(index) + ".mid";
    CONTINUO_TRY(WriteScore(DecodePlanned(piece.ids, options.plan, *model.tokenizer), folder / file));
    manifest.AddPiece(index, file, piece);
    ++written;
    return {};
  };
  BarStream stream(*model.tokenizer, options.plan);
  BarSink on_bar;
  if (flags.stream) {
    on_bar = [&stream](size_t index, std::span<const TokenId> ids, size_t bars) {
      return stream.Print(index, ids, bars);
    };
  }
  const Status status = GenerateKept(flags, options, model, {}, context, sink, on_bar);
  CONTINUO_TRY(manifest.Write(folder));  // what is whole counts, however it ended
  CONTINUO_TRY(status);
  if (flags.stream) {
    return {};
  }
  if (context.json) {
    return PrintJson({{"output", folder.string()}, {"pieces", written}});
  }
  return PrintLine(
      fmt::format("{}: {} of {}", folder.string(), FormatCount(written, "piece"), FormatCount(options.bars, "bar")));
}

}  // namespace

void AddGenerateCommand(CLI::App& app, AppContext& context) {
  CLI::App* command = app.add_subcommand("generate", "Write new pieces of exactly so many bars");
  command->footer(
      "Examples:\n"
      "  continuo generate --bars 32 --count 4 --seed 1 -o out/new\n"
      "  continuo generate --bars 16 --temperature 1 --top-p 0.95 --top-k 100 -o out/bolder\n"
      "  continuo generate --count 64 --keep 8 --rank nll -o out/best");
  auto flags = std::make_shared<GenerateFlags>();
  command->add_option("--bars", flags->options.bars, "bars of each piece")->capture_default_str();
  command->add_option(
      "--chords", flags->chords,
      "write over this progression, from its start again to the end: \"C | Am | F G7\" (remichord models)");
  command->add_option("--bpm", flags->options.plan.bpm,
                      "the tempo, in quarters a minute, throughout; 40 to 250 with the model that ships");
  command->add_flag(
      "--stream", flags->stream,
      "print the notes of each bar as soon as it is whole: {\"piece\", \"bars\", \"notes\"}, times in seconds");
  AddGenerationFlags(*command, *flags);
  command->callback([flags, &context] { context.run = [flags, &context] { return RunGenerate(*flags, context); }; });
}

}  // namespace continuo
