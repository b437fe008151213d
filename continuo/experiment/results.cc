#include "continuo/experiment/results.h"

#include <algorithm>
#include <cmath>
#include <ctime>

#include "continuo/core/hash.h"
#include "continuo/experiment/schema.h"

namespace continuo {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

Result<int> VersionOf(Database& database) {
  CONTINUO_ASSIGN(Statement tables, database.Prepare("SELECT count(*) FROM sqlite_master WHERE name = 'meta'"));
  CONTINUO_ASSIGN(const bool has_row, tables.Step());
  if (!has_row || tables.Integer(0) == 0) {
    return 0;
  }
  CONTINUO_ASSIGN(Statement version, database.Prepare("SELECT value FROM meta WHERE key = 'schema_version'"));
  CONTINUO_ASSIGN(const bool has_version, version.Step());
  return has_version ? static_cast<int>(version.Integer(0)) : 0;
}

Status CheckVersion(Database& database) {
  CONTINUO_ASSIGN(const int version, VersionOf(database));
  if (version == kResultsVersion) {
    return {};
  }
  if (version > kResultsVersion) {
    return Error{fmt::format("{}: is of version {}, this program knows versions up to {}", database.path(), version,
                             kResultsVersion),
                 "use a newer continuo, or another folder"};
  }
  return MakeError("{}: is no results.db of an experiment", database.path());
}

std::string Now() {
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  gmtime_r(&now, &utc);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday,
                     utc.tm_hour, utc.tm_min, utc.tm_sec);
}

Status RemovePieces(Database& database, const std::string& set) {
  for (const char* sql : {"DELETE FROM piece_metrics WHERE piece IN (SELECT id FROM pieces WHERE set_id = ?)",
                          "DELETE FROM pieces WHERE set_id = ?", "DELETE FROM set_metrics WHERE set_id = ?",
                          "DELETE FROM distances WHERE set_id = ?"}) {
    CONTINUO_ASSIGN(Statement statement, database.Prepare(sql));
    CONTINUO_TRY(statement.Bind(0, std::string_view(set)).Run());
  }
  return {};
}

CellStatus ParseStatus(const std::string& text) {
  for (const CellStatus status : {CellStatus::kRunning, CellStatus::kDone, CellStatus::kFailed}) {
    if (text == ToString(status)) {
      return status;
    }
  }
  return CellStatus::kPending;
}

}  // namespace

std::string_view ToString(CellStatus status) {
  switch (status) {
    case CellStatus::kPending:
      return "pending";
    case CellStatus::kRunning:
      return "running";
    case CellStatus::kDone:
      return "done";
    case CellStatus::kFailed:
      return "failed";
  }
  return "";
}

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
  CONTINUO_TRY(CheckVersion(database));
  return Results(std::move(database));
}

Result<Results> Results::Open(const fs::path& path) {
  if (!fs::exists(path)) {
    return Error{fmt::format("{}: is not there", path.string()), "`continuo experiment run` makes it"};
  }
  CONTINUO_ASSIGN(Database database, Database::Open(path, Database::Mode::kWrite));
  CONTINUO_TRY(CheckVersion(database));
  return Results(std::move(database));
}

Status Results::PutMeta(const std::string& key, const std::string& value) {
  const std::lock_guard lock(*mutex_);
  CONTINUO_ASSIGN(Statement put, database_->Prepare("INSERT OR REPLACE INTO meta VALUES (?, ?)"));
  return put.Bind(0, std::string_view(key)).Bind(1, std::string_view(value)).Run();
}

Result<std::string> Results::Meta(const std::string& key) const {
  const std::lock_guard lock(*mutex_);
  CONTINUO_ASSIGN(Statement get, database_->Prepare("SELECT value FROM meta WHERE key = ?"));
  CONTINUO_ASSIGN(const bool found, get.Bind(0, std::string_view(key)).Step());
  return found ? get.Text(0) : std::string();
}

Status Results::EnterRows(const ExperimentSpec& spec, const ExperimentPlan& plan, const std::vector<SetCell>& sets) {
  CONTINUO_ASSIGN(Statement run_row,
                  database_->Prepare("INSERT INTO runs(id, model, tokenizer, corpus, seed, settings, status, epochs) "
                                     "VALUES (?, ?, ?, ?, ?, ?, 'pending', ?) ON CONFLICT(id) DO UPDATE SET status = "
                                     "iif(status = 'dropped', 'done', iif(status = 'done', 'done', 'pending'))"));
  for (const RunCell& run : plan.runs) {
    run_row.Bind(0, std::string_view(run.id)).Bind(1, std::string_view(run.model));
    run_row.Bind(2, std::string_view(run.tokenizer)).Bind(3, std::string_view(run.corpus)).Bind(4, run.seed);
    CONTINUO_TRY(run_row.Bind(5, std::string_view(run.settings.dump())).Bind(6, run.epochs()).Run());
  }
  CONTINUO_ASSIGN(Statement set_row,
                  database_->Prepare(
                      "INSERT INTO sets(id, kind, run, epoch, setting, sampling, prompt, label, seed, status) VALUES "
                      "(?, ?, ?, ?, ?, ?, ?, ?, ?, 'pending') ON CONFLICT(id) DO UPDATE SET label = excluded.label, "
                      "status = iif(status = 'dropped', 'done', iif(status = 'done', 'done', 'pending'))"));
  for (const SetCell& set : sets) {
    set_row.Bind(0, std::string_view(set.id)).Bind(1, std::string_view(set.kind));
    if (set.run) {
      Json sampling = SamplingToJson(spec.sampling(set.setting).options);
      sampling["window"] = set.window;
      set_row.Bind(2, std::string_view(plan.runs[*set.run].id)).Bind(3, set.epoch);
      set_row.Bind(4, std::string_view(set.setting)).Bind(5, std::string_view(sampling.dump()));
    } else {
      set_row.BindNull(2).BindNull(3).BindNull(4).BindNull(5);
    }
    if (set.prompt.empty()) {
      set_row.BindNull(6);
    } else {
      set_row.Bind(6, std::string_view(set.prompt));
    }
    CONTINUO_TRY(set_row.Bind(7, std::string_view(set.label)).Bind(8, set.seed).Run());
  }
  return {};
}

Status Results::Enter(const ExperimentSpec& spec, const ExperimentPlan& plan) {
  const std::lock_guard lock(*mutex_);
  CONTINUO_ASSIGN(Transaction transaction, Transaction::Begin(*database_));
  // Continuations are entered again once it is known which there are.
  CONTINUO_TRY(
      database_->Execute("UPDATE runs SET status = 'dropped' WHERE status = 'done';"
                         "UPDATE sets SET status = 'dropped' WHERE status = 'done';"
                         "DELETE FROM runs WHERE status <> 'dropped';"
                         "DELETE FROM sets WHERE status <> 'dropped';"));
  CONTINUO_TRY(EnterRows(spec, plan, plan.sets));
  CONTINUO_TRY(database_->Execute("DELETE FROM curve WHERE run NOT IN (SELECT id FROM runs)"));
  return transaction.Commit();
}

Status Results::EnterSets(const ExperimentSpec& spec, const ExperimentPlan& plan, const std::vector<SetCell>& sets) {
  const std::lock_guard lock(*mutex_);
  CONTINUO_ASSIGN(Transaction transaction, Transaction::Begin(*database_));
  CONTINUO_TRY(EnterRows(spec, plan, sets));
  return transaction.Commit();
}

Result<std::map<std::string, CellStatus>> Results::Statuses() const {
  const std::lock_guard lock(*mutex_);
  std::map<std::string, CellStatus> statuses;
  CONTINUO_ASSIGN(Statement rows, database_->Prepare("SELECT id, status FROM runs WHERE status <> 'dropped' UNION ALL "
                                                     "SELECT id, status FROM sets WHERE status <> 'dropped'"));
  for (;;) {
    CONTINUO_ASSIGN(const bool row, rows.Step());
    if (!row) {
      return statuses;
    }
    statuses[rows.Text(0)] = ParseStatus(rows.Text(1));
  }
}

Status Results::SetRunStatus(const std::string& id, CellStatus status, const std::string& error) {
  const std::lock_guard lock(*mutex_);
  CONTINUO_ASSIGN(Statement update, database_->Prepare("UPDATE runs SET status = ?, error = ? WHERE id = ?"));
  update.Bind(0, ToString(status)).Bind(2, std::string_view(id));
  error.empty() ? update.BindNull(1) : update.Bind(1, std::string_view(error));
  return update.Run();
}

Status Results::SetSetStatus(const std::string& id, CellStatus status, const std::string& error) {
  const std::lock_guard lock(*mutex_);
  CONTINUO_ASSIGN(Statement update, database_->Prepare("UPDATE sets SET status = ?, error = ? WHERE id = ?"));
  update.Bind(0, ToString(status)).Bind(2, std::string_view(id));
  error.empty() ? update.BindNull(1) : update.Bind(1, std::string_view(error));
  return update.Run();
}

Status Results::FinishRun(const std::string& id, const RunResult& result) {
  const std::lock_guard lock(*mutex_);
  CONTINUO_ASSIGN(Statement update, database_->Prepare("UPDATE runs SET status = 'done', error = NULL, parameters = ?, "
                                                       "tokens = ?, seconds = ? WHERE id = ?"));
  return update.Bind(0, result.parameters)
      .Bind(1, result.tokens)
      .Bind(2, result.seconds)
      .Bind(3, std::string_view(id))
      .Run();
}

Status Results::FinishSet(const std::string& id, const SetResult& result) {
  const std::lock_guard lock(*mutex_);
  CONTINUO_ASSIGN(Transaction transaction, Transaction::Begin(*database_));
  CONTINUO_TRY(RemovePieces(*database_, id));
  CONTINUO_ASSIGN(
      Statement insert,
      database_->Prepare("INSERT INTO pieces(set_id, number, name, midi, sha256, bars, prompt_bars, notes, tokens, "
                         "nll_token, nll_note, nll_bar, copied_notes, copied_from, scape) VALUES "
                         "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"));
  CONTINUO_ASSIGN(Statement metric, database_->Prepare("INSERT INTO piece_metrics VALUES (?, ?, ?)"));
  for (size_t number = 0; number < result.pieces.size(); ++number) {
    const PieceResult& piece = result.pieces[number];
    insert.Bind(0, std::string_view(id)).Bind(1, static_cast<int64_t>(number)).Bind(2, std::string_view(piece.name));
    if (piece.midi.empty()) {
      insert.BindNull(3).BindNull(4);
    } else {
      insert.BindBlob(3, piece.midi).Bind(4, std::string_view(Sha256Hex(piece.midi)));
    }
    insert.Bind(5, piece.bars).Bind(6, piece.prompt_bars).Bind(7, piece.notes);
    piece.tokens ? insert.Bind(8, *piece.tokens) : insert.BindNull(8);
    insert.Bind(9, piece.nll_token).Bind(10, piece.nll_note).Bind(11, piece.nll_bar);
    piece.copied_notes ? insert.Bind(12, *piece.copied_notes) : insert.BindNull(12);
    piece.copied_from.empty() ? insert.BindNull(13) : insert.Bind(13, std::string_view(piece.copied_from));
    piece.scape.empty() ? insert.BindNull(14) : insert.BindBlob(14, piece.scape);
    CONTINUO_TRY(insert.Run());
    const int64_t row = database_->last_row_id();
    for (const auto& [name, value] : piece.metrics) {
      CONTINUO_TRY(metric.Bind(0, row).Bind(1, std::string_view(name)).Bind(2, value).Run());
    }
  }
  CONTINUO_ASSIGN(Statement summary, database_->Prepare("INSERT INTO set_metrics VALUES (?, ?, ?, ?, ?, ?, ?)"));
  for (const auto& [name, s] : result.metrics) {
    summary.Bind(0, std::string_view(id)).Bind(1, std::string_view(name)).Bind(2, s.count).Bind(3, s.mean);
    CONTINUO_TRY(summary.Bind(4, s.deviation).Bind(5, s.low).Bind(6, s.high).Run());
  }
  CONTINUO_ASSIGN(Statement distance, database_->Prepare("INSERT INTO distances VALUES (?, ?, ?, ?)"));
  for (const SetDistance& d : result.distances) {
    distance.Bind(0, std::string_view(id)).Bind(1, d.feature).Bind(2, d.overlap);
    CONTINUO_TRY(distance.Bind(3, d.divergence).Run());
  }
  CONTINUO_ASSIGN(Statement done, database_->Prepare("UPDATE sets SET status = 'done', error = NULL, pieces = ?, "
                                                     "seconds = ? WHERE id = ?"));
  done.Bind(0, static_cast<int64_t>(result.pieces.size())).Bind(1, result.seconds).Bind(2, std::string_view(id));
  CONTINUO_TRY(done.Run());
  return transaction.Commit();
}

Status Results::PutCurve(const std::string& run, const std::vector<CurvePoint>& points, int64_t tokens,
                         double seconds) {
  const std::lock_guard lock(*mutex_);
  CONTINUO_ASSIGN(Transaction transaction, Transaction::Begin(*database_));
  // NLL a note and a bar come from elsewhere and stay.
  CONTINUO_ASSIGN(Statement put,
                  database_->Prepare("INSERT INTO curve(run, step, epoch, train_loss, valid_nll_token, lr, "
                                     "tokens_per_second) VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT(run, step) DO UPDATE "
                                     "SET epoch = excluded.epoch, train_loss = excluded.train_loss, valid_nll_token = "
                                     "excluded.valid_nll_token, lr = excluded.lr, tokens_per_second = "
                                     "excluded.tokens_per_second"));
  for (const CurvePoint& point : points) {
    put.Bind(0, std::string_view(run)).Bind(1, point.step).Bind(2, point.epoch).Bind(3, point.train_loss);
    CONTINUO_TRY(put.Bind(4, point.valid_nll).Bind(5, point.lr).Bind(6, point.tokens_per_second).Run());
  }
  CONTINUO_ASSIGN(Statement time, database_->Prepare("UPDATE runs SET tokens = ?, seconds = ? WHERE id = ?"));
  CONTINUO_TRY(time.Bind(0, tokens).Bind(1, seconds).Bind(2, std::string_view(run)).Run());
  return transaction.Commit();
}

Status Results::PutCheckpointNll(const std::string& run, double epoch, double per_note, double per_bar) {
  const std::lock_guard lock(*mutex_);
  CONTINUO_ASSIGN(Statement put,
                  database_->Prepare("UPDATE curve SET valid_nll_note = ?, valid_nll_bar = ? WHERE run = ?3 AND step = "
                                     "(SELECT step FROM curve WHERE run = ?3 ORDER BY abs(epoch - ?4), step LIMIT 1)"));
  return put.Bind(0, per_note).Bind(1, per_bar).Bind(2, std::string_view(run)).Bind(3, epoch).Run();
}

Result<std::optional<double>> Results::SetMean(const std::string& set, const std::string& metric) const {
  const std::lock_guard lock(*mutex_);
  CONTINUO_ASSIGN(Statement get, database_->Prepare("SELECT mean FROM set_metrics WHERE set_id = ? AND metric = ?"));
  CONTINUO_ASSIGN(const bool found, get.Bind(0, std::string_view(set)).Bind(1, std::string_view(metric)).Step());
  return found && !get.IsNull(0) ? std::optional<double>(get.Real(0)) : std::nullopt;
}

Result<std::vector<std::pair<std::string, Summary>>> Results::MetricsOf(const std::string& run, int64_t epoch,
                                                                        const std::string& prefix) const {
  const std::lock_guard lock(*mutex_);
  std::vector<std::pair<std::string, Summary>> metrics;
  CONTINUO_ASSIGN(
      Statement rows,
      database_->Prepare("SELECT metric, count, mean, std, low, high FROM set_metrics WHERE set_id = (SELECT "
                         "id FROM sets WHERE run = ? AND epoch = ? AND status = 'done' LIMIT 1) AND "
                         "substr(metric, 1, length(?3)) = ?3"));
  rows.Bind(0, std::string_view(run)).Bind(1, epoch).Bind(2, std::string_view(prefix));
  for (;;) {
    CONTINUO_ASSIGN(const bool row, rows.Step());
    if (!row) {
      return metrics;
    }
    metrics.emplace_back(rows.Text(0),
                         Summary{rows.Integer(1), rows.Real(2), rows.Real(3), rows.Real(4), rows.Real(5)});
  }
}

Status Results::PutPublished(const std::string& model, const std::string& tokenizer, int64_t epoch,
                             const std::string& metric, double value) {
  const std::lock_guard lock(*mutex_);
  CONTINUO_ASSIGN(Statement put, database_->Prepare("INSERT OR REPLACE INTO published VALUES (?, ?, ?, ?, ?)"));
  put.Bind(0, std::string_view(model)).Bind(1, std::string_view(tokenizer)).Bind(2, epoch);
  return put.Bind(3, std::string_view(metric)).Bind(4, value).Run();
}

Result<std::vector<RunProgress>> Results::RunsProgress() const {
  const std::lock_guard lock(*mutex_);
  std::vector<RunProgress> runs;
  CONTINUO_ASSIGN(Statement rows,
                  database_->Prepare(
                      "SELECT r.id, r.model || ' ' || r.tokenizer, r.status, r.error, r.epochs, r.seconds, "
                      "(SELECT max(epoch) FROM curve WHERE run = r.id), "
                      "(SELECT train_loss FROM curve WHERE run = r.id AND train_loss IS NOT NULL ORDER BY step DESC "
                      "LIMIT 1), (SELECT avg(tokens_per_second) FROM (SELECT tokens_per_second FROM curve WHERE run = "
                      "r.id AND tokens_per_second IS NOT NULL ORDER BY step DESC LIMIT 20)), r.seed "
                      "FROM runs r WHERE r.status <> 'dropped' ORDER BY r.rowid"));
  for (;;) {
    CONTINUO_ASSIGN(const bool row, rows.Step());
    if (!row) {
      return runs;
    }
    RunProgress run;
    run.id = rows.Text(0);
    run.label = rows.Text(1);
    run.status = rows.Text(2);
    run.error = rows.Text(3);
    run.epochs = rows.Integer(4);
    run.seconds = rows.Real(5);
    run.epoch = rows.IsNull(6) ? 0.0 : rows.Real(6);
    run.loss = rows.Real(7);
    run.tokens_per_second = rows.Real(8);
    runs.push_back(std::move(run));
  }
}

Result<std::vector<SetProgress>> Results::SetsProgress() const {
  const std::lock_guard lock(*mutex_);
  std::vector<SetProgress> sets;
  CONTINUO_ASSIGN(Statement rows,
                  database_->Prepare("SELECT id, kind, label, status, error, seconds, run FROM sets WHERE "
                                     "status <> 'dropped' ORDER BY rowid"));
  for (;;) {
    CONTINUO_ASSIGN(const bool row, rows.Step());
    if (!row) {
      return sets;
    }
    SetProgress set;
    set.id = rows.Text(0);
    set.kind = rows.Text(1);
    set.label = rows.Text(2);
    set.status = rows.Text(3);
    set.error = rows.Text(4);
    set.seconds = rows.Real(5);
    if (!rows.IsNull(6)) {
      set.run = rows.Text(6);
    }
    sets.push_back(std::move(set));
  }
}

std::vector<uint8_t> PackScape(const ScapePlot& scape) {
  const auto n = static_cast<uint32_t>(std::max<int64_t>(scape.frames, 0));
  std::vector<uint8_t> bytes = {static_cast<uint8_t>(n), static_cast<uint8_t>(n >> 8), static_cast<uint8_t>(n >> 16),
                                static_cast<uint8_t>(n >> 24)};
  bytes.reserve(4 + size_t{n} * (n + 1) / 2);
  for (int64_t length = 1; length <= scape.frames; ++length) {
    for (int64_t start = 0; start + length <= scape.frames; ++start) {
      const bool measured = length >= scape.min_length && length <= scape.max_length;
      const double fitness = measured ? std::clamp(scape.At(length, start), 0.0, 1.0) : 0.0;
      bytes.push_back(static_cast<uint8_t>(std::lround(fitness * 255)));
    }
  }
  return bytes;
}

}  // namespace continuo
