#include "continuo/results/database.h"

#include <sqlite3.h>

#include <cmath>
#include <limits>

namespace continuo {
namespace {

constexpr int kBusyMilliseconds = 30000;

Error SqlError(sqlite3* database, const std::string& path) {
  Error error{fmt::format("{}: {}", path, sqlite3_errmsg(database)), {}};
  if (sqlite3_errcode(database) == SQLITE_FULL) {
    error.hint = "free some disk space and start again; finished cells are kept";
  }
  return error;
}

}  // namespace

void Statement::Closer::operator()(sqlite3_stmt* statement) const {
  sqlite3_finalize(statement);
}

Statement& Statement::Bind(int parameter, int64_t value) {
  CONTINUO_CHECK(sqlite3_bind_int64(statement_.get(), parameter + 1, value) == SQLITE_OK);
  return *this;
}

Statement& Statement::Bind(int parameter, double value) {
  if (std::isnan(value)) {
    return BindNull(parameter);
  }
  CONTINUO_CHECK(sqlite3_bind_double(statement_.get(), parameter + 1, value) == SQLITE_OK);
  return *this;
}

Statement& Statement::Bind(int parameter, std::string_view text) {
  CONTINUO_CHECK(sqlite3_bind_text64(statement_.get(), parameter + 1, text.data(), text.size(), SQLITE_TRANSIENT,
                                     SQLITE_UTF8) == SQLITE_OK);
  return *this;
}

Statement& Statement::Bind(int parameter, const std::optional<int64_t>& value) {
  return value ? Bind(parameter, *value) : BindNull(parameter);
}

Statement& Statement::BindTextOrNull(int parameter, std::string_view text) {
  return text.empty() ? BindNull(parameter) : Bind(parameter, text);
}

Statement& Statement::BindBlob(int parameter, std::span<const uint8_t> bytes) {
  CONTINUO_CHECK(sqlite3_bind_blob64(statement_.get(), parameter + 1, bytes.data(), bytes.size(), SQLITE_TRANSIENT) ==
                 SQLITE_OK);
  return *this;
}

Statement& Statement::BindNull(int parameter) {
  CONTINUO_CHECK(sqlite3_bind_null(statement_.get(), parameter + 1) == SQLITE_OK);
  return *this;
}

Result<bool> Statement::Step() {
  const int code = sqlite3_step(statement_.get());
  if (code == SQLITE_ROW || code == SQLITE_DONE) {
    return code == SQLITE_ROW;
  }
  return SqlError(database_, path_);
}

void Statement::Reset() {
  sqlite3_reset(statement_.get());
}

Status Statement::Run() {
  const Result<bool> row = Step();
  Reset();
  if (!row.ok()) {
    return row.error();
  }
  return {};
}

bool Statement::IsNull(int column) const {
  return sqlite3_column_type(statement_.get(), column) == SQLITE_NULL;
}

int64_t Statement::Integer(int column) const {
  return sqlite3_column_int64(statement_.get(), column);
}

std::optional<int64_t> Statement::MaybeInteger(int column) const {
  return IsNull(column) ? std::nullopt : std::optional<int64_t>(Integer(column));
}

double Statement::Real(int column) const {
  return IsNull(column) ? std::numeric_limits<double>::quiet_NaN() : sqlite3_column_double(statement_.get(), column);
}

std::string Statement::Text(int column) const {
  const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement_.get(), column));
  return text == nullptr ? std::string()
                         : std::string(text, static_cast<size_t>(sqlite3_column_bytes(statement_.get(), column)));
}

std::vector<uint8_t> Statement::Blob(int column) const {
  const auto* bytes = static_cast<const uint8_t*>(sqlite3_column_blob(statement_.get(), column));
  return bytes == nullptr ? std::vector<uint8_t>()
                          : std::vector<uint8_t>(bytes, bytes + sqlite3_column_bytes(statement_.get(), column));
}

void Database::Closer::operator()(sqlite3* database) const {
  sqlite3_close(database);
}

Result<Database> Database::Open(const std::filesystem::path& path, Mode mode) {
  int flags = mode == Mode::kRead ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE;
  flags |= mode == Mode::kCreate ? SQLITE_OPEN_CREATE : 0;
  sqlite3* raw = nullptr;
  const int code = sqlite3_open_v2(path.c_str(), &raw, flags, nullptr);
  Database database(path.string(), raw);  // closes it in any case
  if (code != SQLITE_OK) {
    return MakeError("{}: cannot open: {}", path.string(), sqlite3_errstr(code));
  }
  sqlite3_busy_timeout(raw, kBusyMilliseconds);
  // The first statement that reads the file: it fails if the file is not a database.
  const Status status = database.Execute("SELECT count(*) FROM sqlite_master");
  if (!status.ok()) {
    return status.error();
  }
  return database;
}

Status Database::Execute(std::string_view sql) {
  const std::string text(sql);
  if (sqlite3_exec(database_.get(), text.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) {
    return SqlError(database_.get(), path_);
  }
  return {};
}

Result<Statement> Database::Prepare(std::string_view sql) {
  sqlite3_stmt* statement = nullptr;
  if (sqlite3_prepare_v2(database_.get(), sql.data(), static_cast<int>(sql.size()), &statement, nullptr) != SQLITE_OK) {
    return SqlError(database_.get(), path_);
  }
  return Statement(database_.get(), path_, statement);
}

int64_t Database::last_row_id() const {
  return sqlite3_last_insert_rowid(database_.get());
}

int64_t Database::changed_rows() const {
  return sqlite3_changes64(database_.get());
}

Result<Transaction> Transaction::Begin(Database& database) {
  CONTINUO_TRY(database.Execute("BEGIN IMMEDIATE"));
  return Transaction(database);
}

Transaction::~Transaction() {
  if (database_ != nullptr) {
    // A failed statement may have ended the transaction already.
    (void)database_->Execute("ROLLBACK");
  }
}

Status Transaction::Commit() {
  const Status status = database_->Execute("COMMIT");
  if (status.ok()) {
    database_ = nullptr;
  }
  return status;
}

}  // namespace continuo
