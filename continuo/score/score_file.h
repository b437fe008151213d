#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
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

/// What was repaired in a file, in one line: the first repair, and the number of the others. Empty
/// if there are none.
std::string RepairsInOneLine(std::span<const std::string> repairs);

/// The most tracks that a file can hold beside the conductor's. Reading leaves out what is beyond.
inline constexpr size_t kMaxTracks = 65534;

/// Reads a Standard MIDI File from memory. `name` stands for the file in messages. The notes,
/// tempos and signatures are those that symusic 0.6.0 reads. Memory is bounded by a small multiple
/// of the input.
Result<ScoreAndWarnings> ParseScore(std::span<const uint8_t> bytes, std::string_view name,
                                    const ReadOptions& options = {});

/// The same from a file.
Result<ScoreAndWarnings> ReadScoreAndWarnings(const std::filesystem::path& path, const ReadOptions& options = {});

/// The same, warnings dropped.
Result<Score> ReadScore(const std::filesystem::path& path, const ReadOptions& options = {});

/// A type 1 Standard MIDI File: a conductor track, then one track for each of the score's.
/// `ParseScore(SerializeScore(s))` gives s again when s is sorted and holds no overlapping notes of
/// one pitch, each track has a note, and pedals agree with controller 64 (where a track has pedals
/// but no controller 64, the controllers that say the same are written). What was read is written,
/// read and written again to the same bytes.
///
/// Each track of instruments has a channel of its own; drums have channel 10. Of more than 15
/// tracks of instruments, those that do not overlap in time share channels. If that is not enough,
/// see CheckChannels, tracks share channels though they overlap.
///
/// Times and durations must not be negative, values must be in the range that MIDI gives them,
/// denominators powers of two, and `ticks_per_quarter` from 1 to 32767; tempos outside 1 to
/// 16,777,215 µs are written as the nearest of these.
std::vector<uint8_t> SerializeScore(const Score& score);

/// Fails, saying how many channels a score needs, if a MIDI file has too few.
Status CheckChannels(const Score& score);

/// Writes the file whole or not at all. Fails as CheckChannels does.
Status WriteScore(const Score& score, const std::filesystem::path& path);

}  // namespace continuo
