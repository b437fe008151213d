#include "continuo/compose/midi_piece.h"

#include "continuo/score/score_file.h"

namespace continuo {

Result<MidiPiece> MidiPiece::Parse(std::span<const uint8_t> bytes, std::string name) {
  CONTINUO_ASSIGN(ScoreAndWarnings parsed, ParseScore(bytes, name));
  return MidiPiece(std::move(parsed.score), std::move(name));
}

Result<MidiPiece> MidiPiece::Read(const std::filesystem::path& path) {
  CONTINUO_ASSIGN(Score score, ReadScore(path));
  return MidiPiece(std::move(score), path.string());
}

std::vector<uint8_t> MidiPiece::Bytes() const {
  return SerializeScore(score_);
}

Status MidiPiece::Write(const std::filesystem::path& path) const {
  return WriteScore(score_, path);
}

}  // namespace continuo
