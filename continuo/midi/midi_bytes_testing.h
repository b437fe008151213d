#pragma once

#include <cctype>
#include <cstdint>
#include <initializer_list>
#include <string_view>
#include <vector>

namespace continuo {

// A small language for MIDI files built byte by byte.

using Bytes = std::vector<uint8_t>;

/// Bytes from hexadecimal digits; all else is passed over.
inline Bytes Hex(std::string_view digits) {
  Bytes bytes;
  int high = -1;
  for (const char c : digits) {
    if (std::isxdigit(static_cast<unsigned char>(c)) == 0) {
      continue;
    }
    const int value = c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10;
    if (high < 0) {
      high = value;
    } else {
      bytes.push_back(static_cast<uint8_t>(high << 4 | value));
      high = -1;
    }
  }
  return bytes;
}

inline Bytes operator+(Bytes a, const Bytes& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

inline Bytes Text(std::string_view text) {
  return Bytes(text.begin(), text.end());
}

inline Bytes Big32(uint32_t value) {
  return {static_cast<uint8_t>(value >> 24), static_cast<uint8_t>(value >> 16), static_cast<uint8_t>(value >> 8),
          static_cast<uint8_t>(value)};
}

inline Bytes Big16(uint32_t value) {
  return {static_cast<uint8_t>(value >> 8), static_cast<uint8_t>(value)};
}

/// A header of 14 bytes.
inline Bytes Header(uint32_t format, uint32_t tracks, uint32_t division = 480) {
  return Text("MThd") + Big32(6) + Big16(format) + Big16(tracks) + Big16(division);
}

/// A chunk that claims `length` bytes.
inline Bytes Chunk(std::string_view name, uint32_t length, const Bytes& content) {
  return Text(name) + Big32(length) + content;
}

inline const Bytes kEnd = Hex("00 ff2f00");

/// A track of these events and the end-of-track event.
inline Bytes TrackOf(const Bytes& events) {
  return Chunk("MTrk", static_cast<uint32_t>(events.size() + kEnd.size()), events + kEnd);
}

/// A file of format 1 with tracks of these events.
inline Bytes FileOf(std::initializer_list<Bytes> tracks) {
  Bytes file = Header(1, static_cast<uint32_t>(tracks.size()));
  for (const Bytes& events : tracks) {
    file = file + TrackOf(events);
  }
  return file;
}

}  // namespace continuo
