#include "continuo/results/results.h"
#include "continuo/results/schema.h"

namespace continuo {
namespace {

namespace fs = std::filesystem;

// Copies of tables of the attached database `source`. Cells are updated in place, so that they keep
// their place in the order of the experiment.
constexpr const char* kWantedRuns =
    "SELECT id FROM source.runs WHERE status IN ('done', 'dropped') AND id NOT IN "
    "(SELECT id FROM main.runs WHERE status IN ('done', 'dropped'))";
constexpr const char* kWantedSets =
    "SELECT id FROM source.sets WHERE status IN ('done', 'dropped') AND id NOT IN "
    "(SELECT id FROM main.sets WHERE status IN ('done', 'dropped')) ORDER BY rowid";

constexpr const char* kCopyRun[] = {
    "DELETE FROM main.curve WHERE run = ?",
    "INSERT INTO main.curve SELECT * FROM source.curve WHERE run = ?",
    "INSERT INTO main.runs SELECT * FROM source.runs WHERE id = ? ON CONFLICT(id) DO UPDATE SET status = "
    "excluded.status, error = NULL, parameters = excluded.parameters, tokens = excluded.tokens, seconds = "
    "excluded.seconds",
};
constexpr const char* kCopySet[] = {
    "DELETE FROM main.piece_metrics WHERE piece IN (SELECT id FROM main.pieces WHERE set_id = ?)",
    "DELETE FROM main.pieces WHERE set_id = ?",
    "DELETE FROM main.set_metrics WHERE set_id = ?",
    "DELETE FROM main.distances WHERE set_id = ?",
    "INSERT INTO main.sets SELECT * FROM source.sets WHERE id = ? ON CONFLICT(id) DO UPDATE SET status = "
    "excluded.status, error = NULL, pieces = excluded.pieces, seconds = excluded.seconds",
    "INSERT INTO main.pieces(set_id, number, name, midi, sha256, bars, prompt_bars, notes, tokens, nll_token, "
    "nll_note, "
    "nll_bar, copied_notes, copied_from, scape) SELECT set_id, number, name, midi, sha256, bars, prompt_bars, notes, "
    "tokens, nll_token, nll_note, nll_bar, copied_notes, copied_from, scape FROM source.pieces WHERE set_id = ? "
    "ORDER BY number",
    "INSERT INTO main.piece_metrics SELECT p.id, m.metric, m.value FROM source.pieces o JOIN source.piece_metrics m ON "
    "m.piece = o.id JOIN main.pieces p ON p.set_id = o.set_id AND p.number = o.number WHERE o.set_id = ? "
    "ORDER BY m.rowid",
    "INSERT INTO main.set_metrics SELECT * FROM source.set_metrics WHERE set_id = ? ORDER BY rowid",
    "INSERT INTO main.distances SELECT * FROM source.distances WHERE set_id = ? ORDER BY rowid",
};

/// Leaves out what a page of `playable` pieces a row does not show: notes beyond them, and all
/// scape plots but that of the piece with the median SI_mid, whose notes stay. Of continuations all
/// notes stay.
constexpr const char* kTypical =
    "(SELECT p.number FROM main.pieces p LEFT JOIN main.piece_metrics m ON m.piece = p.id AND m.metric = 'SI_mid' "
    "WHERE p.set_id = ?1 AND p.scape IS NOT NULL ORDER BY coalesce(m.value, 0), p.number LIMIT 1 OFFSET "
    "(SELECT count(*) / 2 FROM main.pieces WHERE set_id = ?1 AND scape IS NOT NULL))";

Result<std::vector<std::string>> Ids(Database& database, const char* sql) {
  std::vector<std::string> ids;
  CONTINUO_TRY(database.ForEachRow(sql, [&ids](const Statement& row) { ids.push_back(row.Text(0)); }));
  return ids;
}

Status RunFor(Database& database, const std::string& sql, const std::string& id) {
  CONTINUO_ASSIGN(Statement statement, database.Prepare(sql));
  return statement.Bind(0, id).Run();
}

Status Lighten(Database& database, const std::string& set, size_t playable) {
  CONTINUO_ASSIGN(Statement notes, database.Prepare(fmt::format(
                                       "UPDATE main.pieces SET midi = NULL WHERE set_id = ?1 AND number >= ?2 AND "
                                       "number IS NOT {} AND (SELECT kind FROM main.sets WHERE id = ?1) <> "
                                       "'continuation'",
                                       kTypical)));
  CONTINUO_TRY(notes.Bind(0, set).Bind(1, static_cast<int64_t>(playable)).Run());
  // The typical piece is found before any plot is removed.
  CONTINUO_ASSIGN(Statement typical, database.Prepare(fmt::format("SELECT {}", kTypical)));
  CONTINUO_ASSIGN(const bool found, typical.Bind(0, set).Step());
  const std::optional<int64_t> number = found ? typical.MaybeInteger(0) : std::nullopt;
  typical.Reset();
  CONTINUO_ASSIGN(Statement plots,
                  database.Prepare("UPDATE main.pieces SET scape = NULL WHERE set_id = ?1 AND number IS NOT ?2"));
  return plots.Bind(0, set).Bind(1, number).Run();
}

Result<Results::Merged> CopyCells(Database& database, std::optional<size_t> playable) {
  Results::Merged merged;
  CONTINUO_ASSIGN(const std::vector<std::string> runs, Ids(database, kWantedRuns));
  CONTINUO_ASSIGN(const std::vector<std::string> sets, Ids(database, kWantedSets));
  for (const std::string& id : runs) {
    for (const char* sql : kCopyRun) {
      CONTINUO_TRY(RunFor(database, sql, id));
    }
    ++merged.runs;
  }
  for (const std::string& id : sets) {
    for (const char* sql : kCopySet) {
      CONTINUO_TRY(RunFor(database, sql, id));
    }
    if (playable) {
      CONTINUO_TRY(Lighten(database, id, *playable));
    }
    ++merged.sets;
  }
  // A file that no experiment has been run in takes the facts of the first.
  CONTINUO_TRY(database.Execute(
      "INSERT INTO main.meta SELECT key, value FROM source.meta WHERE key NOT IN ('schema_version', 'created_at') AND "
      "NOT EXISTS (SELECT 1 FROM main.meta WHERE key = 'spec')"));
  CONTINUO_TRY(database.Execute("INSERT OR IGNORE INTO main.published SELECT * FROM source.published"));
  return merged;
}

}  // namespace

Result<Results::Merged> Results::Merge(const fs::path& source, std::optional<size_t> playable) {
  {
    CONTINUO_ASSIGN(Database other, Database::Open(source, Database::Mode::kRead));
    CONTINUO_TRY(CheckResultsVersion(other));
  }
  const std::lock_guard lock(*mutex_);
  CONTINUO_TRY(RunFor(*database_, "ATTACH ? AS source", source.string()));
  Result<Merged> merged = [&]() -> Result<Merged> {
    CONTINUO_ASSIGN(Transaction transaction, Transaction::Begin(*database_));
    CONTINUO_ASSIGN(const Merged copied, CopyCells(*database_, playable));
    CONTINUO_ASSIGN(Statement clash, database_->Prepare("SELECT id FROM runs INTERSECT SELECT id FROM sets"));
    CONTINUO_ASSIGN(const bool clashes, clash.Step());
    if (clashes) {
      return MakeError("{}: id {} names a run and a set", source.string(), clash.Text(0));
    }
    CONTINUO_TRY(transaction.Commit());
    return copied;
  }();
  CONTINUO_TRY(database_->Execute("DETACH source"));
  return merged;
}

Status Results::Shrink() {
  const std::lock_guard lock(*mutex_);
  return database_->Execute("VACUUM; PRAGMA wal_checkpoint(TRUNCATE)");
}

}  // namespace continuo
