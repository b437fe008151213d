#include "continuo/app/piece_file.h"

#include "continuo/notation/musicxml_reader.h"
#include "continuo/os/file.h"

namespace continuo {

Result<MidiPiece> ReadPiece(const std::filesystem::path& path) {
  if (!IsMusicXmlName(path)) {
    return MidiPiece::Read(path);
  }
  CONTINUO_ASSIGN(const auto bytes, ReadFile(path, kMaxMusicXmlBytes));
  CONTINUO_ASSIGN(const ScoreAndWarnings read, ParseMusicXml(bytes, path.string()));
  // By way of a MIDI file, so that all that follows is as if one had been given.
  return MidiPiece::Parse(SerializeScore(read.score), path.string());
}

}  // namespace continuo
