#include "continuo/midi/midi_chunks.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <string_view>

namespace continuo {
namespace {

constexpr size_t kChunkHeader = 8;  // a name of four letters, a length of four bytes
constexpr uint32_t kMidiHeaderLength = 6;
constexpr size_t kMostTracks = 0xFFFF;

uint32_t Big16(std::span<const uint8_t> b, size_t at) {
  return uint32_t{b[at]} << 8 | b[at + 1];
}
uint32_t Big32(std::span<const uint8_t> b, size_t at) {
  return Big16(b, at) << 16 | Big16(b, at + 2);
}
uint32_t Little32(std::span<const uint8_t> b, size_t at) {
  return uint32_t{b[at + 3]} << 24 | uint32_t{b[at + 2]} << 16 | uint32_t{b[at + 1]} << 8 | b[at];
}

bool Named(std::span<const uint8_t> bytes, size_t at, std::string_view name) {
  return at + name.size() <= bytes.size() && std::memcmp(bytes.data() + at, name.data(), name.size()) == 0;
}

bool Printable(std::span<const uint8_t> bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](uint8_t c) { return c >= 0x20 && c < 0x7F; });
}

/// The first bytes as letters where they are letters, else in hexadecimal.
std::string Shown(std::span<const uint8_t> bytes, size_t at) {
  const auto four = bytes.subspan(at, std::min<size_t>(4, bytes.size() - at));
  if (Printable(four)) {
    return fmt::format("\"{}\"", std::string(four.begin(), four.end()));
  }
  return fmt::format("{:02x}", fmt::join(four, " "));
}

/// Whether a chunk can begin here: a track, or four printable letters and a length that the file
/// has room for.
bool ChunkAt(std::span<const uint8_t> bytes, size_t at) {
  if (at + kChunkHeader > bytes.size()) {
    return false;
  }
  if (Named(bytes, at, "MTrk")) {
    return true;
  }
  return Printable(bytes.subspan(at, 4)) && Big32(bytes, at + 4) <= bytes.size() - at - kChunkHeader;
}

/// Where the next track's chunk begins at or after `from`, or the end of the bytes.
size_t NextTrack(std::span<const uint8_t> bytes, size_t from) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  const size_t at = text.find("MTrk", from);
  return at < bytes.size() && bytes.size() - at >= kChunkHeader ? at : bytes.size();
}

/// Where the Standard MIDI File lies in a RIFF file of the RMID form.
struct Extent {
  size_t begin = 0;
  size_t end = 0;
  size_t chunk_end = 0;  // of the "data" chunk, with its padding
};
Result<Extent> FindInRiff(std::span<const uint8_t> bytes, const Defects& defects) {
  if (!Named(bytes, 8, "RMID")) {
    return defects.Fatal(8, "a RIFF file, but of the form {}, where \"RMID\" was expected",
                         bytes.size() > 8 ? Shown(bytes, 8) : "none");
  }
  size_t at = 12;
  while (at + kChunkHeader <= bytes.size()) {
    const uint64_t length = Little32(bytes, at + 4);
    const uint64_t next = at + kChunkHeader + length;
    if (Named(bytes, at, "data")) {
      // A length of 0 or too much is that of a writer which did not come back to fill it in.
      const size_t end = length == 0 ? bytes.size() : static_cast<size_t>(std::min<uint64_t>(next, bytes.size()));
      return Extent{at + kChunkHeader, end, std::min(end + end % 2, bytes.size())};
    }
    at = static_cast<size_t>(std::min<uint64_t>(next + next % 2, bytes.size()));
  }
  return defects.Fatal(at, "the RIFF file ends, where a \"data\" chunk with a MIDI file was expected");
}

/// Sets the time base from the header's two bytes at `at`.
Status ReadDivision(std::span<const uint8_t> bytes, size_t at, const Defects& defects, MidiChunks& chunks) {
  const uint32_t division = Big16(bytes, at);
  chunks.division = static_cast<uint16_t>(division);
  if ((division & 0x8000) == 0) {
    if (division == 0) {
      return defects.Fatal(at, "0 ticks in a quarter note, where 1 to 32767 were expected");
    }
    chunks.ticks_per_quarter = static_cast<int32_t>(division);
    return {};
  }
  const int frames = -static_cast<int8_t>(bytes[at]);
  const int ticks = bytes[at + 1];
  if (frames != 24 && frames != 25 && frames != 29 && frames != 30) {
    return defects.Fatal(at, "{} frames a second, where 24, 25, 29 or 30 were expected", frames);
  }
  if (ticks == 0) {
    return defects.Fatal(at + 1, "0 ticks in a frame, where 1 to 255 were expected");
  }
  chunks.ticks_per_quarter = (frames == 29 ? 30 : frames) * ticks;
  chunks.smpte_us_per_quarter = frames == 29 ? 1001000 : 1000000;
  return {};
}

/// Fills in `chunks.tracks` with `claimed` tracks, or as many as there are, from `at` on, and
/// `chunks.others`. Returns where they end.
size_t FindTracks(std::span<const uint8_t> bytes, size_t at, size_t claimed, Defects& defects, MidiChunks& chunks) {
  while (at < bytes.size()) {
    const bool all_found = chunks.tracks.size() == claimed;
    if (all_found && (!ChunkAt(bytes, at) || Named(bytes, at, "MTrk"))) {
      break;
    }
    if (!ChunkAt(bytes, at)) {
      const size_t next = NextTrack(bytes, at);
      defects.Add(at, "{}, where a chunk was expected; {} bytes skipped", Shown(bytes, at), next - at);
      at = next;
      continue;
    }
    const size_t length = Big32(bytes, at + 4);
    const size_t start = at + kChunkHeader;
    if (!Named(bytes, at, "MTrk")) {
      chunks.others.push_back({bytes.subspan(at, kChunkHeader + length), chunks.tracks.size()});
      at = start + length;
      continue;
    }
    const bool too_long = length > bytes.size() - start;
    size_t end = too_long ? bytes.size() : start + length;
    size_t next = end;
    if (too_long || (end < bytes.size() && !ChunkAt(bytes, end))) {
      next = NextTrack(bytes, start);
      defects.Add(at + 4, "a track claims {} bytes, but {} lie before the next track or the end of the file", length,
                  next - start);
      // A length of 0 is that of a writer which did not come back to fill it in.
      end = length == 0 ? next : std::min(end, next);
    }
    chunks.tracks.push_back({start, bytes.subspan(start, end - start), next - end, chunks.ticks_per_quarter});
    at = next;
  }
  return at;
}

}  // namespace

Result<MidiChunks> FindMidiChunks(std::span<const uint8_t> bytes, Defects& defects) {
  if (bytes.empty()) {
    return defects.Fatal(0, "the file is empty, where a MIDI header (\"MThd\") was expected");
  }
  if (uint64_t{bytes.size()} > kLargestFile) {
    return defects.Fatal(static_cast<size_t>(kLargestFile), "the file has {} bytes, where at most {} are read",
                         bytes.size(), kLargestFile);
  }
  size_t at = 0;
  MidiChunks chunks;
  if (Named(bytes, 0, "RIFF")) {
    CONTINUO_ASSIGN(const Extent extent, FindInRiff(bytes, defects));
    at = extent.begin;
    chunks.riff_before = bytes.subspan(8, at - kChunkHeader - 8);
    chunks.riff_after = bytes.subspan(extent.chunk_end);
    bytes = bytes.first(extent.end);
  }
  if (!Named(bytes, at, "MThd")) {
    return defects.Fatal(at, "{}, where a MIDI header (\"MThd\") was expected",
                         at < bytes.size() ? Shown(bytes, at) : "the end of the file");
  }
  if (bytes.size() - at < kChunkHeader + kMidiHeaderLength) {
    return defects.Fatal(bytes.size(), "the file ends in its header, which takes {} bytes",
                         kChunkHeader + kMidiHeaderLength);
  }
  uint32_t header_length = Big32(bytes, at + 4);
  if (header_length < kMidiHeaderLength || header_length > bytes.size() - at - kChunkHeader) {
    defects.Add(at + 4, "the header claims {} bytes, where {} were expected", header_length, kMidiHeaderLength);
    header_length = kMidiHeaderLength;
  }

  chunks.header_rest = bytes.subspan(at + kChunkHeader + kMidiHeaderLength, header_length - kMidiHeaderLength);
  chunks.format = static_cast<int>(Big16(bytes, at + 8));
  if (chunks.format > 2) {
    defects.Add(at + 8, "format {}, where 0, 1 or 2 was expected; read as 1", chunks.format);
    chunks.format = 1;
  }
  CONTINUO_TRY(ReadDivision(bytes, at + 12, defects, chunks));

  const size_t count_at = at + 10;
  const size_t claimed = Big16(bytes, count_at);
  const size_t tracks_at = at + kChunkHeader + header_length;
  const bool uncounted = claimed == 0 && tracks_at < bytes.size();
  if (uncounted || (chunks.format == 0 && claimed > 1)) {
    defects.Add(count_at, "{} tracks claimed in a file of format {} with {} bytes after its header", claimed,
                chunks.format, bytes.size() - tracks_at);
  }
  const size_t end = FindTracks(bytes, tracks_at, uncounted ? kMostTracks : claimed, defects, chunks);
  if (chunks.tracks.empty() && (claimed > 0 || uncounted)) {
    return defects.Fatal(end, "the file ends, where its first track (\"MTrk\") was expected");
  }
  if (chunks.format == 2 && chunks.tracks.size() > 1) {
    defects.Remark(at + 8, "format 2: {} pieces on their own, read as tracks that sound together",
                   chunks.tracks.size());
  }
  if (chunks.tracks.size() < claimed) {
    defects.Add(count_at, "{} tracks claimed, {} found", claimed, chunks.tracks.size());
  } else if (end < bytes.size()) {
    defects.Add(end, "{} bytes after the last track; ignored", bytes.size() - end);
  }
  return chunks;
}

}  // namespace continuo
