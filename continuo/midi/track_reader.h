#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "continuo/midi/defects.h"
#include "continuo/midi/midi_chunks.h"
#include "continuo/midi/midi_format.h"

namespace continuo {

/// Reads the events of one track, in order, and calls the handler for each; `time` is in ticks from the start of the
/// track and never falls. The handler is a class with
///
///     void NoteOn(uint32_t time, uint8_t channel, uint8_t pitch, uint8_t velocity);  // velocity 1..127
///     void NoteOff(uint32_t time, uint8_t channel, uint8_t pitch, size_t offset);
///     void Control(uint32_t time, uint8_t channel, uint8_t number, uint8_t value);
///     void Program(uint32_t time, uint8_t channel, uint8_t program);
///     void Bend(uint32_t time, uint8_t channel, int value);                          // -8192..8191
///     void Meta(uint32_t time, uint8_t type, std::span<const uint8_t> data, size_t offset);
///
/// A note-on of velocity 0 comes as NoteOff. Pressure, system exclusive and other system messages are skipped. `offset`
/// is the event's place in the file. All values are in the range that MIDI gives them.
///
/// Nothing fails: a fault is noted in `defects` and read past as follows.
/// - A data byte above 127 counts as 127 where it is a value; where it is a pitch or a controller the event is dropped.
/// - Running status goes on after a meta event and a real-time message, and ends with a system exclusive or a system
/// common message.
/// - Data bytes where a status byte must stand are skipped up to the next status byte.
/// - A system message that no file may hold is skipped, with its data bytes.
/// - An event that reaches past its track's claimed length reads on into the track's spare bytes; one that they can't
/// hold
///   either ends the track. So does a time past `kLastTick`.
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
        handler_(handler),
        defects_(defects) {}

  void Read() {
    while (at_ < end_) {
      if (!ReadEvent()) {
        return;
      }
    }
    defects_.Add(Offset(at_), "the track ends without an end-of-track event");
  }

 private:
  size_t Offset(const uint8_t* p) const { return offset_ + static_cast<size_t>(p - begin_); }

  /// Whether `size` more bytes can be read at `p`; takes the spare bytes in where the track's claim is too small.
  bool Has(const uint8_t* p, size_t size) {
    if (static_cast<size_t>(end_ - p) >= size) [[likely]] {
      return true;
    }
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
    if (!Has(at_, 1)) {
      return false;
    }
    event_ = at_;
    status = *at_++;
    return true;
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
    switch (kind) {
      case kNoteOn:
        if (IsKey(data)) {
          const uint8_t velocity = Value(data + 1);
          if (velocity > 0) {
            handler_.NoteOn(time_, channel, data[0], velocity);
          } else {
            handler_.NoteOff(time_, channel, data[0], Offset(event_));
          }
        }
        break;
      case kNoteOff:
        if (IsKey(data)) {
          Value(data + 1);
          handler_.NoteOff(time_, channel, data[0], Offset(event_));
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
    return true;
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
      return false;
    }
    handler_.Meta(time_, type, data, Offset(event_));
    return true;
  }

  const uint8_t* begin_;
  const uint8_t* at_;
  const uint8_t* end_;
  const uint8_t* event_ = nullptr;  // the status byte of the event being read, or its first data byte
  size_t spare_;
  size_t offset_;
  uint32_t time_ = 0;
  uint8_t running_ = 0;  // the last channel message's status, 0 for none
  Handler& handler_;
  Defects& defects_;
};

template <typename Handler>
void ReadTrack(const MidiTrackChunk& chunk, Handler& handler, Defects& defects) {
  TrackReader<Handler>(chunk, handler, defects).Read();
}

}  // namespace continuo
