#include "continuo/app/piece_file.h"

#include "continuo/notation/musicxml_reader.h"
#include "continuo/os/file.h"

namespace continuo {

Result<PieceFile> ReadPiece(const std::filesystem::path& path) {
  PieceFile file;
  if (IsMusicXmlName(path)) {
    CONTINUO_ASSIGN(const auto bytes, ReadFile(path, kMaxMusicXmlBytes));
    CONTINUO_ASSIGN(ScoreAndWarnings read, ParseMusicXml(bytes, path.string()));
    // By way of a MIDI file, so that all that follows is as if one had been given.
    CONTINUO_ASSIGN(file.piece, MidiPiece::Parse(SerializeScore(read.score), path.string()));
    file.repairs = std::move(read.warnings);
  } else {
    CONTINUO_ASSIGN(file.piece, MidiPiece::Read(path));
    file.repairs = file.piece.repairs();
  }
  return file;
}

}  // namespace continuo
