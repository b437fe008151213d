// MIDI-Like: NoteOn [Velocity] and NoteOff, with TimeShift (and Rest) between them.

#include <algorithm>
#include <array>
#include <memory>

#include "continuo/token/decoder.h"
#include "continuo/token/python_compat.h"
#include "continuo/token/representation.h"
#include "continuo/token/shifts.h"
#include "continuo/token/window.h"

namespace continuo {

namespace {

class MidiLikeDecoder : public Decoder {
 public:
  using Decoder::Decoder;

 private:
  static constexpr int32_t kNone = -1;

  // A NoteOn; complete once `track` is set.
  struct Sounding {
    int32_t time = 0;
    int32_t duration = 0;
    int32_t track = kNone;
    int32_t next = kNone;  // the next NoteOn of its program and pitch that has no NoteOff yet
    uint8_t pitch = 0;
    uint8_t velocity = 0;
  };

  // First in, first out.
  struct Queue {
    int32_t first = kNone;
    int32_t last = kNone;
  };
  using Queues = std::array<Queue, 128>;

  void DecodeStream() override {
    ShiftClock clock(tables_);
    SetLongest(clock.meter());
    stream_has_notes_ = false;
    notes_.reserve(notes_.size() + ids_.size() / 4);
    for (size_t i = 0; i < ids_.size(); ++i) {
      const TokenInfo& info = Info(i);
      switch (info.type) {
        case TokenType::kTimeShift:
          clock.OnTimeShift(info.value);
          break;
        case TokenType::kRest:
          clock.OnRest(info.value, 0);
          break;
        case TokenType::kPitch:
        case TokenType::kPitchDrum:
          if (!NoteOn(i, info.value, clock)) {
            return;
          }
          break;
        case TokenType::kNoteOff:
        case TokenType::kDrumOff:
          NoteOff(info.value, clock.tick());
          break;
        case TokenType::kTimeSig:
          DecodeMeter(info.value, clock);
          SetLongest(clock.meter());
          break;
        case TokenType::kVelocity:  // read with the Pitch before them; the most frequent
        case TokenType::kDuration:
          break;
        default:
          DecodeEvent(i, info, clock);
          break;
      }
    }
  }

  void SetLongest(const MeterClock& meter) {
    if (config_.max_duration) {
      const auto [beats, parts, resolution] = *config_.max_duration;
      const int64_t ticks = (static_cast<int64_t>(beats) * resolution + parts) * meter.ticks_per_beat() / resolution;
      max_duration_ = AddTicks(0, ticks);
    }
  }

  bool InRange(int32_t pitch) const { return pitch >= config_.pitch_range[0] && pitch <= config_.pitch_range[1]; }

  Queue& QueueOf(int program, int32_t pitch) {
    std::unique_ptr<Queues>& queues = queues_[static_cast<size_t>(program + 1)];
    if (!queues) {
      queues = std::make_unique<Queues>();
    }
    return (*queues)[static_cast<size_t>(pitch)];
  }

  // False where MidiTok stops reading the stream.
  bool NoteOn(size_t position, int32_t pitch, const ShiftClock& clock) {
    if (!InRange(pitch)) {
      return true;
    }
    int32_t velocity = kDefaultVelocity;
    if (config_.use_velocities) {
      if (position + 1 >= ids_.size()) {
        return false;
      }
      // Any token with an integer value counts.
      const auto next = static_cast<size_t>(ids_[position + 1]);
      velocity = next < tables_.numbers.size() ? tables_.numbers[next] : kNoNumber;
      if (velocity < -128 || velocity > 127) {
        return true;
      }
      velocity = std::max(velocity, 0);
    }
    Sounding note;
    note.time = clock.tick();
    note.pitch = static_cast<uint8_t>(pitch);
    note.velocity = static_cast<uint8_t>(velocity);
    const int32_t index = static_cast<int32_t>(notes_.size());
    if (UsesDurations()) {
      Queue& queue = QueueOf(program_, pitch);
      (queue.first == kNone ? queue.first : notes_[static_cast<size_t>(queue.last)].next) = index;
      queue.last = index;
    } else {
      note.duration = DefaultDuration(clock.meter());
      note.track = static_cast<int32_t>(TrackFor(program_));
      stream_has_notes_ = true;
    }
    notes_.push_back(note);
    return true;
  }

  void NoteOff(int32_t pitch, int32_t tick) {
    if (!InRange(pitch)) {
      return;
    }
    Queue& queue = QueueOf(program_, pitch);
    if (queue.first == kNone) {
      return;
    }
    Sounding& note = notes_[static_cast<size_t>(queue.first)];
    queue.first = note.next;
    Complete(note, std::min(tick - note.time, max_duration_), TrackFor(program_));
  }

  void Complete(Sounding& note, int32_t duration, size_t track) {
    note.duration = duration;
    note.track = static_cast<int32_t>(track);
    stream_has_notes_ = true;
  }

  // With a longest duration, notes that nothing ended get it; else they are lost.
  void EndNotes(int program, bool keep) {
    std::unique_ptr<Queues>& queues = queues_[static_cast<size_t>(program + 1)];
    if (!queues) {
      return;
    }
    for (Queue& queue : *queues) {
      while (queue.first != kNone) {
        Sounding& note = notes_[static_cast<size_t>(queue.first)];
        queue.first = note.next;
        if (keep) {
          Complete(note, max_duration_, TrackFor(program));
        }
      }
    }
  }

  bool HasPendingNotes() const override { return stream_has_notes_; }

  void StreamEnded(bool track_kept) override {
    if (track_kept) {
      EndNotes(score_.tracks[stream_track_].program, config_.max_duration.has_value());
    }
  }

  void Finish() override {
    if (tables_.one_stream() && config_.max_duration) {
      for (int program : PythonSetOrder(config_.programs)) {
        EndNotes(program, true);
      }
    }
    std::vector<size_t> counts(score_.tracks.size());
    for (const Sounding& note : notes_) {
      if (note.track != kNone) {
        ++counts[static_cast<size_t>(note.track)];
      }
    }
    for (size_t i = 0; i < counts.size(); ++i) {
      score_.tracks[i].notes.reserve(counts[i]);
    }
    for (const Sounding& note : notes_) {
      if (note.track != kNone) {
        score_.tracks[static_cast<size_t>(note.track)].notes.push_back(
            {note.time, note.duration, note.pitch, note.velocity});
      }
    }
  }

  std::vector<Sounding> notes_;
  std::array<std::unique_ptr<Queues>, 129> queues_;
  int32_t max_duration_ = kMaxDecodedTick;
  bool stream_has_notes_ = false;
};

Score Decode(std::span<const std::vector<TokenId>> streams, const TokenTables& tables) {
  return MidiLikeDecoder(tables).Run(streams);
}

}  // namespace

constinit const Representation kMidiLikeRepresentation{
    .name = "MIDILike",
    .preset = "midilike",
    .kind = TokenizationKind::kMidiLike,
    .note_end = NoteEnd::kNoteOff,
    .trainable = true,
    .write_vocabulary = WriteShiftVocabulary,
    .encode_events = EncodeShifts,
    .encode_timed = EncodeTimedShifts,
    .encode = EncodeScore,
    .decode = Decode,
    .bar_offsets = FindBarOffsets,
    .window = CutWindow,
    .new_grammar = NewShiftGrammar,
};

}  // namespace continuo
