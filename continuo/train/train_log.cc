#include "continuo/train/train_log.h"

#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <utility>

#include "continuo/os/file.h"

namespace continuo {

Result<TrainLog> TrainLog::Open(const std::filesystem::path& path, uint64_t step) {
  std::string kept;
  if (step > 0 && std::filesystem::exists(path)) {
    CONTINUO_ASSIGN(const std::string text, ReadTextFile(path));
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
      const auto object = nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false);
      if (object.is_object() && object.contains("step") && object["step"].is_number_unsigned() &&
          object["step"].get<uint64_t>() <= step) {
        kept += line + "\n";
      }
    }
  }
  CONTINUO_TRY(WriteFileAtomically(path, kept));
  TrainLog log;
  log.path_ = path;
  log.file_.open(path, std::ios::app | std::ios::binary);
  return log;
}

Status TrainLog::Write(const nlohmann::ordered_json& line) {
  file_ << line.dump() << '\n' << std::flush;
  if (!file_) {
    return MakeError("{}: cannot write", path_.string());
  }
  return {};
}

}  // namespace continuo
