// Of Debian's libraries that the reader uses, there are none for WebAssembly.
#include "continuo/notation/musicxml_reader.h"

#include <fmt/format.h>

namespace continuo {

bool IsMusicXmlName(const std::filesystem::path& /*path*/) {
  return false;
}

Result<ScoreAndWarnings> ParseMusicXml(std::span<const uint8_t> /*bytes*/, std::string_view name) {
  return Error{fmt::format("{}: this engine reads no MusicXML", name), "give it a MIDI file"};
}

}  // namespace continuo
