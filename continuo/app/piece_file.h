#pragma once

#include <filesystem>

#include "continuo/compose/midi_piece.h"
#include "continuo/core/result.h"

namespace continuo {

/// Reads a piece from a MIDI file, or from MusicXML where the name is one of MusicXML
/// (IsMusicXmlName). Fails as MidiPiece::Read and ParseMusicXml do.
Result<MidiPiece> ReadPiece(const std::filesystem::path& path);

}  // namespace continuo
