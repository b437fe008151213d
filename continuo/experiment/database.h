#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "continuo/core/result.h"

struct sqlite3;
struct sqlite3_stmt;

namespace continuo {

/// A prepared SQL statement. Parameters and columns count from 0. A Bind that fails is a bug (an index out of range).
class Statement {
 public:
  Statement(Statement&&) noexcept = default;
  Statement& operator=(Statement&&) noexcept = default;

  Statement& Bind(int parameter, int64_t value);
  /// NaN is stored as NULL.
  Statement& Bind(int parameter, double value);
  Statement& Bind(int parameter, std::string_view text);
  Statement& BindBlob(int parameter, std::span<const uint8_t> bytes);
  Statement& BindNull(int parameter);

  /// True when there is a row to read, false at the end.
  Result<bool> Step();
  /// Makes it ready to run again; what was bound stays.
  void Reset();
  /// Runs a statement that gives no rows, and makes it ready to be bound again.
  Status Run();

  bool IsNull(int column) const;
  int64_t Integer(int column) const;
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

/// An SQLite file. Errors name the file and what SQLite says. One thread at a time may use an object; several objects,
/// in any processes, may have one file open, and wait for each other up to half a minute.
class Database {
 public:
  enum class Mode { kRead, kWrite, kCreate };
  static Result<Database> Open(const std::filesystem::path& path, Mode mode);

  /// Runs one or more statements that give no rows.
  Status Execute(std::string_view sql);
  Result<Statement> Prepare(std::string_view sql);
  int64_t last_row_id() const;
  const std::string& path() const { return path_; }

 private:
  struct Closer {
    void operator()(sqlite3* database) const;
  };
  Database(std::string path, sqlite3* database) : path_(std::move(path)), database_(database) {}

  std::string path_;
  std::unique_ptr<sqlite3, Closer> database_;
};

/// All that is written between its creation and Commit is there whole or not at all.
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

}  // namespace continuo
