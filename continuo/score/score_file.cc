#include "continuo/score/score_file.h"

#include <utility>

#include "continuo/midi/defects.h"
#include "continuo/midi/midi_chunks.h"
#include "continuo/midi/track_reader.h"
#include "continuo/os/file.h"
#include "continuo/score/score_builder.h"

namespace continuo {

std::string RepairsInOneLine(std::span<const std::string> repairs) {
  if (repairs.size() < 2) {
    return repairs.empty() ? std::string() : repairs.front();
  }
  return fmt::format("{} (and {} more)", repairs.front(), repairs.size() - 1);
}

Result<ScoreAndWarnings> ParseScore(std::span<const uint8_t> bytes, std::string_view name, const ReadOptions& options) {
  Defects defects(name);
  CONTINUO_ASSIGN(const MidiChunks chunks, FindMidiChunks(bytes, defects));
  ScoreAndWarnings read;
  Score& score = read.score;
  score.ticks_per_quarter = chunks.ticks_per_quarter;

  ScoreBuilder builder(score, defects);
  for (const MidiTrackChunk& chunk : chunks.tracks) {
    builder.BeginTrack(chunk.events.size() + chunk.spare);
    ReadTrack(chunk, builder, defects);
    builder.EndTrack(chunk.offset);
  }
  builder.Finish();

  if (chunks.smpte_us_per_quarter > 0) {
    score.tempos = {{0, chunks.smpte_us_per_quarter}};
  }
  if (options.strict && defects.count() > 0) {
    return defects.First();
  }
  read.warnings = defects.TakeMessages();
  return read;
}

Result<ScoreAndWarnings> ReadScoreAndWarnings(const std::filesystem::path& path, const ReadOptions& options) {
  CONTINUO_ASSIGN(const std::vector<uint8_t> bytes, ReadFile(path));
  return ParseScore(bytes, path.string(), options);
}

Result<Score> ReadScore(const std::filesystem::path& path, const ReadOptions& options) {
  CONTINUO_ASSIGN(ScoreAndWarnings read, ReadScoreAndWarnings(path, options));
  return std::move(read.score);
}

Status WriteScore(const Score& score, const std::filesystem::path& path) {
  if (const Status channels = CheckChannels(score); !channels.ok()) {
    return Error{fmt::format("{}: {}", path.string(), channels.error().message), channels.error().hint};
  }
  return WriteFileAtomically(path, SerializeScore(score));
}

}  // namespace continuo
