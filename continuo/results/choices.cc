#include <nlohmann/json.hpp>
#include <optional>

#include "continuo/results/results.h"

namespace continuo {
namespace {

using Json = nlohmann::json;

/// A member that is a text; empty if it is missing or something else.
std::optional<std::string> TextOf(const Json& json, const char* key) {
  const auto found = json.find(key);
  return found != json.end() && found->is_string() ? std::optional(found->get<std::string>()) : std::nullopt;
}

/// The row of the piece that {"set", "number"} names. `where` is the place in the file, for
/// messages.
Result<int64_t> FindPiece(Database& database, const Json& json, const std::string& where) {
  const std::optional<std::string> set = json.is_object() ? TextOf(json, "set") : std::nullopt;
  if (!set || !json.contains("number") || !json["number"].is_number_integer()) {
    return MakeError("{}: expected a piece: \"set\", a string, and \"number\", an integer", where);
  }
  CONTINUO_ASSIGN(Statement find, database.Prepare("SELECT id FROM pieces WHERE set_id = ? AND number = ?"));
  CONTINUO_ASSIGN(const bool found, find.Bind(0, *set).Bind(1, json["number"].get<int64_t>()).Step());
  if (!found) {
    return MakeError("{}: set {} has no piece {}", where, *set, json["number"].dump());
  }
  return find.Integer(0);
}

Result<const Json*> ListOf(const Json& json, const char* key, const std::string& name) {
  static const Json none = Json::array();
  const auto found = json.find(key);
  if (found != json.end() && !found->is_array()) {
    return MakeError("{}: {} is of type {}, expected a list", name, key, found->type_name());
  }
  return found == json.end() ? &none : &*found;
}

}  // namespace

Result<Results::Choices> Results::TakeChoices(const std::string& text, const std::string& name) {
  const Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) {
    return MakeError("{}: is not a JSON object, expected the file that the report page exports", name);
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
      return MakeError("{}: expected \"prompt\", a string", where);
    }
    CONTINUO_ASSIGN(const int64_t piece, FindPiece(*database_, choice, where));
    CONTINUO_ASSIGN(Statement check, database_->Prepare("SELECT 1 FROM pieces p JOIN sets s ON s.id = p.set_id "
                                                        "WHERE p.id = ? AND s.prompt = ?"));
    CONTINUO_ASSIGN(const bool belongs, check.Bind(0, piece).Bind(1, *prompt).Step());
    if (!belongs) {
      return MakeError("{}: the piece is not a continuation of prompt '{}'", where, *prompt);
    }
    put_choice.Bind(0, *prompt).Bind(1, piece);
    put_choice.Bind(2, TextOf(choice, "note").value_or(""));
    CONTINUO_TRY(put_choice.Bind(3, TextOf(choice, "at").value_or("")).Run());
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
    CONTINUO_TRY(put_vote.Bind(2, TextOf(vote, "at").value_or("")).Run());
  }
  CONTINUO_TRY(transaction.Commit());
  return Choices{choices->size(), votes->size()};
}

}  // namespace continuo
