#include "continuo/token/stream_state.h"

#include <algorithm>
#include <utility>

#include "continuo/token/representation.h"

namespace continuo {

StreamState::StreamState(const TokenTables& tables)
    : tables_(&tables), bar_tokens_(tables.representation->bar_tokens), remi_(tables, {}), shift_(tables) {
  pedal_start_.fill(-1);
}

int32_t StreamState::TickAfterRest(int32_t index) const {
  if (has_bar_tokens()) {
    RemiClock after = remi_;
    after.OnRest(index, note_end_);
    return after.tick();
  }
  ShiftClock after = shift_;
  after.OnRest(index, RestStart());
  return after.tick();
}

void StreamState::Advance(TokenId id) {
  if (static_cast<size_t>(id) >= tables_->infos.size()) {
    return;
  }
  const TokenInfo& info = tables_->infos[static_cast<size_t>(id)];
  const bool takes_velocity = std::exchange(takes_velocity_, false);
  const bool takes_duration = std::exchange(takes_duration_, false);
  switch (info.type) {
    case TokenType::kBar:
      has_bar_tokens() ? remi_.OnBar() : shift_.OnPerTokBar();
      key_ = -1;
      break;
    case TokenType::kBeat:
      remi_.OnBeat();
      key_ = -1;
      break;
    case TokenType::kPosition:
      has_bar_tokens() ? remi_.OnPosition(info.value) : shift_.OnPerTokPosition(info.value);
      break;
    case TokenType::kTimeShift:
      shift_.OnTimeShift(info.value);
      break;
    case TokenType::kRest:
      if (has_bar_tokens()) {
        remi_.OnRest(info.value, note_end_);
      } else {
        shift_.OnRest(info.value, RestStart());
      }
      break;
    case TokenType::kTimeSig: {
      const Meter& meter = tables_->time_signatures[static_cast<size_t>(info.value)];
      has_bar_tokens() ? static_cast<void>(remi_.OnMeter(meter)) : shift_.OnMeter(meter);
      break;
    }
    case TokenType::kTempo:
      tempo_ = id;
      note_end_ = std::max(note_end_, tick());
      break;
    case TokenType::kChord:
      harmony_ = id;
      note_end_ = std::max(note_end_, tick());
      break;
    case TokenType::kProgram:
      program_ = info.value;
      key_ = -1;
      stream_program_ = stream_program_ == kNoToken ? id : stream_program_;
      break;
    case TokenType::kKey:
    case TokenType::kDrumKey:
      key_ = KeyAfter(info);
      break;
    case TokenType::kPitch:
    case TokenType::kPitchDrum:
      TakePitch(id, info.value);
      break;
    case TokenType::kVelocity:
      if (takes_velocity && tables_->note_on_off() && !sounding_.empty()) {
        sounding_.back().velocity_id = id;
      }
      takes_duration_ = takes_duration;
      break;
    case TokenType::kDuration:
      if (takes_duration) {
        note_end_ = std::max(note_end_, AddTicks(tick(), meter().TimeTicks(info.value)));
      }
      break;
    case TokenType::kNoteOff:
    case TokenType::kDrumOff:
      EndNote(info.value);
      break;
    case TokenType::kPedal:
      if (!tables_->config.sustain_pedal_duration && !pedal_is_down(info.value)) {
        pedal_start_[static_cast<size_t>(info.value + 1)] = tick();
      }
      break;
    case TokenType::kPedalOff:
      pedal_start_[static_cast<size_t>(info.value + 1)] = -1;
      break;
    default:
      break;
  }
}

void StreamState::TakePitch(TokenId id, int pitch) {
  const bool timed = tables_->uses_durations[static_cast<size_t>(program_ + 1)];
  if (tables_->note_on_off()) {
    if (timed) {
      sounding_.push_back({program_, id, kNoToken, pitch, tick()});
      takes_velocity_ = tables_->config.use_velocities;
    }
    return;
  }
  if (timed) {
    takes_duration_ = true;
    return;
  }
  const auto duration = static_cast<int32_t>(tables_->config.default_note_duration * meter().ticks_per_beat());
  note_end_ = std::max(note_end_, AddTicks(tick(), duration));
}

void StreamState::EndNote(int pitch) {
  const auto note = std::find_if(sounding_.begin(), sounding_.end(), [this, pitch](const SoundingNote& candidate) {
    return candidate.program == program_ && candidate.pitch == pitch;
  });
  if (note != sounding_.end()) {
    sounding_.erase(note);
  }
}

}  // namespace continuo
