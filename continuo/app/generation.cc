#include "continuo/app/generation.h"

#include <algorithm>

#include "continuo/app/terminal.h"
#include "continuo/os/file.h"
#include "continuo/os/machine.h"
#include "continuo/os/signals.h"

namespace continuo {

namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

/// The flags of MusicLimits; each may be given several times.
void AddLimitFlags(CLI::App& command, GenerationFlags& flags) {
  flags.limits.resize(LimitFields().size());
  for (size_t i = 0; i < flags.limits.size(); ++i) {
    const LimitField& field = LimitFields()[i];
    command.add_option(std::string(field.flag), flags.limits[i], std::string(field.help))
        ->type_name(std::string(field.type))
        ->expected(1)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  }
}

}  // namespace

void AddGenerationFlags(CLI::App& command, GenerationFlags& flags) {
  command.add_option("-o,--output", flags.output, "the folder to write the pieces to")->required();
  command.add_option("--count", flags.options.count, "number of pieces")->capture_default_str();
  command.add_option("--seed", flags.options.seed, "the same seed gives the same pieces, byte for byte")
      ->capture_default_str();
  command
      .add_option("--batch", flags.options.batch,
                  "pieces written at a time; affects the speed only; 0: as many as suit the model")
      ->check(CLI::Range(0, 1024))
      ->capture_default_str();
  command.add_option("--keep", flags.options.keep, "keep only the N best pieces; 0 keeps all")->capture_default_str();
  command.add_option("--rank", flags.rank, "what the best are: nll, those that the model finds likeliest per token")
      ->check(CLI::IsMember({"nll"}))
      ->capture_default_str();
  command
      .add_option("--retries", flags.options.retries,
                  "how often a piece that is stuck (silent, repeating one bar, crowded) may go back two bars")
      ->capture_default_str();
  AddPlanFlags(command, flags.plan);
  AddModelFlags(command, flags.model);
  flags.sampling.resize(SamplingFields().size());
  for (size_t i = 0; i < flags.sampling.size(); ++i) {
    const SamplingField& field = SamplingFields()[i];
    CLI::Option* option = command.add_option(std::string(field.flag), flags.sampling[i],
                                             fmt::format("{}; default: the model's generation.json", field.help));
    if (field.is_integer) {
      option->type_name("INT")->check([](const std::string& text) {
        return text.find_first_not_of("+-0123456789") == std::string::npos ? "" : "expected a whole number";
      });
    }
  }
  AddLimitFlags(command, flags);
}

size_t PiecesAtATime(size_t batch, size_t count) {
  constexpr size_t kUsual = 8;  // about as many as suit a model
  return std::max<size_t>(1, std::min(batch > 0 ? batch : kUsual, count));
}

Result<ComposeOptions> ChooseOptions(const GenerationFlags& flags, const LoadedModel& model) {
  ComposeOptions options = flags.options;
  options.sampling = model.sampling;
  for (size_t i = 0; i < flags.sampling.size(); ++i) {
    const SamplingField& field = SamplingFields()[i];
    if (!flags.sampling[i]) {
      continue;
    }
    if (field.is_integer && *flags.sampling[i] < 1) {
      return Error{fmt::format("{} is {}, expected 1 or more", field.flag.substr(2), *flags.sampling[i]),
                   fmt::format("{} keeps all tokens", model.tokenizer->model_size())};
    }
    CONTINUO_TRY(field.Check(*flags.sampling[i]));
    field.set(*options.sampling, *flags.sampling[i]);
  }
  CONTINUO_TRY(SetPlan(flags.plan, options));
  for (size_t i = 0; i < flags.limits.size(); ++i) {
    for (const std::string& text : flags.limits[i]) {
      CONTINUO_TRY(AddLimit(LimitFields()[i].name, text, options.limits));
    }
  }
  return options;
}

Manifest::Manifest(const GenerationFlags& flags, const ComposeOptions& options, size_t bars, const LoadedModel& model,
                   const AppContext& context) {
  header_ = {{"continuo", Version()},
             {"command", context.arguments},
             {"model", model.directory.string()},
             {"model_sha256", model.weights_sha256},
             {"vocab_sha256", model.tokenizer->model_sha256()},
             {"seed", options.seed},
             {"bars", bars},
             {"count", flags.options.count},
             {"sampling", SamplingToJson(options.sampling.value_or(model.sampling))}};
}

void Manifest::AddPiece(size_t number, const std::string& file, const WrittenPiece& written) {
  const GeneratedPiece& piece = written.generated;
  Json& row = rows_[number];
  row = {{"file", file},
         {"piece", number},
         {"new_notes", written.new_notes},
         {"tokens", piece.ids.size()},
         {"prompt_tokens", piece.prompt_length},
         {"window_slides", piece.slides},
         {"nll_per_token", piece.nll},
         {"retries", piece.retries},
         {"guards", Json::array()}};
  for (const GuardEvent& event : piece.guards) {
    row["guards"].push_back({{"bar", event.bar + 1}, {"kind", GuardName(event.kind)}});
  }
  for (const RaisedLevel& level : written.raised) {
    row["raised_levels"].push_back(
        {{"channel", level.channel + 1}, {"controller", level.controller}, {"from", level.from}, {"to", level.to}});
  }
}

Status Manifest::Write(const fs::path& folder) const {
  Json manifest = header_;
  manifest["pieces"] = Json::array();
  for (const auto& [number, row] : rows_) {
    manifest["pieces"].push_back(row);
  }
  return WriteFileAtomically(folder / "manifest.json",
                             manifest.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
}

Status MakePieceFolder(const fs::path& folder, const AppContext& context) {
  CONTINUO_TRY(MakeWritableDirectory(folder));
  std::error_code code;
  if (fs::exists(folder / "manifest.json", code)) {
    PrintNote(context, fmt::format("{}: has pieces of an earlier run; those of the same names are replaced, the others "
                                   "stay, and manifest.json lists the new ones alone",
                                   folder.string()));
  }
  return {};
}

Result<ComposeReport> WritePieces(const LoadedModel& model, const Request& request, const ComposeOptions& options,
                                  const AppContext& context, const PieceSink& sink, const BarSink& on_bar) {
  TerminalProgress progress("bars", context.quiet);
  ComposeOptions stoppable = options;
  stoppable.stop = SignalStop();
  return Composer(model).Write(request, stoppable, sink, progress, on_bar);
}

std::string PieceName(size_t number) {
  return fmt::format("piece-{:03}", number + 1);
}

}  // namespace continuo
