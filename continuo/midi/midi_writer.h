#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace continuo {

/// Writes a Standard MIDI File of format 1, track by track, without running status. Times are in
/// ticks from the start of the track and must not fall; a gap that no delta time can hold is
/// bridged by empty text events.
///
///     MidiWriter writer(ticks_per_quarter);
///     writer.BeginTrack();
///     writer.Message(time, kNoteOn | channel, pitch, velocity);
///     writer.EndTrack(time);
///     std::vector<uint8_t> file = std::move(writer).Finish();
class MidiWriter {
 public:
  /// `ticks_per_quarter` from 1 to 32767.
  explicit MidiWriter(int32_t ticks_per_quarter);

  /// Room for this many more bytes, to save growing.
  void Reserve(size_t bytes) { bytes_.reserve(bytes_.size() + bytes); }

  void BeginTrack();
  /// A channel message of two or one data bytes, each below 128.
  void Message(uint32_t time, uint8_t status, uint8_t data1, uint8_t data2);
  void Message(uint32_t time, uint8_t status, uint8_t data1);
  void Meta(uint32_t time, uint8_t type, std::span<const uint8_t> data);
  /// Text that is not UTF-8 is made so (see ToUtf8).
  void Text(uint32_t time, uint8_t type, std::string_view text);
  void EndTrack(uint32_t time);

  std::vector<uint8_t> Finish() &&;

 private:
  void Delta(uint32_t time);
  void Quantity(uint32_t value);

  std::vector<uint8_t> bytes_;
  size_t track_ = 0;  // where the current track's chunk begins
  uint32_t time_ = 0;
  uint32_t tracks_ = 0;
};

}  // namespace continuo
