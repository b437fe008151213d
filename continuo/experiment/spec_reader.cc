#include "continuo/experiment/spec_reader.h"

#include <fmt/ranges.h>

#include <cmath>
#include <sstream>

namespace continuo {
namespace {

using Json = nlohmann::ordered_json;

const toml::table& EmptyTable() {
  static const toml::table empty;
  return empty;
}

std::string TypeOf(const toml::node& node) {
  std::ostringstream text;
  text << node.type();
  return text.str();
}

bool IsChoice(std::string_view choices, std::string_view value) {
  const std::string padded = fmt::format("|{}|", choices);
  return !value.empty() && value.find('|') == std::string_view::npos &&
         padded.find(fmt::format("|{}|", value)) != std::string::npos;
}

std::string Listed(std::string_view choices) {
  std::string text(choices);
  for (size_t at = 0; (at = text.find('|', at)) != std::string::npos; at += 2) {
    text.replace(at, 1, ", ");
  }
  return text;
}

/// A node as JSON; of a type that no setting has, its name.
Json ToJson(const toml::node& node) {
  if (node.is_boolean()) {
    return node.as_boolean()->get();
  }
  if (node.is_integer()) {
    return node.as_integer()->get();
  }
  if (node.is_floating_point()) {
    return node.as_floating_point()->get();
  }
  return node.is_string() ? Json(node.as_string()->get()) : Json(fmt::format("a value of type {}", TypeOf(node)));
}

}  // namespace

void SpecProblem::Add(const toml::node& at, std::string_view key, std::string_view what) {
  if (!error) {
    error = MakeError("{}:{}: {}: {}", file, at.source().begin.line, key, what);
  }
}

std::string SpecTable::PathOf(std::string_view key) const {
  return path_.empty() ? std::string(key) : fmt::format("{}.{}", path_, key);
}

const toml::node* SpecTable::Find(std::string_view key) {
  known_.emplace(key);
  return table_.get(key);
}

void SpecTable::Fail(std::string_view key, std::string_view what) {
  const toml::node* node = table_.get(key);
  problem_.Add(node != nullptr ? *node : table_, PathOf(key), what);
}

bool SpecTable::Has(std::string_view key) {
  return Find(key) != nullptr;
}

std::string SpecTable::Text(std::string_view key, std::string value) {
  if (const toml::node* node = Find(key)) {
    if (!node->is_string()) {
      Fail(key, fmt::format("is of type {}, expected a text", TypeOf(*node)));
      return value;
    }
    return node->as_string()->get();
  }
  return value;
}

std::string SpecTable::RequiredText(std::string_view key) {
  const std::string text = Text(key);
  if (text.empty()) {
    Fail(key, "is missing or empty, expected a text");
  }
  return text;
}

std::string SpecTable::OneOf(std::string_view key, std::string_view choices, std::string value) {
  const std::string text = Text(key, value);
  if (!IsChoice(choices, text) && text != value) {
    Fail(key, fmt::format("is '{}', expected one of {}", text, Listed(choices)));
    return value;
  }
  return text;
}

int64_t SpecTable::Integer(std::string_view key, int64_t value, int64_t least, int64_t most) {
  const toml::node* node = Find(key);
  if (node == nullptr) {
    return value;
  }
  if (!node->is_integer() || node->as_integer()->get() < least || node->as_integer()->get() > most) {
    Fail(key, node->is_integer()
                  ? fmt::format("is {}, expected {} to {}", node->as_integer()->get(), least, most)
                  : fmt::format("is of type {}, expected an integer of {} to {}", TypeOf(*node), least, most));
    return value;
  }
  return node->as_integer()->get();
}

double SpecTable::Real(std::string_view key, double value, double least, double most) {
  const toml::node* node = Find(key);
  if (node == nullptr) {
    return value;
  }
  const std::optional<double> number = node->is_number() ? node->value<double>() : std::nullopt;
  if (!number || !(*number >= least && *number <= most)) {
    Fail(key, number ? fmt::format("is {}, expected {} to {}", *number, least, most)
                     : fmt::format("is of type {}, expected a number of {} to {}", TypeOf(*node), least, most));
    return value;
  }
  return *number;
}

bool SpecTable::Switch(std::string_view key, bool value) {
  const toml::node* node = Find(key);
  if (node != nullptr && !node->is_boolean()) {
    Fail(key, fmt::format("is of type {}, expected true or false", TypeOf(*node)));
    return value;
  }
  return node != nullptr ? node->as_boolean()->get() : value;
}

std::vector<std::string> SpecTable::Texts(std::string_view key, std::vector<std::string> value) {
  const toml::node* node = Find(key);
  if (node == nullptr) {
    return value;
  }
  std::vector<std::string> texts;
  if (const toml::array* array = node->as_array()) {
    for (const toml::node& item : *array) {
      if (!item.is_string()) {
        problem_.Add(item, PathOf(key), fmt::format("holds an item of type {}, expected texts", TypeOf(item)));
        return value;
      }
      texts.push_back(item.as_string()->get());
    }
  }
  if (texts.empty()) {
    Fail(key, "expected a list of one or more texts");
    return value;
  }
  return texts;
}

std::vector<int64_t> SpecTable::Integers(std::string_view key, std::vector<int64_t> value, int64_t least,
                                         int64_t most) {
  const toml::node* node = Find(key);
  if (node == nullptr) {
    return value;
  }
  std::vector<int64_t> numbers;
  if (const toml::array* array = node->as_array()) {
    for (const toml::node& item : *array) {
      if (!item.is_integer() || item.as_integer()->get() < least || item.as_integer()->get() > most) {
        problem_.Add(item, PathOf(key), fmt::format("holds an item that is no integer of {} to {}", least, most));
        return value;
      }
      numbers.push_back(item.as_integer()->get());
    }
  }
  if (numbers.empty()) {
    Fail(key, "expected a list of one or more integers");
    return value;
  }
  return numbers;
}

std::vector<std::string> SpecTable::Words(std::string_view key) {
  const toml::node* node = Find(key);
  std::vector<std::string> words;
  if (node == nullptr) {
    return words;
  }
  const toml::array* array = node->as_array();
  for (size_t i = 0; i < (array != nullptr ? array->size() : 1); ++i) {
    const toml::node& item = array != nullptr ? *array->get(i) : *node;
    if (item.is_string()) {
      words.push_back(item.as_string()->get());
    } else if (item.is_integer()) {
      words.push_back(std::to_string(item.as_integer()->get()));
    } else {
      problem_.Add(item, PathOf(key),
                   fmt::format("is of type {}, expected a text, an integer or a list", TypeOf(item)));
      return words;
    }
  }
  if (words.empty()) {
    Fail(key, "is an empty list");
  }
  return words;
}

std::vector<std::string> SpecTable::Keys() const {
  std::vector<std::string> keys;
  for (const auto& [key, node] : table_) {
    keys.emplace_back(key.str());
  }
  return keys;
}

std::vector<std::pair<std::string, SpecTable>> SpecTable::Tables(std::string_view key) {
  std::vector<std::pair<std::string, SpecTable>> tables;
  const toml::node* node = Find(key);
  if (node == nullptr) {
    return tables;
  }
  if (!node->is_table()) {
    Fail(key, fmt::format("is of type {}, expected tables: [{}.NAME]", TypeOf(*node), PathOf(key)));
    return tables;
  }
  for (const auto& [name, item] : *node->as_table()) {
    const std::string path = fmt::format("{}.{}", PathOf(key), name.str());
    if (!item.is_table()) {
      problem_.Add(item, path, fmt::format("is of type {}, expected a table: [{}]", TypeOf(item), path));
      continue;
    }
    tables.emplace_back(name.str(), SpecTable(*item.as_table(), path, problem_));
  }
  return tables;
}

SpecTable SpecTable::Table(std::string_view key) {
  const toml::node* node = Find(key);
  if (node != nullptr && !node->is_table()) {
    Fail(key, fmt::format("is of type {}, expected a table: [{}]", TypeOf(*node), PathOf(key)));
    node = nullptr;
  }
  return SpecTable(node != nullptr ? *node->as_table() : EmptyTable(), PathOf(key), problem_);
}

std::vector<SpecTable> SpecTable::List(std::string_view key) {
  std::vector<SpecTable> tables;
  const toml::node* node = Find(key);
  if (node == nullptr) {
    return tables;
  }
  if (!node->is_array()) {
    Fail(key, fmt::format("is of type {}, expected a list of tables", TypeOf(*node)));
    return tables;
  }
  for (const toml::node& item : *node->as_array()) {
    if (!item.is_table()) {
      problem_.Add(item, PathOf(key), fmt::format("holds an item of type {}, expected tables", TypeOf(item)));
      continue;
    }
    tables.emplace_back(*item.as_table(), PathOf(key), problem_);
  }
  return tables;
}

std::vector<Json> SpecTable::Setting(const TrainSetting& row, bool list) {
  const toml::node* node = Find(row.key);
  std::vector<Json> values;
  if (node == nullptr) {
    return values;
  }
  const toml::array* array = node->as_array();
  if (list && (array == nullptr || array->empty())) {
    Fail(row.key, "expected a list of one or more values");
    return values;
  }
  for (size_t i = 0; i < (list ? array->size() : 1); ++i) {
    const toml::node& item = list ? *array->get(i) : *node;
    Result<Json> value = row.Accept(ToJson(item));
    if (!value.ok()) {
      problem_.Add(item, PathOf(row.key), value.error().message);
      return values;
    }
    values.push_back(*std::move(value));
  }
  return values;
}

void SpecTable::Finish() {
  for (const auto& [key, node] : table_) {
    if (!known_.contains(key.str())) {
      problem_.Add(node, PathOf(key.str()), fmt::format("unknown key; known here are {}", fmt::join(known_, ", ")));
    }
  }
}

}  // namespace continuo
