#pragma once

#include <toml++/toml.h>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "continuo/core/result.h"
#include "continuo/run/setting.h"

namespace continuo {

/// The first thing found wrong in a spec. Later ones are dropped, so that reading can continue and
/// be checked once.
struct SpecProblem {
  std::string file;
  std::optional<Error> error;
  void Add(const toml::node& at, std::string_view key, std::string_view what);
};

/// Reads one table of a spec. Each key that is read is known; Finish finds those that are not. What
/// is missing gives the value passed in; what is wrong goes to the problem.
class SpecTable {
 public:
  /// `path` is "train" of [train], empty for the file itself.
  SpecTable(const toml::table& table, std::string path, SpecProblem& problem)
      : table_(table), path_(std::move(path)), problem_(problem) {}

  bool Has(std::string_view key);
  std::string Text(std::string_view key, std::string value = {});
  /// A text that must be there and not be empty.
  std::string RequiredText(std::string_view key);
  std::string OneOf(std::string_view key, std::string_view choices, std::string value);
  int64_t Integer(std::string_view key, int64_t value, int64_t least, int64_t most);
  double Real(std::string_view key, double value, double least, double most);
  bool Switch(std::string_view key, bool value);
  std::vector<std::string> Texts(std::string_view key, std::vector<std::string> value);
  std::vector<int64_t> Integers(std::string_view key, std::vector<int64_t> value, int64_t least, int64_t most);
  /// A text or an integer, or a list of them, as texts; none if the key is missing.
  std::vector<std::string> Words(std::string_view key);
  /// All keys of the table.
  std::vector<std::string> Keys() const;
  /// The sub-tables of the table `key`, each by its name: [key.name].
  std::vector<std::pair<std::string, SpecTable>> Tables(std::string_view key);
  /// The table `key`, empty if it isn't there.
  SpecTable Table(std::string_view key);
  /// The tables in the list `key`.
  std::vector<SpecTable> List(std::string_view key);
  /// The value of a training setting, as TrainSetting::Accept returns it; with `list` one or more.
  /// Empty if the table does not have it.
  std::vector<nlohmann::ordered_json> Setting(const TrainSetting& row, bool list);

  /// Fails on keys that nothing has read.
  void Finish();
  /// Says that `key`, which was read, is wrong.
  void Fail(std::string_view key, std::string_view what);

 private:
  const toml::node* Find(std::string_view key);
  std::string PathOf(std::string_view key) const;

  const toml::table& table_;
  const std::string path_;
  SpecProblem& problem_;
  std::set<std::string, std::less<>> known_;
};

}  // namespace continuo
