#include "continuo/results/results.h"

#include <ctime>

#include "continuo/core/hash.h"
#include "continuo/results/schema.h"

namespace continuo {
namespace {

namespace fs = std::filesystem;

std::string Now() {
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  gmtime_r(&now, &utc);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday,
                     utc.tm_hour, utc.tm_min, utc.tm_sec);
}

/// What Enter does to the status of a row that exists.
constexpr std::string_view kEnterAgain =
    "status = iif(status = 'dropped', 'done', iif(status = 'done', 'done', 'pending'))";

Status CheckIdSpace(Database& database) {
  return database.ForEachRow("SELECT id FROM runs INTERSECT SELECT id FROM sets", [&](const Statement& row) -> Status {
    return MakeError("{}: id {} names a run and a set", database.path(), row.Text(0));
  });
}

Status RemovePieces(Database& database, const std::string& set) {
  for (const char* sql : {"DELETE FROM piece_metrics WHERE piece IN (SELECT id FROM pieces WHERE set_id = ?)",
                          "DELETE FROM pieces WHERE set_id = ?", "DELETE FROM set_metrics WHERE set_id = ?",
                          "DELETE FROM distances WHERE set_id = ?"}) {
    CONTINUO_ASSIGN(Statement statement, database.Prepare(sql));
    CONTINUO_TRY(statement.Bind(0, set).Run());
  }
  return {};
}

Status InsertPieces(Database& database, const std::string& set, std::span<const PieceRow> pieces) {
  CONTINUO_ASSIGN(
      Statement insert,
      database.Prepare("INSERT INTO pieces(set_id, number, name, midi, sha256, bars, prompt_bars, notes, tokens, "
                       "nll_token, nll_note, nll_bar, copied_notes, copied_from, scape) VALUES "
                       "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"));
  CONTINUO_ASSIGN(Statement metric, database.Prepare("INSERT INTO piece_metrics VALUES (?, ?, ?)"));
  for (size_t number = 0; number < pieces.size(); ++number) {
    const PieceRow& piece = pieces[number];
    insert.Bind(0, set).Bind(1, static_cast<int64_t>(number)).Bind(2, piece.name);
    if (piece.midi.empty()) {
      insert.BindNull(3).BindNull(4);
    } else {
      insert.BindBlob(3, piece.midi).Bind(4, Sha256Hex(piece.midi));
    }
    insert.Bind(5, piece.bars).Bind(6, piece.prompt_bars).Bind(7, piece.notes).Bind(8, piece.tokens);
    insert.Bind(9, piece.nll.token).Bind(10, piece.nll.note).Bind(11, piece.nll.bar);
    insert.Bind(12, piece.copied_notes).BindTextOrNull(13, piece.copied_from);
    piece.scape.empty() ? insert.BindNull(14) : insert.BindBlob(14, piece.scape);
    CONTINUO_TRY(insert.Run());
    const int64_t row = database.last_row_id();
    for (const auto& [name, value] : piece.metrics) {
      CONTINUO_TRY(metric.Bind(0, row).Bind(1, name).Bind(2, value).Run());
    }
  }
  return {};
}

Status InsertSummaries(Database& database, const std::string& set, const SetOutcome& outcome) {
  CONTINUO_ASSIGN(Statement summary, database.Prepare("INSERT INTO set_metrics VALUES (?, ?, ?, ?, ?, ?, ?)"));
  for (const auto& [name, s] : outcome.metrics) {
    summary.Bind(0, set).Bind(1, name).Bind(2, s.count).Bind(3, s.mean).Bind(4, s.deviation);
    CONTINUO_TRY(summary.Bind(5, s.low).Bind(6, s.high).Run());
  }
  CONTINUO_ASSIGN(Statement distance, database.Prepare("INSERT INTO distances VALUES (?, ?, ?, ?)"));
  for (const DistanceRow& d : outcome.distances) {
    CONTINUO_TRY(distance.Bind(0, set).Bind(1, d.feature).Bind(2, d.overlap).Bind(3, d.divergence).Run());
  }
  return {};
}

}  // namespace

Result<Results> Results::Create(const fs::path& path) {
  CONTINUO_ASSIGN(Database database, Database::Open(path, Database::Mode::kCreate));
  CONTINUO_TRY(database.Execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"));
  {
    CONTINUO_ASSIGN(Transaction transaction, Transaction::Begin(database));
    CONTINUO_ASSIGN(Statement tables, database.Prepare("SELECT count(*) FROM sqlite_master"));
    CONTINUO_ASSIGN(const bool has_row, tables.Step());
    if (has_row && tables.Integer(0) == 0) {
      CONTINUO_TRY(database.Execute(ResultsSchema()));
      CONTINUO_TRY(database.Execute(fmt::format(
          "INSERT INTO meta VALUES ('schema_version', '{}'), ('created_at', '{}')", kResultsVersion, Now())));
    }
    CONTINUO_TRY(transaction.Commit());
  }
  CONTINUO_TRY(CheckResultsVersion(database));
  return Results(std::move(database));
}

Result<Results> Results::Open(const fs::path& path) {
  std::error_code code;
  if (!fs::exists(path, code)) {
    return Error{fmt::format("{}: does not exist", path.string()), "`continuo experiment run` creates it"};
  }
  CONTINUO_ASSIGN(Database database, Database::Open(path, Database::Mode::kWrite));
  CONTINUO_TRY(CheckResultsVersion(database));
  return Results(std::move(database));
}

Status Results::PutMeta(const std::string& key, const std::string& value) {
  const std::lock_guard lock(*mutex_);
  CONTINUO_ASSIGN(Statement put, database_->Prepare("INSERT OR REPLACE INTO meta VALUES (?, ?)"));
  return put.Bind(0, key).Bind(1, value).Run();
}

Result<std::string> Results::Meta(const std::string& key) const {
  const std::lock_guard lock(*mutex_);
  CONTINUO_ASSIGN(Statement get, database_->Prepare("SELECT value FROM meta WHERE key = ?"));
  CONTINUO_ASSIGN(const bool found, get.Bind(0, key).Step());
  return found ? get.Text(0) : std::string();
}

Status Results::EnterRuns(std::span<const RunEntry> runs) {
  CONTINUO_ASSIGN(Statement row, database_->Prepare(fmt::format(
                                     "INSERT INTO runs(id, model, tokenizer, corpus, seed, settings, status, epochs) "
                                     "VALUES (?, ?, ?, ?, ?, ?, 'pending', ?) ON CONFLICT(id) DO UPDATE SET {}",
                                     kEnterAgain)));
  for (const RunEntry& run : runs) {
    row.Bind(0, run.id).Bind(1, run.model).Bind(2, run.tokenizer).Bind(3, run.corpus).Bind(4, run.seed);
    CONTINUO_TRY(row.Bind(5, run.settings).Bind(6, run.epochs).Run());
  }
  return {};
}

Status Results::EnterSetRows(std::span<const SetEntry> sets) {
  CONTINUO_ASSIGN(Statement row,
                  database_->Prepare(fmt::format(
                      "INSERT INTO sets(id, kind, run, epoch, setting, sampling, prompt, label, seed, status) VALUES "
                      "(?, ?, ?, ?, ?, ?, ?, ?, ?, 'pending') ON CONFLICT(id) DO UPDATE SET label = excluded.label, {}",
                      kEnterAgain)));
  for (const SetEntry& set : sets) {
    row.Bind(0, set.id).Bind(1, ToString(set.kind)).BindTextOrNull(2, set.run_id).Bind(3, set.epoch);
    row.BindTextOrNull(4, set.setting).BindTextOrNull(5, set.sampling).BindTextOrNull(6, set.prompt);
    CONTINUO_TRY(row.Bind(7, set.label).Bind(8, set.seed).Run());
  }
  return CheckIdSpace(*database_);
}

Status Results::Enter(std::span<const RunEntry> runs, std::span<const SetEntry> sets) {
  const std::lock_guard lock(*mutex_);
  CONTINUO_ASSIGN(Transaction transaction, Transaction::Begin(*database_));
  CONTINUO_TRY(
      database_->Execute("UPDATE runs SET status = 'dropped' WHERE status = 'done';"
                         "UPDATE sets SET status = 'dropped' WHERE status = 'done';"
                         "DELETE FROM runs WHERE status <> 'dropped';"
                         "DELETE FROM sets WHERE status <> 'dropped';"));
  CONTINUO_TRY(EnterRuns(runs));
  CONTINUO_TRY(EnterSetRows(sets));
  CONTINUO_TRY(database_->Execute("DELETE FROM curve WHERE run NOT IN (SELECT id FROM runs)"));
  return transaction.Commit();
}

Status Results::EnterSets(std::span<const SetEntry> sets) {
  const std::lock_guard lock(*mutex_);
  CONTINUO_ASSIGN(Transaction transaction, Transaction::Begin(*database_));
  CONTINUO_TRY(EnterSetRows(sets));
  return transaction.Commit();
}

Result<std::map<std::string, CellStatus>> Results::Statuses() const {
  const std::lock_guard lock(*mutex_);
  std::map<std::string, CellStatus> statuses;
  CONTINUO_TRY(
      database_->ForEachRow("SELECT id, status FROM runs WHERE status <> 'dropped' UNION ALL "
                            "SELECT id, status FROM sets WHERE status <> 'dropped'",
                            [&](const Statement& row) -> Status {
                              CONTINUO_ASSIGN(statuses[row.Text(0)], ParseCellStatus(row.Text(1)));
                              return {};
                            }));
  return statuses;
}

Status Results::SetStatus(const std::string& id, CellStatus status, const std::string& error) {
  const std::lock_guard lock(*mutex_);
  CONTINUO_ASSIGN(Transaction transaction, Transaction::Begin(*database_));
  int64_t changed = 0;
  for (const char* sql :
       {"UPDATE runs SET status = ?, error = ? WHERE id = ?", "UPDATE sets SET status = ?, error = ? WHERE id = ?"}) {
    CONTINUO_ASSIGN(Statement update, database_->Prepare(sql));
    CONTINUO_TRY(update.Bind(0, ToString(status)).BindTextOrNull(1, error).Bind(2, id).Run());
    changed += database_->changed_rows();
  }
  if (changed != 1) {
    return MakeError("{}: {} runs and sets have the id {}, expected one", database_->path(), changed, id);
  }
  return transaction.Commit();
}

Status Results::FinishRun(const std::string& id, const RunOutcome& outcome) {
  const std::lock_guard lock(*mutex_);
  CONTINUO_ASSIGN(Statement update, database_->Prepare("UPDATE runs SET status = 'done', error = NULL, parameters = ?, "
                                                       "tokens = ?, seconds = ? WHERE id = ?"));
  return update.Bind(0, outcome.parameters).Bind(1, outcome.tokens).Bind(2, outcome.seconds).Bind(3, id).Run();
}

Status Results::FinishSet(const std::string& id, const SetOutcome& outcome) {
  const std::lock_guard lock(*mutex_);
  CONTINUO_ASSIGN(Transaction transaction, Transaction::Begin(*database_));
  CONTINUO_TRY(RemovePieces(*database_, id));
  CONTINUO_TRY(InsertPieces(*database_, id, outcome.pieces));
  CONTINUO_TRY(InsertSummaries(*database_, id, outcome));
  CONTINUO_ASSIGN(Statement done, database_->Prepare("UPDATE sets SET status = 'done', error = NULL, pieces = ?, "
                                                     "seconds = ? WHERE id = ?"));
  done.Bind(0, static_cast<int64_t>(outcome.pieces.size())).Bind(1, outcome.seconds).Bind(2, id);
  CONTINUO_TRY(done.Run());
  return transaction.Commit();
}

Status Results::PutCurve(const std::string& run, std::span<const CurvePoint> points, int64_t tokens, double seconds) {
  const std::lock_guard lock(*mutex_);
  CONTINUO_ASSIGN(Transaction transaction, Transaction::Begin(*database_));
  CONTINUO_ASSIGN(Statement put,
                  database_->Prepare("INSERT INTO curve(run, step, epoch, train_loss, valid_nll_token, lr, "
                                     "tokens_per_second) VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT(run, step) DO UPDATE "
                                     "SET epoch = excluded.epoch, train_loss = excluded.train_loss, valid_nll_token = "
                                     "excluded.valid_nll_token, lr = excluded.lr, tokens_per_second = "
                                     "excluded.tokens_per_second"));
  for (const CurvePoint& point : points) {
    put.Bind(0, run).Bind(1, point.step).Bind(2, point.epoch).Bind(3, point.train_loss);
    CONTINUO_TRY(put.Bind(4, point.valid.token).Bind(5, point.lr).Bind(6, point.tokens_per_second).Run());
  }
  CONTINUO_ASSIGN(Statement time, database_->Prepare("UPDATE runs SET tokens = ?, seconds = ? WHERE id = ?"));
  CONTINUO_TRY(time.Bind(0, tokens).Bind(1, seconds).Bind(2, run).Run());
  return transaction.Commit();
}

Status Results::PutCheckpointNll(const std::string& run, double epoch, double per_note, double per_bar) {
  const std::lock_guard lock(*mutex_);
  CONTINUO_ASSIGN(Statement put,
                  database_->Prepare("UPDATE curve SET valid_nll_note = ?, valid_nll_bar = ? WHERE run = ?3 AND step = "
                                     "(SELECT step FROM curve WHERE run = ?3 ORDER BY abs(epoch - ?4), step LIMIT 1)"));
  return put.Bind(0, per_note).Bind(1, per_bar).Bind(2, run).Bind(3, epoch).Run();
}

Result<std::optional<double>> Results::SetMean(const std::string& set, const std::string& metric) const {
  const std::lock_guard lock(*mutex_);
  CONTINUO_ASSIGN(Statement get, database_->Prepare("SELECT mean FROM set_metrics WHERE set_id = ? AND metric = ?"));
  CONTINUO_ASSIGN(const bool found, get.Bind(0, set).Bind(1, metric).Step());
  return found && !get.IsNull(0) ? std::optional<double>(get.Real(0)) : std::nullopt;
}

Result<std::vector<std::pair<std::string, Summary>>> Results::CheckpointMetrics(const std::string& run, int64_t epoch,
                                                                                const std::string& prefix) const {
  const std::lock_guard lock(*mutex_);
  std::vector<std::pair<std::string, Summary>> metrics;
  CONTINUO_ASSIGN(
      Statement rows,
      database_->Prepare("SELECT metric, count, mean, std, low, high FROM set_metrics WHERE set_id = (SELECT "
                         "id FROM sets WHERE run = ? AND epoch = ? AND status = 'done' LIMIT 1) AND "
                         "substr(metric, 1, length(?3)) = ?3"));
  CONTINUO_TRY(rows.Bind(0, run).Bind(1, epoch).Bind(2, prefix).ForEachRow([&](const Statement& row) {
    metrics.emplace_back(row.Text(0), Summary{row.Integer(1), row.Real(2), row.Real(3), row.Real(4), row.Real(5)});
  }));
  return metrics;
}

Status Results::PutPublished(const PublishedRow& row) {
  const std::lock_guard lock(*mutex_);
  CONTINUO_ASSIGN(Statement put, database_->Prepare("INSERT OR REPLACE INTO published VALUES (?, ?, ?, ?, ?)"));
  put.Bind(0, row.model).Bind(1, row.tokenizer).Bind(2, row.epoch);
  return put.Bind(3, row.metric).Bind(4, row.value).Run();
}

Result<std::vector<RunProgress>> Results::RunsProgress() const {
  const std::lock_guard lock(*mutex_);
  std::vector<RunProgress> runs;
  CONTINUO_TRY(database_->ForEachRow(
      "SELECT r.id, r.model || ' ' || r.tokenizer, r.status, r.error, r.epochs, r.seconds, "
      "(SELECT max(epoch) FROM curve WHERE run = r.id), "
      "(SELECT train_loss FROM curve WHERE run = r.id AND train_loss IS NOT NULL ORDER BY step DESC LIMIT 1), "
      "(SELECT avg(tokens_per_second) FROM (SELECT tokens_per_second FROM curve WHERE run = r.id AND "
      "tokens_per_second IS NOT NULL ORDER BY step DESC LIMIT 20)) "
      "FROM runs r WHERE r.status <> 'dropped' ORDER BY r.rowid",
      [&](const Statement& row) -> Status {
        RunProgress& run = runs.emplace_back();
        run.id = row.Text(0);
        run.label = row.Text(1);
        CONTINUO_ASSIGN(run.status, ParseCellStatus(row.Text(2)));
        run.error = row.Text(3);
        run.epochs = row.Integer(4);
        run.seconds = row.Real(5);
        run.epoch = row.IsNull(6) ? 0.0 : row.Real(6);
        run.loss = row.Real(7);
        run.tokens_per_second = row.Real(8);
        return {};
      }));
  return runs;
}

Result<std::vector<SetProgress>> Results::SetsProgress() const {
  const std::lock_guard lock(*mutex_);
  std::vector<SetProgress> sets;
  CONTINUO_TRY(database_->ForEachRow(
      "SELECT id, kind, label, status, error, seconds FROM sets WHERE status <> 'dropped' ORDER BY rowid",
      [&](const Statement& row) -> Status {
        SetProgress& set = sets.emplace_back();
        set.id = row.Text(0);
        CONTINUO_ASSIGN(set.kind, ParseSetKind(row.Text(1)));
        set.label = row.Text(2);
        CONTINUO_ASSIGN(set.status, ParseCellStatus(row.Text(3)));
        set.error = row.Text(4);
        set.seconds = row.Real(5);
        return {};
      }));
  return sets;
}

}  // namespace continuo
