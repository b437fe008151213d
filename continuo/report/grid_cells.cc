#include "continuo/report/grid_cells.h"

#include <set>
#include <tuple>

namespace continuo {

std::string PlainValue(const std::string& json) {
  return json.size() >= 2 && json.front() == '"' ? json.substr(1, json.size() - 2) : json;
}

std::vector<std::string> FreeSettings(const ResultsSnapshot& data) {
  std::set<std::string> free;
  std::map<std::tuple<std::string, std::string, std::string>, std::string> first;
  for (const RunRow& run : data.runs) {
    for (const auto& [key, value] : ScalarFields(run.settings)) {
      const auto [known, is_new] = first.try_emplace({run.model, run.tokenizer, key}, value);
      if (!is_new && known->second != value) {
        free.insert(key);
      }
    }
  }
  return {free.begin(), free.end()};
}

std::vector<GridCell> GridCells(const ResultsSnapshot& data, SetKind kind) {
  const std::vector<std::string> free = FreeSettings(data);
  std::vector<std::map<std::string, std::string>> settings_of;
  for (const RunRow& run : data.runs) {
    settings_of.push_back(ScalarFields(run.settings));
  }
  std::vector<GridCell> cells;
  for (const SetRow& set : data.sets) {
    if (set.kind != kind || set.status != CellStatus::kDone || !set.run) {
      continue;
    }
    const RunRow& run = data.runs[*set.run];
    const std::map<std::string, std::string>& settings = settings_of[*set.run];
    GridCell cell{&set, {}};
    for (const std::string& key : free) {
      const auto value = settings.find(key);
      cell.at[key] = value == settings.end() ? "" : PlainValue(value->second);
    }
    cell.at["model"] = run.model;
    cell.at["tokenizer"] = run.tokenizer;
    cell.at["corpus"] = run.corpus;
    cell.at["seed"] = std::to_string(run.seed);
    cell.at["epoch"] = set.epoch ? std::to_string(*set.epoch) : "";
    cell.at["sampling"] = set.setting;
    cell.at["window"] = PlainValue(ScalarFields(set.sampling)["window"]);
    cell.at["pieces' seed"] = std::to_string(set.seed);
    if (kind == SetKind::kContinuation) {
      cell.at["prompt"] = set.prompt;
    }
    cells.push_back(std::move(cell));
  }
  return cells;
}

Coordinates Without(Coordinates at, const std::string& axis) {
  at.erase(axis);
  return at;
}

}  // namespace continuo
