#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace continuo {

/// The bytes as UTF-8, each malformed sequence replaced by U+FFFD. A lead byte of a sequence of 2
/// to 4 bytes that is cut short, too long for its character, a surrogate or above U+10FFFF is
/// replaced with the continuation bytes that follow it; any other stray byte is replaced alone.
/// Valid UTF-8 comes back as it is. These are the texts that symusic gives.
std::string ToUtf8(std::span<const uint8_t> bytes);

}  // namespace continuo
