#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "continuo/core/result.h"
#include "continuo/score/score.h"

namespace continuo {

/// A piece of music on its way from a MIDI file, or to one. Requests take pieces and the Composer
/// returns them, so that a caller handles neither notes nor files if it needs only bytes.
class MidiPiece {
 public:
  MidiPiece() = default;
  /// `name` stands for the piece in messages.
  explicit MidiPiece(Score score, std::string name = "the piece") : name_(std::move(name)), score_(std::move(score)) {}

  /// Reads a Standard MIDI File; faults that can be repaired are repaired silently. Fails as
  /// ParseScore does.
  static Result<MidiPiece> Parse(std::span<const uint8_t> bytes, std::string name = "the piece");
  static Result<MidiPiece> Read(const std::filesystem::path& path);

  const std::string& name() const { return name_; }
  const Score& score() const { return score_; }

  /// The bytes of a Standard MIDI File.
  std::vector<uint8_t> Bytes() const;
  /// Writes the file whole or not at all.
  Status Write(const std::filesystem::path& path) const;

 private:
  std::string name_;
  Score score_;
};

}  // namespace continuo
