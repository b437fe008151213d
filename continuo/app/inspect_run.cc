#include "continuo/app/inspect_run.h"

#include <algorithm>
#include <string>
#include <vector>

#include "continuo/app/terminal.h"
#include "continuo/run/train_log.h"
#include "continuo/run/training_state.h"

namespace continuo {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr std::string_view kLog = "train.jsonl";
constexpr size_t kLastUpdates = 20;

/// The mean of a figure over the last updates, since one batch's alone varies.
double RecentMean(const std::vector<UpdateRecord>& updates, double UpdateRecord::* figure) {
  const size_t count = std::min(kLastUpdates, updates.size());
  double sum = 0;
  for (size_t i = updates.size() - count; i < updates.size(); ++i) {
    sum += updates[i].*figure;
  }
  return count > 0 ? sum / static_cast<double>(count) : 0.0;
}

/// The names of the model directories within one, sorted.
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

std::string ValidationText(const ValidationRecord& record) {
  return fmt::format("{:.4f} nats per token{} at step {}", record.nll_per_token,
                     record.nll_per_note > 0
                         ? fmt::format(", {:.3f} per note, {:.2f} per bar", record.nll_per_note, record.nll_per_bar)
                         : "",
                     record.step);
}

}  // namespace

bool IsRun(const fs::path& path) {
  std::error_code code;
  return fs::exists(path / kLog, code);
}

Status InspectRun(const fs::path& path, const AppContext& context) {
  CONTINUO_ASSIGN(const TrainLogRecords log, ReadTrainLog(path / kLog));
  const UpdateRecord last = log.updates.empty() ? UpdateRecord() : log.updates.back();
  const auto best = std::min_element(
      log.validations.begin(), log.validations.end(),
      [](const ValidationRecord& a, const ValidationRecord& b) { return a.nll_per_token < b.nll_per_token; });
  Json settings = Json::object();
  if (const auto training = ReadTrainingFile(path / "latest"); training.ok()) {
    settings = Json::parse(training->identity);
  }
  const std::vector<std::string> models = Folders(path);
  const std::vector<std::string> checkpoints = Folders(path / "checkpoints");
  std::error_code code;
  const bool done = fs::exists(path / "final", code);

  if (context.json) {
    return PrintJson({{"run", path.string()},
                      {"done", done},
                      {"step", last.step},
                      {"epoch", last.epoch},
                      {"tokens", last.tokens},
                      {"seconds", last.seconds},
                      {"progress", last.progress},
                      {"loss", RecentMean(log.updates, &UpdateRecord::loss)},
                      {"tokens_per_second", RecentMean(log.updates, &UpdateRecord::tokens_per_second)},
                      {"best", best != log.validations.end() ? ToJson(*best) : Json()},
                      {"last_validation", log.validations.empty() ? Json() : ToJson(log.validations.back())},
                      {"models", models},
                      {"checkpoints", checkpoints},
                      {"settings", settings}});
  }
  CONTINUO_TRY(PrintLine(fmt::format("{}: a training run, {}", path.string(),
                                     done ? "done" : fmt::format("{:.0f} % done", 100 * last.progress))));
  if (settings.contains("layers")) {
    CONTINUO_TRY(PrintLine(fmt::format("  model        {} layers, {} heads, {} wide, {} ids of context; {} ids; {}",
                                       settings["layers"].dump(), settings.value("heads", Json()).dump(),
                                       settings.value("width", Json()).dump(), settings.value("context", Json()).dump(),
                                       settings.value("vocab_size", Json()).dump(), settings.value("precision", ""))));
  }
  CONTINUO_TRY(PrintLine(fmt::format("  so far       {} updates, epoch {}, {} tokens in {}", last.step, last.epoch + 1,
                                     last.tokens, FormatDuration(last.seconds))));
  if (!log.updates.empty()) {
    CONTINUO_TRY(PrintLine(fmt::format("  loss         {:.4f} over the last {} updates, {:.4f} at the first",
                                       RecentMean(log.updates, &UpdateRecord::loss),
                                       std::min(kLastUpdates, log.updates.size()), log.updates.front().loss)));
    CONTINUO_TRY(PrintLine(fmt::format("  speed        {:.0f} tokens/s over the last {} updates",
                                       RecentMean(log.updates, &UpdateRecord::tokens_per_second),
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
