#include "continuo/results/schema.h"

namespace continuo {
namespace {

/// The version that a database states; 0 where it states none.
Result<int64_t> VersionOf(Database& database) {
  CONTINUO_ASSIGN(Statement tables, database.Prepare("SELECT count(*) FROM sqlite_master WHERE name = 'meta'"));
  CONTINUO_ASSIGN(const bool has_row, tables.Step());
  if (!has_row || tables.Integer(0) == 0) {
    return 0;
  }
  Result<Statement> version = database.Prepare("SELECT value FROM meta WHERE key = 'schema_version'");
  if (!version.ok()) {
    return 0;  // a table of the same name with other columns
  }
  CONTINUO_ASSIGN(const bool has_version, version->Step());
  return has_version ? version->Integer(0) : 0;
}

}  // namespace

std::string_view ResultsSchema() {
  return R"sql(
CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE runs(
  id TEXT PRIMARY KEY,
  model TEXT NOT NULL, tokenizer TEXT NOT NULL, corpus TEXT NOT NULL, seed INTEGER NOT NULL,
  settings TEXT NOT NULL,
  status TEXT NOT NULL,
  epochs INTEGER, parameters INTEGER, tokens INTEGER, seconds REAL, error TEXT);
CREATE TABLE curve(
  run TEXT NOT NULL, step INTEGER NOT NULL, epoch REAL NOT NULL,
  train_loss REAL, valid_nll_token REAL, valid_nll_note REAL, valid_nll_bar REAL, lr REAL, tokens_per_second REAL,
  PRIMARY KEY(run, step));
CREATE TABLE sets(
  id TEXT PRIMARY KEY, kind TEXT NOT NULL,
  run TEXT, epoch INTEGER, setting TEXT, sampling TEXT,
  prompt TEXT, label TEXT, seed INTEGER, status TEXT NOT NULL, pieces INTEGER, seconds REAL, error TEXT);
CREATE TABLE pieces(
  id INTEGER PRIMARY KEY, set_id TEXT NOT NULL, number INTEGER NOT NULL, name TEXT NOT NULL, midi BLOB, sha256 TEXT,
  bars INTEGER, prompt_bars INTEGER, notes INTEGER, tokens INTEGER, nll_token REAL, nll_note REAL, nll_bar REAL,
  copied_notes INTEGER, copied_from TEXT, scape BLOB, UNIQUE(set_id, number));
CREATE TABLE piece_metrics(
  piece INTEGER NOT NULL, metric TEXT NOT NULL, value REAL, PRIMARY KEY(piece, metric));
CREATE TABLE set_metrics(
  set_id TEXT NOT NULL, metric TEXT NOT NULL, count INTEGER, mean REAL, std REAL, low REAL, high REAL,
  PRIMARY KEY(set_id, metric));
CREATE TABLE distances(
  set_id TEXT NOT NULL, feature TEXT NOT NULL, overlap REAL, kl REAL, PRIMARY KEY(set_id, feature));
CREATE TABLE published(
  model TEXT, tokenizer TEXT, epoch INTEGER, metric TEXT, value REAL, PRIMARY KEY(model, tokenizer, epoch, metric));
CREATE TABLE votes(
  id INTEGER PRIMARY KEY, winner INTEGER NOT NULL, loser INTEGER NOT NULL, at TEXT, UNIQUE(at, winner, loser));
CREATE TABLE choices(prompt TEXT PRIMARY KEY, piece INTEGER NOT NULL, note TEXT, at TEXT);
)sql";
}

Status CheckResultsVersion(Database& database) {
  CONTINUO_ASSIGN(const int64_t version, VersionOf(database));
  if (version == kResultsVersion) {
    return {};
  }
  if (version == 0) {
    return Error{fmt::format("{}: is not a results.db of an experiment", database.path()),
                 "`continuo experiment run` makes one"};
  }
  return Error{fmt::format("{}: has schema version {}, this program reads version {}", database.path(), version,
                           kResultsVersion),
               "use the continuo that wrote it, or another folder"};
}

}  // namespace continuo
