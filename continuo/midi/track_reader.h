#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "continuo/midi/defects.h"
#include "continuo/midi/meta_faults.h"
#include "continuo/midi/midi_chunks.h"
#include "continuo/midi/midi_format.h"

namespace continuo {

/// Quarter notes. A longer delta time is taken for damage, and reported: over an hour at usual
/// tempos.
inline constexpr uint32_t kLongestRest = 10000;

/// A handler that takes every event with all of its bytes; see TrackReader.
template <typename Handler>
concept TakesEveryEvent = requires(Handler handler, std::span<const uint8_t> data) {
  handler.Message(uint32_t{}, uint8_t{}, uint8_t{}, uint8_t{}, bool{});
  handler.SystemExclusive(uint32_t{}, uint8_t{}, data);
  handler.EndOfTrack(uint32_t{});
};

/// Reads the events of one track, in order, and calls the handler for each; `time` is in ticks from
/// the start of the track and never decreases. The handler is a class with
///
///     bool Note(uint32_t time, uint32_t channel, uint32_t key);  // pitch + 256 * velocity; false: ends no note
///     void Control(uint32_t time, uint8_t channel, uint8_t number, uint8_t value);
///     void Program(uint32_t time, uint8_t channel, uint8_t program);
///     void Bend(uint32_t time, uint8_t channel, int value);                          // -8192..8191
///     void Meta(uint32_t time, uint8_t type, std::span<const uint8_t> data);
///
/// A note-off is a note of velocity 0. Pressure, system exclusive and other system messages are
/// skipped. All values are in the range that MIDI gives them, but for those of meta events.
///
/// A handler that takes every event (TakesEveryEvent) has instead of the first four
///
///     void Message(uint32_t time, uint8_t status, uint8_t data1, uint8_t data2, bool running);  // channel messages
///     void SystemExclusive(uint32_t time, uint8_t status, std::span<const uint8_t> data);       // F0 or F7
///     void EndOfTrack(uint32_t time);
///
/// where `running` says that the file leaves the status byte out, and `data2` is 0 if the message
/// has one data byte.
///
/// Reading never fails: a fault is added to `defects` and repaired as follows.
/// - A data byte above 127 counts as 127 where it is a value; where it is a pitch or a controller the event is dropped.
/// - Running status continues after a meta event and a real-time message; it ends with a system exclusive or a system
///   common message.
/// - Data bytes where a status byte must stand are skipped up to the next status byte.
/// - A system message that no file may hold is skipped, with its data bytes.
/// - An event that reaches past its track's claimed length reads on into the track's spare bytes. One that they can't
///   hold either ends the track, and so does a time past `kLastTick`.
/// - A delta time of more than `kLongestRest` quarter notes stays as it is.
/// - A tempo, a time signature or a key signature of no use (FindMetaFaults) is handed on.
/// - A track may end without an end-of-track event. What follows that event is ignored.
///
/// Time is linear in the size of the track; no memory is allocated.
template <typename Handler>
class TrackReader {
 public:
  TrackReader(const MidiTrackChunk& chunk, Handler& handler, Defects& defects)
      : begin_(chunk.events.data()),
        at_(begin_),
        end_(begin_ + chunk.events.size()),
        spare_(chunk.spare),
        offset_(chunk.offset),
        absurd_delta_(kLongestRest * static_cast<uint32_t>(chunk.ticks_per_quarter)),
        handler_(handler),
        defects_(defects) {}

  void Read() {
    while (at_ < end_) {
      if (!ReadEvent()) {
        return;
      }
      if constexpr (!TakesEveryEvent<Handler>) {
        if ((running_ & 0xE0) == kNoteOff) {
          ReadPlainNotes();
        }
      }
    }
    defects_.Add(Offset(at_), "the track ends without an end-of-track event");
  }

 private:
  size_t Offset(const uint8_t* p) const { return offset_ + static_cast<size_t>(p - begin_); }

  /// Whether `size` more bytes can be read at `p`; takes the spare bytes in where the track's claim
  /// is too small.
  bool Has(const uint8_t* p, size_t size) { return static_cast<size_t>(end_ - p) >= size || HasSpare(p, size); }

  bool HasSpare(const uint8_t* p, size_t size) {
    if (static_cast<size_t>(end_ - p) + spare_ >= size) {
      end_ += spare_;
      spare_ = 0;
      return true;
    }
    defects_.Add(Offset(p), "the track ends within an event: {} more bytes expected, {} found", size, end_ - p);
    return false;
  }

  /// Reads a variable-length quantity of at most four bytes.
  bool ReadQuantity(uint32_t& value) {
    if (end_ - at_ >= 2) [[likely]] {
      value = at_[0];
      if (value < 0x80) {
        at_ += 1;
        return true;
      }
      if (at_[1] < 0x80) {
        value = (value & 0x7F) << 7 | at_[1];
        at_ += 2;
        return true;
      }
    }
    return ReadLongQuantity(value);
  }

  bool ReadLongQuantity(uint32_t& value) {
    value = 0;
    for (int i = 0; i < 4; ++i) {
      if (!Has(at_, 1)) {
        return false;
      }
      const uint8_t byte = *at_++;
      value = value << 7 | (byte & 0x7F);
      if (byte < 0x80) {
        return true;
      }
    }
    defects_.Add(Offset(at_ - 1), "a variable-length quantity of more than 4 bytes; cut there");
    return true;
  }

  /// Reads the events that nearly all are, up to the first other one: a delta time of one or two
  /// bytes and a flawless note message. Whether the delta takes one byte or two, whether a status
  /// byte follows, and whether a note begins or ends is random to a processor's branch predictor,
  /// so none of them is a branch.
  void ReadPlainNotes() {
    constexpr ptrdiff_t kMost = 8;  // bytes looked at
    const uint8_t* at = at_;
    uint32_t time = time_;
    uint32_t running = running_;
    while (end_ - at >= kMost) {
      const uint64_t bytes = LittleEndian64(at);
      const uint32_t more = bytes >> 7 & 1;
      const auto low = static_cast<uint32_t>(bytes & 0x7F);
      const uint32_t second = static_cast<uint8_t>(bytes >> 8) & (0u - more);
      const uint32_t delta = low << (7 * more) | second;
      const auto message = static_cast<uint32_t>(bytes >> (8 + 8 * more));
      const uint32_t with_status = message >> 7 & 1;
      const uint32_t status = running ^ ((running ^ message) & (0u - with_status) & 0xFF);
      const uint32_t data = message >> (8 * with_status);
      const uint32_t later = time + delta;
      // Not a note; data bytes, or a third byte of the delta, with the highest bit set; too late.
      const uint32_t other = (status & 0xE0) ^ kNoteOff;
      if ((other | (data & 0x8080) | (second & 0x80) | later >> 31) != 0) [[unlikely]] {
        break;
      }
      running = status;
      time = later;
      if (!handler_.Note(time, status & 0x0F, data & KeyMask(status))) [[unlikely]] {
        defects_.Add(Offset(at), kNoSuchNote);
      }
      at += 3 + more + with_status;
    }
    at_ = at;
    time_ = time;
    running_ = static_cast<uint8_t>(running);
  }

  /// The bits of a note message's data that count: the velocity of a note-on (status 9x), but not
  /// of a note-off (8x).
  static uint32_t KeyMask(uint32_t status) { return 0x7F | (status & 0x10) * (0x7F00 / 0x10); }

  static uint64_t LittleEndian64(const uint8_t* p) {
    uint64_t value;
    std::memcpy(&value, p, sizeof(value));
    if constexpr (std::endian::native == std::endian::big) {
      value = __builtin_bswap64(value);
    }
    return value;
  }

  /// Reads a delta time and an event. False ends the track.
  bool ReadEvent() {
    uint32_t delta = 0;
    if (!ReadQuantity(delta)) {
      return false;
    }
    if (delta > kLastTick - time_) {
      defects_.Add(Offset(at_), "the time passes {} ticks; the rest of the track is left out", kLastTick);
      return false;
    }
    if (delta > absurd_delta_) {
      defects_.Remark(Offset(at_), "a delta time of {} ticks, more than {} quarter notes; kept", delta, kLongestRest);
    }
    time_ += delta;
    if (!Has(at_, 1)) {
      return false;
    }
    event_ = at_;
    uint8_t status = *at_;
    if (status >= 0x80) {
      ++at_;
    } else {
      status = running_;
      if (status == 0 && !SkipToStatus(status)) {
        return false;
      }
    }
    if (status < kSystem) {
      running_ = status;
      return ReadChannelMessage(status);
    }
    return ReadSystemMessage(status);
  }

  /// Skips data bytes without a status; false at the end of the track.
  bool SkipToStatus(uint8_t& status) {
    const uint8_t* from = at_;
    while (at_ < end_ && *at_ < 0x80) {
      ++at_;
    }
    defects_.Add(Offset(from), "data byte {:02x}, where a status byte was expected; {} bytes skipped", *from,
                 at_ - from);
    // Bytes after the track's claim, which Has may take, can be data bytes again.
    while (Has(at_, 1)) {
      event_ = at_;
      status = *at_++;
      if (status >= 0x80) {
        return true;
      }
    }
    return false;
  }

  /// The data byte at `p` as a value, 127 where it is more.
  uint8_t Value(const uint8_t* p) {
    if (*p < 0x80) [[likely]] {
      return *p;
    }
    defects_.Add(Offset(p), "data byte {:02x}, where 00 to 7f was expected; read as 7f", *p);
    return 0x7F;
  }

  /// Whether the data byte at `p` is one; names what is dropped if not.
  bool IsKey(const uint8_t* p) {
    if (*p < 0x80) [[likely]] {
      return true;
    }
    defects_.Add(Offset(p), "data byte {:02x}, where 00 to 7f was expected; the event is left out", *p);
    return false;
  }

  bool ReadChannelMessage(uint8_t status) {
    const uint8_t kind = status & 0xF0;
    const uint8_t channel = status & 0x0F;
    const size_t size = kind == kProgramChange || kind == kChannelPressure ? 1 : 2;
    if (!Has(at_, size)) {
      return false;
    }
    const uint8_t* data = at_;
    at_ += size;
    if constexpr (TakesEveryEvent<Handler>) {
      // A bend has no key: both bytes are values.
      if (kind == kPitchBend || kind == kChannelPressure || IsKey(data)) {
        const bool running = event_ == data;
        const uint8_t first = Value(data);
        handler_.Message(time_, status, first, size == 2 ? Value(data + 1) : 0, running);
      }
      return true;
    } else {
      ReadMessage(kind, channel, data);
      return true;
    }
  }

  void ReadMessage(uint8_t kind, uint8_t channel, const uint8_t* data) {
    switch (kind) {
      case kNoteOn:
        if (IsKey(data)) {
          Note(channel, data[0] | static_cast<uint32_t>(Value(data + 1)) << 8);
        }
        break;
      case kNoteOff:
        if (IsKey(data)) {
          Value(data + 1);
          Note(channel, data[0]);
        }
        break;
      case kControlChange:
        if (IsKey(data)) {
          handler_.Control(time_, channel, data[0], Value(data + 1));
        }
        break;
      case kProgramChange:
        if (IsKey(data)) {
          handler_.Program(time_, channel, data[0]);
        }
        break;
      case kPitchBend: {
        const int fine = Value(data);
        handler_.Bend(time_, channel, (Value(data + 1) << 7 | fine) - kPitchBendCentre);
        break;
      }
      default:
        break;
    }
  }

  void Note(uint32_t channel, uint32_t key) {
    if (!handler_.Note(time_, channel, key)) {
      defects_.Add(Offset(event_), kNoSuchNote);
    }
  }

  bool ReadSystemMessage(uint8_t status) {
    if (status == kMeta) {
      return ReadMeta();
    }
    if (status == kSysEx || status == kSysExContinued) {
      running_ = 0;
      uint32_t length = 0;
      if (!ReadQuantity(length) || !Has(at_, length)) {
        return false;
      }
      if constexpr (TakesEveryEvent<Handler>) {
        handler_.SystemExclusive(time_, status, std::span(at_, length));
      }
      at_ += length;
      return true;
    }
    defects_.Add(Offset(event_), "system message {:02x}, which no MIDI file may hold; skipped", status);
    if (status < kFirstRealTime) {
      running_ = 0;
      const size_t size = status == kSongPosition ? 2 : status == kTimeCode || status == kSongSelect ? 1 : 0;
      if (!Has(at_, size)) {
        return false;
      }
      at_ += size;
    }
    return true;
  }

  bool ReadMeta() {
    uint32_t length = 0;
    if (!Has(at_, 1)) {
      return false;
    }
    const uint8_t type = *at_++;
    if (!ReadQuantity(length) || !Has(at_, length)) {
      return false;
    }
    const std::span<const uint8_t> data(at_, length);
    at_ += length;
    if (type == kMetaEndOfTrack) {
      if (at_ < end_) {
        defects_.Add(Offset(at_), "{} bytes after the end-of-track event; ignored", end_ - at_);
      }
      if constexpr (TakesEveryEvent<Handler>) {
        handler_.EndOfTrack(time_);
      }
      return false;
    }
    FindMetaFaults(type, data, Offset(event_), defects_);
    handler_.Meta(time_, type, data);
    return true;
  }

  static constexpr char kNoSuchNote[] = "the end of a note that does not sound; ignored";

  const uint8_t* begin_;
  const uint8_t* at_;
  const uint8_t* end_;
  const uint8_t* event_ = nullptr;  // the status byte of the event being read, or its first data byte
  size_t spare_;
  size_t offset_;
  uint32_t absurd_delta_;  // no shorter one is reported
  uint32_t time_ = 0;
  uint8_t running_ = 0;  // the last channel message's status, 0 for none
  Handler& handler_;
  Defects& defects_;
};

// Within its callers GCC keeps less of it in registers.
template <typename Handler>
[[gnu::noinline]] void ReadTrack(const MidiTrackChunk& chunk, Handler& handler, Defects& defects) {
  TrackReader<Handler>(chunk, handler, defects).Read();
}

}  // namespace continuo
