#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "continuo/os/temporary_folder_testing.h"
#include "continuo/results/results.h"
#include "continuo/results/results_testing.h"

namespace continuo {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

/// A set of the run r that an experiment waits for.
SetEntry Waiting(const std::string& id) {
  SetEntry set;
  set.id = id;
  set.run_id = "r";
  return set;
}

TEST(Merge, TakesTheCellsThatAreDoneThereAndNotHere) {
  TemporaryFolder folder;
  ResultsFile source;
  source.Run("r", "m", "t");
  source.Set("a", "r", 10, 0.5, 0.1);
  source.Set("b", "r", 20, 0.6, 0.1);
  source.Set("open", "r", 30, 0.6, 0.1, 20, "running");
  source.Piece(7, "a", 0);
  source.Piece(5, "b", 0);
  source.Sql("INSERT INTO piece_metrics VALUES (7, 'GS', 0.25), (5, 'GS', 0.75)");
  source.Sql("INSERT INTO curve(run, step, epoch) VALUES ('r', 1, 0.5)");
  source.Sql("INSERT INTO distances VALUES ('a', 'pitch', 0.9, 0.1)");

  // Here the experiment waits for all of them, and has found another value of b.
  const auto path = folder.path() / "results.db";
  Results target = Results::Create(path).value();
  ASSERT_TRUE(target.PutMeta("spec", "here").ok());
  ASSERT_TRUE(target
                  .Enter(std::vector{RunEntry{"r", "m", "t", "c", 1, "{}", 2}},
                         std::vector{Waiting("z"), Waiting("a"), Waiting("b")})
                  .ok());
  SetOutcome own;
  own.metrics.emplace_back("GS", Summary{.count = 1, .mean = 0.1});
  ASSERT_TRUE(target.FinishSet("b", own).ok());

  const Results::Merged merged = target.Merge(source.path()).value();
  EXPECT_EQ(merged.runs, 1U);
  EXPECT_EQ(merged.sets, 1U);
  const ResultsSnapshot snapshot = ReadSnapshot(path).value();
  EXPECT_EQ(snapshot.meta.at("spec"), "here");
  EXPECT_EQ(snapshot.runs.at(0).status, CellStatus::kDone);
  EXPECT_EQ(snapshot.runs.at(0).curve.size(), 1U);
  ASSERT_EQ(snapshot.sets.size(), 3U);
  EXPECT_EQ(snapshot.sets[0].id, "z");  // the order is that of the experiment here
  EXPECT_EQ(snapshot.sets[0].status, CellStatus::kPending);
  EXPECT_EQ(snapshot.sets[1].status, CellStatus::kDone);
  EXPECT_EQ(FindNamed(snapshot.sets[1].metrics, "GS")->mean, 0.5);
  EXPECT_EQ(snapshot.sets[1].distances.size(), 1U);
  EXPECT_EQ(*FindNamed(snapshot.sets[1].pieces.at(0).metrics, "GS"), 0.25);
  EXPECT_EQ(FindNamed(snapshot.sets[2].metrics, "GS")->mean, 0.1);
  EXPECT_EQ(target.Merge(source.path())->sets, 0U);
}

TEST(Merge, MakesASmallFileThatAnExperimentGoesOnFrom) {
  TemporaryFolder folder;
  ResultsFile source;
  source.Run("r", "m", "t");
  source.Set("a", "r", 10, 0.5, 0.1);
  source.Set("b", "r", 20, 0.6, 0.1);
  source.Sql("UPDATE sets SET kind = 'continuation' WHERE id = 'b'");
  source.Sql("INSERT INTO meta VALUES ('spec', 'there')");
  for (int piece = 0; piece < 5; ++piece) {
    for (const char* set : {"a", "b"}) {
      source.Sql(
          fmt::format("INSERT INTO pieces(id, set_id, number, name, midi, scape) VALUES ({}, '{}', {}, 'p', "
                      "zeroblob(1000), zeroblob(50000))",
                      2 * piece + (*set == 'b' ? 1 : 0), set, piece));
    }
    source.Sql(fmt::format("INSERT INTO piece_metrics VALUES ({}, 'SI_mid', {})", 2 * piece, piece == 3 ? 0.2 : piece));
  }
  const auto path = folder.path() / "results.db";
  Results target = Results::Create(path).value();
  EXPECT_EQ(target.Merge(source.path(), 1)->sets, 2U);
  ASSERT_TRUE(target.Shrink().ok());
  EXPECT_LT(fs::file_size(path), 5 * 50000U);
  const ResultsSnapshot snapshot = ReadSnapshot(path).value();
  EXPECT_EQ(snapshot.meta.at("spec"), "there");
  // SI_mid is 0, 1, 2, 0.2 and 4: the median piece is number 1. Number 0 can be played.
  const std::vector<PieceRow>& pieces = snapshot.sets.at(0).pieces;
  for (size_t piece = 0; piece < 5; ++piece) {
    EXPECT_EQ(pieces[piece].midi.empty(), piece > 1) << piece;
    EXPECT_EQ(pieces[piece].scape.empty(), piece != 1) << piece;
    EXPECT_FALSE(snapshot.sets[1].pieces[piece].midi.empty()) << piece;
  }
  // What was taken counts as done for the experiment.
  ASSERT_TRUE(target.Enter(std::vector{RunEntry{"r", "m", "t", "c", 1, "{}", 2}}, std::vector{Waiting("a")}).ok());
  const ResultsSnapshot after = ReadSnapshot(path).value();
  EXPECT_EQ(after.sets.at(0).status, CellStatus::kDone);
}

TEST(Merge, RefusesAFileThatIsNoResults) {
  TemporaryFolder folder;
  Results target = Results::Create(folder.path() / "results.db").value();
  std::ofstream(folder.path() / "text.db") << "not a database, not at all, however long it may be";
  EXPECT_FALSE(target.Merge(folder.path() / "text.db").ok());
  Database::Open(folder.path() / "other.db", Database::Mode::kCreate)->Execute("CREATE TABLE x(y)").ok();
  EXPECT_THAT(target.Merge(folder.path() / "other.db").error().message, HasSubstr("is not a results.db"));
}

}  // namespace
}  // namespace continuo
