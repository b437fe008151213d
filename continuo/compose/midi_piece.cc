#include "continuo/compose/midi_piece.h"

#include <utility>

#include "continuo/core/check.h"
#include "continuo/midi/note_pairs.h"
#include "continuo/os/file.h"
#include "continuo/score/score_file.h"

namespace continuo {

MidiPiece::MidiPiece(const Score& score, std::string name) {
  Result<MidiPiece> piece = Parse(SerializeScore(score), std::move(name));
  CONTINUO_CHECK(piece.ok());
  *this = std::move(*piece);
}

Result<MidiPiece> MidiPiece::Parse(std::span<const uint8_t> bytes, std::string name) {
  CONTINUO_ASSIGN(CompleteMidi read, ReadCompleteMidi(bytes, name));
  CONTINUO_ASSIGN(MidiPiece piece, FromDocument(std::move(read.document), std::move(name)));
  piece.repairs_ = std::move(read.repairs);
  return piece;
}

Result<MidiPiece> MidiPiece::Read(const std::filesystem::path& path) {
  CONTINUO_ASSIGN(const std::vector<uint8_t> bytes, ReadFile(path));
  return Parse(bytes, path.string());
}

Result<MidiPiece> MidiPiece::FromDocument(MidiDocument document, std::string name) {
  MidiPiece piece;
  piece.name_ = std::move(name);
  CONTINUO_ASSIGN(ScoreAndWarnings read, ParseScore(SerializeMidiDocument(document), piece.name_));
  piece.score_ = std::move(read.score);
  piece.document_ = std::move(document);
  return piece;
}

std::vector<uint8_t> MidiPiece::Bytes() const {
  return SerializeMidiDocument(document_);
}

Status MidiPiece::Write(const std::filesystem::path& path) const {
  return WriteFileAtomically(path, Bytes());
}

}  // namespace continuo
