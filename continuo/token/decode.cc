#include "continuo/token/decode.h"

#include <algorithm>
#include <array>
#include <memory>

#include "continuo/score/chord_label.h"
#include "continuo/token/clocks.h"
#include "continuo/token/program_names.h"
#include "continuo/token/python_compat.h"

namespace continuo {

namespace {

constexpr int kDefaultVelocity = 100;  // MidiTok's, where the tokens hold none

// What all representations share: tracks by program, tempos, meters, pedals, bends.
class Decoder {
 public:
  explicit Decoder(const TokenTables& tables) : tables_(tables), config_(tables.config) {
    score_.ticks_per_quarter = tables.time_division;
    track_of_program_.fill(-1);
  }
  virtual ~Decoder() = default;

  Score Run(std::span<const std::vector<TokenId>> streams) {
    for (size_t i = 0; i < streams.size(); ++i) {
      // One stream holds all; MidiTok is given no second.
      if (tables_.one_stream() && i > 0) {
        break;
      }
      ids_ = streams[i];
      is_first_ = i == 0;
      BeginStream();
      DecodeStream();
      EndStream();
    }
    Finish();
    AddPedalControls();
    if (score_.tempos.empty() || score_.tempos[0].time != 0) {
      score_.tempos.insert(score_.tempos.begin(), Tempo{0, tables_.default_tempo_us});
    }
    if (score_.time_signatures.empty() || score_.time_signatures[0].time != 0) {
      score_.time_signatures.insert(score_.time_signatures.begin(), TimeSignature{});
    }
    return std::move(score_);
  }

 protected:
  virtual void DecodeStream() = 0;
  /// After the stream's track was kept or dropped.
  virtual void StreamEnded(bool /*track_kept*/) {}
  virtual void Finish() {}

  static const TokenInfo& Nothing() {
    static const TokenInfo nothing;
    return nothing;
  }

  const TokenInfo& Info(size_t position) const {
    const TokenId id = ids_[position];
    return static_cast<size_t>(id) < tables_.infos.size() ? tables_.infos[static_cast<size_t>(id)] : Nothing();
  }

  /// Index into score_.tracks of where a program's events go now.
  size_t TrackFor(int program) {
    if (!tables_.one_stream()) {
      return stream_track_;
    }
    int& index = track_of_program_[static_cast<size_t>(program + 1)];
    if (index < 0) {
      index = static_cast<int>(score_.tracks.size());
      NewTrack(program, program == -1);
    }
    return static_cast<size_t>(index);
  }

  bool UsesDurations() const { return tables_.uses_durations[static_cast<size_t>(program_ + 1)]; }

  int32_t DefaultDuration(const MeterClock& meter) const {
    return static_cast<int32_t>(config_.default_note_duration * meter.ticks_per_beat());
  }

  // In what follows, `clock` is a RemiClock or a ShiftClock.

  /// A note of a Pitch token at `position`, with the velocity and duration that follow it. Ticks of
  /// its duration; -1 if they don't follow.
  template <typename Clock>
  int32_t DecodeNote(size_t position, const TokenInfo& pitch, const Clock& clock) {
    if (pitch.value < config_.pitch_range[0] || pitch.value > config_.pitch_range[1]) {
      return -1;
    }
    size_t next = position + 1;
    int velocity = kDefaultVelocity;
    if (config_.use_velocities) {
      if (next >= ids_.size() || Info(next).type != TokenType::kVelocity) {
        return -1;
      }
      velocity = Info(next++).value;
    }
    int32_t duration = DefaultDuration(clock.meter());
    if (UsesDurations()) {
      if (next >= ids_.size() || Info(next).type != TokenType::kDuration) {
        return -1;
      }
      duration = clock.meter().TimeTicks(Info(next).value);
    }
    score_.tracks[TrackFor(program_)].notes.push_back(
        {clock.tick(), duration, static_cast<uint8_t>(pitch.value), static_cast<uint8_t>(velocity)});
    return duration;
  }

  void DecodeProgram(int program) {
    program_ = program;
    if (!tables_.one_stream() && config_.program_changes) {
      Track& track = score_.tracks[stream_track_];
      track.program = static_cast<uint8_t>(std::max(program, 0));
      track.is_drum = track.is_drum || program == -1;
    }
  }

  void DecodeTempo(int32_t index, int32_t tick) {
    if (is_first_) {
      score_.tempos.push_back({tick, tables_.tempo_us[static_cast<size_t>(index)]});
    }
  }

  void DecodeHarmony(int32_t index, int32_t tick) {
    if (is_first_) {
      score_.markers.push_back({tick, ChordLabel::FromIndex(static_cast<size_t>(index)).Text()});
    }
  }

  template <typename Clock>
  void DecodePedal(size_t position, int32_t value, const Clock& clock) {
    const int program = config_.use_programs ? value : program_;
    if (config_.sustain_pedal_duration && position + 1 < ids_.size()) {
      if (Info(position + 1).type == TokenType::kDuration) {
        score_.tracks[TrackFor(program)].pedals.push_back(
            {clock.tick(), clock.meter().TimeTicks(Info(position + 1).value)});
      }
      return;
    }
    int32_t& start = pedal_start_[static_cast<size_t>(program + 1)];
    if (start < 0) {
      start = clock.tick();
    }
  }

  void DecodePedalOff(int32_t value, int32_t tick) {
    const int program = config_.use_programs ? value : program_;
    int32_t& start = pedal_start_[static_cast<size_t>(program + 1)];
    if (start >= 0) {
      score_.tracks[TrackFor(program)].pedals.push_back({start, std::max(0, tick - start)});
      start = -1;
    }
  }

  void DecodeBend(int32_t value, int32_t tick) {
    score_.tracks[TrackFor(program_)].pitch_bends.push_back({tick, static_cast<int16_t>(value)});
  }

  /// True if the stream's track has notes that are put into it at the end.
  virtual bool HasPendingNotes() const { return false; }

  const TokenTables& tables_;
  const TokenizerConfig& config_;
  Score score_;
  std::span<const TokenId> ids_;
  bool is_first_ = true;
  size_t stream_track_ = 0;

  int program_ = 0;

 private:
  void NewTrack(int program, bool is_drum) {
    Track track;
    track.program = static_cast<uint8_t>(std::max(program, 0));
    track.is_drum = is_drum;
    track.name = is_drum ? "Drums" : ProgramName(track.program);
    score_.tracks.push_back(std::move(track));
  }

  void BeginStream() {
    program_ = 0;
    pedal_start_.fill(-1);
    if (tables_.one_stream()) {
      return;
    }
    bool is_drum = false;
    if (config_.use_programs) {
      for (size_t i = 0; i < ids_.size(); ++i) {
        if (Info(i).type == TokenType::kProgram) {
          is_drum = Info(i).value == -1;
          program_ = std::max(Info(i).value, 0);
          break;
        }
      }
    }
    stream_track_ = score_.tracks.size();
    NewTrack(program_, is_drum);
  }

  void EndStream() {
    if (tables_.one_stream()) {
      return;
    }
    const Track& track = score_.tracks[stream_track_];
    const bool keep = !track.notes.empty() || !track.pitch_bends.empty() || HasPendingNotes();
    StreamEnded(keep);
    if (!keep) {
      score_.tracks.pop_back();
    }
  }

  // Pedals are written to files as controller 64.
  void AddPedalControls() {
    if (!config_.use_sustain_pedals) {
      return;
    }
    for (Track& track : score_.tracks) {
      for (const Pedal& pedal : track.pedals) {
        track.controls.push_back({pedal.time, 64, 127});
        track.controls.push_back({AddTicks(pedal.time, pedal.duration), 64, 0});
      }
      std::stable_sort(track.controls.begin(), track.controls.end(),
                       [](const ControlChange& a, const ControlChange& b) { return a.time < b.time; });
    }
  }

  std::array<int, 129> track_of_program_;
  std::array<int32_t, 129> pedal_start_;
};

class RemiDecoder : public Decoder {
 public:
  using Decoder::Decoder;

 private:
  void DecodeStream() override {
    if (is_first_) {
      const Meter first = FindFirstMeter();
      score_.time_signatures.push_back({0, first.numerator, first.denominator});
    }
    const TimeSignature& last = score_.time_signatures.back();
    RemiClock clock(tables_, {last.numerator, last.denominator});
    int32_t note_end = 0;
    for (size_t i = 0; i < ids_.size(); ++i) {
      const TokenInfo& info = Info(i);
      switch (info.type) {
        case TokenType::kBar:
          clock.OnBar();
          break;
        case TokenType::kPosition:
          clock.OnPosition(info.value);
          break;
        case TokenType::kRest:
          clock.OnRest(info.value, note_end);
          break;
        case TokenType::kPitch:
        case TokenType::kPitchDrum: {
          const int32_t duration = DecodeNote(i, info, clock);
          if (duration >= 0) {
            note_end = std::max(note_end, AddTicks(clock.tick(), duration));
          }
          break;
        }
        case TokenType::kTempo:
          DecodeTempo(info.value, clock.tick());
          note_end = std::max(note_end, clock.tick());
          break;
        case TokenType::kChord:
          DecodeHarmony(info.value, clock.tick());
          note_end = std::max(note_end, clock.tick());
          break;
        case TokenType::kTimeSig:
          DecodeMeter(tables_.time_signatures[static_cast<size_t>(info.value)], clock);
          break;
        case TokenType::kProgram:
          DecodeProgram(info.value);
          break;
        case TokenType::kPedal:
          DecodePedal(i, info.value, clock);
          break;
        case TokenType::kPedalOff:
          DecodePedalOff(info.value, clock.tick());
          break;
        case TokenType::kPitchBend:
          DecodeBend(info.value, clock.tick());
          break;
        default:
          break;
      }
    }
  }

  // The meter of the first TimeSig token, if it comes before anything that sounds.
  Meter FindFirstMeter() const {
    for (size_t i = 0; i < ids_.size() && config_.use_time_signatures; ++i) {
      switch (Info(i).type) {
        case TokenType::kTimeSig:
          return tables_.time_signatures[static_cast<size_t>(Info(i).value)];
        case TokenType::kPitch:
        case TokenType::kPitchDrum:
        case TokenType::kVelocity:
        case TokenType::kDuration:
        case TokenType::kPitchBend:
        case TokenType::kPedal:
          return {};
        default:
          break;
      }
    }
    return {};
  }

  void DecodeMeter(const Meter& meter, RemiClock& clock) {
    if (clock.OnMeter(meter) && is_first_) {
      score_.time_signatures.push_back({clock.tick(), meter.numerator, meter.denominator});
    }
  }
};

class TsdDecoder : public Decoder {
 public:
  using Decoder::Decoder;

 private:
  void DecodeStream() override {
    ShiftClock clock(tables_);
    int32_t note_end = 0;
    for (size_t i = 0; i < ids_.size(); ++i) {
      const TokenInfo& info = Info(i);
      switch (info.type) {
        case TokenType::kTimeShift:
          clock.Shift(clock.meter().TimeTicks(info.value));
          continue;
        case TokenType::kRest:
          clock.OnRest(clock.meter().RestTicks(info.value), note_end);
          continue;
        case TokenType::kPitch:
        case TokenType::kPitchDrum: {
          const int32_t duration = DecodeNote(i, info, clock);
          if (duration >= 0) {
            note_end = std::max(note_end, AddTicks(clock.tick(), duration));
          }
          continue;
        }
        case TokenType::kTempo:
          DecodeTempo(info.value, clock.tick());
          break;
        case TokenType::kTimeSig: {
          const Meter& meter = tables_.time_signatures[static_cast<size_t>(info.value)];
          if (is_first_) {
            score_.time_signatures.push_back({clock.tick(), meter.numerator, meter.denominator});
          }
          clock.OnMeter(meter);
          break;
        }
        case TokenType::kProgram:
          DecodeProgram(info.value);
          break;
        case TokenType::kPedal:
          DecodePedal(i, info.value, clock);
          break;
        case TokenType::kPedalOff:
          DecodePedalOff(info.value, clock.tick());
          break;
        case TokenType::kPitchBend:
          DecodeBend(info.value, clock.tick());
          break;
        case TokenType::kNoteChord:
          break;
        default:
          continue;
      }
      note_end = std::max(note_end, clock.tick());
    }
  }
};

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
          clock.Shift(clock.meter().TimeTicks(info.value));
          break;
        case TokenType::kRest:
          clock.Shift(clock.meter().RestTicks(info.value));
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
        case TokenType::kTempo:
          DecodeTempo(info.value, clock.tick());
          break;
        case TokenType::kTimeSig: {
          const Meter& meter = tables_.time_signatures[static_cast<size_t>(info.value)];
          if (is_first_) {
            score_.time_signatures.push_back({clock.tick(), meter.numerator, meter.denominator});
          }
          clock.OnMeter(meter);
          SetLongest(clock.meter());
          break;
        }
        case TokenType::kProgram:
          DecodeProgram(info.value);
          break;
        case TokenType::kPedal:
          DecodePedal(i, info.value, clock);
          break;
        case TokenType::kPedalOff:
          DecodePedalOff(info.value, clock.tick());
          break;
        case TokenType::kPitchBend:
          DecodeBend(info.value, clock.tick());
          break;
        default:
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

}  // namespace

Score DecodeIds(std::span<const std::vector<TokenId>> streams, const TokenTables& tables) {
  switch (tables.config.kind) {
    case TokenizationKind::kRemi:
      return RemiDecoder(tables).Run(streams);
    case TokenizationKind::kTsd:
      return TsdDecoder(tables).Run(streams);
    case TokenizationKind::kMidiLike:
      return MidiLikeDecoder(tables).Run(streams);
  }
  return {};
}

}  // namespace continuo
