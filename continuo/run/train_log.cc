#include "continuo/run/train_log.h"

#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>

#include "continuo/os/file.h"

namespace continuo {
namespace {

using Json = nlohmann::ordered_json;

/// The step of a line; none if the line is not a record.
std::optional<uint64_t> StepOf(const Json& line) {
  const auto step = line.is_object() ? line.find("step") : line.end();
  if (step == line.end() || !step->is_number_unsigned()) {
    return std::nullopt;
  }
  return step->get<uint64_t>();
}

template <typename T>
void Read(const Json& line, const char* key, T& value) {
  const auto found = line.find(key);
  if (found != line.end() && found->is_number()) {
    value = found->get<T>();
  }
}

/// What the records of updates and of validations begin with.
template <typename Record>
Record ReadPlace(const Json& line) {
  Record record;
  Read(line, "step", record.step);
  Read(line, "epoch", record.epoch);
  Read(line, "tokens", record.tokens);
  Read(line, "seconds", record.seconds);
  return record;
}

UpdateRecord ReadUpdate(const Json& line) {
  auto record = ReadPlace<UpdateRecord>(line);
  Read(line, "progress", record.progress);
  Read(line, "loss", record.loss);
  Read(line, "lr", record.lr);
  Read(line, "gradient_norm", record.gradient_norm);
  Read(line, "tokens_per_second", record.tokens_per_second);
  return record;
}

ValidationRecord ReadValidation(const Json& line) {
  auto record = ReadPlace<ValidationRecord>(line);
  Read(line, "valid_nll", record.nll_per_token);
  Read(line, "valid_nll_note", record.nll_per_note);
  Read(line, "valid_nll_bar", record.nll_per_bar);
  Read(line, "valid_tokens", record.valid_tokens);
  return record;
}

/// Calls `visit(line, json, step)` for each record.
template <typename Visit>
Status ForEachRecord(const std::filesystem::path& path, const Visit& visit) {
  CONTINUO_ASSIGN(const std::string text, ReadTextFile(path));
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const Json json = Json::parse(line, nullptr, /*allow_exceptions=*/false);
    if (const auto step = StepOf(json)) {
      visit(line, json, *step);
    }
  }
  return {};
}

}  // namespace

Json ToJson(const UpdateRecord& record) {
  return {{"step", record.step},
          {"epoch", record.epoch},
          {"tokens", record.tokens},
          {"seconds", record.seconds},
          {"progress", record.progress},
          {"loss", record.loss},
          {"lr", record.lr},
          {"gradient_norm", record.gradient_norm},
          {"tokens_per_second", record.tokens_per_second}};
}

Json ToJson(const ValidationRecord& record) {
  Json line = {{"step", record.step},
               {"epoch", record.epoch},
               {"tokens", record.tokens},
               {"seconds", record.seconds},
               {"valid_nll", record.nll_per_token}};
  if (record.nll_per_note > 0) {
    line["valid_nll_note"] = record.nll_per_note;
  }
  if (record.nll_per_bar > 0) {
    line["valid_nll_bar"] = record.nll_per_bar;
  }
  line["valid_tokens"] = record.valid_tokens;
  return line;
}

Result<TrainLog> TrainLog::Open(const std::filesystem::path& path, uint64_t step) {
  std::string kept;
  if (step > 0 && std::filesystem::exists(path)) {
    CONTINUO_TRY(ForEachRecord(path, [&](const std::string& line, const Json& /*json*/, uint64_t at) {
      if (at <= step) {
        kept += line + "\n";
      }
    }));
  }
  CONTINUO_TRY(WriteFileAtomically(path, kept));
  TrainLog log;
  log.path_ = path;
  log.file_.open(path, std::ios::app | std::ios::binary);
  return log;
}

Status TrainLog::Write(const UpdateRecord& record) {
  return WriteLine(ToJson(record));
}

Status TrainLog::Write(const ValidationRecord& record) {
  return WriteLine(ToJson(record));
}

Status TrainLog::WriteLine(const Json& line) {
  file_ << line.dump() << '\n' << std::flush;
  if (!file_) {
    return MakeError("{}: cannot write", path_.string());
  }
  return {};
}

Result<TrainLogRecords> ReadTrainLog(const std::filesystem::path& path) {
  TrainLogRecords records;
  CONTINUO_TRY(ForEachRecord(path, [&](const std::string& /*line*/, const Json& json, uint64_t /*step*/) {
    if (json.contains("loss")) {
      records.updates.push_back(ReadUpdate(json));
    } else if (json.contains("valid_nll")) {
      records.validations.push_back(ReadValidation(json));
    }
  }));
  return records;
}

}  // namespace continuo
