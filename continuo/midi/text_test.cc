#include "continuo/midi/text.h"

#include <gtest/gtest.h>

#include "continuo/midi/midi_bytes_testing.h"

namespace continuo {
namespace {

std::string Utf8(const char* hex) {
  const Bytes bytes = Hex(hex);
  return ToUtf8(bytes);
}

const std::string kReplacement = "\xEF\xBF\xBD";

TEST(Text, LeavesUtf8AsItIs) {
  for (const char* text : {"", "a", "twelve bytes", "na\xC3\xAFve caf\xC3\xA9 in the rain", "\xE6\x97\xA5\xE6\x9C\xAC",
                           "\xF0\x9F\x98\x80", "\x7F\x01\t\n", "\xED\x9F\xBF\xEE\x80\x80\xF4\x8F\xBF\xBF"}) {
    const std::string bytes(text);
    EXPECT_EQ(ToUtf8({reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()}), bytes);
  }
  EXPECT_EQ(Utf8("410042"), std::string("A\0B", 3));
}

TEST(Text, ReplacesWhatIsMalformed) {
  struct Case {
    const char* bytes;
    std::string text;
  };
  const std::string& r = kReplacement;
  for (const Case& c : {Case{"e9", r},
                        {"e9e8", r + r},
                        {"63e964", "c" + r + "d"},
                        {"80", r},
                        {"8080", r + r},
                        {"ff", r},
                        {"c080", r},
                        {"e08080", r},
                        {"eda080", r},
                        {"f4908080", r},
                        {"f7bfbfbf", r},
                        {"c0", r},
                        {"f09f98", r},
                        {"f09f41", r + "A"},
                        {"e241", r + "A"},
                        {"e28241", r + "A"},
                        {"f880808080", r + r + r + r + r},
                        {"e9a0e9a0", r + r},
                        {"61c3", "a" + r},
                        {"6162636465666768e9", "abcdefgh" + r}}) {
    EXPECT_EQ(Utf8(c.bytes), c.text) << c.bytes;
  }
}

TEST(Text, IsDoneAfterOnce) {
  for (int a = 0; a < 256; ++a) {
    for (int b = 0; b < 256; b += 5) {
      const Bytes bytes = {static_cast<uint8_t>(a), static_cast<uint8_t>(b), 'x', static_cast<uint8_t>(a)};
      const std::string once = ToUtf8(bytes);
      EXPECT_EQ(ToUtf8({reinterpret_cast<const uint8_t*>(once.data()), once.size()}), once);
    }
  }
}

}  // namespace
}  // namespace continuo
