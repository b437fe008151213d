#include "continuo/experiment/spec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "continuo/experiment/plan.h"
#include "continuo/experiment/progress.h"

namespace continuo {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::StartsWith;

const fs::path kSource = CONTINUO_SOURCE_DIR;

/// A spec of 13 lines, followed by more.
std::string Spec(const std::string& more = "") {
  return R"(name = "small"
[corpora.etudes]
folder = "corpus"
[tokenizers.remi]
[tokenizers.midilike]
[models.one]
layers = 1
[models.two]
layers = 2
lr = 3e-3
[train]
epochs = 4
checkpoints = [4, 2]
)" + more;
}

std::string ErrorOf(const std::string& text) {
  const Result<ExperimentSpec> spec = ParseSpec(text, "small.toml");
  return spec.ok() ? "it was accepted" : spec.error().message;
}

ExperimentPlan PlanOf(const std::string& text) {
  const ExperimentSpec spec = ParseSpec(text, "small.toml").value();
  return MakePlan(spec, FindInputs(spec, kSource / "examples").value());
}

TEST(SpecTest, WhatIsNotSaidIsAsInTheStudy) {
  const ExperimentSpec spec = ParseSpec(Spec(), "small.toml").value();
  EXPECT_EQ(spec.title, "small");
  EXPECT_EQ(spec.train.batch, 8U);
  EXPECT_EQ(spec.train.schedule.max_lr, 4e-4);
  EXPECT_EQ(spec.checkpoints, (std::vector<int64_t>{2, 4}));
  EXPECT_EQ(spec.model("two").settings["lr"], 3e-3);
  EXPECT_EQ(spec.generate.pieces, 20);
  EXPECT_EQ(spec.generate.bars, 32);
  EXPECT_EQ(spec.sampling("default").options,
            (SamplingOptions{.temperature = 1.2, .top_k = 5, .repetition_penalty = 1.2}));
}

TEST(SpecTest, WhatIsWrongIsNamedByLineAndKey) {
  EXPECT_THAT(ErrorOf("name = 3"), StartsWith("small.toml:1: name: is of type integer"));
  EXPECT_THAT(ErrorOf(Spec("layer = 3\n")),
              AllOf(StartsWith("small.toml:14: train.layer: unknown key"), HasSubstr("layers")));
  EXPECT_THAT(ErrorOf(Spec("batch = \"8\"\n")),
              StartsWith("small.toml:14: train.batch: must be an integer from 1 to 1000000, not 8"));
  EXPECT_THAT(ErrorOf(Spec("batch = 8.0\n")), StartsWith("small.toml:14: train.batch"));
  EXPECT_THAT(ErrorOf(Spec("dropout = 1.5\n")), HasSubstr("must be a number from 0 to 0.99, not 1.5"));
  EXPECT_THAT(ErrorOf(Spec("blocks = \"some\"\n")), HasSubstr("must be first or all, not some"));
  EXPECT_THAT(ErrorOf(Spec("[grid]\nmodel = [\"three\"]\n")),
              StartsWith("small.toml:15: grid.model: 'three' is not named"));
  EXPECT_THAT(ErrorOf(Spec("[grid]\nlr = 1e-3\n")), StartsWith("small.toml:15: grid.lr: expected a list"));
  EXPECT_THAT(ErrorOf(Spec("[grid]\nlr = [1e-3, 1e-3]\n")), HasSubstr("0.001 is listed twice"));
  EXPECT_THAT(ErrorOf(Spec("[grid]\nepochs = [4, 3]\n")),
              StartsWith("small.toml:15: grid.epochs: epochs 3 ends before the checkpoint at epoch 4"));
  EXPECT_THAT(ErrorOf(Spec("[generate]\nsampling = [\"bold\"]\n")),
              StartsWith("small.toml:15: generate.sampling: 'bold'"));
  EXPECT_THAT(ErrorOf(Spec("[sampling.bold]\ntemperature = -1.0\n")),
              StartsWith("small.toml:15: sampling.bold.temperature"));
  EXPECT_THAT(ErrorOf(Spec("[continue]\nprompts = [{ name = \"p\", file = \"p.mid\" }]\n")),
              HasSubstr("`checkpoints` or `best`"));
  EXPECT_THAT(ErrorOf(Spec("[continue]\nprompts = [{ name = \"p\" }]\n")),
              StartsWith("small.toml:15: continue.prompts.file"));
  EXPECT_THAT(ErrorOf(Spec("[continue]\ncheckpoints = [{ model = \"one\", tokenizer = \"remi\", epoch = 3 }]\n")),
              HasSubstr("none of train.checkpoints"));
  EXPECT_THAT(ErrorOf(Spec("[tokenizers.remy]\n")), HasSubstr("'remy' is not a preset"));
  EXPECT_THAT(ErrorOf("name = \"n\"\n"), HasSubstr("no corpus is named"));
  EXPECT_THAT(ErrorOf(Spec("[[[")), StartsWith("small.toml:14: "));
}

TEST(SpecTest, CheckpointsMayBeCountedInPercentOfTheRun) {
  std::string text = Spec("steps = 50\n");
  text.replace(text.find("checkpoints = [4, 2]"), 20, "percents = [100, 10]");
  const ExperimentSpec spec = ParseSpec(text, "small.toml").value();
  EXPECT_EQ(spec.unit, CheckpointUnit::kPercent);
  EXPECT_EQ(spec.checkpoints, (std::vector<int64_t>{10, 100}));
  EXPECT_THAT(ErrorOf(Spec("percents = [10]\n")), StartsWith("small.toml:14: train.percents: stands beside"));
  EXPECT_THAT(ErrorOf(text + "[continue]\ncheckpoints = [{ model = \"one\", tokenizer = \"remi\", epoch = 10 }]\n"),
              HasSubstr("unknown key"));
  EXPECT_THAT(ErrorOf(text + "[continue]\ncheckpoints = [{ model = \"one\", tokenizer = \"remi\", percent = 30 }]\n"),
              HasSubstr("percent: is 30, which is none of train.percents"));
  text.replace(text.find("[100, 10]"), 9, "[101, 10]");
  EXPECT_THAT(ErrorOf(text), StartsWith("small.toml:13: train.percents"));
}

TEST(SpecTest, AClaimNamesWhatThereIs) {
  const std::string claim = "[[claims]]\ntext = \"two is better\"\naxis = \"model\"\nvalue = \"two\"\n";
  const ExperimentSpec spec =
      ParseSpec(Spec(claim + "against = [\"one\"]\nmetrics = [\"GS\", \"auc\"]\nsense = \"higher\"\nleast = 0.1\n"
                             "most = 2\nwhere = { checkpoint = [2, 4], sampling = \"default\" }\n"),
                "small.toml")
          .value();
  ASSERT_EQ(spec.claims.size(), 1U);
  EXPECT_EQ(spec.claims[0].value, std::vector<std::string>{"two"});
  EXPECT_EQ(spec.claims[0].metrics, (std::vector<std::string>{"GS", "auc"}));
  EXPECT_EQ(spec.claims[0].sense, ClaimSense::kHigher);
  EXPECT_EQ(spec.claims[0].least, 0.1);
  EXPECT_EQ(spec.claims[0].most, 2);
  EXPECT_EQ(spec.claims[0].where.at("checkpoint"), (std::vector<std::string>{"2", "4"}));
  EXPECT_THAT(ErrorOf(Spec(claim + "against = \"three\"\n")),
              StartsWith("small.toml:18: claims.against: 'three' is not named"));
  EXPECT_THAT(ErrorOf(Spec(claim + "metrics = [\"beauty\"]\n")), HasSubstr("'beauty' is not a metric"));
  EXPECT_THAT(ErrorOf(Spec(claim + "where = { checkpoint = 3 }\n")), HasSubstr("3 is none of the checkpoints"));
  EXPECT_THAT(ErrorOf(Spec(claim + "where = { modle = \"one\" }\n")), HasSubstr("'modle' is not an axis"));
  EXPECT_THAT(ErrorOf(Spec(claim + "sense = \"bolder\"\n")), HasSubstr("claims.sense"));
  EXPECT_THAT(ErrorOf(Spec(claim + "least = 3\nmost = 2\n")), HasSubstr("expected more than least"));
  EXPECT_THAT(ErrorOf(Spec(claim + "shade = 3\n")), HasSubstr("claims.shade: unknown key"));
}

TEST(SpecTest, WhatItNamesMustBeThere) {
  const auto error = [](const std::string& more, const std::string& folder) {
    const ExperimentSpec spec = ParseSpec(Spec(more), "small.toml").value();
    return FindInputs(spec, folder).error().ToString();
  };
  EXPECT_THAT(error("", "/nowhere"),
              AllOf(HasSubstr("corpora.etudes.folder: /nowhere/corpus: does not exist"), HasSubstr("--data")));
  const std::string examples = (kSource / "examples").string();
  const std::string go_on =
      "[continue]\nbest = \"valid_nll_bar\"\nprompt_bars = 8\nprompts = [{ name = \"p\", file = \"";
  EXPECT_THAT(error(go_on + "nothing.mid\" }]\n", examples), HasSubstr("continue.prompts: p: "));
  EXPECT_THAT(error("[models.three]\ninit_from = \"nothing\"\n", examples), HasSubstr("models.three.init_from"));
  EXPECT_THAT(error("[continue]\nbest = \"valid_nll_bar\"\nprompt_bars = 5000\nprompts = [{ name = \"p\", file = "
                    "\"prompt.mid\" }]\n",
                    examples),
              HasSubstr("prompt.mid"));
}

// A run that the trainer refuses is an error of the spec.

TEST(SpecSettings, AValueOutOfItsRangeIsRefusedAtItsLine) {
  EXPECT_THAT(ErrorOf(Spec("epsilon = 0\n")),
              StartsWith("small.toml:14: train.epsilon: must be above 0 and at most 1, not 0"));
  EXPECT_THAT(ErrorOf(Spec("epsilon = 0.0\n")), HasSubstr("must be above 0"));
  for (const char* value : {"nan", "inf", "-inf"}) {
    EXPECT_THAT(ErrorOf(Spec(std::string("lr = ") + value + "\n")), HasSubstr("train.lr: must be above 0")) << value;
  }
  EXPECT_THAT(ErrorOf(Spec("[grid]\nclip = [1.0, -1.0]\n")),
              StartsWith("small.toml:15: grid.clip: must be a number from 0 to 1000000000, not -1"));
  EXPECT_THAT(ErrorOf(Spec("lr = 1979-05-27\n")), HasSubstr("not a value of type date"));
}

TEST(SpecSettings, AWidthThatItsHeadsDoNotDivideIsRefusedByTheKeysAsWritten) {
  EXPECT_THAT(ErrorOf(Spec("width = 33\nheads = 2\n")),
              StartsWith("small.toml:14: train.width: width 33 is not a multiple of heads 2 (model one)"));
  // The width is the default, so the heads are at fault.
  EXPECT_THAT(ErrorOf(Spec("heads = 5\n")),
              StartsWith("small.toml:14: train.heads: width 768 is not a multiple of heads 5"));
  // In the grid, or in a model's own table, it is at fault there.
  EXPECT_THAT(ErrorOf(Spec("heads = 2\n[grid]\nwidth = [32, 33]\n")),
              StartsWith("small.toml:16: grid.width: width 33"));
  EXPECT_THAT(ErrorOf(Spec("heads = 2\n[models.three]\nwidth = 33\n")),
              StartsWith("small.toml:16: models.three.width: width 33 is not a multiple of heads 2 (model three)"));
  EXPECT_EQ(ErrorOf(Spec("heads = 2\n[models.three]\nwidth = 33\nheads = 3\n")), "it was accepted");
}

TEST(SpecSettings, AShortWindowLongerThanTheContextIsRefusedIfThereAreShortWindows) {
  EXPECT_THAT(ErrorOf(Spec("short_context = 60000\ncontext = 256\nshort_share = 0.5\n")),
              StartsWith("small.toml:14: train.short_context: short_context 60000 is larger than context 256"));
  EXPECT_EQ(ErrorOf(Spec("short_context = 60000\ncontext = 256\n")), "it was accepted");
}

TEST(SpecSettings, ThePrecisionIsTheSameOnEveryMachine) {
  EXPECT_EQ(ParseSpec(Spec(), "small.toml")->train.precision, PrecisionChoice::kBf16);
  EXPECT_THAT(ErrorOf(Spec("precision = \"auto\"\n")), HasSubstr("train.precision: precision must be bf16 or f32"));
}

TEST(SpecSettings, EverySettingOfATrainingCanBeSet) {
  const std::string all = R"(context = 512
transpose = true
vary_velocity = true
vary_tempo = true
no_cycle_momentum = true
steps = 100
minutes = 2
patience = 3
ema = 0.9
valid_every = 10
checkpoint_minutes = 5
keep = 4
device = "cpu"
)";
  const auto spec = ParseSpec(Spec(all), "small.toml");
  ASSERT_TRUE(spec.ok()) << spec.error().ToString();
  EXPECT_TRUE(spec->train.augment_transpose && spec->train.augment_velocity && spec->train.augment_tempo);
  EXPECT_FALSE(spec->train.schedule.cycle_momentum);
  EXPECT_EQ(spec->train.steps, 100U);
  EXPECT_EQ(spec->train.minutes, 2.0);
  EXPECT_EQ(spec->train.patience, 3U);
  EXPECT_EQ(spec->train.optimizer.average_decay, 0.9);
  EXPECT_EQ(spec->train.valid_every, 10U);
  EXPECT_EQ(spec->train.keep, 4U);
  // Those that have a key of their own are not settings.
  for (const char* key : {"seed = 1\n", "threads = 1\n", "keep_epochs = [1]\n"}) {
    EXPECT_THAT(ErrorOf(Spec(key)), HasSubstr("unknown key")) << key;
  }
}

TEST(SpecSettings, ARunLimitedByStepsNeedNotReachACheckpointsEpoch) {
  EXPECT_THAT(ErrorOf(Spec("[models.three]\nepochs = 3\n")),
              StartsWith("small.toml:15: models.three.epochs: epochs 3 ends before the checkpoint at epoch 4"));
  EXPECT_EQ(ErrorOf(Spec("[models.three]\nepochs = 3\nsteps = 10\n")), "it was accepted");
}

TEST(GridRuns, TheGridGoesBeforeTheModelAndTheModelBeforeTrain) {
  const ExperimentSpec spec = ParseSpec(Spec("dropout = 0.2\nlayers = 7\n[grid]\ndropout = [0.0, 0.3]\n"), "s").value();
  const std::vector<GridRun> runs = GridRuns(spec);
  ASSERT_EQ(runs.size(), 2U * 2 * 2);
  EXPECT_EQ(runs[0].model, "one");
  EXPECT_EQ(runs[0].settings.model.layers, 1);
  EXPECT_EQ(runs[0].settings.model.dropout, 0.0);
  EXPECT_EQ(runs[1].settings.model.dropout, 0.3);
  EXPECT_EQ(runs[4].model, "two");
  EXPECT_EQ(runs[4].settings.schedule.max_lr, 3e-3);
}

TEST(GridRuns, FurtherGridsStandBesideTheGrid) {
  const std::string grid = "[grid]\ntokenizer = [\"remi\"]\n";
  const std::string also =
      "[[grid.also]]\nmodel = [\"two\"]\nseed = [2, 3]\n[[grid.also]]\nmodel = [\"one\"]\ntokenizer = [\"midilike\"]\n";
  const ExperimentSpec spec = ParseSpec(Spec(grid + also), "s").value();
  const std::vector<GridRun> runs = GridRuns(spec);
  ASSERT_EQ(runs.size(), 2U + 2 + 1);
  EXPECT_EQ(runs[2].model, "two");
  EXPECT_EQ(runs[2].tokenizer, "remi");  // that of the grid
  EXPECT_EQ(runs[2].settings.seed, 2U);
  EXPECT_EQ(runs[4].model, "one");
  EXPECT_EQ(runs[4].tokenizer, "midilike");
  EXPECT_EQ(runs[4].seed, 1);
  EXPECT_EQ(GridTokenizers(spec), (std::vector<std::string>{"remi", "midilike"}));
  EXPECT_THAT(ErrorOf(Spec(grid + "[[grid.also]]\nmodel = [\"one\"]\n")),
              HasSubstr("one remi with seed 1 is there already"));
  EXPECT_THAT(ErrorOf(Spec(grid + "[[grid.also]]\nmodels = [\"one\"]\n")), HasSubstr("grid.also.models: unknown key"));
}

TEST(GridRuns, TheSeedIsThatOfTheGrid) {
  const ExperimentSpec spec = ParseSpec(Spec("[grid]\nseed = [5, 6]\n"), "s").value();
  const std::vector<GridRun> runs = GridRuns(spec);
  EXPECT_EQ(runs[0].settings.seed, 5U);
  EXPECT_EQ(runs[1].settings.seed, 6U);
}

TEST(PlanTest, EveryCombinationIsARunAndEveryCheckpointASet) {
  const ExperimentPlan plan =
      PlanOf(Spec("[grid]\ntranspose = [false, true]\nseed = [1, 2, 3]\n[generate]\nwindow = [\"slide\", \"cut\"]\n"));
  EXPECT_EQ(plan.runs.size(), 2u * 2 * 2 * 3);
  EXPECT_EQ(plan.sets.size(), 1 + plan.runs.size() * 2 * 2);
  EXPECT_EQ(plan.corpora.size(), 2u);
  EXPECT_EQ(plan.sets.front().kind, SetKind::kReal);
  EXPECT_EQ(plan.runs.front().label, "one midilike seed=1 transpose=false");
  std::set<std::string> ids;
  for (const SetCell& set : plan.sets) {
    ids.insert(set.id);
  }
  EXPECT_EQ(ids.size(), plan.sets.size());
}

TEST(PlanTest, ACellKeepsItsIdWhateverElseTheSpecAsksFor) {
  const ExperimentPlan plan = PlanOf(Spec());
  const ExperimentPlan less = PlanOf(Spec("[grid]\nmodel = [\"two\"]\n"));
  EXPECT_EQ(less.runs.front().id, plan.runs[2].id);
  EXPECT_EQ(less.sets[1].id, plan.sets[1 + 2 * 2].id);
}

TEST(PlanTest, ACellKeepsItsIdBesideFurtherGrids) {
  const ExperimentPlan plan = PlanOf(Spec());
  const ExperimentPlan more = PlanOf(Spec("[[grid.also]]\nmodel = [\"two\"]\ntokenizer = [\"remi\"]\nseed = [7]\n"));
  ASSERT_EQ(more.runs.size(), 5U);
  EXPECT_EQ(more.runs[0].id, plan.runs[0].id);
  EXPECT_EQ(more.runs[4].label, "two remi seed=7");
}

TEST(PlanTest, PercentsAreOtherCheckpointsThanEpochs) {
  std::string text = Spec("steps = 50\n");
  const ExperimentPlan epochs = PlanOf(text);
  text.replace(text.find("checkpoints = [4, 2]"), 20, "percents = [4, 2]");
  const ExperimentPlan percents = PlanOf(text);
  EXPECT_NE(percents.runs[0].id, epochs.runs[0].id);
  EXPECT_EQ(percents.runs[0].epochs(), 100);
  EXPECT_EQ(percents.sets[1].label, "one midilike 2 %");
}

TEST(PlanTest, WhatDeterminesAResultDeterminesItsId) {
  const ExperimentPlan plan = PlanOf(Spec());
  const ExperimentPlan other_training = PlanOf(Spec("lr = 1e-3\n"));
  EXPECT_NE(other_training.runs[0].id, plan.runs[0].id);
  EXPECT_EQ(other_training.runs[2].id, plan.runs[2].id);  // model two has its own
  const ExperimentPlan other_pieces = PlanOf(Spec("[generate]\nseeds = [2]\n"));
  EXPECT_EQ(other_pieces.runs[0].id, plan.runs[0].id);
  EXPECT_NE(other_pieces.sets[1].id, plan.sets[1].id);
  std::string fewer = Spec();
  fewer.insert(fewer.find("[tokenizers"), "songs = 5\n");
  EXPECT_NE(PlanOf(fewer).runs[0].id, plan.runs[0].id);
}

TEST(PlanTest, IdsAreThoseOfExistingResults) {
  // A new setting must not change the id of a cell that does not use it, or results.db would lose
  // its results.
  const ExperimentPlan plan = PlanOf(Spec());
  EXPECT_EQ(plan.runs.front().id, "de8630143cc9d579");
  EXPECT_EQ(plan.runs.back().id, "ae6b752a686d5cf4");
  EXPECT_EQ(plan.sets.front().id, "21ef8fdf4234f13c");
  EXPECT_EQ(plan.sets.back().id, "39299a103520a62d");
}

TEST(PlanTest, AnIdKnowsEverySettingThatChangesTheResultAndNoOther) {
  const std::string id = PlanOf(Spec()).runs.front().id;
  for (const char* setting : {"patience = 3\n", "ema = 0.9\n", "steps = 10\n", "valid_every = 5\n",
                              "export_bf16 = true\n", "precision = \"f32\"\n", "vary_tempo = true\n"}) {
    EXPECT_NE(PlanOf(Spec(setting)).runs.front().id, id) << setting;
  }
  for (const char* setting : {"keep = 5\n", "checkpoint_minutes = 1\n", "device = \"cpu\"\n", "patience = 0\n"}) {
    EXPECT_EQ(PlanOf(Spec(setting)).runs.front().id, id) << setting;
  }
}

TEST(PlanTest, TheFirstCorpusOfTheGridIsRealMusic) {
  const std::string more = "[corpora.others]\nfolder = \"corpus\"\nsongs = 3\n";
  const ExperimentPlan plan = PlanOf(Spec(more + "[grid]\ncorpus = [\"others\"]\n"));
  EXPECT_NE(plan.sets.front().id, PlanOf(Spec()).sets.front().id);
  EXPECT_EQ(plan.runs.front().corpus, "others");
}

TEST(PlanTest, TheStudyHasThirtySixRowsAndThirtySixContinuations) {
  for (const char* name : {"study.toml", "study-small.toml"}) {
    const Result<ExperimentSpec> spec = ReadSpec(kSource / "experiments" / name);
    ASSERT_TRUE(spec.ok()) << spec.error().ToString();
    ExperimentInputs inputs;
    inputs.corpora["pop1k7"] = {{"song.mid"}, "0"};
    inputs.tokenizers = {{"remi", "1"}, {"remiplus", "2"}, {"midilike", "3"}};
    inputs.prompts = {{"song_1", "4"}, {"song_2", "5"}, {"song_3", "6"}};
    const ExperimentPlan plan = MakePlan(*spec, inputs);
    EXPECT_EQ(plan.runs.size(), 6u);
    EXPECT_EQ(plan.sets.size(), 1u + 36);
    const std::vector<std::pair<size_t, int64_t>> chosen = {{0, 10}, {1, 10}, {2, 10}};
    EXPECT_EQ(ContinuationCells(*spec, inputs, plan, chosen).size(), 36u);
  }
}

TEST(PlanTest, TheStudyOnAProcessorHasTwoSamplingsSecondSeedsAndChords) {
  const Result<ExperimentSpec> spec = ReadSpec(kSource / "experiments" / "study-cpu.toml");
  ASSERT_TRUE(spec.ok()) << spec.error().ToString();
  EXPECT_EQ(spec->claims.size(), 7u);
  EXPECT_EQ(ReadSpec(kSource / "experiments" / "study.toml")->claims.size(), 7u);
  ExperimentInputs inputs;
  inputs.corpora["pop1k7"] = {{"song.mid"}, "0"};
  inputs.tokenizers = {{"remi", "1"}, {"remiplus", "2"}, {"midilike", "3"}, {"remichord", "7"}};
  inputs.prompts = {{"song_1", "4"}, {"song_2", "5"}, {"song_3", "6"}};
  const ExperimentPlan plan = MakePlan(*spec, inputs);
  ASSERT_EQ(plan.runs.size(), 10u);
  EXPECT_EQ(plan.runs[0].label, "gpt2 remi seed=1");
  EXPECT_EQ(plan.runs[6].label, "gpt2 remichord seed=1");
  EXPECT_EQ(plan.runs[9].label, "gpt2 midilike seed=2");
  EXPECT_EQ(plan.sets.size(), 1u + 10 * 6 * 2);
  for (const RunCell& run : plan.runs) {
    const auto tokens = run.train.steps * run.train.batch * static_cast<uint64_t>(run.train.model.context_length);
    EXPECT_GE(tokens, 12000000u);
    EXPECT_LE(tokens, 20000000u);
  }
  EXPECT_EQ(ContinuationCount(*spec), 36u);
}

TEST(PlanTest, APieceKnowsWhatItsModelComputedIn) {
  const std::string ids[] = {PlanOf(Spec()).sets.back().id,
                             PlanOf(Spec("[generate]\nprecision = \"int8\"\n")).sets.back().id,
                             PlanOf(Spec("[generate]\nprecision = \"f32\"\n")).sets.back().id};
  EXPECT_EQ(std::set<std::string>(std::begin(ids), std::end(ids)).size(), 3U);
  EXPECT_THAT(ErrorOf(Spec("[generate]\nprecision = \"int4\"\n")),
              StartsWith("small.toml:15: generate.precision: 'int4'"));
}

TEST(PlanTest, EverySpecOfTheProjectIsGood) {
  size_t count = 0;
  for (const auto& entry : fs::directory_iterator(kSource / "experiments")) {
    if (entry.path().extension() == ".toml") {
      const Result<ExperimentSpec> spec = ReadSpec(entry.path());
      EXPECT_TRUE(spec.ok()) << spec.error().ToString();
      ++count;
    }
  }
  EXPECT_GE(count, 4u);
}

}  // namespace
}  // namespace continuo
