#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "continuo/core/result.h"

struct sqlite3;
struct sqlite3_stmt;

namespace continuo {

/// A prepared SQL statement. Parameters and columns count from 0. A Bind can fail only through a
/// bug: an index out of range.
class Statement {
 public:
  Statement(Statement&&) noexcept = default;
  Statement& operator=(Statement&&) noexcept = default;

  Statement& Bind(int parameter, int64_t value);
  /// NaN is stored as NULL.
  Statement& Bind(int parameter, double value);
  Statement& Bind(int parameter, std::string_view text);
  /// Empty is stored as NULL.
  Statement& Bind(int parameter, const std::optional<int64_t>& value);
  Statement& BindTextOrNull(int parameter, std::string_view text);
  Statement& BindBlob(int parameter, std::span<const uint8_t> bytes);
  Statement& BindNull(int parameter);

  /// True when there is a row to read, false at the end.
  Result<bool> Step();
  /// Calls `visit(const Statement& row)` with each row, up to the first Error that it returns; it
  /// may return nothing.
  template <typename Visit>
  Status ForEachRow(const Visit& visit);
  /// Makes the statement ready to run again. Its parameters stay bound.
  void Reset();
  /// Runs a statement that returns no rows, then resets it.
  Status Run();

  bool IsNull(int column) const;
  int64_t Integer(int column) const;
  /// Empty where the column is NULL.
  std::optional<int64_t> MaybeInteger(int column) const;
  /// NaN where the column is NULL.
  double Real(int column) const;
  std::string Text(int column) const;
  std::vector<uint8_t> Blob(int column) const;

 private:
  friend class Database;
  struct Closer {
    void operator()(sqlite3_stmt* statement) const;
  };
  Statement(sqlite3* database, std::string path, sqlite3_stmt* statement)
      : database_(database), path_(std::move(path)), statement_(statement) {}

  sqlite3* database_;
  std::string path_;
  std::unique_ptr<sqlite3_stmt, Closer> statement_;
};

/// An SQLite file. Errors give the path and SQLite's message. One thread at a time may use an
/// object. Several objects, in any processes, may have one file open; they wait for each other for
/// up to half a minute.
class Database {
 public:
  enum class Mode { kRead, kWrite, kCreate };
  static Result<Database> Open(const std::filesystem::path& path, Mode mode);

  /// Runs one or more statements that return no rows.
  Status Execute(std::string_view sql);
  Result<Statement> Prepare(std::string_view sql);
  /// Prepares a query without parameters and visits its rows: Statement::ForEachRow.
  template <typename Visit>
  Status ForEachRow(std::string_view sql, const Visit& visit);
  int64_t last_row_id() const;
  /// Rows that the latest INSERT, UPDATE or DELETE changed.
  int64_t changed_rows() const;
  const std::string& path() const { return path_; }

 private:
  struct Closer {
    void operator()(sqlite3* database) const;
  };
  Database(std::string path, sqlite3* database) : path_(std::move(path)), database_(database) {}

  std::string path_;
  std::unique_ptr<sqlite3, Closer> database_;
};

/// What is written between Begin and Commit is stored as a whole or, if there is no Commit, not at
/// all.
class Transaction {
 public:
  static Result<Transaction> Begin(Database& database);
  Transaction(Transaction&& other) noexcept : database_(other.database_) { other.database_ = nullptr; }
  Transaction& operator=(Transaction&&) = delete;
  ~Transaction();
  Status Commit();

 private:
  explicit Transaction(Database& database) : database_(&database) {}
  Database* database_;
};

template <typename Visit>
Status Statement::ForEachRow(const Visit& visit) {
  for (;;) {
    CONTINUO_ASSIGN(const bool row, Step());
    if (!row) {
      return {};
    }
    if constexpr (std::is_void_v<std::invoke_result_t<Visit, const Statement&>>) {
      visit(std::as_const(*this));
    } else {
      CONTINUO_TRY(visit(std::as_const(*this)));
    }
  }
}

template <typename Visit>
Status Database::ForEachRow(std::string_view sql, const Visit& visit) {
  CONTINUO_ASSIGN(Statement rows, Prepare(sql));
  return rows.ForEachRow(visit);
}

}  // namespace continuo
