#pragma once

#include <array>
#include <bitset>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "continuo/midi/midi_document.h"

namespace continuo {

/// What the events of a channel, in all tracks, have set.
struct ChannelState {
  std::optional<uint8_t> program;
  // Bank select (controllers 0 and 32) in force when `program` was set.
  std::optional<uint8_t> bank_msb;
  std::optional<uint8_t> bank_lsb;
  std::array<std::optional<uint8_t>, 128> controls;  // the last value of each controller
  int bend = kPitchBendCentre;                       // 0 to 16383
  uint8_t pressure = 0;
};

/// The state of each channel after all events before `time`, in the order of time, then track, then
/// place. Controller 121 (reset all controllers) resets what RP-015 says: modulation, expression,
/// pedals, bend and pressure; volume, pan, bank and program stay.
std::array<ChannelState, kMidiChannels> StateBefore(const MidiDocument& document, uint32_t time);

/// A level that a reset raised.
struct RaisedLevel {
  uint8_t channel = 0;
  uint8_t controller = 0;  // 7 (volume) or 11 (expression)
  uint8_t from = 0;        // the value in force
  uint8_t to = 0;
  bool operator==(const RaisedLevel&) const = default;
};

/// Resets all channels at `time`, where nothing but ends of notes follows (see KeepBefore), so that
/// new notes sound as usual: pedals (controllers 64, 66, 67 and 69) up; pitch bend, modulation and
/// channel pressure neutral; volume and expression audible. Only what is not so already is written,
/// in the first track that has events of the channel, after the events at `time`.
///
/// A level is inaudible if it is below 48 and the end of a decrease to half or less: it is set to
/// the level before the decrease began. A level of 0 on a channel of `sounding` that has never been
/// higher is set to its default (volume 100, expression 127).
std::vector<RaisedLevel> ResetChannels(MidiDocument& document, uint32_t time,
                                       const std::bitset<kMidiChannels>& sounding);

/// What begins at or after `time`, moved so that `time` is tick 0, and sounding as it does in
/// `document`. Of what is before `time` the track names are kept, and whatever is in force then is
/// put at tick 0: of each channel the events that set its state, all system exclusive events, the
/// tempo, time signature and key signature. Notes that begin before `time` are not in it.
///
/// Each note of `document` has a note-off (see EndOpenNotes). These events stay in their tracks if
/// their order allows it; otherwise all of them are put in the first track.
MidiDocument ExtractFrom(const MidiDocument& document, uint32_t time);

}  // namespace continuo
