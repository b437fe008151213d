#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "continuo/midi/defects.h"
#include "continuo/midi/midi_format.h"
#include "continuo/score/score.h"

namespace continuo {

/// Makes a Score of the events of a file's tracks; the handler that a TrackReader calls. The rules are those of symusic
/// 0.6.0:
///
/// - Each channel and program of a file's track becomes a Track of its own, in the order of channel, then program; they
/// share the name.
///   A note belongs to the program in force when it begins. Channel 10 is drums.
/// - A note-off ends the oldest sounding note of its channel and pitch. Notes are in the order of their note-ons. A
/// note that is never
///   ended is left out, and so is a Track without notes and lyrics.
/// - Controllers and pitch bends before the first note of a channel and program join that Track when it begins.
/// - Tempos, signatures and markers of all tracks are merged in the order of time; those of one time keep the order of
/// the file.
///
/// It differs where symusic mistakes: lyrics join the first Track of their file's track, and a pedal is down from when
/// it is pressed.
class ScoreBuilder {
 public:
  /// Both must outlive the builder. `first_pedal_from_start` repeats what symusic 0.5.4 and 0.6.0 make of a channel's
  /// first pedal.
  ScoreBuilder(Score& score, Defects& defects, bool first_pedal_from_start);

  /// Around the events of each of the file's tracks. `size` is the size of its events in bytes, `offset` where they
  /// lie.
  void BeginTrack(size_t size);
  void EndTrack(size_t offset);
  /// After the last.
  void Finish();

  void NoteOn(uint32_t time, uint8_t channel, uint8_t pitch, uint8_t velocity);
  void NoteOff(uint32_t time, uint8_t channel, uint8_t pitch, size_t offset);
  void Control(uint32_t time, uint8_t channel, uint8_t number, uint8_t value);
  void Program(uint32_t time, uint8_t channel, uint8_t program);
  void Bend(uint32_t time, uint8_t channel, int value);
  void Meta(uint32_t time, uint8_t type, std::span<const uint8_t> data, size_t offset);

 private:
  // A Part is what becomes a Track: the events of one channel and program. The controllers of a channel that has
  // no part for its program yet wait in a part without notes, which becomes the next part of that channel.
  using PartId = uint16_t;
  static constexpr PartId kNoPart = 0xFFFF;
  struct Part {
    uint8_t channel = 0;
    uint8_t program = 0;
    bool waiting = true;
    uint32_t notes = 0;
  };
  template <typename Event>
  struct Of {
    Event event;
    PartId part;
  };
  // A sounding note's duration is ~i, where i is the index of the next sounding one of its channel and pitch, or 0 for
  // none (no note is the next of another at index 0): so the queue of sounding notes takes no memory of its own.
  struct OpenNote {
    Tick time;
    Tick duration;
    uint8_t pitch;
    uint8_t velocity;
    PartId part;
  };
  struct Sounding {
    uint32_t oldest = 0;  // 1 + index into notes_, 0 for none
    uint32_t newest = 0;
  };

  PartId NotePart(uint8_t channel);
  PartId EventPart(uint8_t channel);
  PartId NewPart(uint8_t channel);

  Score& score_;
  Defects& defects_;
  const bool first_pedal_from_start_;

  // Of the track being read.
  std::string name_;
  std::vector<Part> parts_;
  std::vector<OpenNote> notes_;
  std::vector<Of<ControlChange>> controls_;
  std::vector<Of<PitchBend>> bends_;
  std::vector<Of<Pedal>> pedals_;
  std::vector<TextEvent> lyrics_;
  size_t open_notes_ = 0;
  uint8_t last_program_channel_ = 0;
  std::array<uint8_t, kMidiChannels> program_{};
  std::array<PartId, kMidiChannels> current_{};  // the part of the channel's program, or kNoPart
  std::array<PartId, kMidiChannels> waiting_{};
  std::array<Tick, kMidiChannels> pedal_down_{};  // since when, or -1
  std::array<Sounding, kMidiChannels * kMidiPitches> sounding_{};
  std::array<PartId, kMidiChannels * kMidiPrograms> part_of_{};
};

}  // namespace continuo
