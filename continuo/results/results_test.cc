#include "continuo/results/results.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>

#include "continuo/os/temporary_folder_testing.h"
#include "continuo/results/database.h"
#include "continuo/results/snapshot.h"

namespace continuo {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

/// An experiment of two runs with a set each, and one continuation of the first.
class ResultsTest : public testing::Test {
 protected:
  ResultsTest() {
    for (const char* name : {"run-a", "run-b"}) {
      runs_.push_back({name, "gpt2", name, "songs", 1, R"({"epochs": 10})", 10});
    }
    sets_ = {Set("real", SetKind::kReal, ""), Set("set-a", SetKind::kGrid, "run-a"),
             Set("set-b", SetKind::kGrid, "run-b")};
    continuations_ = {Set("next-a", SetKind::kContinuation, "run-a")};
    continuations_[0].prompt = "song_1";
  }

  static SetEntry Set(const std::string& id, SetKind kind, const std::string& run) {
    SetEntry set;
    set.id = id;
    set.kind = kind;
    set.run_id = run;
    set.label = id;
    if (!run.empty()) {
      set.epoch = 10;
      set.setting = "default";
    }
    return set;
  }

  static SetOutcome TwoPieces() {
    SetOutcome outcome;
    for (const double value : {1.0, 3.0}) {
      PieceRow piece;
      piece.name = "piece";
      piece.midi = {1, 2, 3};
      piece.metrics = {{"H1", value}, {"SI_short", std::nan("")}};
      outcome.pieces.push_back(piece);
    }
    outcome.metrics = {{"H1", {.count = 2, .mean = 2.0}}};
    outcome.seconds = 6;
    return outcome;
  }

  Results Create() {
    Results results = Results::Create(path()).value();
    CONTINUO_CHECK(results.Enter(runs_, sets_).ok() && results.EnterSets(continuations_).ok());
    return results;
  }
  fs::path path() const { return folder_.path() / "results.db"; }

  TemporaryFolder folder_;
  std::vector<RunEntry> runs_;
  std::vector<SetEntry> sets_;
  std::vector<SetEntry> continuations_;
};

TEST_F(ResultsTest, CellsThatAreDoneStayDoneWhenTheyAreEnteredAgain) {
  {
    Results results = Create();
    ASSERT_TRUE(results.FinishSet("set-a", TwoPieces()).ok());
    ASSERT_TRUE(results.SetStatus("run-a", CellStatus::kRunning).ok());
    ASSERT_TRUE(results.SetStatus("run-b", CellStatus::kFailed, "it went wrong").ok());
  }
  Results results = Create();
  const auto statuses = results.Statuses().value();
  EXPECT_EQ(statuses.at("set-a"), CellStatus::kDone);
  EXPECT_EQ(statuses.at("set-b"), CellStatus::kPending);
  EXPECT_EQ(statuses.at("run-a"), CellStatus::kPending);  // resumed; failed cells are tried again
  EXPECT_EQ(statuses.at("run-b"), CellStatus::kPending);
  EXPECT_EQ(results.SetMean("set-a", "H1").value(), 2.0);
}

TEST_F(ResultsTest, ADroppedCellReturnsWithItsResults) {
  Results results = Create();
  ASSERT_TRUE(results.FinishSet("set-b", TwoPieces()).ok());
  ASSERT_TRUE(results.Enter(runs_, std::span(sets_).first(2)).ok());
  EXPECT_FALSE(results.Statuses().value().contains("set-b"));
  ASSERT_TRUE(results.Enter(runs_, sets_).ok());
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

TEST_F(ResultsTest, AFileOfAnotherKindOrVersionIsAnError) {
  {
    Results results = Create();
    ASSERT_TRUE(results.PutMeta("schema_version", "2").ok());
  }
  EXPECT_THAT(Results::Open(path()).error().message, HasSubstr("schema version 2"));
  EXPECT_THAT(Results::Create(path()).error().message, HasSubstr("schema version 2"));
  std::ofstream(folder_.path() / "text.db") << std::string(4096, 'x');
  EXPECT_THAT(Results::Open(folder_.path() / "text.db").error().message, HasSubstr("not a database"));
  Database other = Database::Open(folder_.path() / "other.db", Database::Mode::kCreate).value();
  ASSERT_TRUE(other.Execute("CREATE TABLE songs(name TEXT)").ok());
  EXPECT_THAT(Results::Create(folder_.path() / "other.db").error().message, HasSubstr("is not a results.db"));
  EXPECT_THAT(Results::Open(folder_.path() / "none.db").error().message, HasSubstr("does not exist"));
}

TEST_F(ResultsTest, TakingTheSameChoicesAndVotesAgainChangesNothing) {
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

TEST_F(ResultsTest, AnIdNamesARunOrASetButNotBoth) {
  Results results = Create();
  sets_[1].id = "run-b";
  EXPECT_THAT(results.Enter(runs_, sets_).error().message, HasSubstr("id run-b names a run and a set"));
  EXPECT_TRUE(results.Statuses().value().contains("set-a"));  // nothing was changed
  EXPECT_TRUE(results.SetStatus("run-a", CellStatus::kRunning).ok());
  EXPECT_TRUE(results.SetStatus("set-a", CellStatus::kRunning).ok());
  EXPECT_THAT(results.SetStatus("nothing", CellStatus::kRunning).error().message, HasSubstr("have the id nothing"));
}

TEST_F(ResultsTest, ProgressCountsFromTheCurveAndKeepsErrors) {
  Results results = Create();
  ASSERT_TRUE(results.SetStatus("run-a", CellStatus::kRunning).ok());
  const std::vector<CurvePoint> curve = {
      {.step = 1, .epoch = 0.5, .train_loss = 4, .tokens_per_second = 100},
      {.step = 2, .epoch = 1.0, .train_loss = 3, .tokens_per_second = 300},
      {.step = 3, .epoch = 1.5, .valid = {.token = 2}},
  };
  ASSERT_TRUE(results.PutCurve("run-a", curve, 1000, 25).ok());
  ASSERT_TRUE(results.SetStatus("set-b", CellStatus::kFailed, "no room").ok());
  const RunProgress run = results.RunsProgress().value()[0];
  EXPECT_EQ(run.label, "gpt2 run-a");
  EXPECT_EQ(run.status, CellStatus::kRunning);
  EXPECT_EQ(run.epoch, 1.5);
  EXPECT_EQ(run.epochs, 10);
  EXPECT_EQ(run.loss, 3);  // of the latest update, not of the validation after it
  EXPECT_EQ(run.tokens_per_second, 200);
  EXPECT_EQ(run.seconds, 25);
  const std::vector<SetProgress> sets = results.SetsProgress().value();
  ASSERT_EQ(sets.size(), 4U);
  EXPECT_EQ(sets[2].error, "no room");
  EXPECT_EQ(sets[3].kind, SetKind::kContinuation);
}

TEST_F(ResultsTest, NllsOfACheckpointStayWhenItsCurveIsWrittenAgain) {
  Results results = Create();
  const std::vector<CurvePoint> curve = {{.step = 1, .epoch = 9}, {.step = 2, .epoch = 10}, {.step = 3, .epoch = 12}};
  ASSERT_TRUE(results.PutCurve("run-a", curve, 0, 0).ok());
  ASSERT_TRUE(results.PutCheckpointNll("run-a", 10.4, 1.5, 20.5).ok());
  ASSERT_TRUE(results.PutCurve("run-a", curve, 0, 0).ok());
  const ResultsSnapshot snapshot = ReadSnapshot(path()).value();
  ASSERT_EQ(snapshot.runs[0].curve.size(), 3U);
  EXPECT_EQ(snapshot.runs[0].curve[1].valid.note, 1.5);
  EXPECT_EQ(snapshot.runs[0].curve[1].valid.bar, 20.5);
  EXPECT_TRUE(std::isnan(snapshot.runs[0].curve[0].valid.note));
}

TEST_F(ResultsTest, MetricsOfACheckpointAreThoseOfASetThatIsDone) {
  Results results = Create();
  SetOutcome outcome = TwoPieces();
  outcome.metrics.emplace_back("valid_nll_note", Summary{.count = 3, .mean = 1.25});
  EXPECT_TRUE(results.CheckpointMetrics("run-a", 10, "valid_").value().empty());
  ASSERT_TRUE(results.FinishSet("set-a", outcome).ok());
  const auto metrics = results.CheckpointMetrics("run-a", 10, "valid_").value();
  ASSERT_EQ(metrics.size(), 1U);
  EXPECT_EQ(metrics[0].first, "valid_nll_note");
  EXPECT_EQ(metrics[0].second.count, 3);
  EXPECT_TRUE(results.CheckpointMetrics("run-a", 20, "valid_").value().empty());
}

TEST_F(ResultsTest, MetaIsEmptyUntilItIsPutAndKeepsTheLatestValue) {
  Results results = Create();
  EXPECT_EQ(results.Meta("title").value(), "");
  ASSERT_TRUE(results.PutMeta("title", "first").ok());
  ASSERT_TRUE(results.PutMeta("title", "second").ok());
  EXPECT_EQ(results.Meta("title").value(), "second");
}

TEST_F(ResultsTest, ACellThatIsNotDoneIsForgottenWithItsCurveWhenTheSpecDropsIt) {
  Results results = Create();
  const std::vector<CurvePoint> curve = {{.step = 1, .epoch = 1, .train_loss = 4}};
  ASSERT_TRUE(results.PutCurve("run-b", curve, 1, 1).ok());
  ASSERT_TRUE(results.Enter(std::span(runs_).first(1), std::span(sets_).first(2)).ok());
  EXPECT_EQ(ReadSnapshot(path())->runs.size(), 1U);
  ASSERT_TRUE(results.Enter(runs_, sets_).ok());
  const ResultsSnapshot snapshot = ReadSnapshot(path()).value();
  EXPECT_EQ(snapshot.runs[1].id, "run-b");
  EXPECT_TRUE(snapshot.runs[1].curve.empty());
}

TEST_F(ResultsTest, EnteringASetAgainUpdatesItsLabel) {
  Results results = Create();
  ASSERT_TRUE(results.FinishSet("set-a", TwoPieces()).ok());
  sets_[1].label = "a better label";
  ASSERT_TRUE(results.Enter(runs_, sets_).ok());
  const std::vector<SetProgress> sets = results.SetsProgress().value();
  const auto found = std::find_if(sets.begin(), sets.end(), [](const SetProgress& set) { return set.id == "set-a"; });
  ASSERT_NE(found, sets.end());
  EXPECT_EQ(found->label, "a better label");
  EXPECT_EQ(found->status, CellStatus::kDone);
}

TEST_F(ResultsTest, AFailedCellLosesItsErrorWhenItIsDone) {
  Results results = Create();
  ASSERT_TRUE(results.SetStatus("run-a", CellStatus::kFailed, "it went wrong").ok());
  ASSERT_TRUE(results.SetStatus("set-a", CellStatus::kFailed, "it went wrong too").ok());
  EXPECT_EQ(ReadSnapshot(path())->sets[1].error, "it went wrong too");
  ASSERT_TRUE(results.FinishRun("run-a", {.tokens = 5}).ok());
  ASSERT_TRUE(results.FinishSet("set-a", TwoPieces()).ok());
  const ResultsSnapshot snapshot = ReadSnapshot(path()).value();
  EXPECT_EQ(snapshot.runs[0].error, "");
  EXPECT_EQ(snapshot.runs[0].tokens, 5);
  EXPECT_EQ(snapshot.runs[0].parameters, std::nullopt);
  EXPECT_EQ(snapshot.sets[1].error, "");
}

TEST_F(ResultsTest, TheMeanOfAMetricThatWasNotMeasuredIsEmpty) {
  Results results = Create();
  ASSERT_TRUE(results.FinishSet("set-a", TwoPieces()).ok());
  EXPECT_EQ(results.SetMean("set-a", "GS").value(), std::nullopt);
  EXPECT_EQ(results.SetMean("set-b", "H1").value(), std::nullopt);
}

TEST_F(ResultsTest, APublishedValueReplacesTheOneOfTheSameCell) {
  Results results = Create();
  for (const double value : {0.7, 0.8}) {
    ASSERT_TRUE(results.PutPublished({"m", "t", 100, "GS", value}).ok());
  }
  ASSERT_TRUE(results.PutPublished({"m", "t", 90, "GS", 0.6}).ok());
  const ResultsSnapshot snapshot = ReadSnapshot(path()).value();
  ASSERT_EQ(snapshot.published.size(), 2U);
  EXPECT_EQ(snapshot.published[0].epoch, 90);
  EXPECT_EQ(snapshot.published[1].value, 0.8);
}

TEST_F(ResultsTest, IfOneChoiceIsWrongNoneIsTaken) {
  Results results = Create();
  ASSERT_TRUE(results.FinishSet("next-a", TwoPieces()).ok());
  const auto error = [&results](const std::string& json) {
    return results.TakeChoices(json, "c.json").error().message;
  };
  const std::string good = R"({"prompt": "song_1", "set": "next-a", "number": 0})";
  EXPECT_THAT(error("[]"), HasSubstr("is not a JSON object"));
  EXPECT_THAT(error(R"({"picks": []})"), HasSubstr("unknown key 'picks'"));
  EXPECT_THAT(error(R"({"choices": 3})"), HasSubstr("expected a list"));
  EXPECT_THAT(error(R"({"choices": [)" + good + R"(, {"prompt": "song_1", "set": "next-a", "number": 7}]})"),
              HasSubstr("choices[1]: set next-a has no piece 7"));
  EXPECT_THAT(error(R"({"choices": [{"prompt": "song_2", "set": "next-a", "number": 0}]})"),
              HasSubstr("not a continuation of prompt 'song_2'"));
  EXPECT_THAT(
      error(R"({"votes": [{"winner": {"set": "next-a", "number": 0}, "loser": {"set": "next-a", "number": 0}}]})"),
      HasSubstr("the same piece"));
  Database database = Database::Open(path(), Database::Mode::kRead).value();
  Statement count = database.Prepare("SELECT count(*) FROM choices").value();
  ASSERT_TRUE(count.Step().value());
  EXPECT_EQ(count.Integer(0), 0);
}

TEST_F(ResultsTest, TheTableHasOneLinePerSetWithItsMetrics) {
  Results results = Create();
  ASSERT_TRUE(results.FinishSet("set-a", TwoPieces()).ok());
  EXPECT_EQ(results.ToTsv().value(),
            "kind\tmodel\ttokenizer\tepoch\tsetting\tprompt\tseed\tlabel\tpieces\tH1\tH1_std\tH1_low\tH1_high\n"
            "grid\tgpt2\trun-a\t10\tdefault\t\t1\tset-a\t2\t2\t\t\t\n");
}

}  // namespace
}  // namespace continuo
