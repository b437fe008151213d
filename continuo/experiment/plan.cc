#include "continuo/experiment/plan.h"

#include <algorithm>
#include <set>

#include "continuo/compose/composer.h"
#include "continuo/core/check.h"
#include "continuo/core/hash.h"
#include "continuo/model/model_directory.h"
#include "continuo/os/file.h"
#include "continuo/run/setting.h"
#include "continuo/score/bars.h"
#include "continuo/score/midi_files.h"
#include "continuo/score/score_file.h"
#include "continuo/token/tokenizer.h"

namespace continuo {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

// Raised when cells with the same settings get another meaning.
constexpr int kCellVersion = 1;

/// Sixteen hex digits of a hash of the content.
std::string IdOf(const Json& content) {
  return Sha256Hex(content.dump()).substr(0, 16);
}

/// Keeps `count` of the names, chosen by their hashes, in their order.
void DrawByName(std::vector<std::string>& names, size_t count) {
  if (count == 0 || names.size() <= count) {
    return;
  }
  std::vector<std::pair<std::string, std::string>> ranked;
  for (const std::string& name : names) {
    ranked.emplace_back(Sha256Hex(name), name);
  }
  std::sort(ranked.begin(), ranked.end());
  ranked.resize(count);
  names.clear();
  for (auto& [hash, name] : ranked) {
    names.push_back(std::move(name));
  }
  std::sort(names.begin(), names.end());
}

constexpr std::string_view kDataHint = "name the folder that holds it by --data, or change the spec";

Error Missing(std::string_view key, const fs::path& path, std::string_view what) {
  return Error{fmt::format("{}: {}: {}", key, path.string(), what), std::string(kDataHint)};
}

Result<ExperimentInputs::Folder> ReadCorpusFolder(const CorpusSpec& corpus, const fs::path& folder) {
  const std::string key = fmt::format("corpora.{}.folder", corpus.name);
  if (!fs::is_directory(folder)) {
    return Missing(key, folder, "does not exist, a folder of MIDI files was expected");
  }
  CONTINUO_ASSIGN(MidiFileList list, ListMidiFiles(folder));
  if (list.names.empty()) {
    Error error = NoMidiFiles(folder);
    return Error{fmt::format("{}: {}", key, error.message), std::string(kDataHint)};
  }
  ExperimentInputs::Folder found;
  found.files = std::move(list.names);
  for (const MidiFileList::Skipped& skipped : list.skipped) {
    found.skipped.push_back(fmt::format("{}: {}", (folder / skipped.name).string(), skipped.reason));
  }
  DrawByName(found.files, static_cast<size_t>(corpus.songs));
  Sha256 hash;
  for (const std::string& file : found.files) {
    CONTINUO_ASSIGN(const std::vector<uint8_t> bytes, ReadFile(folder / file));
    hash.Update(fmt::format("{}\n{}\n", file, bytes.size()));
    hash.Update(bytes);
  }
  found.sha256 = hash.FinishHex();
  return found;
}

Json RunIdentity(const ExperimentSpec& spec, const ExperimentInputs& inputs, const RunCell& run,
                 const std::string& corpus_id) {
  const auto init = inputs.init_models.find(run.model);
  Json identity = {{"version", kCellVersion},
                   {"corpus", corpus_id},
                   {"settings", run.settings},
                   {"init", init == inputs.init_models.end() ? "" : init->second},
                   {"checkpoints", spec.checkpoints}};
  if (spec.unit != CheckpointUnit::kEpoch) {
    identity["unit"] = ToString(spec.unit);
  }
  return identity;
}

/// Sampling in a set's identity. An option that changes nothing and came later is left out, so that
/// sets have the identity of results from before there was any.
Json SamplingIdentity(const SamplingOptions& options) {
  Json identity = SamplingToJson(options);
  const Json neutral = SamplingToJson({});
  for (const char* later : {"recall", "pitch_top_p", "chord_recall", "drafts"}) {
    if (identity[later] == neutral[later]) {
      identity.erase(later);
    }
  }
  return identity;
}

/// A set's identity with the number format of its model, if the spec sets it.
Json WithPrecision(Json identity, const ExperimentSpec& spec) {
  if (spec.generate.precision) {
    identity["precision"] = ToString(*spec.generate.precision);
  }
  return identity;
}

Json MeasureIdentity(const ExperimentSpec& spec) {
  return {{"structure", spec.measure.structure},
          {"copying", spec.measure.copying},
          {"validation_songs", spec.measure.validation_songs},
          {"validation_bars", spec.measure.validation_bars}};
}

/// The settings that every cell's id states, in this order. The id states a setting that is not
/// listed here only if it is not the default, so that a new setting leaves the ids of existing
/// cells as they are. Never add to this list.
constexpr std::string_view kAlwaysStated[] = {"layers",
                                              "heads",
                                              "width",
                                              "context",
                                              "dropout",
                                              "epochs",
                                              "batch",
                                              "grad_accum",
                                              "blocks",
                                              "transpose",
                                              "vary_velocity",
                                              "vary_tempo",
                                              "short_share",
                                              "short_context",
                                              "optimizer",
                                              "lr",
                                              "schedule",
                                              "warmup",
                                              "div_factor",
                                              "final_div_factor",
                                              "no_cycle_momentum",
                                              "beta1",
                                              "beta2",
                                              "epsilon",
                                              "weight_decay",
                                              "decay_matrices_only",
                                              "label_smoothing",
                                              "clip",
                                              "precision",
                                              "export_bf16"};

/// The axes and settings of a run that determine its result.
Json SettingsIdentity(const GridRun& run) {
  Json identity = Json::object();
  for (const std::string_view key : kAlwaysStated) {
    const TrainSetting* row = FindTrainSetting(key);
    CONTINUO_CHECK(row != nullptr);
    identity[std::string(key)] = row->value.get(run.settings);
  }
  identity["model"] = run.model;
  identity["tokenizer"] = run.tokenizer;
  identity["corpus"] = run.corpus;
  identity["seed"] = run.seed;
  const TrainSettings defaults;
  for (const TrainSetting& row : TrainSettingTable()) {
    Json value = row.value.get(run.settings);
    if (row.effect != TrainSetting::Effect::kNone && !identity.contains(row.key) && value != row.value.get(defaults)) {
      identity[std::string(row.key)] = std::move(value);
    }
  }
  return identity;
}

/// "epoch 30", "30 %".
std::string CheckpointLabel(CheckpointUnit unit, int64_t checkpoint) {
  return unit == CheckpointUnit::kPercent ? fmt::format("{} %", checkpoint) : fmt::format("epoch {}", checkpoint);
}

/// What differs among the runs of a plan besides model and tokenizer.
struct Varying {
  bool corpus = false;
  bool seed = false;
  std::vector<std::string> settings;
};

Varying FindVarying(const ExperimentSpec& spec, const std::vector<GridRun>& runs) {
  Varying varying;
  for (const GridRun& run : runs) {
    varying.corpus |= run.corpus != runs.front().corpus;
    varying.seed |= run.seed != runs.front().seed;
  }
  std::vector<GridSpec> grids = {spec.grid};
  grids.insert(grids.end(), spec.also.begin(), spec.also.end());
  for (const GridSpec& grid : grids) {
    for (const SettingAxis& axis : grid.settings) {
      const TrainSetting* row = FindTrainSetting(axis.key);
      const bool known =
          std::find(varying.settings.begin(), varying.settings.end(), axis.key) != varying.settings.end();
      if (!known && std::any_of(runs.begin(), runs.end(), [&](const GridRun& run) {
            return run.model == runs.front().model &&
                   row->value.get(run.settings) != row->value.get(runs.front().settings);
          })) {
        varying.settings.push_back(axis.key);
      }
    }
  }
  return varying;
}

/// "gpt2 remi", then what else varies.
std::string LabelOf(const Varying& varying, const GridRun& run) {
  std::string label = fmt::format("{} {}", run.model, run.tokenizer);
  label += varying.corpus ? fmt::format(" corpus={}", run.corpus) : "";
  label += varying.seed ? fmt::format(" seed={}", run.seed) : "";
  for (const std::string& key : varying.settings) {
    const Json value = FindTrainSetting(key)->value.get(run.settings);
    label += fmt::format(" {}={}", key, value.is_string() ? value.get<std::string>() : value.dump());
  }
  return label;
}

}  // namespace

Result<ExperimentInputs> FindInputs(const ExperimentSpec& spec, const fs::path& data) {
  ExperimentInputs inputs;
  inputs.data = data;
  for (const CorpusSpec& corpus : spec.corpora) {
    CONTINUO_ASSIGN(inputs.corpora[corpus.name], ReadCorpusFolder(corpus, inputs.Resolve(corpus.folder)));
  }
  std::vector<std::pair<std::string, std::unique_ptr<Tokenizer>>> tokenizers;  // by name
  for (const TokenizerSpec& tokenizer : spec.tokenizers) {
    const std::string source = tokenizer.is_file ? inputs.Resolve(tokenizer.source).string() : tokenizer.source;
    if (tokenizer.is_file && !fs::is_regular_file(source)) {
      return Missing(fmt::format("tokenizers.{}.file", tokenizer.name), source, "does not exist");
    }
    CONTINUO_ASSIGN(auto loaded, Tokenizer::LoadPlainOrTrained(source, tokenizer.release));
    inputs.tokenizers[tokenizer.name] = Sha256Hex(loaded->ToJson());
    tokenizers.emplace_back(tokenizer.name, std::move(loaded));
  }
  for (const ModelSpec& model : spec.models) {
    if (model.init_from.empty()) {
      continue;
    }
    const fs::path directory = inputs.Resolve(model.init_from);
    if (!fs::is_directory(directory)) {
      return Missing(fmt::format("models.{}.init_from", model.name), directory, "does not exist, a model was expected");
    }
    CONTINUO_ASSIGN(const ModelDirectory opened, ModelDirectory::Open(directory));
    inputs.init_models[model.name] = opened.WeightsSha256();
  }
  for (const PromptSpec& prompt : spec.continuations.prompts) {
    const fs::path file = inputs.Resolve(prompt.file);
    if (!fs::is_regular_file(file)) {
      return Missing(fmt::format("continue.prompts: {}", prompt.name), file, "does not exist");
    }
    CONTINUO_ASSIGN(const std::vector<uint8_t> bytes, ReadFile(file));
    CONTINUO_ASSIGN(MidiPiece piece, MidiPiece::Parse(bytes, file.string()));
    const auto prompt_bars = static_cast<size_t>(spec.continuations.prompt_bars);
    const size_t bars = CountBars(piece.score());
    if (bars < prompt_bars) {
      return MakeError("continue.prompts: {}: {}: has {} bars, but the prompt is to be its first {}", prompt.name,
                       file.string(), bars, prompt_bars);
    }
    if (!piece.repairs().empty()) {
      inputs.prompt_notes.push_back(RepairsInOneLine(piece.repairs()));
    }
    const Request request = ContinueRequest{
        .piece = std::move(piece), .prompt_bars = prompt_bars, .bars = static_cast<size_t>(spec.continuations.bars)};
    for (const auto& [name, tokenizer] : tokenizers) {
      if (const Status status = CheckRequest(request, *tokenizer); !status.ok()) {
        inputs.prompt_notes.push_back(
            fmt::format("tokenizer {} cannot continue the prompt {}: {}", name, prompt.name, status.error().message));
      }
    }
    inputs.prompts[prompt.name] = Sha256Hex(bytes);
  }
  if (!spec.published.empty() && !fs::is_regular_file(spec.published)) {
    return Missing("published", spec.published, "does not exist");
  }
  return inputs;
}

ExperimentPlan MakePlan(const ExperimentSpec& spec, const ExperimentInputs& inputs) {
  ExperimentPlan plan;
  std::map<std::pair<std::string, std::string>, size_t> corpus_cells;
  std::vector<GridRun> points = GridRuns(spec);
  const Varying varying = FindVarying(spec, points);
  for (GridRun& point : points) {
    RunCell run;
    run.settings = SettingsIdentity(point);
    run.label = LabelOf(varying, point);
    run.unit = spec.unit;
    run.model = std::move(point.model);
    run.tokenizer = std::move(point.tokenizer);
    run.corpus = std::move(point.corpus);
    run.seed = point.seed;
    run.train = std::move(point.settings);
    const auto [cell, is_new] = corpus_cells.try_emplace({run.corpus, run.tokenizer}, plan.corpora.size());
    if (is_new) {
      const Json identity = {{"version", kCellVersion},
                             {"songs", inputs.corpora.at(run.corpus).sha256},
                             {"valid", spec.corpus(run.corpus).valid},
                             {"tokenizer", inputs.tokenizers.at(run.tokenizer)}};
      plan.corpora.push_back({IdOf(identity), run.corpus, run.tokenizer});
    }
    run.corpus_cell = cell->second;
    run.id = IdOf(RunIdentity(spec, inputs, run, plan.corpora[run.corpus_cell].id));
    plan.runs.push_back(std::move(run));
  }

  const Json measure = MeasureIdentity(spec);
  SetCell real;
  real.kind = SetKind::kReal;
  real.label = "real music";
  real.count = spec.real.songs;
  real.id = IdOf({{"version", kCellVersion},
                  {"songs", inputs.corpora.at(spec.grid.corpora.front()).sha256},
                  {"count", real.count},
                  {"bars", spec.generate.bars},
                  {"measure", measure}});
  plan.sets.push_back(real);
  for (size_t run = 0; run < plan.runs.size(); ++run) {
    for (const int64_t epoch : spec.checkpoints) {
      for (const std::string& sampling : spec.generate.sampling) {
        for (const Window window : spec.generate.windows) {
          for (const int64_t seed : spec.generate.seeds) {
            SetCell set;
            set.kind = SetKind::kGrid;
            set.run = run;
            set.epoch = epoch;
            set.setting = sampling;
            set.window = window;
            set.seed = seed;
            set.count = spec.generate.pieces;
            set.label = fmt::format("{} {}", plan.runs[run].label, CheckpointLabel(spec.unit, epoch));
            set.label += spec.generate.sampling.size() > 1 ? fmt::format(" {}", sampling) : "";
            set.label += spec.generate.windows.size() > 1 ? fmt::format(" window={}", ToString(window)) : "";
            set.label += spec.generate.seeds.size() > 1 ? fmt::format(" pieces-seed={}", seed) : "";
            set.id = IdOf(WithPrecision({{"version", kCellVersion},
                                         {"run", plan.runs[run].id},
                                         {"epoch", epoch},
                                         {"setting", sampling},
                                         {"sampling", SamplingIdentity(spec.sampling(sampling).options)},
                                         {"window", ToString(window)},
                                         {"seed", seed},
                                         {"pieces", set.count},
                                         {"bars", spec.generate.bars},
                                         {"measure", measure},
                                         {"real", real.id}},
                                        spec));
            plan.sets.push_back(std::move(set));
          }
        }
      }
    }
  }
  return plan;
}

std::optional<std::pair<size_t, int64_t>> FindCheckpoint(const ExperimentPlan& plan, const CheckpointSpec& checkpoint) {
  for (size_t run = 0; run < plan.runs.size(); ++run) {
    if (plan.runs[run].model == checkpoint.model && plan.runs[run].tokenizer == checkpoint.tokenizer) {
      return std::make_pair(run, checkpoint.epoch);
    }
  }
  return std::nullopt;
}

std::vector<SetCell> ContinuationCells(const ExperimentSpec& spec, const ExperimentInputs& inputs,
                                       const ExperimentPlan& plan,
                                       const std::vector<std::pair<size_t, int64_t>>& chosen) {
  std::vector<SetCell> cells;
  const ExperimentSpec::Continuations& continuations = spec.continuations;
  for (const auto& [run, epoch] : chosen) {
    for (const std::string& sampling : continuations.sampling) {
      for (const PromptSpec& prompt : continuations.prompts) {
        for (const int64_t seed : continuations.seeds) {
          SetCell set;
          set.kind = SetKind::kContinuation;
          set.run = run;
          set.epoch = epoch;
          set.setting = sampling;
          set.prompt = prompt.name;
          set.seed = seed;
          set.count = continuations.pieces;
          set.label = fmt::format("{} {} {} {}", plan.runs[run].label, CheckpointLabel(spec.unit, epoch), sampling,
                                  prompt.name);
          set.id = IdOf(WithPrecision({{"version", kCellVersion},
                                       {"run", plan.runs[run].id},
                                       {"epoch", epoch},
                                       {"setting", sampling},
                                       {"sampling", SamplingIdentity(spec.sampling(sampling).options)},
                                       {"prompt", inputs.prompts.at(prompt.name)},
                                       {"name", prompt.name},
                                       {"prompt_bars", continuations.prompt_bars},
                                       {"bars", continuations.bars},
                                       {"pieces", continuations.pieces},
                                       {"seed", seed},
                                       {"measure", MeasureIdentity(spec)},
                                       {"real", plan.sets.front().id}},
                                      spec));
          cells.push_back(std::move(set));
        }
      }
    }
  }
  return cells;
}

std::vector<RunEntry> RunEntries(const ExperimentPlan& plan) {
  std::vector<RunEntry> entries;
  for (const RunCell& run : plan.runs) {
    entries.push_back({run.id, run.model, run.tokenizer, run.corpus, run.seed, run.settings.dump(), run.epochs()});
  }
  return entries;
}

std::vector<SetEntry> SetEntries(const ExperimentSpec& spec, const ExperimentPlan& plan,
                                 const std::vector<SetCell>& sets) {
  std::vector<SetEntry> entries;
  for (const SetCell& set : sets) {
    SetEntry& entry = entries.emplace_back();
    entry.id = set.id;
    entry.kind = set.kind;
    entry.prompt = set.prompt;
    entry.label = set.label;
    entry.seed = set.seed;
    if (set.run) {
      Json sampling = SamplingToJson(spec.sampling(set.setting).options);
      sampling["window"] = ToString(set.window);
      entry.run_id = plan.runs[*set.run].id;
      entry.epoch = set.epoch;
      entry.setting = set.setting;
      entry.sampling = sampling.dump();
    }
  }
  return entries;
}

}  // namespace continuo
