#include "continuo/results/database.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>

#include "continuo/os/temporary_folder_testing.h"

namespace continuo {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class DatabaseTest : public testing::Test {
 protected:
  DatabaseTest() : database_(Database::Open(path(), Database::Mode::kCreate).value()) {
    CONTINUO_CHECK(database_.Execute("CREATE TABLE t(a, b, c, d, e)").ok());
  }
  std::filesystem::path path() const { return folder_.path() / "t.db"; }
  int64_t Count() {
    int64_t count = -1;
    EXPECT_TRUE(
        database_.ForEachRow("SELECT count(*) FROM t", [&](const Statement& row) { count = row.Integer(0); }).ok());
    return count;
  }

  TemporaryFolder folder_;
  Database database_;
};

TEST_F(DatabaseTest, ReadsEveryTypeAsItWasBound) {
  const std::string text("a\0b \xc3\xa9", 6);
  const std::vector<uint8_t> bytes = {0, 255, 7};
  Statement insert = database_.Prepare("INSERT INTO t VALUES (?, ?, ?, ?, ?)").value();
  insert.Bind(0, INT64_MIN).Bind(1, 0.1).Bind(2, text).BindBlob(3, bytes).BindNull(4);
  ASSERT_TRUE(insert.Run().ok());
  EXPECT_EQ(database_.changed_rows(), 1);
  Statement row = database_.Prepare("SELECT * FROM t").value();
  ASSERT_TRUE(row.Step().value());
  EXPECT_EQ(row.Integer(0), INT64_MIN);
  EXPECT_EQ(row.Real(1), 0.1);
  EXPECT_EQ(row.Text(2), text);
  EXPECT_EQ(row.Blob(3), bytes);
  EXPECT_TRUE(row.IsNull(4));
  EXPECT_FALSE(row.Step().value());
}

TEST_F(DatabaseTest, NumbersAndTextsThatAreNotThereAreNull) {
  Statement insert = database_.Prepare("INSERT INTO t VALUES (?, ?, ?, ?, ?)").value();
  insert.Bind(0, std::nan(""))
      .Bind(1, std::optional<int64_t>())
      .BindTextOrNull(2, "")
      .Bind(3, std::optional<int64_t>(4));
  ASSERT_TRUE(insert.Run().ok());
  Statement row = database_.Prepare("SELECT * FROM t").value();
  ASSERT_TRUE(row.Step().value());
  EXPECT_TRUE(row.IsNull(0) && row.IsNull(1) && row.IsNull(2));
  EXPECT_TRUE(std::isnan(row.Real(0)));
  EXPECT_EQ(row.MaybeInteger(1), std::nullopt);
  EXPECT_EQ(row.MaybeInteger(3), 4);
  EXPECT_EQ(row.Text(2), "");
  EXPECT_TRUE(row.Blob(2).empty());
}

TEST_F(DatabaseTest, AStatementKeepsItsParametersWhenItRunsAgain) {
  Statement insert = database_.Prepare("INSERT INTO t(a, b) VALUES (?, ?)").value();
  insert.Bind(0, int64_t{1}).Bind(1, int64_t{2});
  ASSERT_TRUE(insert.Run().ok());
  ASSERT_TRUE(insert.Bind(1, int64_t{3}).Run().ok());
  std::vector<int64_t> numbers;
  ASSERT_TRUE(database_
                  .ForEachRow("SELECT a, b FROM t ORDER BY rowid",
                              [&](const Statement& row) {
                                numbers.push_back(row.Integer(0));
                                numbers.push_back(row.Integer(1));
                              })
                  .ok());
  EXPECT_THAT(numbers, ElementsAre(1, 2, 1, 3));
  EXPECT_EQ(database_.last_row_id(), 2);
}

TEST_F(DatabaseTest, ForEachRowEndsWithTheFirstError) {
  ASSERT_TRUE(database_.Execute("INSERT INTO t(a) VALUES (1), (2), (3)").ok());
  int visited = 0;
  const Status status = database_.ForEachRow("SELECT a FROM t ORDER BY a", [&](const Statement& row) -> Status {
    ++visited;
    return row.Integer(0) == 2 ? Status(MakeError("two")) : Status();
  });
  EXPECT_EQ(status.error().message, "two");
  EXPECT_EQ(visited, 2);
}

TEST_F(DatabaseTest, ATransactionWithoutCommitChangesNothing) {
  {
    const Transaction transaction = Transaction::Begin(database_).value();
    ASSERT_TRUE(database_.Execute("INSERT INTO t(a) VALUES (1)").ok());
    EXPECT_EQ(Count(), 1);
  }
  EXPECT_EQ(Count(), 0);
  Transaction transaction = Transaction::Begin(database_).value();
  ASSERT_TRUE(database_.Execute("INSERT INTO t(a) VALUES (1)").ok());
  ASSERT_TRUE(transaction.Commit().ok());
  EXPECT_EQ(Count(), 1);
}

TEST_F(DatabaseTest, ErrorsNameTheFile) {
  EXPECT_THAT(database_.Execute("INSERT INTO missing VALUES (1)").error().message, HasSubstr("t.db: no such table"));
  EXPECT_THAT(database_.Prepare("SELEKT").error().message, HasSubstr("t.db: "));
  EXPECT_THAT(Database::Open(folder_.path() / "none.db", Database::Mode::kRead).error().message,
              HasSubstr("none.db: cannot open"));
  std::ofstream(folder_.path() / "text.db") << std::string(4096, 'x');
  EXPECT_THAT(Database::Open(folder_.path() / "text.db", Database::Mode::kWrite).error().message,
              HasSubstr("text.db: file is not a database"));
}

TEST_F(DatabaseTest, AReaderCannotWrite) {
  Database reader = Database::Open(path(), Database::Mode::kRead).value();
  EXPECT_THAT(reader.Execute("INSERT INTO t(a) VALUES (1)").error().message, HasSubstr("readonly"));
  EXPECT_EQ(Count(), 0);
}

}  // namespace
}  // namespace continuo
