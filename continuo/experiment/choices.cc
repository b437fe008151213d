#include <optional>

#include "continuo/experiment/results.h"

namespace continuo {
namespace {

using Json = nlohmann::json;

/// A text member, or nothing.
std::optional<std::string> TextOf(const Json& json, const char* key) {
  const auto found = json.find(key);
  return found != json.end() && found->is_string() ? std::optional(found->get<std::string>()) : std::nullopt;
}

/// The piece that {"set", "number"} names; an error that says what is wrong with it.
Result<int64_t> FindPiece(Database& database, const Json& json, const std::string& where) {
  const std::optional<std::string> set = json.is_object() ? TextOf(json, "set") : std::nullopt;
  if (!set || !json.contains("number") || !json["number"].is_number_integer()) {
    return MakeError("{}: expected \"set\", a text, and \"number\", an integer, which name a piece", where);
  }
  CONTINUO_ASSIGN(Statement find, database.Prepare("SELECT id FROM pieces WHERE set_id = ? AND number = ?"));
  CONTINUO_ASSIGN(const bool found, find.Bind(0, std::string_view(*set)).Bind(1, json["number"].get<int64_t>()).Step());
  if (!found) {
    return MakeError("{}: there is no piece {} of set {} here", where, json["number"].dump(), *set);
  }
  return find.Integer(0);
}

Result<const Json*> ListOf(const Json& json, const char* key, const std::string& name) {
  static const Json none = Json::array();
  const auto found = json.find(key);
  if (found != json.end() && !found->is_array()) {
    return MakeError("{}: {} is {}, expected a list", name, key, found->type_name());
  }
  return found == json.end() ? &none : &*found;
}

}  // namespace

Result<Results::Choices> Results::TakeChoices(const std::string& text, const std::string& name) {
  const Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) {
    return MakeError("{}: is no JSON object, expected what the report's page exports", name);
  }
  for (const auto& [key, value] : json.items()) {
    if (key != "choices" && key != "votes") {
      return MakeError("{}: unknown key '{}', expected choices and votes", name, key);
    }
  }
  CONTINUO_ASSIGN(const Json* choices, ListOf(json, "choices", name));
  CONTINUO_ASSIGN(const Json* votes, ListOf(json, "votes", name));
  const std::lock_guard lock(*mutex_);
  CONTINUO_ASSIGN(Transaction transaction, Transaction::Begin(*database_));
  CONTINUO_ASSIGN(Statement put_choice, database_->Prepare("INSERT OR REPLACE INTO choices VALUES (?, ?, ?, ?)"));
  size_t number = 0;
  for (const Json& choice : *choices) {
    const std::string where = fmt::format("{}: choices[{}]", name, number++);
    const std::optional<std::string> prompt = choice.is_object() ? TextOf(choice, "prompt") : std::nullopt;
    if (!prompt) {
      return MakeError("{}: expected \"prompt\", a text", where);
    }
    CONTINUO_ASSIGN(const int64_t piece, FindPiece(*database_, choice, where));
    CONTINUO_ASSIGN(Statement check, database_->Prepare("SELECT 1 FROM pieces p JOIN sets s ON s.id = p.set_id "
                                                        "WHERE p.id = ? AND s.prompt = ?"));
    CONTINUO_ASSIGN(const bool belongs, check.Bind(0, piece).Bind(1, std::string_view(*prompt)).Step());
    if (!belongs) {
      return MakeError("{}: the piece is no continuation of prompt '{}'", where, *prompt);
    }
    put_choice.Bind(0, std::string_view(*prompt)).Bind(1, piece);
    put_choice.Bind(2, std::string_view(TextOf(choice, "note").value_or("")));
    CONTINUO_TRY(put_choice.Bind(3, std::string_view(TextOf(choice, "at").value_or(""))).Run());
  }
  CONTINUO_ASSIGN(Statement put_vote,
                  database_->Prepare("INSERT OR IGNORE INTO votes(winner, loser, at) VALUES (?, ?, ?)"));
  number = 0;
  for (const Json& vote : *votes) {
    const std::string where = fmt::format("{}: votes[{}]", name, number++);
    if (!vote.is_object() || !vote.contains("winner") || !vote.contains("loser")) {
      return MakeError("{}: expected \"winner\" and \"loser\"", where);
    }
    CONTINUO_ASSIGN(const int64_t winner, FindPiece(*database_, vote["winner"], where + ".winner"));
    CONTINUO_ASSIGN(const int64_t loser, FindPiece(*database_, vote["loser"], where + ".loser"));
    if (winner == loser) {
      return MakeError("{}: winner and loser are the same piece", where);
    }
    put_vote.Bind(0, winner).Bind(1, loser);
    CONTINUO_TRY(put_vote.Bind(2, std::string_view(TextOf(vote, "at").value_or(""))).Run());
  }
  CONTINUO_TRY(transaction.Commit());
  return Choices{choices->size(), votes->size()};
}

Result<std::string> Results::ToTsv() const {
  const std::lock_guard lock(*mutex_);
  std::vector<std::string> metrics;
  {
    CONTINUO_ASSIGN(Statement rows,
                    database_->Prepare("SELECT metric FROM set_metrics m JOIN sets s ON s.id = m.set_id "
                                       "WHERE s.status = 'done' GROUP BY metric ORDER BY min(m.rowid)"));
    for (;;) {
      CONTINUO_ASSIGN(const bool row, rows.Step());
      if (!row) {
        break;
      }
      metrics.push_back(rows.Text(0));
    }
  }
  std::string text = "kind\tmodel\ttokenizer\tepoch\tsetting\tprompt\tseed\tlabel\tpieces";
  for (const std::string& metric : metrics) {
    text += fmt::format("\t{0}\t{0}_std\t{0}_low\t{0}_high", metric);
  }
  text += "\n";
  CONTINUO_ASSIGN(Statement sets,
                  database_->Prepare("SELECT s.id, s.kind, r.model, r.tokenizer, s.epoch, s.setting, s.prompt, s.seed, "
                                     "s.label, s.pieces FROM sets s LEFT JOIN runs r ON r.id = s.run WHERE s.status = "
                                     "'done' ORDER BY s.kind = 'continuation', s.rowid"));
  CONTINUO_ASSIGN(Statement metric,
                  database_->Prepare("SELECT mean, std, low, high FROM set_metrics WHERE set_id = ? AND metric = ?"));
  for (;;) {
    CONTINUO_ASSIGN(const bool row, sets.Step());
    if (!row) {
      return text;
    }
    for (int column = 1; column < 10; ++column) {
      text += fmt::format("{}{}", column > 1 ? "\t" : "", sets.Text(column));
    }
    for (const std::string& name : metrics) {
      metric.Reset();
      CONTINUO_ASSIGN(const bool found,
                      metric.Bind(0, std::string_view(sets.Text(0))).Bind(1, std::string_view(name)).Step());
      for (int column = 0; column < 4; ++column) {
        text += found && !metric.IsNull(column) ? fmt::format("\t{:.6g}", metric.Real(column)) : std::string("\t");
      }
    }
    text += "\n";
  }
}

}  // namespace continuo
