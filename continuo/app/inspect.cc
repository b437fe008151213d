#include <algorithm>
#include <memory>
#include <set>

#include "continuo/app/command.h"
#include "continuo/app/score_json.h"
#include "continuo/app/terminal.h"
#include "continuo/core/file.h"
#include "continuo/corpus/corpus.h"
#include "continuo/metrics/metrics.h"
#include "continuo/model/model_directory.h"
#include "continuo/score/bars.h"
#include "continuo/score/score_file.h"

namespace continuo {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

/// Seconds from the start of a score to a tick, through its tempo map.
double SecondsAt(const Score& score, Tick end) {
  double seconds = 0.0;
  Tick at = 0;
  double us_per_quarter = Tempo().us_per_quarter;
  const auto pass = [&](Tick to) {
    seconds += static_cast<double>(to - at) * us_per_quarter / 1e6 / std::max(1, score.ticks_per_quarter);
    at = to;
  };
  for (const Tempo& tempo : score.tempos) {
    if (tempo.time >= end) {
      break;
    }
    pass(std::max(at, tempo.time));
    us_per_quarter = tempo.us_per_quarter;
  }
  pass(std::max(at, end));
  return seconds;
}

Status InspectMidi(const std::string& path, const AppContext& context) {
  CONTINUO_ASSIGN(const std::vector<uint8_t> bytes, ReadFile(path));
  CONTINUO_ASSIGN(const ScoreAndWarnings parsed, ParseScore(bytes, path));
  const Score& score = parsed.score;
  if (context.json) {
    return PrintJson({{"file", path}, {"score", ScoreToJson(score)}, {"warnings", parsed.warnings}});
  }
  Tick end = 0;
  size_t notes = 0;
  for (const Track& track : score.tracks) {
    notes += track.notes.size();
    for (const Note& note : track.notes) {
      end = std::max(end, static_cast<Tick>(std::min<int64_t>(int64_t{note.time} + note.duration, INT32_MAX)));
    }
  }
  CONTINUO_TRY(PrintLine(path));
  CONTINUO_TRY(PrintLine(fmt::format("  length           {}, {} bars", FormatDuration(SecondsAt(score, end)), CountBars(score))));
  CONTINUO_TRY(PrintLine(fmt::format("  resolution       {} ticks a quarter note", score.ticks_per_quarter)));
  if (score.tempos.empty()) {
    CONTINUO_TRY(PrintLine("  tempo            none given (120 qpm)"));
  } else {
    const auto [slow, fast] = std::minmax_element(score.tempos.begin(), score.tempos.end(), [](const Tempo& a, const Tempo& b) {
      return a.us_per_quarter > b.us_per_quarter;
    });
    CONTINUO_TRY(PrintLine(fmt::format("  tempo            {:.1f} to {:.1f} qpm, {} tempos", slow->qpm(), fast->qpm(), score.tempos.size())));
  }
  std::string signatures;
  std::set<std::pair<int, int>> seen;
  for (const TimeSignature& signature : score.time_signatures) {
    if (seen.emplace(signature.numerator, signature.denominator).second && seen.size() <= 8) {
      signatures += fmt::format("{}{}/{}", signatures.empty() ? "" : ", ", signature.numerator, signature.denominator);
    }
  }
  CONTINUO_TRY(PrintLine(fmt::format("  time signatures  {}", signatures.empty() ? "none given (4/4)" : signatures)));
  const Metrics metrics = MeasureBars(score);
  CONTINUO_TRY(PrintLine(fmt::format("  metrics          H1 {:.3f}  H4 {:.3f}  GS {:.3f}  CPI {:.3f}", metrics.h1, metrics.h4, metrics.gs, metrics.cpi)));
  CONTINUO_TRY(PrintLine(fmt::format("  notes            {} in {} tracks", notes, score.tracks.size())));
  for (size_t i = 0; i < score.tracks.size(); ++i) {
    const Track& track = score.tracks[i];
    std::string range = "none";
    if (!track.notes.empty()) {
      const auto [low, high] = std::minmax_element(track.notes.begin(), track.notes.end(),
                                                   [](const Note& a, const Note& b) { return a.pitch < b.pitch; });
      range = fmt::format("pitches {} to {}", low->pitch, high->pitch);
    }
    CONTINUO_TRY(PrintLine(fmt::format("  track {:<10} {}, {}{} notes, {}, {} controllers", i + 1,
                                       track.is_drum ? "drums" : fmt::format("program {}", track.program),
                                       track.name.empty() ? "" : "'" + track.name + "', ", track.notes.size(), range,
                                       track.controls.size())));
  }
  for (const std::string& warning : parsed.warnings) {
    CONTINUO_TRY(PrintLine("  warning          " + warning));
  }
  return {};
}

Status InspectModel(const fs::path& path, const AppContext& context) {
  CONTINUO_ASSIGN(const ModelDirectory model, ModelDirectory::Open(path));
  const Gpt2Config& config = model.config();
  int64_t parameters = 0;
  for (const WeightShape& weight : Gpt2WeightShapes(config)) {
    int64_t count = 1;
    for (const int64_t extent : weight.shape) {
      count *= extent;
    }
    parameters += count;
  }
  std::string tokenizer_kind = "none";
  if (const auto tokenizer = Tokenizer::Load((path / "tokenizer.json").string()); tokenizer.ok()) {
    tokenizer_kind = fmt::format("{}, MidiTok {}", ToString((*tokenizer)->config().kind), ToString((*tokenizer)->config().release));
  }
  if (context.json) {
    return PrintJson({{"model", path.string()},
                      {"parameters", parameters},
                      {"layers", config.layers},
                      {"heads", config.heads},
                      {"width", config.width},
                      {"context", config.context_length},
                      {"vocab_size", config.vocab_size},
                      {"tokenizer", tokenizer_kind},
                      {"weights_sha256", model.WeightsSha256()}});
  }
  CONTINUO_TRY(PrintLine(fmt::format("{}: GPT-2, {:.1f} million parameters", path.string(), static_cast<double>(parameters) / 1e6)));
  CONTINUO_TRY(PrintLine(fmt::format("  shape      {} layers, {} heads, {} wide, {} tokens", config.layers, config.heads, config.width, config.context_length)));
  CONTINUO_TRY(PrintLine(fmt::format("  tokenizer  {}, {} tokens", tokenizer_kind, config.vocab_size)));
  return PrintLine(fmt::format("  weights    sha256 {}", model.WeightsSha256()));
}

Status InspectCorpus(const fs::path& path, const AppContext& context) {
  CONTINUO_ASSIGN(const Corpus corpus, Corpus::Open(path));
  size_t songs[2] = {0, 0};
  uint64_t tokens[2] = {0, 0};
  uint64_t bars[2] = {0, 0};
  for (size_t i = 0; i < corpus.song_count(); ++i) {
    const Corpus::Song song = corpus.song(i);
    const auto split = static_cast<size_t>(song.split);
    ++songs[split];
    tokens[split] += song.ids.size();
    bars[split] += song.bar_offsets.size();
  }
  if (context.json) {
    Json splits = Json::object();
    for (const size_t split : {0, 1}) {
      splits[split == 0 ? "train" : "valid"] = {{"songs", songs[split]}, {"tokens", tokens[split]}, {"bars", bars[split]}};
    }
    return PrintJson({{"corpus", path.string()},
                      {"vocab_sha256", corpus.tokenizer().vocabulary_sha256()},
                      {"splits", std::move(splits)}});
  }
  CONTINUO_TRY(PrintLine(fmt::format("{}: a corpus of {} songs, {} tokenizer with {} tokens", path.string(), corpus.song_count(),
                                     ToString(corpus.tokenizer().config().kind), corpus.tokenizer().vocabulary().size())));
  for (const size_t split : {0, 1}) {
    CONTINUO_TRY(PrintLine(fmt::format("  {}  {} songs, {} bars, {} tokens", split == 0 ? "to train on" : "to validate",
                                       songs[split], bars[split], tokens[split])));
  }
  return {};
}

Status RunInspect(const std::string& path, const AppContext& context) {
  std::error_code code;
  if (!fs::is_directory(path, code)) {
    return InspectMidi(path, context);
  }
  if (fs::exists(fs::path(path) / "config.json", code)) {
    return InspectModel(path, context);
  }
  if (fs::exists(fs::path(path) / "manifest.json", code) && fs::exists(fs::path(path) / "tokenizer.json", code)) {
    return InspectCorpus(path, context);
  }
  for (const char* checkpoint : {"final", "best", "latest"}) {
    if (fs::exists(fs::path(path) / checkpoint / "config.json", code)) {
      return InspectModel(fs::path(path) / checkpoint, context);
    }
  }
  return MakeError("{}: is neither a model, a corpus nor a run", path);
}

}  // namespace

void AddInspectCommand(CLI::App& app, AppContext& context) {
  CLI::App* command = app.add_subcommand("inspect", "Say what a MIDI file, a model, a corpus or a run holds");
  command->footer("Examples:\n  continuo inspect song.mid\n  continuo inspect models/pop-piano");
  auto path = std::make_shared<std::string>();
  command->add_option("path", *path, "a MIDI file, or the directory of a model, a corpus or a run")->required();
  command->callback([path, &context] { context.run = [path, &context] { return RunInspect(*path, context); }; });
}

}  // namespace continuo
