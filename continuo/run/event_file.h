#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>

#include "continuo/core/result.h"

namespace continuo {

/// CRC-32C (Castagnoli) as in iSCSI (RFC 3720, B.4).
uint32_t Crc32c(std::span<const uint8_t> bytes);

/// TensorBoard's event file: TFRecords (u64 length, its masked CRC-32C, the bytes, their masked
/// CRC-32C, all little-endian), each a protocol buffer tensorflow.Event. The first names the
/// format, brain.Event:2. The second starts a session at a step, so that TensorBoard discards later
/// steps of the run's earlier files.
class EventFile {
 public:
  struct Scalar {
    std::string_view tag;
    double value;
  };

  EventFile() = default;
  /// Creates a file in `folder`, named after `wall_seconds` (since 1970), for a run that continues
  /// after `step`.
  static Result<EventFile> Create(const std::filesystem::path& folder, double wall_seconds, uint64_t step);
  Status Write(double wall_seconds, uint64_t step, std::initializer_list<Scalar> scalars);

 private:
  Status WriteRecord(std::string_view record);
  std::filesystem::path path_;
  std::ofstream file_;
};

}  // namespace continuo
