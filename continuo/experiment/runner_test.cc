#include "continuo/experiment/runner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <fstream>
#include <mutex>

#include "continuo/experiment/progress.h"
#include "continuo/experiment/small_experiment_testing.h"
#include "continuo/experiment/steps.h"
#include "continuo/metrics/catalogue.h"
#include "continuo/model/random_model_testing.h"
#include "continuo/os/lock.h"
#include "continuo/results/snapshot.h"
#include "continuo/token/tokenizer.h"

namespace continuo {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class RunnerTest : public testing::Test {
 protected:
  static constexpr auto kNever = std::chrono::hours(1);
  static constexpr auto kAtOnce = std::chrono::hours(0);

  /// `more` sets workers and shards. A stop is requested after `stop`.
  Result<RunnerReport> Run(SmallExperiment& experiment, std::chrono::milliseconds stop = kNever,
                           RunnerOptions more = {}) {
    const ExperimentInputs inputs = experiment.Inputs();
    const ExperimentPlan plan = MakePlan(experiment.spec(), inputs);
    RunnerOptions options = more;
    options.folder = experiment.folder();
    options.trainer = experiment.trainer();
    options.version = "1.2.3";
    const StopToken stop_later(
        [at = std::chrono::steady_clock::now() + stop] { return std::chrono::steady_clock::now() >= at; });
    std::mutex mutex;
    const RunnerNotes note = [&](const std::string& line) {
      const std::lock_guard lock(mutex);
      notes_.push_back(line);
    };
    return RunExperiment(experiment.spec(), inputs, plan, options, note, stop_later);
  }
  static ResultsSnapshot Read(const SmallExperiment& experiment) {
    return ReadSnapshot(ExperimentFolder(experiment.folder()).results()).value();
  }

  std::vector<std::string> notes_;
};

TEST_F(RunnerTest, FinishesEveryCellOnce) {
  SmallExperiment experiment;
  const RunnerReport first = Run(experiment).value();
  EXPECT_EQ(first.done, 4U);  // a training, real music, a set of pieces, a continuation
  EXPECT_EQ(first.failed, 0U);
  EXPECT_EQ(first.left, 0U);
  EXPECT_FALSE(first.stopped);
  EXPECT_EQ(experiment.Trainings(), 1U);
  const RunnerReport second = Run(experiment).value();
  EXPECT_EQ(second.done, 0U);
  EXPECT_EQ(second.skipped, 3U);  // the continuation is entered later
  EXPECT_EQ(experiment.Trainings(), 1U);
  const Results results = Results::Open(ExperimentFolder(experiment.folder()).results()).value();
  const ExperimentProgress progress = ReadProgress(results).value();
  EXPECT_EQ(progress.title, "A small experiment");
  EXPECT_EQ(progress.continuations, 1U);
  EXPECT_EQ(progress.CountRuns(CellStatus::kDone), 1U);
  EXPECT_EQ(progress.CountSets(SetKind::kContinuation, CellStatus::kDone), 1U);
  EXPECT_EQ(progress.seconds_left, 0);
}

TEST_F(RunnerTest, TakesATokenizerThatMidiTokTrained) {
  const TemporaryFolder folder;
  const auto tokenizer =
      Tokenizer::LoadPlainOrTrained(CONTINUO_SOURCE_DIR "/testdata/tokens/trained/remi_bar-3.1.0.json").value();
  WriteRandomModel(SmallModel(Architecture::kGpt2, tokenizer->model_size(), 128), tokenizer->ToJson(),
                   folder.path() / "model");
  SmallExperiment experiment("", folder.path() / "model");
  experiment.spec().generate.windows = {Window::kSlide, Window::kCut};
  const RunnerReport report = Run(experiment).value();
  EXPECT_EQ(report.done, 5U);
  EXPECT_EQ(report.failed, 0U) << notes_.back();
  const ResultsSnapshot snapshot = Read(experiment);
  EXPECT_EQ(snapshot.runs[0].status, CellStatus::kDone);
  EXPECT_GT(FindNamed(snapshot.sets[1].metrics, "valid_nll_note")->mean, 0);
}

TEST_F(RunnerTest, CutsARunByPercentsOfItsSteps) {
  SmallExperiment experiment;
  experiment.spec().unit = CheckpointUnit::kPercent;
  experiment.spec().checkpoints = {50};
  experiment.spec().train.steps = 2;
  experiment.spec().continuations.prompts.clear();
  const RunnerReport report = Run(experiment).value();
  EXPECT_EQ(report.failed, 0U) << notes_.back();
  const ResultsSnapshot snapshot = Read(experiment);
  EXPECT_EQ(snapshot.meta.at("checkpoint_unit"), "percent");
  EXPECT_EQ(snapshot.sets[1].epoch, 50);
  EXPECT_EQ(snapshot.runs[0].epochs, 100);
  ASSERT_EQ(snapshot.runs[0].curve.size(), 2U);
  EXPECT_EQ(snapshot.runs[0].curve[0].epoch, 50);
  EXPECT_EQ(snapshot.runs[0].curve[0].valid.note, FindNamed(snapshot.sets[1].metrics, "valid_nll_note")->mean);
}

TEST_F(RunnerTest, RunsOnlyTheTrainingsThatAreNamed) {
  SmallExperiment experiment;
  experiment.spec().grid.seeds = {1, 2};
  experiment.spec().continuations.prompts.clear();
  RunnerOptions options;
  options.only = {"tiny pop seed=2"};
  EXPECT_EQ(Run(experiment, kNever, options)->done, 3U);  // a training, its pieces, real music
  const ResultsSnapshot snapshot = Read(experiment);
  EXPECT_EQ(snapshot.runs[0].status, CellStatus::kPending);
  EXPECT_EQ(snapshot.runs[1].status, CellStatus::kDone);
  options.only = {snapshot.runs[0].id};
  EXPECT_EQ(Run(experiment, kNever, options)->done, 2U);
  options.only = {"tiny pop seed=3"};
  EXPECT_THAT(Run(experiment, kNever, options).error().ToString(),
              AllOf(HasSubstr("no training 'tiny pop seed=3'"), HasSubstr("--dry-run")));
}

TEST_F(RunnerTest, StoresTheCurveOfTheTrainingAndTheNllOfItsCheckpoint) {
  SmallExperiment experiment;
  ASSERT_TRUE(Run(experiment).ok());
  const ResultsSnapshot snapshot = Read(experiment);
  EXPECT_EQ(snapshot.meta.at("continuo_version"), "1.2.3");
  ASSERT_EQ(snapshot.runs.size(), 1U);
  const RunRow& run = snapshot.runs[0];
  EXPECT_EQ(run.status, CellStatus::kDone);
  EXPECT_EQ(run.tokens, 100);
  EXPECT_EQ(run.seconds, 2);
  EXPECT_GT(run.parameters.value_or(0), 1000000);  // those of the model that the trainer copies
  ASSERT_EQ(run.curve.size(), 2U);
  EXPECT_EQ(run.curve[0].epoch, 1);
  EXPECT_EQ(run.curve[1].train_loss, 3);
  EXPECT_EQ(run.curve[1].valid.token, 2.5);
  const Summary* per_note = FindNamed(snapshot.sets[1].metrics, "valid_nll_note");
  ASSERT_NE(per_note, nullptr);
  EXPECT_EQ(run.curve[1].valid.note, per_note->mean);
  EXPECT_GT(per_note->mean, 0);
}

TEST_F(RunnerTest, StoresWhatWasMeasuredOfEachPiece) {
  SmallExperiment experiment;
  ASSERT_TRUE(Run(experiment).ok());
  const ResultsSnapshot snapshot = Read(experiment);
  ASSERT_EQ(snapshot.sets.size(), 3U);
  const SetRow& real = snapshot.sets[0];
  EXPECT_EQ(real.kind, SetKind::kReal);
  EXPECT_EQ(real.pieces.size(), 12U);
  EXPECT_TRUE(real.pieces[0].midi.empty());
  EXPECT_TRUE(std::isnan(real.pieces[0].nll.token));
  EXPECT_EQ(FindNamed(real.metrics, "nll_token"), nullptr);
  const auto searched = static_cast<size_t>(std::count_if(
      real.pieces.begin(), real.pieces.end(), [](const PieceRow& piece) { return piece.copied_notes.has_value(); }));
  EXPECT_GT(searched, 0U);
  EXPECT_LT(searched, real.pieces.size());  // songs of the training set are not compared with themselves

  const SetRow& grid = snapshot.sets[1];
  EXPECT_EQ(grid.kind, SetKind::kGrid);
  EXPECT_EQ(grid.run, 0U);
  ASSERT_EQ(grid.pieces.size(), 2U);
  EXPECT_TRUE(grid.distances.empty());  // of two pieces
  for (const PieceRow& piece : grid.pieces) {
    EXPECT_FALSE(piece.midi.empty());
    EXPECT_EQ(piece.bars, 2);
    EXPECT_EQ(piece.prompt_bars, 0);
    EXPECT_TRUE(piece.copied_notes.has_value());
    // One sum, divided by the tokens, the notes and the bars.
    const double total = piece.nll.bar * 2;
    EXPECT_NEAR(piece.nll.note * static_cast<double>(*piece.notes), total, 1e-9 * total);
    EXPECT_NEAR(piece.nll.token * static_cast<double>(*piece.tokens), total, 1e-9 * total);
    const double* h1 = FindNamed(piece.metrics, "H1");
    ASSERT_NE(h1, nullptr);
    EXPECT_GT(*h1, 0);
  }
  for (const MetricRow& metric : PieceMetrics()) {
    // Two bars are too short for SI_long, and for a return after four bars.
    if (!metric.name.starts_with("SI") && !metric.name.starts_with("recurrence")) {
      EXPECT_NE(FindNamed(grid.metrics, metric.name), nullptr) << metric.name;
    }
  }
  EXPECT_NE(FindNamed(grid.metrics, "distinct_runs"), nullptr);

  const SetRow& continuation = snapshot.sets[2];
  EXPECT_EQ(continuation.kind, SetKind::kContinuation);
  EXPECT_EQ(continuation.prompt, "prompt");
  ASSERT_EQ(continuation.pieces.size(), 1U);
  EXPECT_EQ(continuation.pieces[0].bars, 5);  // with the prompt's
  EXPECT_EQ(continuation.pieces[0].prompt_bars, 3);
  const double* new_bars = FindNamed(continuation.pieces[0].metrics, "bars");
  ASSERT_NE(new_bars, nullptr);
  EXPECT_EQ(*new_bars, 2);
}

TEST_F(RunnerTest, RecordsAFailedTrainingAndTriesItAgainTheNextTime) {
  SmallExperiment experiment;
  std::ofstream(experiment.failure()) << "x";
  const RunnerReport failed = Run(experiment).value();
  EXPECT_EQ(failed.failed, 1U);
  EXPECT_EQ(failed.done, 1U);  // real music
  EXPECT_EQ(failed.left, 2U);
  EXPECT_THAT(notes_, Contains(HasSubstr("training tiny pop failed")));
  const RunRow run = Read(experiment).runs[0];
  EXPECT_EQ(run.status, CellStatus::kFailed);
  EXPECT_THAT(run.error, HasSubstr("ended with 7: no luck"));
  fs::remove(experiment.failure());
  const RunnerReport again = Run(experiment).value();
  EXPECT_EQ(again.failed, 0U);
  EXPECT_EQ(again.done, 3U);
  EXPECT_EQ(Read(experiment).runs[0].error, "");
}

TEST_F(RunnerTest, APromptThatCannotBeContinuedLeavesTheOtherCellsAlone) {
  const TemporaryFolder folder;
  const auto tokenizer = Tokenizer::Load("remi").value();
  WriteRandomModel(SmallModel(Architecture::kGpt2, tokenizer->model_size(), 128), tokenizer->ToJson(),
                   folder.path() / "model");
  SmallExperiment experiment("", folder.path() / "model");
  const fs::path cases = CONTINUO_SOURCE_DIR "/testdata/cases";
  std::vector<PromptSpec>& prompts = experiment.spec().continuations.prompts;
  prompts.insert(prompts.begin(), {"waltz", (cases / "m3_4.mid").string()});
  prompts.push_back({"seven", (cases / "m7_8.mid").string()});
  prompts.push_back({"open", (cases / "lastoff.mid").string()});
  EXPECT_THAT(experiment.Inputs().prompt_notes,
              ElementsAre(AllOf(HasSubstr("tokenizer pop cannot continue the prompt waltz"), HasSubstr("3/4")),
                          AllOf(HasSubstr("prompt seven"), HasSubstr("7/8")), HasSubstr("4 notes without a note-off")));
  const RunnerReport report = Run(experiment).value();
  EXPECT_EQ(report.failed, 2U);
  EXPECT_EQ(report.done, 5U);  // a training, real music, a set of pieces, two continuations
  EXPECT_EQ(report.left, 0U);
  for (const SetRow& set : Read(experiment).sets) {
    const bool bad = set.prompt == "waltz" || set.prompt == "seven";
    EXPECT_EQ(set.status, bad ? CellStatus::kFailed : CellStatus::kDone) << set.prompt;
    EXPECT_EQ(set.pieces.empty(), bad) << set.prompt;
    EXPECT_THAT(set.error, bad ? HasSubstr(set.prompt == "waltz" ? "is in 3/4" : "is in 7/8") : HasSubstr(""));
  }
}

TEST_F(RunnerTest, SongsThatAreRepairedOrSkippedAreNoted) {
  SmallExperiment experiment;
  const TemporaryFolder songs;
  fs::copy(CONTINUO_SOURCE_DIR "/examples/corpus", songs.path());
  fs::copy(CONTINUO_SOURCE_DIR "/testdata/cases/lastoff.mid", songs.path());
  std::ofstream(songs.path() / "bad.mid") << "no music";
  experiment.spec().corpora[0].folder = songs.path().string();
  experiment.spec().corpora[0].songs = 0;
  EXPECT_EQ(Run(experiment)->failed, 0U);
  EXPECT_THAT(notes_, Contains(AllOf(HasSubstr("lastoff.mid"), HasSubstr("4 notes"))));
  EXPECT_THAT(notes_, Contains(AllOf(HasSubstr("skipped"), HasSubstr("bad.mid"))));
}

TEST_F(RunnerTest, StartsNothingAfterAStop) {
  SmallExperiment experiment;
  const RunnerReport report = Run(experiment, kAtOnce).value();
  EXPECT_TRUE(report.stopped);
  EXPECT_EQ(report.done, 0U);
  EXPECT_EQ(report.left, 3U);  // continuations are entered later
  EXPECT_EQ(experiment.Trainings(), 0U);
}

TEST_F(RunnerTest, LeavesACellToTheProcessThatHoldsItsLock) {
  SmallExperiment experiment;
  ASSERT_TRUE(Run(experiment, kAtOnce).ok());  // creates the folders
  const std::string run = MakePlan(experiment.spec(), experiment.Inputs()).runs[0].id;
  const std::optional<FileLock> lock = FileLock::Try(ExperimentFolder(experiment.folder()).lock(run)).value();
  ASSERT_TRUE(lock.has_value());
  const RunnerReport report = Run(experiment, std::chrono::seconds(2)).value();
  EXPECT_TRUE(report.stopped);  // it waited for the other process
  EXPECT_EQ(report.done, 1U);   // real music
  EXPECT_EQ(experiment.Trainings(), 0U);
  EXPECT_EQ(Read(experiment).runs[0].status, CellStatus::kRunning);
}

TEST_F(RunnerTest, AShardHasItsOwnTrainingsAndTheirPieces) {
  SmallExperiment experiment;
  experiment.spec().continuations.prompts.clear();
  experiment.spec().grid.seeds = {1, 2, 3};
  const RunnerReport report = Run(experiment, kNever, {.shard = 1, .shards = 2}).value();
  EXPECT_EQ(report.done, 3U);  // real music, a training, its pieces
  EXPECT_EQ(report.left, 4U);
  EXPECT_EQ(experiment.Trainings(), 1U);
  for (const RunRow& run : Read(experiment).runs) {
    EXPECT_EQ(run.status == CellStatus::kDone, run.seed == 2) << run.seed;
  }
}

TEST_F(RunnerTest, WritesTheSamePiecesWithAnyNumberOfWorkers) {
  SmallExperiment one;
  SmallExperiment three;
  ASSERT_TRUE(Run(one).ok());
  ASSERT_TRUE(Run(three, kNever, {.workers = 3, .threads = 3}).ok());
  const ResultsSnapshot a = Read(one);
  const ResultsSnapshot b = Read(three);
  ASSERT_EQ(a.sets.size(), b.sets.size());
  for (size_t set = 0; set < a.sets.size(); ++set) {
    EXPECT_EQ(a.sets[set].id, b.sets[set].id);
    ASSERT_EQ(a.sets[set].pieces.size(), b.sets[set].pieces.size());
    for (size_t piece = 0; piece < a.sets[set].pieces.size(); ++piece) {
      EXPECT_EQ(a.sets[set].pieces[piece].midi, b.sets[set].pieces[piece].midi);
      EXPECT_EQ(a.sets[set].pieces[piece].copied_notes, b.sets[set].pieces[piece].copied_notes);
    }
  }
}

TEST_F(RunnerTest, MeasuresNeitherCopiesNorStructureIfTheSpecSaysSo) {
  SmallExperiment experiment;
  experiment.spec().measure.copying = false;
  experiment.spec().measure.structure = false;
  ASSERT_TRUE(Run(experiment).ok());
  for (const SetRow& set : Read(experiment).sets) {
    EXPECT_EQ(FindNamed(set.metrics, "copied_notes"), nullptr);
    EXPECT_EQ(FindNamed(set.metrics, "SI_short"), nullptr);
    for (const PieceRow& piece : set.pieces) {
      EXPECT_EQ(piece.copied_notes, std::nullopt);
      EXPECT_TRUE(piece.scape.empty());
    }
  }
}

TEST_F(RunnerTest, ContinuesWithTheBestCheckpointOfATokenizer) {
  SmallExperiment experiment;
  experiment.spec().checkpoints = {1, 2};
  experiment.spec().continuations.checkpoints.clear();
  experiment.spec().continuations.best = "valid_nll_bar";
  EXPECT_EQ(ContinuationCount(experiment.spec()), 1U);
  ASSERT_TRUE(Run(experiment).ok());
  const ResultsSnapshot snapshot = Read(experiment);
  ASSERT_EQ(snapshot.sets.size(), 4U);
  EXPECT_EQ(snapshot.sets[3].kind, SetKind::kContinuation);
  EXPECT_EQ(snapshot.sets[3].status, CellStatus::kDone);
  EXPECT_EQ(snapshot.sets[3].epoch, 1);  // of two equal models the first
}

TEST_F(RunnerTest, ComparesSetsOfThreePiecesWithRealMusic) {
  SmallExperiment experiment;
  experiment.spec().generate.pieces = 3;
  experiment.spec().continuations.prompts.clear();
  ASSERT_TRUE(Run(experiment).ok());
  const SetRow grid = Read(experiment).sets[1];
  ASSERT_EQ(grid.distances.size(), 10U);
  for (const DistanceRow& distance : grid.distances) {
    EXPECT_GE(distance.overlap, 0) << distance.feature;
    EXPECT_LE(distance.overlap, 1 + 1e-9) << distance.feature;
  }
}

TEST_F(RunnerTest, TellsSetsOfTenPiecesFromRealMusicByAClassifier) {
  SmallExperiment experiment;
  experiment.spec().generate.pieces = 10;
  experiment.spec().continuations.prompts.clear();
  ASSERT_TRUE(Run(experiment).ok());
  const ResultsSnapshot snapshot = Read(experiment);
  EXPECT_EQ(FindNamed(snapshot.sets[0].metrics, "auc"), nullptr);  // real music
  for (const char* name : {"auc", "auc_without_form"}) {
    const Summary* auc = FindNamed(snapshot.sets[1].metrics, name);
    ASSERT_NE(auc, nullptr) << name;
    EXPECT_EQ(auc->count, 10);
    EXPECT_GT(auc->mean, 0.5);  // two bars of the model are not like etudes
    EXPECT_LE(auc->low, auc->mean);
    EXPECT_LE(auc->mean, auc->high);
    EXPECT_LE(auc->high, 1);
  }
  experiment.spec().generate.pieces = 9;
  ASSERT_TRUE(Run(experiment).ok());
  EXPECT_EQ(FindNamed(Read(experiment).sets[1].metrics, "auc"), nullptr);
}

TEST_F(RunnerTest, StoresPublishedValuesOfKnownMetrics) {
  SmallExperiment experiment;
  const TemporaryFolder folder;
  std::ofstream(folder.path() / "published.tsv") << "model\ttokenizer\tepoch\ttop_k\tH1\tGS\n"
                                                 << "tiny\tpop\t2\t5\t1.5\t0.75\ntiny\tpop\t1\t5\t\t0.5\n";
  experiment.spec().published = folder.path() / "published.tsv";
  ASSERT_TRUE(Run(experiment, kAtOnce).ok());
  const ResultsSnapshot snapshot = Read(experiment);
  ASSERT_EQ(snapshot.published.size(), 3U);  // no top_k, and nothing for the empty cell
  EXPECT_EQ(snapshot.published[0].metric, "GS");
  EXPECT_EQ(snapshot.published[0].value, 0.5);
  EXPECT_EQ(snapshot.published[2].metric, "H1");
  EXPECT_EQ(snapshot.published[2].epoch, 2);
}

TEST_F(RunnerTest, FailsBeforeItBeginsWithoutATrainerOrACheckpointOfTheGrid) {
  SmallExperiment experiment;
  experiment.spec().continuations.checkpoints[0].model = "other";
  EXPECT_THAT(Run(experiment).error().message, HasSubstr("the grid has no run of other with pop"));
  experiment.spec().continuations.checkpoints[0].model = "tiny";
  fs::remove(experiment.trainer());
  EXPECT_THAT(Run(experiment).error().message, HasSubstr("trainer"));
  EXPECT_FALSE(fs::exists(experiment.folder()));
}

}  // namespace
}  // namespace continuo
