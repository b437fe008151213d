#include "continuo/experiment/spec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "continuo/experiment/plan.h"
#include "continuo/experiment/settings.h"

namespace continuo {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::StartsWith;

const fs::path kSource = CONTINUO_SOURCE_DIR;

/// A spec of 13 lines, with more behind.
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
  EXPECT_EQ(spec.train["batch"], 8);
  EXPECT_EQ(spec.train["lr"], 4e-4);
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
  EXPECT_THAT(ErrorOf(Spec("batch = \"8\"\n")), StartsWith("small.toml:14: train.batch: is not an integer"));
  EXPECT_THAT(ErrorOf(Spec("batch = 8.0\n")), StartsWith("small.toml:14: train.batch"));
  EXPECT_THAT(ErrorOf(Spec("dropout = 1.5\n")), HasSubstr("is not a number of 0 to 0.99"));
  EXPECT_THAT(ErrorOf(Spec("blocks = \"some\"\n")), HasSubstr("is not one of first, all"));
  EXPECT_THAT(ErrorOf(Spec("[grid]\nmodel = [\"three\"]\n")),
              StartsWith("small.toml:15: grid.model: 'three' is not named"));
  EXPECT_THAT(ErrorOf(Spec("[grid]\nlr = 1e-3\n")), StartsWith("small.toml:15: grid.lr: expected a list"));
  EXPECT_THAT(ErrorOf(Spec("[grid]\nlr = [1e-3, 1e-3]\n")), HasSubstr("is there twice"));
  EXPECT_THAT(ErrorOf(Spec("[grid]\nepochs = [4, 3]\n")), HasSubstr("ends before the checkpoint at epoch 4"));
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
  EXPECT_THAT(ErrorOf(Spec("[tokenizers.remy]\n")), HasSubstr("'remy' is no preset"));
  EXPECT_THAT(ErrorOf("name = \"n\"\n"), HasSubstr("no corpus is named"));
  EXPECT_THAT(ErrorOf(Spec("[[[")), StartsWith("small.toml:14: "));
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

TEST(SettingsTest, TheDefaultsHaveEverySettingAndBecomeFlags) {
  const nlohmann::ordered_json defaults = DefaultTrainSettings();
  EXPECT_EQ(defaults.size(), TrainSettings().size());
  const std::vector<std::string> flags = TrainFlags(defaults);
  EXPECT_THAT(flags, testing::IsSupersetOf({"--layers", "12", "--blocks", "all", "--lr", "0.0004"}));
  EXPECT_THAT(flags, testing::Not(testing::Contains("--augment-transpose")));
}

}  // namespace
}  // namespace continuo
