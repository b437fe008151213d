#include "continuo/experiment/spec.h"

#include <algorithm>
#include <set>

#include "continuo/compose/generate.h"
#include "continuo/core/check.h"
#include "continuo/experiment/spec_reader.h"
#include "continuo/metrics/catalogue.h"
#include "continuo/os/file.h"
#include "continuo/run/setting.h"

namespace continuo {
namespace {

using Json = nlohmann::ordered_json;

constexpr int64_t kMany = 1000000;
constexpr int64_t kWholeRun = 100;  // percent
constexpr int64_t kMostBars = static_cast<int64_t>(kMaxBars);

template <typename T>
const T* FindNamed(const std::vector<T>& items, std::string_view name) {
  const auto found = std::find_if(items.begin(), items.end(), [name](const T& item) { return item.name == name; });
  return found == items.end() ? nullptr : &*found;
}

template <typename T>
std::vector<std::string> NamesOf(const std::vector<T>& items) {
  std::vector<std::string> names;
  for (const T& item : items) {
    names.push_back(item.name);
  }
  return names;
}

/// Fails where a name in the list `key` stands for none of `known`, or is there twice.
void CheckNames(SpecTable& table, std::string_view key, const std::vector<std::string>& names,
                const std::vector<std::string>& known, std::string_view kind) {
  std::set<std::string> seen;
  for (const std::string& name : names) {
    if (std::find(known.begin(), known.end(), name) == known.end()) {
      table.Fail(key, fmt::format("'{}' is not named in [{}.{}]", name, kind, name));
    }
    if (!seen.insert(name).second) {
      table.Fail(key, fmt::format("'{}' is there twice", name));
    }
  }
}

void ReadCorpora(SpecTable& root, ExperimentSpec& spec) {
  for (auto& [name, table] : root.Tables("corpora")) {
    CorpusSpec& corpus = spec.corpora.emplace_back();
    corpus.name = name;
    corpus.folder = table.RequiredText("folder");
    corpus.songs = table.Integer("songs", 0, 0, kMany);
    corpus.valid = table.Real("valid", 0.05, 0.0, 0.9);
    table.Finish();
  }
  if (spec.corpora.empty()) {
    root.Fail("corpora", "no corpus is named, expected [corpora.NAME] with a folder");
  }
}

void ReadTokenizers(SpecTable& root, ExperimentSpec& spec) {
  for (auto& [name, table] : root.Tables("tokenizers")) {
    TokenizerSpec& tokenizer = spec.tokenizers.emplace_back();
    tokenizer.name = name;
    tokenizer.is_file = table.Has("file");
    tokenizer.source = tokenizer.is_file ? table.RequiredText("file") : table.Text("preset", name);
    const std::string release = table.OneOf("miditok", "3.0.4|3.1.0", "3.1.0");
    tokenizer.release = ParseMidiTokRelease(release).value();
    if (tokenizer.is_file && (table.Has("preset") || table.Has("miditok"))) {
      table.Fail("file", "stands beside a preset; a tokenizer is one or the other");
    }
    if (!tokenizer.is_file && !PresetConfig(tokenizer.source, tokenizer.release)) {
      table.Fail("preset", fmt::format("'{}' is not a preset (docs/tokenizers.md lists them)", tokenizer.source));
    }
    table.Finish();
  }
  if (spec.tokenizers.empty()) {
    root.Fail("tokenizers", "no tokenizer is named, expected [tokenizers.NAME]");
  }
}

/// The training settings that a table has, by key.
Json ReadSettings(SpecTable& table) {
  Json settings = Json::object();
  for (const TrainSetting& row : TrainSettingTable()) {
    if ((row.absence & TrainSetting::kNotInSpec) != 0) {
      continue;
    }
    const std::vector<Json> values = table.Setting(row, /*list=*/false);
    if (!values.empty()) {
      settings[std::string(row.key)] = values.front();
    }
  }
  return settings;
}

void ReadModels(SpecTable& root, ExperimentSpec& spec) {
  for (auto& [name, table] : root.Tables("models")) {
    ModelSpec& model = spec.models.emplace_back();
    model.name = name;
    model.init_from = table.Text("init_from");
    model.settings = ReadSettings(table);
    table.Finish();
  }
  if (spec.models.empty()) {
    root.Fail("models", "no model is named, expected [models.NAME]");
  }
}

void ReadSamplings(SpecTable& root, ExperimentSpec& spec) {
  for (auto& [name, table] : root.Tables("sampling")) {
    SamplingOptions options;
    for (const SamplingField& field : SamplingFields()) {
      const double value = field.get(options);
      const double read = field.is_integer
                              ? static_cast<double>(table.Integer(field.name, static_cast<int64_t>(value), 0, kMany))
                              : table.Real(field.name, value, field.least, field.most);
      if (field.Check(read).ok()) {
        field.set(options, read);
      } else {
        table.Fail(field.name, fmt::format("is {}, expected {}", read, field.expected));
      }
    }
    table.Finish();
    spec.samplings.push_back({name, options});
  }
  if (spec.samplings.empty()) {
    spec.samplings.push_back({"default", kStudySampling});
  }
}

void ReadTrain(SpecTable& root, ExperimentSpec& spec) {
  SpecTable table = root.Table("train");
  spec.train.precision = PrecisionChoice::kBf16;  // not auto: a cell is the same on every machine
  Apply(ReadSettings(table), spec.train);
  spec.unit = table.Has("percents") ? CheckpointUnit::kPercent : CheckpointUnit::kEpoch;
  const bool by_percents = spec.unit == CheckpointUnit::kPercent;
  if (by_percents && table.Has("checkpoints")) {
    table.Fail("percents", "stands beside `checkpoints`; a run is cut by epochs or by percents");
  }
  const char* key = by_percents ? "percents" : "checkpoints";
  spec.checkpoints = table.Integers(key, {static_cast<int64_t>(spec.train.epochs)}, 1, by_percents ? kWholeRun : kMany);
  std::sort(spec.checkpoints.begin(), spec.checkpoints.end());
  if (std::adjacent_find(spec.checkpoints.begin(), spec.checkpoints.end()) != spec.checkpoints.end()) {
    table.Fail(key, fmt::format("names {} {} twice", by_percents ? "a" : "an", ToString(spec.unit)));
  }
  table.Finish();
}

template <typename T>
void CheckDistinct(SpecTable& table, std::string_view key, const std::vector<T>& values) {
  for (auto value = values.begin(); value != values.end(); ++value) {
    if (std::find(values.begin(), value, *value) != value) {
      table.Fail(key, fmt::format("{} is listed twice", Json(*value).dump()));
    }
  }
}

/// Reads a grid. What the table leaves out is that of `grid`.
void ReadGridTable(SpecTable& table, const ExperimentSpec& spec, GridSpec& grid) {
  const auto names = [&table](const char* key, const std::vector<std::string>& otherwise,
                              const std::vector<std::string>& all, const char* kind) {
    std::vector<std::string> chosen = table.Texts(key, otherwise);
    CheckNames(table, key, chosen, all, kind);
    return chosen;
  };
  grid.models = names("model", grid.models, NamesOf(spec.models), "models");
  grid.tokenizers = names("tokenizer", grid.tokenizers, NamesOf(spec.tokenizers), "tokenizers");
  grid.corpora = names("corpus", grid.corpora, NamesOf(spec.corpora), "corpora");
  grid.seeds = table.Integers("seed", grid.seeds, 0, INT64_MAX);
  CheckDistinct(table, "seed", grid.seeds);
  for (const TrainSetting& row : TrainSettingTable()) {
    if ((row.absence & TrainSetting::kNotInSpec) != 0) {
      continue;
    }
    std::vector<Json> values = table.Setting(row, /*list=*/true);
    if (!values.empty()) {
      CheckDistinct(table, row.key, values);
      std::erase_if(grid.settings, [&row](const SettingAxis& axis) { return axis.key == row.key; });
      grid.settings.push_back({std::string(row.key), std::move(values)});
    }
  }
}

void ReadGrid(SpecTable& root, ExperimentSpec& spec) {
  SpecTable table = root.Table("grid");
  spec.grid = {NamesOf(spec.models), NamesOf(spec.tokenizers), NamesOf(spec.corpora), {1}, {}};
  ReadGridTable(table, spec, spec.grid);
  for (SpecTable& more : table.List("also")) {
    ReadGridTable(more, spec, spec.also.emplace_back(spec.grid));
    more.Finish();
  }
  table.Finish();
}

/// Reports a fault of a run at the first of its settings that the spec states, in the table that
/// decides.
void FailRun(SpecTable& root, const std::string& model, const SettingsFault& fault) {
  SpecTable grid = root.Table("grid");
  SpecTable train = root.Table("train");
  std::vector<SpecTable> also = grid.List("also");
  auto models = root.Tables("models");
  const auto own = std::find_if(models.begin(), models.end(), [&](const auto& named) { return named.first == model; });
  for (const std::string_view key : fault.settings) {
    std::vector<SpecTable*> tables = {&grid};
    for (SpecTable& more : also) {
      tables.push_back(&more);
    }
    tables.insert(tables.end(), {own != models.end() ? &own->second : nullptr, &train});
    for (SpecTable* table : tables) {
      if (table != nullptr && table->Has(key)) {
        table->Fail(key, fmt::format("{} (model {})", fault.message, model));
        return;
      }
    }
  }
  root.Fail("models", fmt::format("{}: {}", model, fault.message));
}

/// What is wrong with the settings of a run of this spec.
std::optional<SettingsFault> FindRunFault(const ExperimentSpec& spec, const TrainSettings& settings) {
  if (auto fault = FindFault(settings, SettingNames::kKeys)) {
    return fault;
  }
  if (settings.precision == PrecisionChoice::kAuto) {
    return SettingsFault{{"precision"},
                         "precision must be bf16 or f32, not auto, whose meaning depends on the machine"};
  }
  const auto last = static_cast<uint64_t>(spec.checkpoints.back());
  if (spec.unit == CheckpointUnit::kEpoch && settings.minutes == 0 && settings.steps == 0 && settings.epochs < last) {
    return SettingsFault{{"epochs", "checkpoints"},
                         fmt::format("epochs {} ends before the checkpoint at epoch {}", settings.epochs, last)};
  }
  return std::nullopt;
}

void CheckRuns(SpecTable& root, const ExperimentSpec& spec) {
  std::set<std::string> seen;
  for (const GridRun& run : GridRuns(spec)) {
    Json identity = {run.model, run.tokenizer, run.corpus, run.seed};
    for (const TrainSetting& row : TrainSettingTable()) {
      identity.push_back(row.value.get(run.settings));
    }
    if (!seen.insert(identity.dump()).second) {
      root.Table("grid").Fail("also",
                              fmt::format("{} {} with seed {} is there already", run.model, run.tokenizer, run.seed));
      return;
    }
    if (const auto fault = FindRunFault(spec, run.settings)) {
      FailRun(root, run.model, *fault);
      return;
    }
  }
}

void ReadGenerate(SpecTable& root, ExperimentSpec& spec) {
  SpecTable table = root.Table("generate");
  ExperimentSpec::Generate& generate = spec.generate;
  generate.pieces = table.Integer("pieces", generate.pieces, 1, 100000);
  generate.bars = table.Integer("bars", generate.bars, 1, kMostBars);
  generate.sampling = table.Texts("sampling", {spec.samplings.front().name});
  CheckNames(table, "sampling", generate.sampling, NamesOf(spec.samplings), "sampling");
  const std::vector<std::string> windows = table.Texts("window", {std::string(ToString(Window::kSlide))});
  generate.windows.clear();
  for (const std::string& window : windows) {
    generate.windows.push_back(window == ToString(Window::kCut) ? Window::kCut : Window::kSlide);
    if (window != ToString(generate.windows.back())) {
      table.Fail("window", fmt::format("'{}' is neither slide nor cut", window));
    }
  }
  generate.seeds = table.Integers("seeds", generate.seeds, 0, INT64_MAX);
  if (const std::string precision = table.Text("precision"); !precision.empty()) {
    generate.precision = ParseComputeFormat(precision);
    if (!generate.precision) {
      table.Fail("precision", fmt::format("'{}' is neither f32, bf16 nor int8", precision));
    }
  }
  table.Finish();
}

void ReadMeasure(SpecTable& root, ExperimentSpec& spec) {
  SpecTable table = root.Table("measure");
  spec.measure.structure = table.Switch("structure", true);
  spec.measure.copying = table.Switch("copying", true);
  spec.measure.validation_songs = table.Integer("validation_songs", 0, 0, kMany);
  spec.measure.validation_bars = table.Integer("validation_bars", 0, 0, kMostBars);
  table.Finish();
  SpecTable real = root.Table("real");
  spec.real.songs = real.Integer("songs", 0, 0, kMany);
  real.Finish();
}

void ReadContinuations(SpecTable& root, ExperimentSpec& spec) {
  SpecTable table = root.Table("continue");
  ExperimentSpec::Continuations& continuations = spec.continuations;
  for (SpecTable& item : table.List("prompts")) {
    continuations.prompts.push_back({item.RequiredText("name"), item.RequiredText("file")});
    item.Finish();
  }
  const std::string_view unit = ToString(spec.unit);
  const std::vector<std::string> prompts = NamesOf(continuations.prompts);
  CheckNames(table, "prompts", prompts, prompts, "prompts");
  for (SpecTable& item : table.List("checkpoints")) {
    const CheckpointSpec checkpoint = {item.RequiredText("model"), item.RequiredText("tokenizer"),
                                       item.Integer(unit, spec.checkpoints.back(), 1, kMany)};
    if (FindNamed(spec.models, checkpoint.model) == nullptr) {
      item.Fail("model", fmt::format("'{}' is not named in [models.{}]", checkpoint.model, checkpoint.model));
    }
    if (FindNamed(spec.tokenizers, checkpoint.tokenizer) == nullptr) {
      item.Fail("tokenizer",
                fmt::format("'{}' is not named in [tokenizers.{}]", checkpoint.tokenizer, checkpoint.tokenizer));
    }
    if (std::find(spec.checkpoints.begin(), spec.checkpoints.end(), checkpoint.epoch) == spec.checkpoints.end()) {
      item.Fail(unit, fmt::format("is {}, which is none of train.{}", checkpoint.epoch,
                                  spec.unit == CheckpointUnit::kPercent ? "percents" : "checkpoints"));
    }
    item.Finish();
    continuations.checkpoints.push_back(checkpoint);
  }
  continuations.best = table.OneOf("best", "valid_nll_token|valid_nll_note|valid_nll_bar", "");
  continuations.sampling = table.Texts("sampling", NamesOf(spec.samplings));
  CheckNames(table, "sampling", continuations.sampling, NamesOf(spec.samplings), "sampling");
  continuations.prompt_bars = table.Integer("prompt_bars", continuations.prompt_bars, 1, kMostBars);
  continuations.bars = table.Integer("bars", continuations.bars, 1, kMostBars);
  continuations.pieces = table.Integer("pieces", continuations.pieces, 1, 100000);
  continuations.seeds = table.Integers("seeds", continuations.seeds, 0, INT64_MAX);
  if (!continuations.prompts.empty() && continuations.best.empty() == continuations.checkpoints.empty()) {
    table.Fail("prompts", "expected, beside them, either `checkpoints` or `best`, which choose who goes on with them");
  }
  for (const CorpusSpec& corpus : spec.corpora) {
    if (!continuations.best.empty() && corpus.valid == 0.0) {
      table.Fail("best", fmt::format("needs songs for validation, but corpora.{}.valid is 0", corpus.name));
    }
  }
  table.Finish();
}

/// Reads what the spec claims. Whether an axis or a value occurs in the results is not known before
/// there are results, so it is not checked; names are.
void ReadClaims(SpecTable& root, ExperimentSpec& spec) {
  const auto check_names = [&spec](SpecTable& table, std::string_view key, std::string_view axis,
                                   const std::vector<std::string>& values) {
    if (axis == "model") {
      CheckNames(table, key, values, NamesOf(spec.models), "models");
    } else if (axis == "tokenizer") {
      CheckNames(table, key, values, NamesOf(spec.tokenizers), "tokenizers");
    } else if (axis == "sampling") {
      CheckNames(table, key, values, NamesOf(spec.samplings), "sampling");
    } else if (axis == "corpus") {
      CheckNames(table, key, values, NamesOf(spec.corpora), "corpora");
    } else if (axis == "checkpoint") {
      for (const std::string& value : values) {
        if (std::none_of(spec.checkpoints.begin(), spec.checkpoints.end(),
                         [&value](int64_t checkpoint) { return std::to_string(checkpoint) == value; })) {
          table.Fail(key, fmt::format("{} is none of the checkpoints of [train]", value));
        }
      }
    } else if (axis != "window" && axis != "prompt" && FindTrainSetting(axis) == nullptr) {
      table.Fail(key, fmt::format("'{}' is not an axis; known are checkpoint, model, tokenizer, corpus, sampling, "
                                  "window, prompt and the settings of a training",
                                  axis));
    }
  };
  for (SpecTable& table : root.List("claims")) {
    Claim& claim = spec.claims.emplace_back();
    claim.text = table.RequiredText("text");
    claim.kind =
        table.OneOf("of", "pieces|continuations", "pieces") == "pieces" ? SetKind::kGrid : SetKind::kContinuation;
    claim.axis = table.RequiredText("axis");
    claim.value = table.Words("value");
    if (claim.value.empty()) {
      table.Fail("value", "is missing, expected the values of the axis that the claim is about");
    }
    claim.against = table.Words("against");
    check_names(table, "value", claim.axis, claim.value);
    check_names(table, "against", claim.axis, claim.against);
    claim.metrics = table.Texts("metrics", {"valid_nll_bar"});
    for (const std::string& metric : claim.metrics) {
      if (FindMetric(metric) == nullptr) {
        table.Fail("metrics", fmt::format("'{}' is not a metric (docs/metrics.md lists them)", metric));
      }
    }
    claim.sense = ParseClaimSense(table.OneOf("sense", "better|worse|higher|lower|nearer", "better")).value();
    claim.relative = table.Switch("relative", false);
    claim.least = table.Real("least", claim.least, -1e12, 1e12);
    claim.most = table.Has("most") ? table.Real("most", claim.most, -1e12, 1e12) : claim.most;
    if (!(claim.least < claim.most)) {
      table.Fail("most", fmt::format("is {}, expected more than least, {}", claim.most, claim.least));
    }
    SpecTable where = table.Table("where");
    for (const std::string& axis : where.Keys()) {
      claim.where[axis] = where.Words(axis);
      check_names(where, axis, axis, claim.where[axis]);
    }
    where.Finish();
    table.Finish();
  }
}

}  // namespace

std::string_view ToString(CheckpointUnit unit) {
  return unit == CheckpointUnit::kPercent ? "percent" : "epoch";
}

std::string_view ToString(Window window) {
  return window == Window::kCut ? "cut" : "slide";
}

const CorpusSpec& ExperimentSpec::corpus(std::string_view of) const {
  const CorpusSpec* found = FindNamed(corpora, of);
  CONTINUO_CHECK(found != nullptr);
  return *found;
}
const TokenizerSpec& ExperimentSpec::tokenizer(std::string_view of) const {
  const TokenizerSpec* found = FindNamed(tokenizers, of);
  CONTINUO_CHECK(found != nullptr);
  return *found;
}
const ModelSpec& ExperimentSpec::model(std::string_view of) const {
  const ModelSpec* found = FindNamed(models, of);
  CONTINUO_CHECK(found != nullptr);
  return *found;
}
const SamplingSpec& ExperimentSpec::sampling(std::string_view of) const {
  const SamplingSpec* found = FindNamed(samplings, of);
  CONTINUO_CHECK(found != nullptr);
  return *found;
}

namespace {

/// Adds every combination of a grid.
void AddRuns(const ExperimentSpec& spec, const GridSpec& grid, std::vector<GridRun>& runs) {
  std::vector<size_t> sizes = {grid.models.size(), grid.tokenizers.size(), grid.corpora.size(), grid.seeds.size()};
  for (const SettingAxis& axis : grid.settings) {
    sizes.push_back(axis.values.size());
  }
  std::vector<size_t> at(sizes.size(), 0);
  for (size_t axis = sizes.size(); axis > 0;) {
    GridRun& run = runs.emplace_back();
    run.model = grid.models[at[0]];
    run.tokenizer = grid.tokenizers[at[1]];
    run.corpus = grid.corpora[at[2]];
    run.seed = grid.seeds[at[3]];
    run.axes = Json::object();
    for (size_t i = 0; i < grid.settings.size(); ++i) {
      run.axes[grid.settings[i].key] = grid.settings[i].values[at[4 + i]];
    }
    run.settings = spec.train;
    Apply(spec.model(run.model).settings, run.settings);
    Apply(run.axes, run.settings);
    run.settings.seed = static_cast<uint64_t>(run.seed);
    // Counts up, the last axis fastest; when all are at their ends, axis is 0.
    for (axis = sizes.size(); axis > 0 && ++at[axis - 1] == sizes[axis - 1]; --axis) {
      at[axis - 1] = 0;
    }
  }
}

}  // namespace

std::vector<GridRun> GridRuns(const ExperimentSpec& spec) {
  std::vector<GridRun> runs;
  AddRuns(spec, spec.grid, runs);
  for (const GridSpec& grid : spec.also) {
    AddRuns(spec, grid, runs);
  }
  return runs;
}

std::vector<std::string> GridTokenizers(const ExperimentSpec& spec) {
  std::vector<std::string> names = spec.grid.tokenizers;
  for (const GridSpec& grid : spec.also) {
    for (const std::string& name : grid.tokenizers) {
      if (std::find(names.begin(), names.end(), name) == names.end()) {
        names.push_back(name);
      }
    }
  }
  return names;
}

Result<ExperimentSpec> ParseSpec(std::string_view text, std::string_view name) {
  const toml::parse_result parsed = toml::parse(text, name);
  if (!parsed) {
    return MakeError("{}:{}: {}", name, parsed.error().source().begin.line, parsed.error().description());
  }
  ExperimentSpec spec;
  spec.text = text;
  SpecProblem problem{std::string(name), std::nullopt};
  SpecTable root(parsed.table(), "", problem);
  spec.name = root.RequiredText("name");
  spec.title = root.Text("title", spec.name);
  spec.scaled_down = root.Text("scaled_down");
  if (const std::string published = root.Text("published"); !published.empty()) {
    spec.published = std::filesystem::path(name).parent_path() / published;
  }
  ReadCorpora(root, spec);
  ReadTokenizers(root, spec);
  ReadModels(root, spec);
  ReadSamplings(root, spec);
  ReadTrain(root, spec);
  ReadGrid(root, spec);
  ReadGenerate(root, spec);
  ReadMeasure(root, spec);
  ReadContinuations(root, spec);
  ReadClaims(root, spec);
  root.Finish();
  if (!problem.error) {
    CheckRuns(root, spec);
  }
  if (problem.error) {
    return *problem.error;
  }
  return spec;
}

Result<ExperimentSpec> ReadSpec(const std::filesystem::path& path) {
  CONTINUO_ASSIGN(const std::string text, ReadTextFile(path, uint64_t{1} << 24));
  return ParseSpec(text, path.string());
}

}  // namespace continuo
