#include "continuo/midi/text.h"

#include <cstddef>
#include <cstring>

namespace continuo {
namespace {

bool IsAscii(std::span<const uint8_t> bytes) {
  uint64_t all = 0;
  size_t at = 0;
  for (; at + sizeof(all) <= bytes.size(); at += sizeof(all)) {
    uint64_t eight;
    std::memcpy(&eight, bytes.data() + at, sizeof(eight));
    all |= eight;
  }
  uint8_t rest = 0;
  for (; at < bytes.size(); ++at) {
    rest |= bytes[at];
  }
  return ((all | rest) & 0x8080808080808080) == 0;
}

bool IsContinuation(uint8_t c) {
  return (c & 0xC0) == 0x80;
}

/// Bytes that a character with this lead byte takes; 0 for what is not a lead byte.
size_t SequenceLength(uint8_t lead) {
  if (lead < 0x80) {
    return 1;
  }
  return (lead & 0xE0) == 0xC0 ? 2 : (lead & 0xF0) == 0xE0 ? 3 : (lead & 0xF8) == 0xF0 ? 4 : 0;
}

/// Whether the bytes from `at` begin with one well-formed character of `length` bytes, which is at
/// least 2.
bool WellFormed(std::span<const uint8_t> bytes, size_t at, size_t length) {
  constexpr uint32_t kSmallest[] = {0, 0, 0x80, 0x800, 0x10000};
  if (bytes.size() - at < length) {
    return false;
  }
  uint32_t character = bytes[at] & (0xFFu >> (length + 1));
  for (size_t i = 1; i < length; ++i) {
    if (!IsContinuation(bytes[at + i])) {
      return false;
    }
    character = character << 6 | (bytes[at + i] & 0x3F);
  }
  const bool surrogate = character >= 0xD800 && character <= 0xDFFF;
  return character >= kSmallest[length] && character <= 0x10FFFF && !surrogate;
}

}  // namespace

std::string ToUtf8(std::span<const uint8_t> bytes) {
  if (IsAscii(bytes)) {
    return std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  }
  std::string text;
  text.reserve(bytes.size());
  size_t at = 0;
  while (at < bytes.size()) {
    const size_t length = SequenceLength(bytes[at]);
    if (length == 1 || (length > 1 && WellFormed(bytes, at, length))) {
      text.append(reinterpret_cast<const char*>(bytes.data()) + at, length);
      at += length;
      continue;
    }
    text.append("\xEF\xBF\xBD");
    ++at;
    while (length > 1 && at < bytes.size() && IsContinuation(bytes[at])) {
      ++at;
    }
  }
  return text;
}

}  // namespace continuo
