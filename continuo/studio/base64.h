#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace continuo {

/// Base64 with padding (RFC 4648, section 4).
std::string EncodeBase64(std::span<const uint8_t> bytes);

/// Nothing if the text is not exactly that of some bytes: no other characters, no missing padding.
std::optional<std::vector<uint8_t>> DecodeBase64(std::string_view text);

}  // namespace continuo
