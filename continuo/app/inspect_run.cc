#include "continuo/app/inspect_run.h"

#include <algorithm>
#include <sstream>
#include <string>
#include <vector>

#include "continuo/app/terminal.h"
#include "continuo/os/file.h"

namespace continuo {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr std::string_view kLog = "train.jsonl";
constexpr size_t kLastUpdates = 20;

struct Log {
  std::vector<Json> updates;
  std::vector<Json> validations;
};

/// Lines that are cut short, as of a run that is being written, count for nothing.
Result<Log> ReadLog(const fs::path& path) {
  CONTINUO_ASSIGN(const std::string text, ReadTextFile(path));
  Log log;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    Json object = Json::parse(line, nullptr, /*allow_exceptions=*/false);
    if (!object.is_object()) {
      continue;
    }
    if (object.contains("loss")) {
      log.updates.push_back(std::move(object));
    } else if (object.contains("valid_nll")) {
      log.validations.push_back(std::move(object));
    }
  }
  return log;
}

double Number(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_number() ? found->get<double>() : 0.0;
}

/// The mean over the last updates, which one batch alone does not decide.
double RecentMean(const std::vector<Json>& updates, const char* key) {
  const size_t count = std::min(kLastUpdates, updates.size());
  double sum = 0;
  for (size_t i = updates.size() - count; i < updates.size(); ++i) {
    sum += Number(updates[i], key);
  }
  return count > 0 ? sum / static_cast<double>(count) : 0.0;
}

/// The names of the directories within one, sorted.
std::vector<std::string> Folders(const fs::path& path) {
  std::vector<std::string> names;
  std::error_code code;
  for (fs::directory_iterator entry(path, code), end; !code && entry != end; entry.increment(code)) {
    const std::string name = entry->path().filename().string();
    if (fs::exists(entry->path() / "config.json", code) && !name.starts_with('.') && name != "latest") {
      names.push_back(name);
    }
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::string Joined(const std::vector<std::string>& words) {
  return words.empty() ? "none" : fmt::format("{}", fmt::join(words, ", "));
}

std::string ValidationText(const Json& line) {
  const double note = Number(line, "valid_nll_note");
  return fmt::format("{:.4f} nats a token{} at step {:.0f}", Number(line, "valid_nll"),
                     note > 0 ? fmt::format(", {:.3f} a note, {:.2f} a bar", note, Number(line, "valid_nll_bar")) : "",
                     Number(line, "step"));
}

}  // namespace

bool IsRun(const fs::path& path) {
  std::error_code code;
  return fs::exists(path / kLog, code);
}

Status InspectRun(const fs::path& path, const AppContext& context) {
  CONTINUO_ASSIGN(const Log log, ReadLog(path / kLog));
  const Json last = log.updates.empty() ? Json::object() : log.updates.back();
  const auto best = std::min_element(log.validations.begin(), log.validations.end(), [](const Json& a, const Json& b) {
    return Number(a, "valid_nll") < Number(b, "valid_nll");
  });
  Json settings = Json::object();
  if (const auto text = ReadTextFile(path / "latest" / "training.json"); text.ok()) {
    const Json training = Json::parse(*text, nullptr, /*allow_exceptions=*/false);
    if (training.is_object() && training.contains("settings")) {
      settings = training["settings"];
    }
  }
  const std::vector<std::string> models = Folders(path);
  const std::vector<std::string> checkpoints = Folders(path / "checkpoints");
  std::error_code code;
  const bool done = fs::exists(path / "final", code);

  if (context.json) {
    return PrintJson({{"run", path.string()},
                      {"done", done},
                      {"step", Number(last, "step")},
                      {"epoch", Number(last, "epoch")},
                      {"tokens", Number(last, "tokens")},
                      {"seconds", Number(last, "seconds")},
                      {"progress", Number(last, "progress")},
                      {"loss", RecentMean(log.updates, "loss")},
                      {"tokens_per_second", RecentMean(log.updates, "tokens_per_second")},
                      {"best", best != log.validations.end() ? *best : Json()},
                      {"last_validation", log.validations.empty() ? Json() : log.validations.back()},
                      {"models", models},
                      {"checkpoints", checkpoints},
                      {"settings", settings}});
  }
  CONTINUO_TRY(PrintLine(fmt::format("{}: a training run, {}", path.string(),
                                     done ? "done" : fmt::format("{:.0f} % done", 100 * Number(last, "progress")))));
  if (settings.contains("layers")) {
    CONTINUO_TRY(PrintLine(fmt::format("  model        {} layers, {} heads, {} wide, {} ids of context; {} ids; {}",
                                       settings["layers"].dump(), settings.value("heads", Json()).dump(),
                                       settings.value("width", Json()).dump(), settings.value("context", Json()).dump(),
                                       settings.value("vocab_size", Json()).dump(), settings.value("precision", ""))));
  }
  CONTINUO_TRY(PrintLine(fmt::format("  so far       {:.0f} updates, epoch {:.0f}, {:.0f} tokens in {}",
                                     Number(last, "step"), Number(last, "epoch") + 1, Number(last, "tokens"),
                                     FormatDuration(Number(last, "seconds")))));
  if (!log.updates.empty()) {
    CONTINUO_TRY(PrintLine(fmt::format("  loss         {:.4f} over the last {} updates, {:.4f} at the first",
                                       RecentMean(log.updates, "loss"), std::min(kLastUpdates, log.updates.size()),
                                       Number(log.updates.front(), "loss"))));
    CONTINUO_TRY(PrintLine(fmt::format("  speed        {:.0f} tokens/s over the last {} updates",
                                       RecentMean(log.updates, "tokens_per_second"),
                                       std::min(kLastUpdates, log.updates.size()))));
  }
  if (best != log.validations.end()) {
    CONTINUO_TRY(PrintLine("  validation   " + ValidationText(log.validations.back())));
    CONTINUO_TRY(PrintLine("  the best     " + ValidationText(*best)));
  }
  CONTINUO_TRY(PrintLine("  models       " + Joined(models)));
  return PrintLine("  checkpoints  " + Joined(checkpoints));
}

}  // namespace continuo
