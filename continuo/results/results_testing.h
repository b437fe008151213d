#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <string>
#include <utility>

#include "continuo/core/check.h"
#include "continuo/os/temporary_folder_testing.h"
#include "continuo/results/database.h"
#include "continuo/results/schema.h"
#include "continuo/results/snapshot.h"

namespace continuo {

/// A results.db that a test fills by SQL.
class ResultsFile {
 public:
  ResultsFile() : path_(folder_.path() / "results.db") {
    database_ = std::make_unique<Database>(Database::Open(path_, Database::Mode::kCreate).value());
    Sql(std::string(ResultsSchema()));
    Sql("INSERT INTO meta VALUES ('schema_version', '1'), ('name', 'a test'), ('spec_sha256', 'abc')");
  }
  void Sql(const std::string& sql) {
    const Status status = database_->Execute(sql);
    ASSERT_TRUE(status.ok()) << status.error().message << " in " << sql;
  }
  void Run(const std::string& id, const std::string& model, const std::string& tokenizer,
           const std::string& settings = "{}") {
    Sql(fmt::format(
        "INSERT INTO runs(id, model, tokenizer, corpus, seed, settings, status) VALUES ('{}', '{}', '{}', 'c', 1, "
        "'{}', 'done')",
        id, model, tokenizer, settings));
  }
  void Set(const std::string& id, const std::string& run, int epoch, double gs, double deviation, int count = 20,
           const std::string& status = "done") {
    Sql(fmt::format(
        "INSERT INTO sets(id, kind, run, epoch, setting, sampling, label, seed, status) VALUES ('{0}', 'grid', "
        "'{1}', {2}, 'default', '{{\"top_k\": 5}}', '{1} epoch {2}', 1, '{3}')",
        id, run, epoch, status));
    Sql(fmt::format("INSERT INTO set_metrics VALUES ('{}', 'GS', {}, {}, {}, {}, {})", id, count, gs, deviation,
                    gs - 0.01, gs + 0.01));
  }
  void Piece(int id, const std::string& set, int number) {
    Sql(fmt::format("INSERT INTO pieces(id, set_id, number, name) VALUES ({}, '{}', {}, 'piece')", id, set, number));
  }
  const std::filesystem::path& path() const { return path_; }
  ResultsSnapshot Read() const {
    Result<ResultsSnapshot> snapshot = ReadSnapshot(path_);
    EXPECT_TRUE(snapshot.ok()) << (snapshot.ok() ? "" : snapshot.error().message);
    return snapshot.ok() ? *std::move(snapshot) : ResultsSnapshot();
  }

 private:
  TemporaryFolder folder_;
  std::filesystem::path path_;
  std::unique_ptr<Database> database_;
};

}  // namespace continuo
