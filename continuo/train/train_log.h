#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <nlohmann/json_fwd.hpp>

#include "continuo/core/result.h"

namespace continuo {

/// train.jsonl: a JSON object a line, each with a "step".
class TrainLog {
 public:
  TrainLog() = default;
  /// Goes on with a log after `step`: lines of later steps, which a run that resumes writes again, are
  /// taken out. Step 0 begins a new one.
  static Result<TrainLog> Open(const std::filesystem::path& path, uint64_t step);
  Status Write(const nlohmann::ordered_json& line);

 private:
  std::filesystem::path path_;
  std::ofstream file_;
};

}  // namespace continuo
