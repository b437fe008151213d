#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <nlohmann/json_fwd.hpp>
#include <vector>

#include "continuo/core/result.h"

namespace continuo {

/// A line of train.jsonl about one update of the weights. NLL is in nats.
struct UpdateRecord {
  uint64_t step = 0;  // updates made
  uint64_t epoch = 0;
  uint64_t tokens = 0;  // targets trained on so far
  double seconds = 0;   // of wall clock so far, without the pauses between interruptions and resumptions
  double progress = 0;  // share of the run that is done, in [0, 1]
  double loss = 0;      // NLL per token of this update's batch
  double lr = 0;
  double gradient_norm = 0;  // before clipping
  double tokens_per_second = 0;
};

/// A line of train.jsonl about one validation.
struct ValidationRecord {
  uint64_t step = 0;
  uint64_t epoch = 0;
  uint64_t tokens = 0;
  double seconds = 0;
  double nll_per_token = 0;
  double nll_per_note = 0;  // 0: the data have no notes; then it is not written
  double nll_per_bar = 0;   // of text: per line; 0: there are none; then it is not written
  uint64_t valid_tokens = 0;
};

nlohmann::ordered_json ToJson(const UpdateRecord& record);
nlohmann::ordered_json ToJson(const ValidationRecord& record);

/// Writes train.jsonl (docs/formats/checkpoint.md). Each line is flushed when Write returns.
class TrainLog {
 public:
  TrainLog() = default;
  /// Continues a log after `step`: removes the lines of later steps, which a resumed run writes
  /// again. Step 0 begins a new log.
  static Result<TrainLog> Open(const std::filesystem::path& path, uint64_t step);
  Status Write(const UpdateRecord& record);
  Status Write(const ValidationRecord& record);

 private:
  Status WriteLine(const nlohmann::ordered_json& line);

  std::filesystem::path path_;
  std::ofstream file_;
};

struct TrainLogRecords {
  std::vector<UpdateRecord> updates;
  std::vector<ValidationRecord> validations;
};

/// Reads train.jsonl, also while a run writes it: a line that is not a whole JSON object with a
/// step is skipped. A number that a line lacks is 0. Fails if the file cannot be read.
Result<TrainLogRecords> ReadTrainLog(const std::filesystem::path& path);

}  // namespace continuo
