#include "continuo/experiment/results.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>

#include "continuo/experiment/progress.h"
#include "continuo/os/file.h"
#include "continuo/os/temporary_folder_testing.h"

namespace continuo {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

/// An experiment of two runs with a set each, and one continuation of the first.
class ResultsTest : public testing::Test {
 protected:
  ResultsTest() {
    spec_.samplings = {{"default", {}}};
    for (const char* name : {"run-a", "run-b"}) {
      RunCell run;
      run.id = name;
      run.model = "gpt2";
      run.tokenizer = name;
      run.corpus = "songs";
      run.settings = {{"epochs", 10}};
      plan_.runs.push_back(run);
    }
    plan_.sets = {Set("real", "real", {}), Set("set-a", "grid", 0), Set("set-b", "grid", 1)};
    continuations_ = {Set("next-a", "continuation", 0)};
    continuations_[0].prompt = "song_1";
  }

  static SetCell Set(const std::string& id, const std::string& kind, std::optional<size_t> run) {
    SetCell set;
    set.id = id;
    set.kind = kind;
    set.run = run;
    set.epoch = 10;
    set.setting = "default";
    set.label = id;
    return set;
  }

  static SetResult TwoPieces() {
    SetResult result;
    for (const double value : {1.0, 3.0}) {
      PieceResult piece;
      piece.name = "piece";
      piece.midi = {1, 2, 3};
      piece.metrics = {{"H1", value}, {"SI_short", std::nan("")}};
      result.pieces.push_back(piece);
    }
    result.metrics = {{"H1", {.count = 2, .mean = 2.0}}};
    result.seconds = 6;
    return result;
  }

  Results Create() {
    Results results = Results::Create(path()).value();
    CONTINUO_CHECK(results.Enter(spec_, plan_).ok() && results.EnterSets(spec_, plan_, continuations_).ok());
    return results;
  }
  fs::path path() const { return folder_.path() / "results.db"; }

  TemporaryFolder folder_;
  ExperimentSpec spec_;
  ExperimentPlan plan_;
  std::vector<SetCell> continuations_;
};

TEST_F(ResultsTest, WhatIsDoneStaysDoneWhateverIsEnteredAgain) {
  {
    Results results = Create();
    ASSERT_TRUE(results.FinishSet("set-a", TwoPieces()).ok());
    ASSERT_TRUE(results.SetRunStatus("run-a", CellStatus::kRunning).ok());
    ASSERT_TRUE(results.SetRunStatus("run-b", CellStatus::kFailed, "it went wrong").ok());
  }
  Results results = Create();
  const auto statuses = results.Statuses().value();
  EXPECT_EQ(statuses.at("set-a"), CellStatus::kDone);
  EXPECT_EQ(statuses.at("set-b"), CellStatus::kPending);
  EXPECT_EQ(statuses.at("run-a"), CellStatus::kPending);  // begun is to be gone on with, and what failed tried again
  EXPECT_EQ(statuses.at("run-b"), CellStatus::kPending);
  EXPECT_EQ(results.SetMean("set-a", "H1").value(), 2.0);
}

TEST_F(ResultsTest, ACellThatTheSpecDropsComesBackWithIt) {
  Results results = Create();
  ASSERT_TRUE(results.FinishSet("set-b", TwoPieces()).ok());
  ExperimentPlan less = plan_;
  less.sets.pop_back();
  ASSERT_TRUE(results.Enter(spec_, less).ok());
  EXPECT_FALSE(results.Statuses().value().contains("set-b"));
  ASSERT_TRUE(results.Enter(spec_, plan_).ok());
  EXPECT_EQ(results.Statuses().value().at("set-b"), CellStatus::kDone);
  EXPECT_EQ(results.SetMean("set-b", "H1").value(), 2.0);
}

TEST_F(ResultsTest, ASetThatIsFinishedAgainReplacesItsPieces) {
  Results results = Create();
  ASSERT_TRUE(results.FinishSet("set-a", TwoPieces()).ok());
  ASSERT_TRUE(results.FinishSet("set-a", TwoPieces()).ok());
  Database database = Database::Open(path(), Database::Mode::kRead).value();
  Statement count = database
                        .Prepare(
                            "SELECT (SELECT count(*) FROM pieces), (SELECT count(*) FROM piece_metrics), "
                            "(SELECT count(*) FROM piece_metrics WHERE value IS NULL)")
                        .value();
  ASSERT_TRUE(count.Step().value());
  EXPECT_EQ(count.Integer(0), 2);
  EXPECT_EQ(count.Integer(1), 4);
  EXPECT_EQ(count.Integer(2), 2);
}

TEST_F(ResultsTest, AFileOfAnotherKindOrVersionIsRefused) {
  {
    Results results = Create();
    ASSERT_TRUE(results.PutMeta("schema_version", "2").ok());
  }
  EXPECT_THAT(Results::Open(path()).error().message, HasSubstr("is of version 2"));
  EXPECT_THAT(Results::Create(path()).error().message, HasSubstr("is of version 2"));
  std::ofstream(folder_.path() / "text.db") << std::string(4096, 'x');
  EXPECT_THAT(Results::Open(folder_.path() / "text.db").error().message, HasSubstr("not a database"));
  Database other = Database::Open(folder_.path() / "other.db", Database::Mode::kCreate).value();
  ASSERT_TRUE(other.Execute("CREATE TABLE songs(name TEXT)").ok());
  EXPECT_THAT(Results::Create(folder_.path() / "other.db").error().message, HasSubstr("is no results.db"));
  EXPECT_THAT(Results::Open(folder_.path() / "none.db").error().message, HasSubstr("is not there"));
}

TEST_F(ResultsTest, ChoicesAndVotesAreTakenInOnce) {
  Results results = Create();
  ASSERT_TRUE(results.FinishSet("next-a", TwoPieces()).ok());
  const std::string json =
      R"({"choices": [{"prompt": "song_1", "set": "next-a", "number": 1, "note": "it sings", "at": "t"}],
      "votes": [{"winner": {"set": "next-a", "number": 1}, "loser": {"set": "next-a", "number": 0}, "at": "t"}]})";
  for (int times = 0; times < 2; ++times) {
    const auto taken = results.TakeChoices(json, "choices.json");
    ASSERT_TRUE(taken.ok()) << taken.error().ToString();
    EXPECT_EQ(taken->choices, 1u);
    EXPECT_EQ(taken->votes, 1u);
  }
  Database database = Database::Open(path(), Database::Mode::kRead).value();
  Statement rows = database
                       .Prepare(
                           "SELECT c.note, p.number, (SELECT count(*) FROM votes) FROM choices c JOIN pieces p ON "
                           "p.id = c.piece")
                       .value();
  ASSERT_TRUE(rows.Step().value());
  EXPECT_EQ(rows.Text(0), "it sings");
  EXPECT_EQ(rows.Integer(1), 1);
  EXPECT_EQ(rows.Integer(2), 1);
}

TEST_F(ResultsTest, OfBadChoicesNothingIsTaken) {
  Results results = Create();
  ASSERT_TRUE(results.FinishSet("next-a", TwoPieces()).ok());
  const auto error = [&results](const std::string& json) {
    return results.TakeChoices(json, "c.json").error().message;
  };
  const std::string good = R"({"prompt": "song_1", "set": "next-a", "number": 0})";
  EXPECT_THAT(error("[]"), HasSubstr("is no JSON object"));
  EXPECT_THAT(error(R"({"picks": []})"), HasSubstr("unknown key 'picks'"));
  EXPECT_THAT(error(R"({"choices": 3})"), HasSubstr("expected a list"));
  EXPECT_THAT(error(R"({"choices": [)" + good + R"(, {"prompt": "song_1", "set": "next-a", "number": 7}]})"),
              HasSubstr("choices[1]: there is no piece 7"));
  EXPECT_THAT(error(R"({"choices": [{"prompt": "song_2", "set": "next-a", "number": 0}]})"),
              HasSubstr("no continuation of prompt 'song_2'"));
  EXPECT_THAT(
      error(R"({"votes": [{"winner": {"set": "next-a", "number": 0}, "loser": {"set": "next-a", "number": 0}}]})"),
      HasSubstr("the same piece"));
  Database database = Database::Open(path(), Database::Mode::kRead).value();
  Statement count = database.Prepare("SELECT count(*) FROM choices").value();
  ASSERT_TRUE(count.Step().value());
  EXPECT_EQ(count.Integer(0), 0);
}

TEST_F(ResultsTest, TimeLeftIsThatOfBegunTrainingsAndOfSetsOfAKind) {
  Results results = Create();
  ASSERT_TRUE(results.FinishRun("run-a", {.parameters = 1, .tokens = 1, .seconds = 100}).ok());
  ASSERT_TRUE(results.SetRunStatus("run-b", CellStatus::kRunning).ok());
  ASSERT_TRUE(results.PutCurve("run-b", {{.step = 5, .epoch = 2.5, .train_loss = 3}}, 1000, 25).ok());
  ASSERT_TRUE(results.FinishSet("set-a", TwoPieces()).ok());
  ASSERT_TRUE(results.FinishSet("next-a", TwoPieces()).ok());
  const ExperimentProgress progress = ReadProgress(results).value();
  // Three quarters of a training of 100 s, and a grid set of 6 s.
  EXPECT_NEAR(progress.seconds_left, 75 + 6, 1e-9);
}

TEST_F(ResultsTest, TheTableHasALineASetAndItsMetrics) {
  Results results = Create();
  ASSERT_TRUE(results.FinishSet("set-a", TwoPieces()).ok());
  EXPECT_EQ(results.ToTsv().value(),
            "kind\tmodel\ttokenizer\tepoch\tsetting\tprompt\tseed\tlabel\tpieces\tH1\tH1_std\tH1_low\tH1_high\n"
            "grid\tgpt2\trun-a\t10\tdefault\t\t1\tset-a\t2\t2\t\t\t\n");
}

TEST(PackScapeTest, LengthsComeInOrderAndFitnessInBytes) {
  ScapePlot scape;
  scape.frames = 3;
  scape.min_length = 2;
  scape.max_length = 3;
  scape.fitness = {0.5, 1.0, 0, 0.2, 0, 0};
  EXPECT_EQ(PackScape(scape), (std::vector<uint8_t>{3, 0, 0, 0, 0, 0, 0, 128, 255, 51}));
}

}  // namespace
}  // namespace continuo
