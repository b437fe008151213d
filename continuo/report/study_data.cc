#include "continuo/report/study_data.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

#include "continuo/experiment/database.h"
#include "continuo/experiment/schema.h"

namespace continuo {
namespace {

namespace fs = std::filesystem;

// A MIDI file or a scape plot of 16 MiB is far beyond any piece that can be looked at in a page.
constexpr const char* kBlobLimit = "16777216";

/// Calls `visit` with each row.
template <typename Visit>
Status ForEachRow(Database& database, std::string_view sql, const Visit& visit) {
  CONTINUO_ASSIGN(Statement rows, database.Prepare(sql));
  for (;;) {
    CONTINUO_ASSIGN(const bool row, rows.Step());
    if (!row) {
      return {};
    }
    visit(rows);
  }
}

std::optional<int64_t> MaybeInteger(const Statement& row, int column) {
  return row.IsNull(column) ? std::nullopt : std::optional<int64_t>(row.Integer(column));
}

std::string Field(const nlohmann::json& value) {
  return value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

/// An object's numbers, texts and switches. Lists and objects are left out, whatever their depth.
std::map<std::string, std::string> Flat(const std::string& text) {
  std::map<std::string, std::string> flat;
  const nlohmann::json json = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (json.is_object()) {
    for (const auto& [key, value] : json.items()) {
      if (value.is_string() || value.is_number() || value.is_boolean()) {
        flat[key] = Field(value);
      }
    }
  }
  return flat;
}

Status CheckVersion(Database& database) {
  std::string version;
  const Status read = ForEachRow(database, "SELECT value FROM meta WHERE key = 'schema_version'",
                                 [&](const Statement& row) { version = row.Text(0); });
  if (!read.ok() || version.empty()) {
    return Error{fmt::format("{}: is no results.db of an experiment", database.path()),
                 "`continuo experiment run` makes one"};
  }
  if (version != std::to_string(kResultsVersion)) {
    return Error{
        fmt::format("{}: is of version {}, this program reads version {}", database.path(), version, kResultsVersion),
        "use the continuo that wrote it"};
  }
  return {};
}

Status ReadRuns(Database& database, StudyData& data, std::map<std::string, size_t>& run_at) {
  CONTINUO_TRY(ForEachRow(database,
                          "SELECT id, model, tokenizer, corpus, seed, settings, status, error, epochs, parameters, "
                          "tokens, seconds FROM runs "
                          "WHERE status <> 'dropped' ORDER BY rowid",
                          [&](const Statement& row) {
                            run_at.emplace(row.Text(0), data.runs.size());
                            StudyRun& run = data.runs.emplace_back();
                            run.id = row.Text(0);
                            run.model = row.Text(1);
                            run.tokenizer = row.Text(2);
                            run.corpus = row.Text(3);
                            run.seed = row.Integer(4);
                            run.settings = Flat(row.Text(5));
                            run.status = row.Text(6);
                            run.error = row.Text(7);
                            run.epochs = MaybeInteger(row, 8);
                            run.parameters = MaybeInteger(row, 9);
                            run.tokens = MaybeInteger(row, 10);
                            run.seconds = row.Real(11);
                          }));
  return ForEachRow(
      database,
      "SELECT run, epoch, train_loss, valid_nll_token, valid_nll_note, valid_nll_bar FROM curve ORDER BY run, step",
      [&](const Statement& row) {
        if (const auto found = run_at.find(row.Text(0)); found != run_at.end()) {
          data.runs[found->second].curve.push_back({row.Real(1), row.Real(2), {row.Real(3), row.Real(4), row.Real(5)}});
        }
      });
}

Status ReadSets(Database& database, StudyData& data, const std::map<std::string, size_t>& run_at,
                std::map<std::string, size_t>& set_at) {
  CONTINUO_TRY(ForEachRow(
      database,
      "SELECT id, kind, run, epoch, setting, sampling, prompt, label, seed, status, error, seconds FROM sets "
      "WHERE status <> 'dropped' ORDER BY rowid",
      [&](const Statement& row) {
        const auto run = run_at.find(row.Text(2));
        if (!row.IsNull(2) && run == run_at.end()) {
          return;
        }
        set_at.emplace(row.Text(0), data.sets.size());
        StudySet& set = data.sets.emplace_back();
        set.id = row.Text(0);
        set.kind = row.Text(1);
        if (run != run_at.end()) {
          set.run = run->second;
        }
        set.epoch = MaybeInteger(row, 3);
        set.setting = row.Text(4);
        set.sampling = Flat(row.Text(5));
        set.prompt = row.Text(6);
        set.label = row.Text(7);
        set.seed = row.Integer(8);
        set.status = row.Text(9);
        set.error = row.Text(10);
        set.seconds = row.Real(11);
      }));
  CONTINUO_TRY(ForEachRow(database, "SELECT set_id, metric, count, mean, std, low, high FROM set_metrics",
                          [&](const Statement& row) {
                            if (const auto set = set_at.find(row.Text(0)); set != set_at.end() && !row.IsNull(3)) {
                              data.sets[set->second].metrics[row.Text(1)] = {row.Integer(2), row.Real(3), row.Real(4),
                                                                             row.Real(5), row.Real(6)};
                            }
                          }));
  return ForEachRow(database, "SELECT set_id, feature, overlap, kl FROM distances", [&](const Statement& row) {
    if (const auto set = set_at.find(row.Text(0)); set != set_at.end()) {
      data.sets[set->second].distances[row.Text(1)] = {row.Real(2), row.Real(3)};
    }
  });
}

Status ReadPieces(Database& database, StudyData& data, const std::map<std::string, size_t>& set_at,
                  std::map<int64_t, PiecePlace>& piece_at) {
  const std::string sql = fmt::format(
      "SELECT id, set_id, number, name, iif(length(midi) <= {0}, midi, NULL), bars, prompt_bars, notes, nll_token, "
      "nll_note, "
      "nll_bar, copied_notes, copied_from, iif(length(scape) <= {0}, scape, NULL) FROM pieces ORDER BY set_id, number",
      kBlobLimit);
  CONTINUO_TRY(ForEachRow(database, sql, [&](const Statement& row) {
    const auto set = set_at.find(row.Text(1));
    if (set == set_at.end()) {
      return;
    }
    std::vector<StudyPiece>& pieces = data.sets[set->second].pieces;
    piece_at.emplace(row.Integer(0), PiecePlace{set->second, pieces.size()});
    StudyPiece& piece = pieces.emplace_back();
    piece.id = row.Integer(0);
    piece.number = row.Integer(2);
    piece.name = row.Text(3);
    piece.midi = row.Blob(4);
    piece.bars = MaybeInteger(row, 5);
    piece.prompt_bars = row.Integer(6);
    piece.notes = MaybeInteger(row, 7);
    piece.nll = {row.Real(8), row.Real(9), row.Real(10)};
    piece.copied_notes = MaybeInteger(row, 11);
    piece.copied_from = row.Text(12);
    piece.scape = row.Blob(13);
  }));
  return ForEachRow(database, "SELECT piece, metric, value FROM piece_metrics WHERE value IS NOT NULL",
                    [&](const Statement& row) {
                      if (const auto place = piece_at.find(row.Integer(0)); place != piece_at.end()) {
                        data.sets[place->second.set].pieces[place->second.piece].metrics[row.Text(1)] = row.Real(2);
                      }
                    });
}

Status ReadListening(Database& database, StudyData& data, const std::map<int64_t, PiecePlace>& piece_at) {
  CONTINUO_TRY(ForEachRow(database, "SELECT winner, loser, at FROM votes ORDER BY at, id", [&](const Statement& row) {
    const auto winner = piece_at.find(row.Integer(0));
    const auto loser = piece_at.find(row.Integer(1));
    if (winner != piece_at.end() && loser != piece_at.end()) {
      data.votes.push_back({winner->second, loser->second, row.Text(2)});
    }
  }));
  return ForEachRow(database, "SELECT prompt, piece, note, at FROM choices ORDER BY prompt", [&](const Statement& row) {
    if (const auto piece = piece_at.find(row.Integer(1)); piece != piece_at.end()) {
      data.choices.push_back({row.Text(0), piece->second, row.Text(2), row.Text(3)});
    }
  });
}

}  // namespace

Result<StudyData> ReadStudyData(const fs::path& path) {
  std::error_code code;
  if (!fs::exists(path, code)) {
    return Error{fmt::format("{}: is not there", path.string()), "`continuo experiment run` makes it"};
  }
  CONTINUO_ASSIGN(Database database, Database::Open(path, Database::Mode::kRead));
  CONTINUO_TRY(database.Execute("BEGIN"));  // all that follows sees one state, whoever writes meanwhile
  CONTINUO_TRY(CheckVersion(database));

  StudyData data;
  std::map<std::string, size_t> run_at;
  std::map<std::string, size_t> set_at;
  std::map<int64_t, PiecePlace> piece_at;
  CONTINUO_TRY(ForEachRow(database, "SELECT key, value FROM meta",
                          [&](const Statement& row) { data.meta[row.Text(0)] = row.Text(1); }));
  CONTINUO_TRY(ReadRuns(database, data, run_at));
  CONTINUO_TRY(ReadSets(database, data, run_at, set_at));
  CONTINUO_TRY(ReadPieces(database, data, set_at, piece_at));
  CONTINUO_TRY(ReadListening(database, data, piece_at));
  CONTINUO_TRY(ForEachRow(database,
                          "SELECT model, tokenizer, epoch, metric, value FROM published WHERE value IS NOT NULL "
                          "ORDER BY model, tokenizer, epoch, metric",
                          [&](const Statement& row) {
                            data.published.push_back(
                                {row.Text(0), row.Text(1), row.Integer(2), row.Text(3), row.Real(4)});
                          }));
  return data;
}

Result<StudyData> MergeStudyData(std::vector<StudyData> shards, std::span<const std::string> names) {
  CONTINUO_CHECK(!shards.empty() && shards.size() == names.size());
  StudyData merged = std::move(shards.front());
  for (size_t shard = 1; shard < shards.size(); ++shard) {
    StudyData& other = shards[shard];
    if (other.meta["spec_sha256"] != merged.meta["spec_sha256"]) {
      return Error{fmt::format("{}: is of another spec than {}", names[shard], names[0]),
                   "only shards of one experiment make one report"};
    }
    std::vector<size_t> run_to(other.runs.size());
    for (size_t i = 0; i < other.runs.size(); ++i) {
      const auto same = std::find_if(merged.runs.begin(), merged.runs.end(),
                                     [&](const StudyRun& run) { return run.id == other.runs[i].id; });
      run_to[i] = static_cast<size_t>(same - merged.runs.begin());
      if (same == merged.runs.end()) {
        merged.runs.push_back(std::move(other.runs[i]));
      } else if (same->status != "done" && other.runs[i].status == "done") {
        *same = std::move(other.runs[i]);
      }
    }
    // Where each piece went, by the ids that stay the same in every copy.
    std::map<std::pair<std::string, int64_t>, PiecePlace> place_of;
    std::vector<std::vector<std::pair<std::string, int64_t>>> name_of(other.sets.size());
    for (size_t i = 0; i < other.sets.size(); ++i) {
      for (const StudyPiece& piece : other.sets[i].pieces) {
        name_of[i].emplace_back(other.sets[i].id, piece.number);
      }
    }
    for (StudySet& set : other.sets) {
      if (set.run) {
        set.run = run_to[*set.run];
      }
      const auto same = std::find_if(merged.sets.begin(), merged.sets.end(),
                                     [&](const StudySet& known) { return known.id == set.id; });
      if (same == merged.sets.end()) {
        merged.sets.push_back(std::move(set));
      } else if (same->status != "done" && set.status == "done") {
        *same = std::move(set);
      }
    }
    for (size_t set = 0; set < merged.sets.size(); ++set) {
      for (size_t piece = 0; piece < merged.sets[set].pieces.size(); ++piece) {
        place_of[{merged.sets[set].id, merged.sets[set].pieces[piece].number}] = {set, piece};
      }
    }
    const auto place = [&](const PiecePlace& old) -> std::optional<PiecePlace> {
      const auto found = place_of.find(name_of[old.set][old.piece]);
      return found == place_of.end() ? std::nullopt : std::optional<PiecePlace>(found->second);
    };
    for (const StudyData::Vote& vote : other.votes) {
      const auto winner = place(vote.winner);
      const auto loser = place(vote.loser);
      const bool known = std::any_of(merged.votes.begin(), merged.votes.end(), [&](const StudyData::Vote& old) {
        return old.at == vote.at && winner == old.winner && loser == old.loser;
      });
      if (winner && loser && !known) {
        merged.votes.push_back({*winner, *loser, vote.at});
      }
    }
    for (const StudyData::Choice& choice : other.choices) {
      const auto piece = place(choice.piece);
      const auto same = std::find_if(merged.choices.begin(), merged.choices.end(),
                                     [&](const StudyData::Choice& old) { return old.prompt == choice.prompt; });
      if (piece && same == merged.choices.end()) {
        merged.choices.push_back({choice.prompt, *piece, choice.note, choice.at});
      } else if (piece && same->at < choice.at) {
        *same = {choice.prompt, *piece, choice.note, choice.at};
      }
    }
  }
  return merged;
}

}  // namespace continuo
