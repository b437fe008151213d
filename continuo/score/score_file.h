#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "continuo/core/result.h"
#include "continuo/score/score.h"

namespace continuo {

struct ReadOptions {
  bool strict = false;  // refuse what is otherwise repaired with a warning
};

/// A Score and what had to be repaired to read it, each with its byte offset.
struct ScoreAndWarnings {
  Score score;
  std::vector<std::string> warnings;
};

/// Reads a Standard MIDI File from memory. `name` stands for the file in messages. The notes, tempos and
/// signatures are those that symusic 0.6.0 reads. Memory is bounded by a small multiple of the input.
Result<ScoreAndWarnings> ParseScore(std::span<const uint8_t> bytes, std::string_view name, const ReadOptions& options = {});

/// The same from a file, warnings dropped.
Result<Score> ReadScore(const std::filesystem::path& path, const ReadOptions& options = {});

/// A type 1 Standard MIDI File: a conductor track, then one track for each of the score's.
/// `ParseScore(SerializeScore(s))` gives s again when s is sorted and holds no overlapping notes of one pitch.
std::vector<uint8_t> SerializeScore(const Score& score);

/// Writes the file whole or not at all.
Status WriteScore(const Score& score, const std::filesystem::path& path);

}  // namespace continuo
