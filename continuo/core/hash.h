#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace continuo {

/// SHA-256 (FIPS 180-4) of bytes given in any number of pieces.
class Sha256 {
 public:
  /// With the CPU's SHA instructions, where it has them and the caller doesn't forbid it.
  explicit Sha256(bool use_instructions = true);
  void Update(std::span<const uint8_t> bytes);
  void Update(std::string_view text);
  /// The digest. The object must not be used afterwards.
  std::array<uint8_t, 32> Finish();
  /// The digest as 64 lower-case hex digits.
  std::string FinishHex();

 private:
  /// Takes whole blocks of 64 bytes.
  void Blocks(const uint8_t* bytes, size_t count);
  bool use_instructions_;
  std::array<uint32_t, 8> state_;
  std::array<uint8_t, 64> buffer_{};
  uint64_t length_ = 0;
};

/// SHA-256 of one piece, as hex.
std::string Sha256Hex(std::span<const uint8_t> bytes);
std::string Sha256Hex(std::string_view text);

}  // namespace continuo
