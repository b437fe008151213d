#include "continuo/run/event_file.h"

#include <gtest/gtest.h>

#include <cstring>
#include <vector>

#include "continuo/os/file.h"
#include "continuo/os/temporary_folder_testing.h"

namespace continuo {
namespace {

uint32_t CrcOf(std::string_view text) {
  return Crc32c({reinterpret_cast<const uint8_t*>(text.data()), text.size()});
}

TEST(Crc32cTest, VectorsOfRfc3720) {
  EXPECT_EQ(CrcOf(std::string(32, '\0')), 0x8a9136aau);
  EXPECT_EQ(CrcOf(std::string(32, '\xff')), 0x62a8ab43u);
  EXPECT_EQ(CrcOf("123456789"), 0xe3069283u);
  EXPECT_EQ(CrcOf(""), 0u);
}

TEST(EventFileTest, ARecordIsWrittenToTheByte) {
  const TemporaryFolder folder;
  auto events = EventFile::Create(folder.path(), 1.0, 41);
  ASSERT_TRUE(events.ok()) << events.error().ToString();
  ASSERT_TRUE(events->Write(2.0, 300, {{"loss", 0.5}}).ok());
  std::vector<std::string> records;
  for (const auto& entry : std::filesystem::directory_iterator(folder.path())) {
    EXPECT_EQ(entry.path().filename().string().rfind("events.out.tfevents.0000000001.", 0), 0u);
    const std::string bytes = ReadTextFile(entry.path()).value();
    for (size_t at = 0; at < bytes.size();) {
      uint64_t length = 0;
      uint32_t crc = 0;
      std::memcpy(&length, bytes.data() + at, 8);
      ASSERT_LE(at + 16 + length, bytes.size());
      records.push_back(bytes.substr(at + 12, length));
      std::memcpy(&crc, bytes.data() + at + 12 + length, 4);
      const uint32_t plain = CrcOf(records.back());
      EXPECT_EQ(crc, ((plain >> 15) | (plain << 17)) + 0xa282ead8u);
      at += 16 + length;
    }
  }
  ASSERT_EQ(records.size(), 3u);
  using std::string_literals::operator""s;
  // wall_time (field 1, fixed64), then file_version (3); step (2, varint) and session_log (7)
  // {status (1): START}; step 300 and summary (5) {value (1) {tag (1) "loss", simple_value (2,
  // fixed32) 0.5}}.
  EXPECT_EQ(records[0],
            "\x09\0\0\0\0\0\0\xf0\x3f\x1a\x0d"
            "brain.Event:2"s);
  EXPECT_EQ(records[1], "\x09\0\0\0\0\0\0\xf0\x3f\x10\x2a\x3a\x02\x08\x01"s);
  EXPECT_EQ(records[2], "\x09\0\0\0\0\0\0\0\x40\x10\xac\x02\x2a\x0d\x0a\x0b\x0a\x04loss\x15\0\0\0\x3f"s);
}

TEST(EventFileTest, AFolderThatIsNotThereIsAnError) {
  EXPECT_FALSE(EventFile::Create("/nowhere/at/all", 1.0, 0).ok());
}

}  // namespace
}  // namespace continuo
