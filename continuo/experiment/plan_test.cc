#include "continuo/experiment/plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "continuo/experiment/progress.h"
#include "continuo/experiment/small_experiment_testing.h"

namespace continuo {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsSupersetOf;
using Json = nlohmann::json;

TEST(FindInputs, DrawsTheSameSongsEveryTimeAndListsThemByName) {
  SmallExperiment experiment;
  const ExperimentInputs::Folder songs = experiment.Inputs().corpora.at("etudes");
  EXPECT_EQ(songs.files.size(), 12U);
  EXPECT_TRUE(std::is_sorted(songs.files.begin(), songs.files.end()));
  EXPECT_EQ(experiment.Inputs().corpora.at("etudes").files, songs.files);
  experiment.spec().corpora[0].songs = 6;
  const ExperimentInputs::Folder fewer = experiment.Inputs().corpora.at("etudes");
  EXPECT_EQ(fewer.files.size(), 6U);
  EXPECT_THAT(songs.files, IsSupersetOf(fewer.files));
  EXPECT_NE(fewer.sha256, songs.sha256);
}

TEST(FindInputs, ReportsWhatItSkipsInAFolder) {
  SmallExperiment experiment;
  const TemporaryFolder data;
  std::filesystem::create_directories(data.path() / "corpus");
  std::ofstream(data.path() / "corpus" / "a.mid") << "x";
  std::filesystem::create_symlink("nowhere", data.path() / "corpus" / "b.mid");
  experiment.spec().continuations.prompts.clear();
  const ExperimentInputs inputs = FindInputs(experiment.spec(), data.path()).value();
  EXPECT_THAT(inputs.corpora.at("etudes").files, ElementsAre("a.mid"));
  EXPECT_THAT(inputs.corpora.at("etudes").skipped, ElementsAre(HasSubstr("b.mid: is a broken link")));
}

TEST(FindInputs, NamesTheKeyOfAFolderWithoutMidiFiles) {
  SmallExperiment experiment;
  const TemporaryFolder data;
  std::filesystem::create_directories(data.path() / "corpus");
  const Error error = FindInputs(experiment.spec(), data.path()).error();
  EXPECT_THAT(error.message, HasSubstr("corpora.etudes.folder"));
  EXPECT_THAT(error.message, HasSubstr("has no MIDI files"));
  EXPECT_THAT(error.hint, HasSubstr("--data"));
}

TEST(SetEntries, StateHowAModelWritesAndNothingOfRealMusic) {
  SmallExperiment experiment;
  const ExperimentInputs inputs = experiment.Inputs();
  const ExperimentPlan plan = MakePlan(experiment.spec(), inputs);
  const std::vector<RunEntry> runs = RunEntries(plan);
  ASSERT_EQ(runs.size(), 1U);
  EXPECT_EQ(runs[0].model, "tiny");
  EXPECT_EQ(runs[0].epochs, 2);
  EXPECT_EQ(Json::parse(runs[0].settings)["width"], 32);

  const std::vector<SetEntry> sets = SetEntries(experiment.spec(), plan, plan.sets);
  ASSERT_EQ(sets.size(), 2U);
  EXPECT_EQ(sets[0].kind, SetKind::kReal);
  EXPECT_EQ(sets[0].run_id, "");
  EXPECT_EQ(sets[0].epoch, std::nullopt);
  EXPECT_EQ(sets[0].sampling, "");
  EXPECT_EQ(sets[1].kind, SetKind::kGrid);
  EXPECT_EQ(sets[1].run_id, runs[0].id);
  EXPECT_EQ(sets[1].epoch, 2);
  EXPECT_EQ(sets[1].setting, "calm");
  EXPECT_EQ(Json::parse(sets[1].sampling)["top_k"], 5);
  EXPECT_EQ(Json::parse(sets[1].sampling)["window"], "slide");

  const auto checkpoint = FindCheckpoint(plan, experiment.spec().continuations.checkpoints[0]);
  ASSERT_TRUE(checkpoint.has_value());
  const std::vector<SetEntry> continuations =
      SetEntries(experiment.spec(), plan, ContinuationCells(experiment.spec(), inputs, plan, {*checkpoint}));
  ASSERT_EQ(continuations.size(), ContinuationCount(experiment.spec()));
  EXPECT_EQ(continuations[0].kind, SetKind::kContinuation);
  EXPECT_EQ(continuations[0].prompt, "prompt");
}

TEST(SetEntries, StateTheWindowOfEachSet) {
  SmallExperiment experiment;
  experiment.spec().generate.windows = {Window::kSlide, Window::kCut};
  const ExperimentPlan plan = MakePlan(experiment.spec(), experiment.Inputs());
  const std::vector<SetEntry> sets = SetEntries(experiment.spec(), plan, plan.sets);
  ASSERT_EQ(sets.size(), 3U);
  EXPECT_EQ(Json::parse(sets[1].sampling)["window"], "slide");
  EXPECT_EQ(Json::parse(sets[2].sampling)["window"], "cut");
  EXPECT_THAT(sets[2].label, HasSubstr("window=cut"));
}

TEST(GuessSeconds, GrowsWithTheWorkAndFallsWithTheThreads) {
  SmallExperiment experiment;
  const ExperimentInputs inputs = experiment.Inputs();
  const auto guess = [&](size_t threads) {
    return GuessSeconds(experiment.spec(), inputs, MakePlan(experiment.spec(), inputs), threads);
  };
  const double seconds = guess(1);
  EXPECT_GT(seconds, 0);
  EXPECT_NEAR(guess(4), seconds / 4, 1e-9);
  experiment.spec().generate.pieces *= 10;
  EXPECT_GT(guess(1), seconds);
}

}  // namespace
}  // namespace continuo
