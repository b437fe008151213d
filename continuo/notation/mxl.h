#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "continuo/core/result.h"

namespace continuo {

/// Whether these are the bytes of a compressed MusicXML file: a zip archive.
bool IsMxl(std::span<const uint8_t> bytes);

/// The score in a compressed MusicXML file: the file that META-INF/container.xml names first.
/// Fails on archives that cannot be read, and where one of the two is larger than `max_bytes`.
Result<std::string> UnpackMxl(std::span<const uint8_t> bytes, size_t max_bytes, std::string_view name);

}  // namespace continuo
