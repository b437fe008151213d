#include "continuo/midi/midi_document.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "continuo/core/check.h"
#include "continuo/midi/midi_chunks.h"
#include "continuo/midi/track_reader.h"

namespace continuo {
namespace {

constexpr size_t kRiffHeader = 8;
constexpr uint32_t kFileHeaderLength = 6;

bool HasTwoDataBytes(uint8_t status) {
  const uint8_t kind = status & 0xF0;
  return kind != kProgramChange && kind != kChannelPressure;
}

/// Collects the events of one track; the handler of a TrackReader.
class Collector {
 public:
  Collector(MidiDocument& document, MidiTrack& track) : document_(document), track_(track) {}

  void Message(uint32_t time, uint8_t status, uint8_t data1, uint8_t data2, bool running) {
    track_.events.push_back({time, status, data1, data2, running, 0, 0});
    track_.end = time;
  }
  void SystemExclusive(uint32_t time, uint8_t status, std::span<const uint8_t> data) {
    track_.events.push_back({time, status, 0, 0, false, Store(data), static_cast<uint32_t>(data.size())});
    track_.end = time;
  }
  void Meta(uint32_t time, uint8_t type, std::span<const uint8_t> data) {
    track_.events.push_back({time, kMeta, type, 0, false, Store(data), static_cast<uint32_t>(data.size())});
    track_.end = time;
  }
  void EndOfTrack(uint32_t time) { track_.end = time; }

 private:
  uint32_t Store(std::span<const uint8_t> data) {
    const size_t offset = document_.payload.size();
    document_.payload.insert(document_.payload.end(), data.begin(), data.end());
    return static_cast<uint32_t>(offset);
  }

  MidiDocument& document_;
  MidiTrack& track_;
};

/// The bytes of a file under way.
class Bytes {
 public:
  size_t size() const { return bytes_.size(); }
  void Byte(uint8_t value) { bytes_.push_back(value); }
  void Text(std::string_view text) { bytes_.insert(bytes_.end(), text.begin(), text.end()); }
  void Append(std::span<const uint8_t> data) { bytes_.insert(bytes_.end(), data.begin(), data.end()); }
  void Big16(uint32_t value) {
    Byte(static_cast<uint8_t>(value >> 8));
    Byte(static_cast<uint8_t>(value));
  }
  void Big32(uint32_t value) {
    Big16(value >> 16);
    Big16(value & 0xFFFF);
  }
  void Quantity(uint32_t value) {
    for (int shift = 21; shift > 0; shift -= 7) {
      if (value >= 1u << shift) {
        Byte(static_cast<uint8_t>(0x80 | (value >> shift)));
      }
    }
    Byte(value & 0x7F);
  }
  void SetBig32(size_t at, uint32_t value) {
    for (size_t i = 0; i < 4; ++i) {
      bytes_[at + i] = static_cast<uint8_t>(value >> (24 - 8 * i));
    }
  }
  void SetLittle32(size_t at, uint32_t value) {
    for (size_t i = 0; i < 4; ++i) {
      bytes_[at + i] = static_cast<uint8_t>(value >> (8 * i));
    }
  }
  std::vector<uint8_t> Take() { return std::move(bytes_); }

 private:
  std::vector<uint8_t> bytes_;
};

void WriteDelta(uint32_t from, uint32_t to, Bytes& bytes) {
  while (to - from > kLargestDelta) {
    bytes.Quantity(kLargestDelta);
    bytes.Append(std::vector<uint8_t>{kMeta, kMetaText, 0});
    from += kLargestDelta;
  }
  bytes.Quantity(to - from);
}

void WriteTrack(const MidiDocument& document, const MidiTrack& track, Bytes& bytes) {
  bytes.Text("MTrk");
  const size_t length_at = bytes.size();
  bytes.Big32(0);
  uint32_t time = 0;
  uint8_t running = 0;
  for (const MidiEvent& event : track.events) {
    CONTINUO_CHECK(event.time >= time);
    if (event.time - time > kLargestDelta) {
      running = 0;
    }
    WriteDelta(time, event.time, bytes);
    time = event.time;
    if (event.is_channel_message()) {
      if (!event.running || event.status != running) {
        bytes.Byte(event.status);
      }
      running = event.status;
      bytes.Byte(event.data1);
      if (HasTwoDataBytes(event.status)) {
        bytes.Byte(event.data2);
      }
      continue;
    }
    running = 0;
    bytes.Byte(event.status);
    if (event.status == kMeta) {
      bytes.Byte(event.data1);
    }
    bytes.Quantity(event.size);
    bytes.Append(document.Payload(event));
  }
  CONTINUO_CHECK(track.end >= time);
  WriteDelta(time, track.end, bytes);
  bytes.Append(std::vector<uint8_t>{kMeta, kMetaEndOfTrack, 0});
  bytes.SetBig32(length_at, static_cast<uint32_t>(bytes.size() - length_at - 4));
}

}  // namespace

int32_t MidiDocument::ticks_per_quarter() const {
  if (!is_smpte()) {
    return division;
  }
  const int frames = -static_cast<int8_t>(division >> 8);
  return (frames == 29 ? 30 : frames) * (division & 0xFF);
}

MidiEvent MidiDocument::NewMeta(uint32_t time, uint8_t type, std::span<const uint8_t> data) {
  CONTINUO_CHECK(data.size() <= kLargestDelta && payload.size() + data.size() <= 0xFFFFFFFF);
  const MidiEvent event{
      time, kMeta, type, 0, false, static_cast<uint32_t>(payload.size()), static_cast<uint32_t>(data.size())};
  payload.insert(payload.end(), data.begin(), data.end());
  return event;
}

uint32_t MidiDocument::end() const {
  uint32_t latest = 0;
  for (const MidiTrack& track : tracks) {
    latest = std::max(latest, track.end);
  }
  return latest;
}

MidiEvent NewMessage(uint32_t time, uint8_t status, uint8_t data1, uint8_t data2) {
  CONTINUO_CHECK(status >= 0x80 && status < kSystem && data1 < 128 && data2 < 128);
  return {time, status, data1, data2, false, 0, 0};
}

Result<MidiDocument> ReadMidiDocument(std::span<const uint8_t> bytes, Defects& defects) {
  if (bytes.size() > kLargestDocument) {
    return defects.Fatal(kLargestDocument, "the file has {} bytes, where at most {} can be edited", bytes.size(),
                         kLargestDocument);
  }
  CONTINUO_ASSIGN(const MidiChunks chunks, FindMidiChunks(bytes, defects));
  MidiDocument document;
  document.format = chunks.format;
  document.division = chunks.division;
  document.header_rest.assign(chunks.header_rest.begin(), chunks.header_rest.end());
  document.in_riff = !chunks.riff_before.empty();
  document.riff_before.assign(chunks.riff_before.begin(), chunks.riff_before.end());
  document.riff_after.assign(chunks.riff_after.begin(), chunks.riff_after.end());
  for (const MidiOtherChunk& other : chunks.others) {
    document.foreign.push_back({{other.bytes.begin(), other.bytes.end()}, other.before});
  }
  document.tracks.reserve(chunks.tracks.size());
  for (const MidiTrackChunk& chunk : chunks.tracks) {
    Collector collector(document, document.tracks.emplace_back());
    ReadTrack(chunk, collector, defects);
  }
  return document;
}

std::vector<uint8_t> SerializeMidiDocument(const MidiDocument& document) {
  CONTINUO_CHECK(document.tracks.size() <= 0xFFFF);
  Bytes bytes;
  if (document.in_riff) {
    bytes.Text("RIFF");
    bytes.Big32(0);
    bytes.Append(document.riff_before);
    bytes.Text("data");
    bytes.Big32(0);
  }
  const size_t start = bytes.size();
  bytes.Text("MThd");
  bytes.Big32(static_cast<uint32_t>(kFileHeaderLength + document.header_rest.size()));
  bytes.Big16(static_cast<uint32_t>(document.format));
  bytes.Big16(static_cast<uint32_t>(document.tracks.size()));
  bytes.Big16(document.division);
  bytes.Append(document.header_rest);
  size_t foreign = 0;
  for (size_t i = 0; i <= document.tracks.size(); ++i) {
    for (; foreign < document.foreign.size() && document.foreign[foreign].before <= i; ++foreign) {
      bytes.Append(document.foreign[foreign].bytes);
    }
    if (i < document.tracks.size()) {
      WriteTrack(document, document.tracks[i], bytes);
    }
  }
  if (document.in_riff) {
    const size_t length = bytes.size() - start;
    bytes.SetLittle32(start - 4, static_cast<uint32_t>(length));
    if (length % 2 != 0) {
      bytes.Byte(0);
    }
    bytes.Append(document.riff_after);
    bytes.SetLittle32(4, static_cast<uint32_t>(bytes.size() - kRiffHeader));
  }
  return bytes.Take();
}

bool SameEvent(const MidiDocument& a, const MidiEvent& in_a, const MidiDocument& b, const MidiEvent& in_b) {
  return in_a.time == in_b.time && in_a.status == in_b.status && in_a.data1 == in_b.data1 && in_a.data2 == in_b.data2 &&
         std::ranges::equal(a.Payload(in_a), b.Payload(in_b));
}

bool SameMusic(const MidiDocument& a, const MidiDocument& b) {
  if (a.format != b.format || a.division != b.division || a.tracks.size() != b.tracks.size()) {
    return false;
  }
  for (size_t i = 0; i < a.tracks.size(); ++i) {
    const MidiTrack& in_a = a.tracks[i];
    const MidiTrack& in_b = b.tracks[i];
    if (in_a.end != in_b.end ||
        !std::equal(in_a.events.begin(), in_a.events.end(), in_b.events.begin(), in_b.events.end(),
                    [&](const MidiEvent& x, const MidiEvent& y) { return SameEvent(a, x, b, y); })) {
      return false;
    }
  }
  return true;
}

std::string Describe(const MidiDocument& document, const MidiEvent& event) {
  if (event.is_channel_message()) {
    return HasTwoDataBytes(event.status)
               ? fmt::format("{} {:02x} {:02x} {:02x}", event.time, event.status, event.data1, event.data2)
               : fmt::format("{} {:02x} {:02x}", event.time, event.status, event.data1);
  }
  const std::string type = event.status == kMeta ? fmt::format("{:02x} ", event.data1) : "";
  return fmt::format("{} {:02x} {}[{:02x}]", event.time, event.status, type, fmt::join(document.Payload(event), " "));
}

}  // namespace continuo
