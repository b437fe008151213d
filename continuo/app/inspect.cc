#include <memory>

#include "continuo/app/command.h"
#include "continuo/app/inspect_midi.h"
#include "continuo/app/inspect_run.h"
#include "continuo/app/model_flags.h"
#include "continuo/compose/readable_bars.h"
#include "continuo/corpus/corpus.h"
#include "continuo/model/model_directory.h"

namespace continuo {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

Status InspectModel(const fs::path& path, const fs::path& tokenizer_json, const AppContext& context) {
  CONTINUO_ASSIGN(const ModelDirectory model, ModelDirectory::Open(path, tokenizer_json));
  const ModelConfig& config = model.config();
  const int64_t parameters = model.table().parameter_count();
  std::string tokenizer_kind = "none";
  std::string signatures;
  if (const auto tokenizer = Tokenizer::LoadPlainOrTrained(model.NameOf("tokenizer.json")); tokenizer.ok()) {
    tokenizer_kind =
        fmt::format("{}{}, MidiTok {}", RepresentationName((*tokenizer)->config()),
                    (*tokenizer)->trained() != nullptr ? " (trained)" : "", ToString((*tokenizer)->config().release));
    signatures = SignatureNames(**tokenizer);
  }
  if (context.json) {
    return PrintJson({{"model", path.string()},
                      {"architecture", ToString(config.architecture)},
                      {"parameters", parameters},
                      {"layers", config.layers},
                      {"heads", config.heads},
                      {"width", config.width},
                      {"context", config.context_length},
                      {"vocab_size", config.vocab_size},
                      {"tokenizer", tokenizer_kind},
                      {"time_signatures", signatures},
                      {"weights_sha256", model.WeightsSha256()}});
  }
  CONTINUO_TRY(PrintLine(fmt::format("{}: {}, {:.1f} million parameters", path.string(), ClassName(config.architecture),
                                     static_cast<double>(parameters) / 1e6)));
  CONTINUO_TRY(PrintLine(fmt::format("  shape      {} layers, {} heads, {} wide, {} tokens", config.layers,
                                     config.heads, config.width, config.context_length)));
  CONTINUO_TRY(PrintLine(fmt::format("  tokenizer  {}, {} tokens", tokenizer_kind, config.vocab_size)));
  CONTINUO_TRY(PrintLine(fmt::format("  bars       {}", signatures)));
  return PrintLine(fmt::format("  weights    sha256 {}", model.WeightsSha256()));
}

Status InspectCorpus(const fs::path& path, const AppContext& context) {
  CONTINUO_ASSIGN(const Corpus corpus, Corpus::Open(path));
  size_t songs[2] = {0, 0};
  std::vector<size_t> songs_of(corpus.sources().size());  // by source
  uint64_t tokens[2] = {0, 0};
  uint64_t bars[2] = {0, 0};
  for (size_t i = 0; i < corpus.song_count(); ++i) {
    const Corpus::Song song = corpus.song(i);
    const auto split = static_cast<size_t>(song.split);
    ++songs[split];
    ++songs_of[song.source];
    tokens[split] += song.ids.size();
    bars[split] += song.bar_offsets.size();
  }
  if (context.json) {
    Json splits = Json::object();
    for (const size_t split : {0, 1}) {
      splits[split == 0 ? "train" : "valid"] = {
          {"songs", songs[split]}, {"tokens", tokens[split]}, {"bars", bars[split]}};
    }
    Json sources = Json::array();
    for (size_t i = 0; i < corpus.sources().size(); ++i) {
      sources.push_back(
          {{"name", corpus.sources()[i].name}, {"weight", corpus.sources()[i].weight}, {"songs", songs_of[i]}});
    }
    return PrintJson({{"corpus", path.string()},
                      {"vocab_sha256", corpus.tokenizer().model_sha256()},
                      {"splits", std::move(splits)},
                      {"sources", std::move(sources)}});
  }
  CONTINUO_TRY(
      PrintLine(fmt::format("{}: a corpus of {} songs, {} tokenizer with {} tokens", path.string(), corpus.song_count(),
                            RepresentationName(corpus.tokenizer().config()), corpus.tokenizer().model_size())));
  for (const size_t split : {0, 1}) {
    CONTINUO_TRY(PrintLine(fmt::format("  {}  {} songs, {} bars, {} tokens", split == 0 ? "to train on" : "to validate",
                                       songs[split], bars[split], tokens[split])));
  }
  for (size_t i = 0; i < corpus.sources().size(); ++i) {
    if (const Corpus::Source& source = corpus.sources()[i]; !source.name.empty()) {
      CONTINUO_TRY(PrintLine(fmt::format("  of {}  {} songs, weight {}", source.name, songs_of[i], source.weight)));
    }
  }
  return {};
}

Status RunInspect(const std::string& path, const std::string& tokenizer, const InspectMidiFlags& flags,
                  const AppContext& context) {
  std::error_code code;
  if (!fs::is_directory(path, code)) {
    return InspectMidi(path, flags, context);
  }
  if (fs::exists(fs::path(path) / "config.json", code)) {
    return InspectModel(path, tokenizer, context);
  }
  if (fs::exists(fs::path(path) / "manifest.json", code) && fs::exists(fs::path(path) / "tokenizer.json", code)) {
    return InspectCorpus(path, context);
  }
  if (IsRun(path)) {
    return InspectRun(path, context);
  }
  return MakeError("{}: is neither a model, a corpus nor a run", path);
}

}  // namespace

void AddInspectCommand(CLI::App& app, AppContext& context) {
  CLI::App* command = app.add_subcommand("inspect", "Say what a MIDI file, a model, a corpus or a run holds");
  command->footer("Examples:\n  continuo inspect song.mid\n  continuo inspect models/pop-piano");
  auto path = std::make_shared<std::string>();
  auto tokenizer = std::make_shared<std::string>();
  auto flags = std::make_shared<InspectMidiFlags>();
  command->add_option("path", *path, "a MIDI file, or the directory of a model, a corpus or a run")->required();
  command->add_flag("--strict", flags->strict, "refuse a MIDI file with faults instead of reading what is there");
  command->add_flag("--roll", flags->roll, "draw the piano roll though standard output is no terminal");
  AddModelTokenizerFlag(*command, *tokenizer);
  command->callback([path, tokenizer, flags, &context] {
    context.run = [path, tokenizer, flags, &context] { return RunInspect(*path, *tokenizer, *flags, context); };
  });
}

}  // namespace continuo
