#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "continuo/score/chord.h"
#include "continuo/score/score.h"
#include "continuo/token/clocks.h"
#include "continuo/token/program_names.h"
#include "continuo/token/token_tables.h"

namespace continuo {

inline constexpr int kDefaultVelocity = 100;  // MidiTok's, where the tokens hold none

/// What the decoders of all representations share: tracks by program, tempos, meters, pedals,
/// bends. Each decodes one piece.
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

  const TokenInfo& Info(size_t position) const { return tables_.InfoOf(ids_[position]); }

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
    return DecodeAnyNote(position + 1, pitch, clock.tick(), clock.meter());
  }

  /// The same for any pitch, of a note at `tick` whose velocity and duration stand at `next`.
  int32_t DecodeAnyNote(size_t next, const TokenInfo& pitch, int32_t tick, const MeterClock& meter) {
    int velocity = kDefaultVelocity;
    if (config_.use_velocities) {
      if (next >= ids_.size() || Info(next).type != TokenType::kVelocity) {
        return -1;
      }
      velocity = Info(next++).value;
    }
    int32_t duration = DefaultDuration(meter);
    if (UsesDurations()) {
      if (next >= ids_.size() || Info(next).type != TokenType::kDuration) {
        return -1;
      }
      duration = meter.TimeTicks(Info(next).value);
    }
    score_.tracks[TrackFor(program_)].notes.push_back(
        {tick, duration, static_cast<uint8_t>(pitch.value), static_cast<uint8_t>(velocity)});
    return duration;
  }

  /// What means the same in all representations: programs, tempos, pedals and bends. Whether the
  /// token is one of these.
  template <typename Clock>
  bool DecodeEvent(size_t position, const TokenInfo& info, const Clock& clock) {
    switch (info.type) {
      case TokenType::kProgram:
        DecodeProgram(info.value);
        return true;
      case TokenType::kTempo:
        DecodeTempo(info.value, clock.tick());
        return true;
      case TokenType::kPedal:
        DecodePedal(position, info.value, clock);
        return true;
      case TokenType::kPedalOff:
        DecodePedalOff(info.value, clock.tick());
        return true;
      case TokenType::kPitchBend:
        DecodeBend(info.value, clock.tick());
        return true;
      default:
        return false;
    }
  }

  /// A TimeSig token in a representation of time shifts.
  void DecodeMeter(int32_t index, ShiftClock& clock) {
    const Meter& meter = tables_.time_signatures[static_cast<size_t>(index)];
    if (is_first_) {
      score_.time_signatures.push_back({clock.tick(), meter.numerator, meter.denominator});
    }
    clock.OnMeter(meter);
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
      score_.markers.push_back({tick, Chord::FromIndex(static_cast<size_t>(index)).Text()});
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

  void NewTrack(int program, bool is_drum) {
    Track track;
    track.program = static_cast<uint8_t>(std::max(program, 0));
    track.is_drum = is_drum;
    track.name = is_drum ? "Drums" : ProgramName(track.program);
    score_.tracks.push_back(std::move(track));
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
  int unnamed_program_ = 0;  // of a stream without a Program

 private:
  void BeginStream() {
    program_ = unnamed_program_;
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

}  // namespace continuo
