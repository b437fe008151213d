#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "continuo/midi/defects.h"
#include "continuo/midi/midi_format.h"
#include "continuo/score/score.h"

namespace continuo {

/// Makes a Score of the events of a file's tracks; the handler that a TrackReader calls. The rules
/// are symusic 0.6.0's:
///
/// - Each channel and program of a file's track becomes a Track of its own, in the order of channel, then program. They
///   share the name. A note belongs to the program in force when it begins. Channel 10 is drums.
/// - A note-off ends the oldest sounding note of its channel and pitch. Notes are in the order of their note-ons.
///   A note that is never ended is left out.
/// - Controllers and pitch bends before the first note of a channel and program join that Track when it begins.
/// - Tempos, signatures and markers of all tracks are merged in the order of time; those of one time keep the order of
///   the file.
///
/// Rules of our own where symusic's are of no use:
/// - A Track without notes and lyrics is left out. Lyrics join the first Track of their file's track.
/// - A pedal is down from when it is pressed.
/// - A name of more than `kLongestSharedName` bytes goes to the first Track alone, so that small files can't ask for
///   many copies of a long one.
class ScoreBuilder {
 public:
  static constexpr size_t kLongestSharedName = 256;

  /// Both must outlive the builder.
  ScoreBuilder(Score& score, Defects& defects);

  /// Around the events of each of the file's tracks. `size` is that of the events in bytes,
  /// `offset` where they lie.
  void BeginTrack(size_t size);
  void EndTrack(size_t offset);
  /// After the last.
  void Finish();

  /// `key` is the pitch + 256 times the velocity; velocity 0 ends a note. False if there is none to
  /// end.
  bool Note(uint32_t time, uint32_t channel, uint32_t key) {
    // Whether a note begins or ends can't be predicted, so the plain case takes no branch on it:
    // all is arithmetic, which compilers leave as it is. The place of the next new note is written
    // either way, and counts if the note begins.
    Slot& slot = slots_[channel * kMidiPitches + (key & 0x7F)];
    const uint32_t part = current_[channel];
    const uint32_t begins = (key + 0xFF00) >> 16;
    const uint32_t mask = 0u - begins;
    const uint32_t silent = (slot.sounding - 1) >> 31;
    const uint32_t several = slot.sounding >> 31;
    const auto now = static_cast<Tick>(time);
    if (((begins ^ silent) | several) != 0 || part == kNoPart) [[unlikely]] {
      return OddNote(now, channel, key);
    }
    const size_t count = note_count_;
    const uint32_t index = (static_cast<uint32_t>(count) & mask) | ((slot.sounding - 1) & ~mask);
    note_times_[count] = now;
    note_keys_[count] = key | part << 16;
    note_durations_[index] = (now - slot.since) | static_cast<Tick>(mask);  // kLast where it begins
    slot = {(index + 1) & mask, now};
    note_count_ = count + begins;
    return true;
  }
  void Control(uint32_t time, uint8_t channel, uint8_t number, uint8_t value);
  void Program(uint32_t time, uint8_t channel, uint8_t program);
  void Bend(uint32_t time, uint8_t channel, int value);
  void Meta(uint32_t time, uint8_t type, std::span<const uint8_t> data);

 private:
  // A Part is what becomes a Track: the events of one channel and program. The controllers of a
  // channel that has no part for its program yet wait in a part without notes, which becomes the
  // next part of that channel.
  using PartId = uint16_t;
  static constexpr PartId kNoPart = 0xFFFF;
  struct Part {
    uint8_t channel = 0;
    uint8_t program = 0;
    bool waiting = true;
    // Of EndTrack:
    uint32_t notes = 0;  // that ended
    uint32_t handed_out = 0;
    Track* track = nullptr;
  };
  template <typename Event>
  struct Of {
    Event event;
    PartId part;
  };
  // A sounding note's duration is ~i, where i is the index of the next sounding one of its channel
  // and pitch, or kLast: so the queue of sounding notes takes no memory of its own.
  static constexpr Tick kLast = ~Tick{0};  // the note at index 0 is the next of none

  // A channel and pitch.
  struct Slot {
    uint32_t sounding =
        0;           // 1 + the index of the note that sounds; the oldest's, and kSeveral, if several do; 0 for none
    Tick since = 0;  // when that note began; where several sound, the index of the newest
  };
  static constexpr uint32_t kSeveral = 0x80000000;

  bool OddNote(Tick time, uint32_t channel, uint32_t key);
  /// Counts the notes of each part that ended; returns how many did not.
  size_t CountNotes();
  /// Makes the Tracks of the parts in `order_`, which is not empty.
  void HandOut();
  void HandOutNotes();
  PartId NotePart(uint8_t channel);
  PartId EventPart(uint8_t channel);
  PartId NewPart(uint8_t channel);

  Score& score_;
  Defects& defects_;

  // Of the track being read.
  std::string name_;
  std::vector<Part> parts_;
  // The notes in the order of their beginnings: room for all that the track can hold, and one more.
  std::unique_ptr<Tick[]> note_times_;
  std::unique_ptr<Tick[]> note_durations_;
  std::unique_ptr<uint32_t[]> note_keys_;  // pitch + 256 * velocity + 65536 * part
  size_t note_room_ = 0;
  size_t note_count_ = 0;  // below 2^31
  std::vector<PartId> order_;
  std::vector<Of<ControlChange>> controls_;
  std::vector<Of<PitchBend>> bends_;
  std::vector<Of<Pedal>> pedals_;
  std::vector<TextEvent> lyrics_;
  uint8_t last_program_channel_ = 0;
  std::array<uint8_t, kMidiChannels> program_{};
  std::array<PartId, kMidiChannels> current_{};  // the part of the channel's program, or kNoPart
  std::array<PartId, kMidiChannels> waiting_{};
  std::array<Tick, kMidiChannels> pedal_down_{};  // since when, or -1
  std::array<Slot, kMidiChannels * kMidiPitches> slots_{};
  std::array<PartId, kMidiChannels * kMidiPrograms> part_of_{};
};

}  // namespace continuo
