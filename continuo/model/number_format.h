#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace continuo {

/// How numbers are stored, or what they are computed in. kInt8: 8 bits a weight with a scale for
/// every 64 (Int8Layout).
enum class NumberFormat : uint8_t { kF32, kF16, kBf16, kInt8 };
/// By NumberFormat, as flags, generation.json and reports spell them.
inline constexpr std::array<std::string_view, 4> kNumberFormatNames = {"f32", "f16", "bf16", "int8"};

inline std::string_view ToString(NumberFormat format) {
  return kNumberFormatNames[static_cast<size_t>(format)];
}

/// The format of a name that models are computed in: f32, bf16 or int8. F16 is a format of files
/// alone.
inline std::optional<NumberFormat> ParseComputeFormat(std::string_view name) {
  for (const NumberFormat format : {NumberFormat::kF32, NumberFormat::kBf16, NumberFormat::kInt8}) {
    if (name == ToString(format)) {
      return format;
    }
  }
  return std::nullopt;
}

}  // namespace continuo
