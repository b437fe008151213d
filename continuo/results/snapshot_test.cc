#include "continuo/results/snapshot.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>

#include "continuo/results/results.h"
#include "continuo/results/results_testing.h"

namespace continuo {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(ReadSnapshot, FailsOnOtherFilesAndVersions) {
  ResultsFile file;
  file.Sql("UPDATE meta SET value = '99' WHERE key = 'schema_version'");
  const Result<ResultsSnapshot> data = ReadSnapshot(file.path());
  ASSERT_FALSE(data.ok());
  EXPECT_THAT(data.error().message, HasSubstr("version 99"));

  const TemporaryFolder folder;
  const fs::path text = folder.path() / "text.db";
  std::ofstream(text) << "not a database, whatever its name says";
  EXPECT_FALSE(ReadSnapshot(text).ok());
  EXPECT_FALSE(ReadSnapshot(folder.path() / "not-there.db").ok());
}

TEST(ReadSnapshot, LeavesOutDroppedCellsAndDanglingReferences) {
  ResultsFile file;
  file.Run("r", "m", "t");
  file.Set("kept", "r", 10, 0.8, 0.1);
  file.Set("old", "r", 20, 0.8, 0.1, 20, "dropped");
  file.Set("lost", "no such run", 30, 0.8, 0.1);
  file.Piece(1, "kept", 0);
  file.Piece(2, "old", 0);
  file.Sql("INSERT INTO votes(winner, loser, at) VALUES (1, 2, 'x'), (1, 77, 'y')");
  const ResultsSnapshot data = file.Read();
  ASSERT_EQ(data.sets.size(), 1u);
  EXPECT_EQ(data.sets[0].id, "kept");
  EXPECT_TRUE(data.votes.empty());
}

TEST(ReadSnapshot, ReadsWhatResultsWrites) {
  const TemporaryFolder folder;
  const fs::path path = folder.path() / "results.db";
  {
    Results results = Results::Create(path).value();
    const RunEntry run = {"r", "m", "t", "c", 7, R"({"width":64})", 3};
    SetEntry set;
    set.id = "s";
    set.kind = SetKind::kContinuation;
    set.run_id = "r";
    set.epoch = 2;
    set.setting = "default";
    set.sampling = R"({"window":"slide"})";
    set.prompt = "song";
    set.label = "m t";
    set.seed = 5;
    ASSERT_TRUE(results.Enter(std::span(&run, 1), std::span(&set, 1)).ok());
    ASSERT_TRUE(results.FinishRun("r", {.parameters = 10, .tokens = 20, .seconds = 1.5}).ok());
    SetOutcome outcome;
    outcome.pieces.resize(2);
    outcome.pieces[1] = {.number = 1,
                         .name = "piece-002",
                         .midi = {1, 2},
                         .bars = 12,
                         .prompt_bars = 4,
                         .notes = 100,
                         .tokens = 300,
                         .nll = {1, 2, 3},
                         .copied_notes = 9,
                         .copied_from = "song.mid",
                         .scape = {1, 0, 0, 0, 255},
                         .metrics = {{"GS", 0.5}, {"CPI", std::nan("")}, {"H1", 2}}};
    outcome.metrics = {{"GS", {.count = 2, .mean = 0.5, .deviation = 0.1, .low = 0.4, .high = 0.6}}};
    outcome.distances = {{"pitches_used", 0.9, 0.1}};
    ASSERT_TRUE(results.FinishSet("s", outcome).ok());
    ASSERT_TRUE(results.PutPublished({"m", "t", 100, "GS", 0.8}).ok());
  }
  const ResultsSnapshot snapshot = ReadSnapshot(path).value();
  ASSERT_EQ(snapshot.runs.size(), 1U);
  const RunRow& run = snapshot.runs[0];
  EXPECT_EQ(run.seed, 7);
  EXPECT_EQ(run.settings, R"({"width":64})");
  EXPECT_EQ(run.epochs, 3);
  EXPECT_EQ(run.parameters, 10);
  EXPECT_EQ(run.status, CellStatus::kDone);
  ASSERT_EQ(snapshot.sets.size(), 1U);
  const SetRow& set = snapshot.sets[0];
  EXPECT_EQ(set.kind, SetKind::kContinuation);
  EXPECT_EQ(set.status, CellStatus::kDone);
  EXPECT_EQ(set.run, 0U);
  EXPECT_EQ(set.epoch, 2);
  EXPECT_EQ(set.sampling, R"({"window":"slide"})");
  EXPECT_EQ(set.prompt, "song");
  ASSERT_EQ(set.pieces.size(), 2U);
  EXPECT_TRUE(set.pieces[0].midi.empty());
  EXPECT_EQ(set.pieces[0].bars, std::nullopt);
  EXPECT_TRUE(std::isnan(set.pieces[0].nll.token));
  const PieceRow& piece = set.pieces[1];
  EXPECT_EQ(piece.number, 1);
  EXPECT_THAT(piece.midi, ElementsAre(1, 2));
  EXPECT_EQ(piece.bars, 12);
  EXPECT_EQ(piece.prompt_bars, 4);
  EXPECT_EQ(piece.tokens, 300);
  EXPECT_EQ(piece.nll.bar, 3);
  EXPECT_EQ(piece.copied_from, "song.mid");
  EXPECT_THAT(piece.scape, ElementsAre(1, 0, 0, 0, 255));
  // In the order in which they were written, without those that are undefined.
  EXPECT_THAT(piece.metrics, ElementsAre(std::pair("GS", 0.5), std::pair("H1", 2)));
  ASSERT_NE(FindNamed(set.metrics, "GS"), nullptr);
  EXPECT_EQ(FindNamed(set.metrics, "GS")->high, 0.6);
  EXPECT_EQ(FindNamed(set.metrics, "H1"), nullptr);
  ASSERT_EQ(set.distances.size(), 1U);
  EXPECT_EQ(set.distances[0].feature, "pitches_used");
  EXPECT_EQ(set.distances[0].divergence, 0.1);
  ASSERT_EQ(snapshot.published.size(), 1U);
  EXPECT_EQ(snapshot.published[0].value, 0.8);
}

TEST(ReadSnapshot, NamesTheRowOfAnUnknownStatusOrKind) {
  ResultsFile file;
  file.Run("r", "m", "t");
  file.Set("s", "r", 10, 0.8, 0.1);
  file.Sql("UPDATE sets SET kind = 'grind'");
  EXPECT_THAT(ReadSnapshot(file.path()).error().message,
              HasSubstr("s: kind is 'grind', expected one of: real, grid, continuation"));
  file.Sql("UPDATE sets SET kind = 'grid'; UPDATE runs SET status = 'over'");
  EXPECT_THAT(ReadSnapshot(file.path()).error().message, HasSubstr("r: status is 'over'"));
}

TEST(MergeSnapshots, JoinsShardsByCellIdsAndPrefersCellsThatAreDone) {
  ResultsFile one;
  one.Run("r1", "m", "t");
  one.Set("a", "r1", 10, 0.8, 0.1);
  one.Set("b", "r1", 20, 0.5, 0.1, 20, "pending");
  one.Piece(1, "a", 0);
  ResultsFile two;
  two.Run("r2", "m", "u");
  two.Run("r1", "m", "t");
  two.Set("c", "r2", 10, 0.7, 0.1);
  two.Set("b", "r1", 20, 0.9, 0.1);
  two.Piece(1, "c", 0);
  two.Piece(2, "b", 0);
  two.Sql("INSERT INTO votes(winner, loser, at) VALUES (2, 1, 'x')");
  const std::vector<std::string> names = {"1", "2"};
  const Result<ResultsSnapshot> merged = MergeSnapshots({one.Read(), two.Read()}, names);
  ASSERT_TRUE(merged.ok());
  ASSERT_EQ(merged->sets.size(), 3u);
  EXPECT_EQ(merged->sets[1].id, "b");
  EXPECT_EQ(merged->sets[1].status, CellStatus::kDone);
  EXPECT_EQ(merged->runs[*merged->sets[1].run].id, "r1");
  EXPECT_EQ(merged->sets[2].id, "c");
  EXPECT_EQ(merged->runs[*merged->sets[2].run].id, "r2");
  ASSERT_EQ(merged->votes.size(), 1u);
  EXPECT_EQ(merged->votes[0].winner, (PiecePlace{1, 0}));
  EXPECT_EQ(merged->votes[0].loser, (PiecePlace{2, 0}));

  two.Sql("UPDATE meta SET value = 'another' WHERE key = 'spec_sha256'");
  EXPECT_FALSE(MergeSnapshots({one.Read(), two.Read()}, names).ok());
}

TEST(MergeSnapshots, DropsVotesOnPiecesThatAnotherShardReplaces) {
  ResultsFile one;
  one.Run("r", "m", "t");
  one.Set("a", "r", 10, 0.8, 0.1, 20, "pending");
  one.Piece(1, "a", 0);
  one.Piece(2, "a", 1);
  one.Sql("INSERT INTO votes(winner, loser, at) VALUES (1, 2, 'x')");
  ResultsFile two;
  two.Run("r", "m", "t");
  two.Set("a", "r", 10, 0.8, 0.1);
  two.Piece(1, "a", 0);
  const std::vector<std::string> names = {"1", "2"};
  EXPECT_TRUE(MergeSnapshots({one.Read(), two.Read()}, names)->votes.empty());
}

TEST(MergeSnapshots, KeepsTheLatestChoiceOfAPrompt) {
  ResultsFile one;
  one.Run("r", "m", "t");
  one.Set("a", "r", 10, 0.8, 0.1);
  one.Piece(1, "a", 0);
  one.Piece(2, "a", 1);
  ResultsFile two;
  two.Run("r", "m", "t");
  two.Set("a", "r", 10, 0.8, 0.1);
  two.Piece(1, "a", 0);
  two.Piece(2, "a", 1);
  one.Sql("INSERT INTO choices VALUES ('p', 1, 'early', '2026-01-01')");
  two.Sql("INSERT INTO choices VALUES ('p', 2, 'late', '2026-01-02')");
  const std::vector<std::string> names = {"1", "2"};
  for (const bool swapped : {false, true}) {
    const auto merged =
        swapped ? MergeSnapshots({two.Read(), one.Read()}, names) : MergeSnapshots({one.Read(), two.Read()}, names);
    ASSERT_EQ(merged->choices.size(), 1U);
    EXPECT_EQ(merged->choices[0].note, "late");
    EXPECT_EQ(merged->choices[0].piece, (PiecePlace{0, 1}));
  }
}

TEST(ScalarFields, KeepsNumbersTextsAndBooleansOnly) {
  EXPECT_THAT(ScalarFields(R"({"a": 1.5, "b": "x", "c": true, "d": [1], "e": {"f": 1}, "g": null})"),
              ElementsAre(std::pair("a", "1.5"), std::pair("b", "\"x\""), std::pair("c", "true")));
  EXPECT_TRUE(ScalarFields("[1]").empty());
  EXPECT_TRUE(ScalarFields("{").empty());
}

}  // namespace
}  // namespace continuo
