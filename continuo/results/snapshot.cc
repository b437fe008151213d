#include "continuo/results/snapshot.h"

#include <algorithm>
#include <set>
#include <tuple>

#include "continuo/core/check.h"
#include "continuo/results/database.h"
#include "continuo/results/schema.h"

namespace continuo {
namespace {

namespace fs = std::filesystem;

// A MIDI file or a scape plot of 16 MiB is far larger than any that a page can show.
constexpr const char* kBlobLimit = "16777216";

/// Reads the tables into a snapshot, each after those that it refers to.
class Reader {
 public:
  explicit Reader(Database& database) : database_(database) {}
  Result<ResultsSnapshot> Read();

 private:
  Status ReadRuns();
  Status ReadSets();
  Status ReadSetMetrics();
  Status ReadPieces();
  Status ReadListening();
  /// `text` as a value of its enum, or an error that names the row.
  template <typename Value>
  Status TakeEnum(Result<Value> value, const std::string& id, Value& to) const {
    if (!value.ok()) {
      return MakeError("{}: {}: {}", database_.path(), id, value.error().message);
    }
    to = *value;
    return {};
  }

  Database& database_;
  ResultsSnapshot data_;
  std::map<std::string, size_t> run_at_;
  std::map<std::string, size_t> set_at_;
  std::map<int64_t, PiecePlace> piece_at_;  // by the row's id
};

Status Reader::ReadRuns() {
  CONTINUO_TRY(database_.ForEachRow(
      "SELECT id, model, tokenizer, corpus, seed, settings, status, error, epochs, parameters, tokens, seconds "
      "FROM runs WHERE status <> 'dropped' ORDER BY rowid",
      [&](const Statement& row) {
        run_at_.emplace(row.Text(0), data_.runs.size());
        RunRow& run = data_.runs.emplace_back();
        run.id = row.Text(0);
        run.model = row.Text(1);
        run.tokenizer = row.Text(2);
        run.corpus = row.Text(3);
        run.seed = row.Integer(4);
        run.settings = row.Text(5);
        run.error = row.Text(7);
        run.epochs = row.MaybeInteger(8);
        run.parameters = row.MaybeInteger(9);
        run.tokens = row.MaybeInteger(10);
        run.seconds = row.Real(11);
        return TakeEnum(ParseCellStatus(row.Text(6)), run.id, run.status);
      }));
  return database_.ForEachRow(
      "SELECT run, step, epoch, train_loss, valid_nll_token, valid_nll_note, valid_nll_bar, lr, tokens_per_second "
      "FROM curve ORDER BY run, step",
      [&](const Statement& row) {
        if (const auto found = run_at_.find(row.Text(0)); found != run_at_.end()) {
          data_.runs[found->second].curve.push_back({row.Integer(1),
                                                     row.Real(2),
                                                     row.Real(3),
                                                     {row.Real(4), row.Real(5), row.Real(6)},
                                                     row.Real(7),
                                                     row.Real(8)});
        }
      });
}

Status Reader::ReadSets() {
  return database_.ForEachRow(
      "SELECT id, kind, run, epoch, setting, sampling, prompt, label, seed, status, error, seconds FROM sets "
      "WHERE status <> 'dropped' ORDER BY rowid",
      [&](const Statement& row) -> Status {
        const auto run = run_at_.find(row.Text(2));
        if (!row.IsNull(2) && run == run_at_.end()) {
          return {};
        }
        set_at_.emplace(row.Text(0), data_.sets.size());
        SetRow& set = data_.sets.emplace_back();
        set.id = row.Text(0);
        set.run_id = row.Text(2);
        if (run != run_at_.end()) {
          set.run = run->second;
        }
        set.epoch = row.MaybeInteger(3);
        set.setting = row.Text(4);
        set.sampling = row.Text(5);
        set.prompt = row.Text(6);
        set.label = row.Text(7);
        set.seed = row.Integer(8);
        set.error = row.Text(10);
        set.seconds = row.Real(11);
        CONTINUO_TRY(TakeEnum(ParseSetKind(row.Text(1)), set.id, set.kind));
        return TakeEnum(ParseCellStatus(row.Text(9)), set.id, set.status);
      });
}

Status Reader::ReadSetMetrics() {
  CONTINUO_TRY(database_.ForEachRow(
      "SELECT set_id, metric, count, mean, std, low, high FROM set_metrics WHERE mean IS NOT NULL ORDER BY rowid",
      [&](const Statement& row) {
        if (const auto set = set_at_.find(row.Text(0)); set != set_at_.end()) {
          data_.sets[set->second].metrics.emplace_back(
              row.Text(1), Summary{row.Integer(2), row.Real(3), row.Real(4), row.Real(5), row.Real(6)});
        }
      }));
  return database_.ForEachRow("SELECT set_id, feature, overlap, kl FROM distances ORDER BY rowid",
                              [&](const Statement& row) {
                                if (const auto set = set_at_.find(row.Text(0)); set != set_at_.end()) {
                                  data_.sets[set->second].distances.push_back({row.Text(1), row.Real(2), row.Real(3)});
                                }
                              });
}

Status Reader::ReadPieces() {
  const std::string sql = fmt::format(
      "SELECT id, set_id, number, name, iif(length(midi) <= {0}, midi, NULL), bars, prompt_bars, notes, tokens, "
      "nll_token, nll_note, nll_bar, copied_notes, copied_from, iif(length(scape) <= {0}, scape, NULL) FROM pieces "
      "ORDER BY set_id, number",
      kBlobLimit);
  CONTINUO_TRY(database_.ForEachRow(sql, [&](const Statement& row) {
    const auto set = set_at_.find(row.Text(1));
    if (set == set_at_.end()) {
      return;
    }
    std::vector<PieceRow>& pieces = data_.sets[set->second].pieces;
    piece_at_.emplace(row.Integer(0), PiecePlace{set->second, pieces.size()});
    PieceRow& piece = pieces.emplace_back();
    piece.number = row.Integer(2);
    piece.name = row.Text(3);
    piece.midi = row.Blob(4);
    piece.bars = row.MaybeInteger(5);
    piece.prompt_bars = row.Integer(6);
    piece.notes = row.MaybeInteger(7);
    piece.tokens = row.MaybeInteger(8);
    piece.nll = {row.Real(9), row.Real(10), row.Real(11)};
    piece.copied_notes = row.MaybeInteger(12);
    piece.copied_from = row.Text(13);
    piece.scape = row.Blob(14);
  }));
  return database_.ForEachRow("SELECT piece, metric, value FROM piece_metrics WHERE value IS NOT NULL ORDER BY rowid",
                              [&](const Statement& row) {
                                if (const auto place = piece_at_.find(row.Integer(0)); place != piece_at_.end()) {
                                  const auto& [set, piece] = place->second;
                                  data_.sets[set].pieces[piece].metrics.emplace_back(row.Text(1), row.Real(2));
                                }
                              });
}

Status Reader::ReadListening() {
  CONTINUO_TRY(database_.ForEachRow("SELECT winner, loser, at FROM votes ORDER BY at, id", [&](const Statement& row) {
    const auto winner = piece_at_.find(row.Integer(0));
    const auto loser = piece_at_.find(row.Integer(1));
    if (winner != piece_at_.end() && loser != piece_at_.end()) {
      data_.votes.push_back({winner->second, loser->second, row.Text(2)});
    }
  }));
  return database_.ForEachRow("SELECT prompt, piece, note, at FROM choices ORDER BY prompt", [&](const Statement& row) {
    if (const auto piece = piece_at_.find(row.Integer(1)); piece != piece_at_.end()) {
      data_.choices.push_back({row.Text(0), piece->second, row.Text(2), row.Text(3)});
    }
  });
}

Result<ResultsSnapshot> Reader::Read() {
  CONTINUO_TRY(database_.ForEachRow("SELECT key, value FROM meta",
                                    [&](const Statement& row) { data_.meta[row.Text(0)] = row.Text(1); }));
  CONTINUO_TRY(ReadRuns());
  CONTINUO_TRY(ReadSets());
  CONTINUO_TRY(ReadSetMetrics());
  CONTINUO_TRY(ReadPieces());
  CONTINUO_TRY(ReadListening());
  CONTINUO_TRY(database_.ForEachRow(
      "SELECT model, tokenizer, epoch, metric, value FROM published WHERE value IS NOT NULL "
      "ORDER BY model, tokenizer, epoch, metric",
      [&](const Statement& row) {
        data_.published.push_back({row.Text(0), row.Text(1), row.Integer(2), row.Text(3), row.Real(4)});
      }));
  return std::move(data_);
}

/// A piece by what is the same in each shard: its set's id and its number.
using PieceName = std::pair<std::string, int64_t>;

PieceName NameOf(const ResultsSnapshot& data, const PiecePlace& place) {
  const SetRow& set = data.sets[place.set];
  return {set.id, set.pieces[place.piece].number};
}

/// A vote or choice whose place is not known before all sets are merged.
struct NamedVote {
  PieceName winner;
  PieceName loser;
  std::string at;
};
struct NamedChoice {
  PieceName piece;
  ResultsSnapshot::Choice choice;
};

/// Adds `row`, or replaces the row of the same id if only `row` is done. Returns its place.
template <typename Row>
size_t MergeRow(std::vector<Row>& rows, Row row) {
  const auto same = std::find_if(rows.begin(), rows.end(), [&](const Row& known) { return known.id == row.id; });
  const auto place = static_cast<size_t>(same - rows.begin());
  if (same == rows.end()) {
    rows.push_back(std::move(row));
  } else if (same->status != CellStatus::kDone && row.status == CellStatus::kDone) {
    *same = std::move(row);
  }
  return place;
}

void MergeCells(ResultsSnapshot& merged, ResultsSnapshot shard) {
  std::vector<size_t> run_to;
  for (RunRow& run : shard.runs) {
    run_to.push_back(MergeRow(merged.runs, std::move(run)));
  }
  for (SetRow& set : shard.sets) {
    if (set.run) {
      set.run = run_to[*set.run];
    }
    MergeRow(merged.sets, std::move(set));
  }
}

void ResolveListening(std::span<const NamedVote> votes, std::span<NamedChoice> choices, ResultsSnapshot& merged) {
  std::map<PieceName, PiecePlace> place_of;
  for (size_t set = 0; set < merged.sets.size(); ++set) {
    for (size_t piece = 0; piece < merged.sets[set].pieces.size(); ++piece) {
      place_of[NameOf(merged, {set, piece})] = {set, piece};
    }
  }
  for (const NamedVote& vote : votes) {
    const auto winner = place_of.find(vote.winner);
    const auto loser = place_of.find(vote.loser);
    if (winner == place_of.end() || loser == place_of.end()) {
      continue;
    }
    const bool known = std::any_of(merged.votes.begin(), merged.votes.end(), [&](const ResultsSnapshot::Vote& old) {
      return std::tie(old.at, old.winner, old.loser) == std::tie(vote.at, winner->second, loser->second);
    });
    if (!known) {
      merged.votes.push_back({winner->second, loser->second, vote.at});
    }
  }
  for (NamedChoice& named : choices) {
    const auto piece = place_of.find(named.piece);
    if (piece == place_of.end()) {
      continue;
    }
    ResultsSnapshot::Choice& choice = named.choice;
    choice.piece = piece->second;
    const auto same = std::find_if(merged.choices.begin(), merged.choices.end(),
                                   [&](const ResultsSnapshot::Choice& old) { return old.prompt == choice.prompt; });
    if (same == merged.choices.end()) {
      merged.choices.push_back(std::move(choice));
    } else if (same->at < choice.at) {
      *same = std::move(choice);
    }
  }
}

}  // namespace

Result<ResultsSnapshot> ReadSnapshot(const fs::path& path) {
  std::error_code code;
  if (!fs::exists(path, code)) {
    return Error{fmt::format("{}: does not exist", path.string()), "`continuo experiment run` creates it"};
  }
  CONTINUO_ASSIGN(Database database, Database::Open(path, Database::Mode::kRead));
  CONTINUO_TRY(database.Execute("BEGIN"));  // so that all queries see one state while others write
  CONTINUO_TRY(CheckResultsVersion(database));
  return Reader(database).Read();
}

Result<ResultsSnapshot> MergeSnapshots(std::vector<ResultsSnapshot> shards, std::span<const std::string> names) {
  CONTINUO_CHECK(!shards.empty() && shards.size() == names.size());
  std::vector<NamedVote> votes;
  std::vector<NamedChoice> choices;
  for (size_t shard = 0; shard < shards.size(); ++shard) {
    ResultsSnapshot& data = shards[shard];
    if (data.meta["spec_sha256"] != shards[0].meta["spec_sha256"]) {
      return Error{fmt::format("{}: is of another spec than {}", names[shard], names[0]),
                   "a report is made of shards of one experiment"};
    }
    for (const ResultsSnapshot::Vote& vote : data.votes) {
      votes.push_back({NameOf(data, vote.winner), NameOf(data, vote.loser), vote.at});
    }
    for (ResultsSnapshot::Choice& choice : data.choices) {
      choices.push_back({NameOf(data, choice.piece), std::move(choice)});
    }
  }
  ResultsSnapshot merged = std::move(shards[0]);
  merged.votes.clear();
  merged.choices.clear();
  for (size_t shard = 1; shard < shards.size(); ++shard) {
    MergeCells(merged, std::move(shards[shard]));
  }
  ResolveListening(votes, choices, merged);
  return merged;
}

}  // namespace continuo
