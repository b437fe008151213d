#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "continuo/core/result.h"
#include "continuo/midi/midi_document.h"
#include "continuo/score/score.h"

namespace continuo {

/// A piece of music as a MIDI file with every event, and as the notes that are read from it.
/// Requests take pieces and the Composer returns them, so that a caller handles neither notes nor
/// files if it needs only bytes. Each note-on has its note-off.
class MidiPiece {
 public:
  /// A file without tracks.
  MidiPiece() = default;
  /// The file that SerializeScore makes of a score.
  explicit MidiPiece(const Score& score, std::string name = "the piece");

  /// Reads a Standard MIDI File. What had to be repaired is listed in repairs(). `name` stands for
  /// the piece in messages. Fails as ReadMidiDocument does.
  static Result<MidiPiece> Parse(std::span<const uint8_t> bytes, std::string name = "the piece");
  static Result<MidiPiece> Read(const std::filesystem::path& path);
  /// A document whose notes all have their note-offs (see EndOpenNotes).
  static Result<MidiPiece> FromDocument(MidiDocument document, std::string name = "the piece");

  const std::string& name() const { return name_; }
  const MidiDocument& document() const { return document_; }
  /// The notes, tempos and signatures of the document.
  const Score& score() const { return score_; }
  /// One line for each fault of the file, with its byte offset, and one for all notes that had no
  /// end. Such notes are kept until a controller that silences them, or the end of their track.
  const std::vector<std::string>& repairs() const { return repairs_; }

  /// The bytes of a Standard MIDI File.
  std::vector<uint8_t> Bytes() const;
  /// Writes the file whole or not at all.
  Status Write(const std::filesystem::path& path) const;

 private:
  std::string name_;
  MidiDocument document_;
  Score score_;
  std::vector<std::string> repairs_;
};

}  // namespace continuo
