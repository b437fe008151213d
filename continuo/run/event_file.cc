#include "continuo/run/event_file.h"

#include <array>
#include <bit>
#include <cstring>

#include "continuo/os/process.h"

namespace continuo {
namespace {

static_assert(std::endian::native == std::endian::little, "records are written as they lie in memory");

// Fields of tensorflow/core/util/event.proto and framework/summary.proto.
constexpr uint32_t kEventWallTime = 1;
constexpr uint32_t kEventStep = 2;
constexpr uint32_t kEventFileVersion = 3;
constexpr uint32_t kEventSummary = 5;
constexpr uint32_t kEventSessionLog = 7;
constexpr uint32_t kSessionLogStatus = 1;
constexpr uint64_t kSessionStart = 1;
constexpr uint32_t kSummaryValue = 1;
constexpr uint32_t kValueTag = 1;
constexpr uint32_t kValueSimple = 2;

// Wire types of protocol buffers.
constexpr uint32_t kVarint = 0;
constexpr uint32_t kFixed64 = 1;
constexpr uint32_t kBytes = 2;
constexpr uint32_t kFixed32 = 5;

class Message {
 public:
  void Varint(uint32_t field, uint64_t value) {
    Raw(field << 3 | kVarint);
    Raw(value);
  }
  void Double(uint32_t field, double value) {
    Raw(field << 3 | kFixed64);
    Append(value);
  }
  void Float(uint32_t field, float value) {
    Raw(field << 3 | kFixed32);
    Append(value);
  }
  void Bytes(uint32_t field, std::string_view value) {
    Raw(field << 3 | kBytes);
    Raw(value.size());
    bytes_ += value;
  }
  const std::string& bytes() const { return bytes_; }

 private:
  void Raw(uint64_t value) {
    for (; value >= 0x80; value >>= 7) {
      bytes_ += static_cast<char>(value | 0x80);
    }
    bytes_ += static_cast<char>(value);
  }
  template <typename T>
  void Append(T value) {
    std::array<char, sizeof(T)> raw;
    std::memcpy(raw.data(), &value, sizeof(T));
    bytes_.append(raw.data(), raw.size());
  }
  std::string bytes_;
};

template <typename T>
std::string_view AsBytes(const T& value) {
  return {reinterpret_cast<const char*>(&value), sizeof(T)};
}

/// A CRC of data that contains CRCs is weak, so TFRecord rotates it and adds a constant.
uint32_t MaskedCrc(std::string_view bytes) {
  const uint32_t crc = Crc32c({reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()});
  return std::rotr(crc, 15) + 0xa282ead8u;
}

Message EventAt(double wall_seconds, uint64_t step) {
  Message event;
  event.Double(kEventWallTime, wall_seconds);
  event.Varint(kEventStep, step);
  return event;
}

}  // namespace

uint32_t Crc32c(std::span<const uint8_t> bytes) {
  uint32_t crc = ~0u;
  for (const uint8_t byte : bytes) {
    crc ^= byte;
    for (int bit = 0; bit < 8; ++bit) {
      crc = crc >> 1 ^ ((crc & 1u) != 0 ? 0x82f63b78u : 0u);
    }
  }
  return ~crc;
}

Result<EventFile> EventFile::Create(const std::filesystem::path& folder, double wall_seconds, uint64_t step) {
  EventFile events;
  // TensorBoard reads a run's files in the order of their names.
  events.path_ =
      folder / fmt::format("events.out.tfevents.{:010}.continuo.{}", static_cast<uint64_t>(wall_seconds), ProcessId());
  events.file_.open(events.path_, std::ios::binary | std::ios::trunc);
  Message version;
  version.Double(kEventWallTime, wall_seconds);
  version.Bytes(kEventFileVersion, "brain.Event:2");
  CONTINUO_TRY(events.WriteRecord(version.bytes()));
  Message session;
  session.Varint(kSessionLogStatus, kSessionStart);
  Message start = EventAt(wall_seconds, step + 1);
  start.Bytes(kEventSessionLog, session.bytes());
  CONTINUO_TRY(events.WriteRecord(start.bytes()));
  return events;
}

Status EventFile::Write(double wall_seconds, uint64_t step, std::initializer_list<Scalar> scalars) {
  Message summary;
  for (const Scalar& scalar : scalars) {
    Message value;
    value.Bytes(kValueTag, scalar.tag);
    value.Float(kValueSimple, static_cast<float>(scalar.value));
    summary.Bytes(kSummaryValue, value.bytes());
  }
  Message event = EventAt(wall_seconds, step);
  event.Bytes(kEventSummary, summary.bytes());
  return WriteRecord(event.bytes());
}

Status EventFile::WriteRecord(std::string_view record) {
  const uint64_t length = record.size();
  const uint32_t length_crc = MaskedCrc(AsBytes(length));
  const uint32_t record_crc = MaskedCrc(record);
  file_ << AsBytes(length) << AsBytes(length_crc) << record << AsBytes(record_crc) << std::flush;
  if (!file_) {
    return MakeError("{}: cannot write", path_.string());
  }
  return {};
}

}  // namespace continuo
