#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "continuo/compose/midi_piece.h"
#include "continuo/core/result.h"

namespace continuo {

/// A piece and what was repaired or left out to read it.
struct PieceFile {
  MidiPiece piece;
  std::vector<std::string> repairs;
};

/// Reads a piece from a MIDI file, or from MusicXML where the name is one of MusicXML
/// (IsMusicXmlName). Fails as MidiPiece::Read and ParseMusicXml do.
Result<PieceFile> ReadPiece(const std::filesystem::path& path);

}  // namespace continuo
