#include "continuo/token/stream_grammar.h"

#include <algorithm>

namespace continuo {

StreamGrammar::StreamGrammar(const TokenTables& tables, const GrammarTarget& target)
    : GrammarBase(tables, target),
      by_kind_(tables.note_on_off() && tables.config.use_chords),
      program_tokens_(tables.program_tokens()),
      one_stream_(tables.one_stream()) {
  if (tables.config.use_programs) {
    for (int program = -1; program < 128; ++program) {
      if (tables.has_program[static_cast<size_t>(program + 1)]) {
        programs_.push_back(static_cast<int16_t>(program));
      }
    }
  } else {
    programs_.push_back(0);
  }
  program_set_ = !(tables.config.program_changes && one_stream_);
  pedal_start_.fill(-1);
  pedal_end_.fill(-1);
  bend_tick_.fill(-1);
}

void StreamGrammar::NewTick(int32_t tick) {
  tick_ = tick;
  fresh_ = true;
  before_chord_ = true;
  stage_ = kNoItem;
  block_program_ = -2;
  block_ = kNoItem;
  done_.reset();
}

void StreamGrammar::Place(Item item, int program) {
  fresh_ = false;
  before_chord_ = false;
  if (item == kBendItem) {
    bend_tick_[static_cast<size_t>(program + 1)] = tick_;
  }
  stage_ = item;
  if (by_kind_ && item < kChordItem) {
    return;
  }
  if (program != block_program_ && block_program_ >= -1) {
    done_.set(static_cast<size_t>(block_program_ + 1));
  }
  block_program_ = program;
  block_ = item;
}

bool StreamGrammar::HasItem(int program) const {
  if (CanPlace(kNoteItem, program)) {
    return true;
  }
  if (tables_.config.use_pitch_bends && CanPlace(kBendItem, program)) {
    return true;
  }
  return std::any_of(
             sounding_.begin(), sounding_.end(),
             [this, program](const SoundingNote& note) { return note.program == program && note.onset < tick_; }) &&
         CanPlace(kNoteOffItem, program);
}

void StreamGrammar::FinishNote(int32_t duration) {
  any_note_ = true;
  onset_in_last_bar_ = onset_in_last_bar_ || in_last_bar_;
  const int32_t end = AddTicks(tick_, duration);
  note_end_ = std::max(note_end_, end);
  sound_end_ = std::max(sound_end_, end);
  expect_ = Expect::kNothing;
}

void StreamGrammar::TakePitch(const TokenInfo& info, const MeterClock& meter) {
  Place(kNoteItem, program_);
  if (!tables_.config.use_programs) {
    drums_decided_ = true;
    drum_stream_ = info.type == TokenType::kPitchDrum;
  }
  note_pitch_ = static_cast<uint8_t>(info.value);
  note_timed_ = Uses(program_);
  untimed_ticks_ = static_cast<int32_t>(tables_.config.default_note_duration * meter.ticks_per_beat());
  if (tables_.note_on_off() && note_timed_ && !all_sound_) {
    sounding_.push_back({static_cast<int16_t>(program_), note_pitch_, info.type == TokenType::kPitchDrum, tick_});
  }
  expect_ = tables_.config.use_velocities ? Expect::kVelocity : Expect::kDuration;
}

void StreamGrammar::TakeNoteOff(int pitch) {
  Place(kNoteOffItem, program_);
  expect_ = Expect::kNothing;
  if (all_sound_) {
    return;
  }
  const auto note = std::find_if(sounding_.begin(), sounding_.end(), [this, pitch](const SoundingNote& candidate) {
    return candidate.program == program_ && candidate.pitch == pitch;
  });
  sounding_.erase(note);
}

bool StreamGrammar::TakeEvent(TokenId id, const TokenInfo& info, const MeterClock& meter) {
  switch (info.type) {
    case TokenType::kTempo:
      fresh_ = false;
      note_end_ = std::max(note_end_, tick_);
      expect_ = Expect::kNothing;
      break;
    case TokenType::kChord:
      fresh_ = false;
      before_chord_ = false;
      harmony_ = id;
      note_end_ = std::max(note_end_, tick_);
      expect_ = Expect::kNothing;
      break;
    case TokenType::kProgram:
      program_ = info.value;
      program_set_ = true;
      if (!one_stream_ && !stream_fixed_) {
        TakeStreamProgram(info.value);
      }
      expect_ = expect_ == Expect::kProgram ? Expect::kNote : Expect::kItem;
      break;
    case TokenType::kNoteChord:
      Place(kChordItem, program_);
      drums_decided_ = true;  // drums have no chords
      expect_ = program_tokens_ ? Expect::kProgram : Expect::kNote;
      break;
    case TokenType::kPitchBend:
      Place(kBendItem, program_);
      expect_ = Expect::kNothing;
      break;
    case TokenType::kPitch:
    case TokenType::kPitchDrum:
      TakePitch(info, meter);
      break;
    case TokenType::kNoteOff:
    case TokenType::kDrumOff:
      TakeNoteOff(info.value);
      return true;
    case TokenType::kVelocity:
      expect_ = Expect::kDuration;
      break;
    case TokenType::kDuration:
      if (expect_ == Expect::kPedalDuration) {
        pedal_end_[static_cast<size_t>(pedal_program_ + 1)] = AddTicks(tick_, meter.TimeTicks(info.value));
        expect_ = Expect::kNothing;
      } else {
        FinishNote(meter.TimeTicks(info.value));
      }
      return true;
    case TokenType::kPedal: {
      const size_t index = static_cast<size_t>(info.value + 1);
      if (tables_.config.use_programs && !one_stream_ && !stream_fixed_) {
        TakeStreamProgram(info.value);
      }
      Place(kPedalItem, info.value);
      pedal_program_ = info.value;
      if (tables_.config.sustain_pedal_duration) {
        expect_ = Expect::kPedalDuration;
      } else {
        pedal_start_[index] = tick_;
        ++active_pedals_;
        expect_ = Expect::kNothing;
      }
      return true;
    }
    case TokenType::kPedalOff: {
      const size_t index = static_cast<size_t>(info.value + 1);
      Place(kPedalItem, info.value);
      pedal_start_[index] = -1;
      pedal_end_[index] = tick_;
      --active_pedals_;
      expect_ = Expect::kNothing;
      return true;
    }
    default:
      return false;
  }
  // A note that needs no duration token ends with its last token here.
  if (expect_ == Expect::kDuration) {
    if (tables_.note_on_off() && note_timed_) {
      FinishNote(0);
    } else if (!note_timed_) {
      FinishNote(untimed_ticks_);
    }
  }
  return true;
}

bool StreamGrammar::TakeAllToSound() {
  // Rests wait for the last note, and a program may come for a note that it can end.
  const TokenizerConfig& config = tables_.config;
  if (!tables_.note_on_off() || config.use_programs || config.use_rests || !Uses(program_)) {
    return false;
  }
  all_sound_ = true;
  sounding_.clear();
  return true;
}

void StreamGrammar::CountSounding(std::span<uint16_t> now, std::span<uint16_t> later) const {
  for (const SoundingNote& note : sounding_) {
    const auto token = static_cast<size_t>((note.drum ? tables_.drum_off : tables_.note_off)[note.pitch]);
    now[token] = static_cast<uint16_t>(now[token] + (note.onset < tick_ ? 1 : 0));
    ++later[token];
  }
}

void StreamGrammar::TakeStreamProgram(int program) {
  program_ = program;
  program_set_ = true;
  stream_fixed_ = true;
  programs_.assign(1, static_cast<int16_t>(program));
}

bool StreamGrammar::FarFromEnd(int32_t horizon, int32_t bar, const MeterClock& meter) const {
  if (!has_target()) {
    return true;
  }
  int64_t shortest = meter.ticks_per_bar();
  int64_t longest = shortest;
  for (const Meter& other : tables_.time_signatures) {
    const int64_t ticks = MeterClock(tables_, other).ticks_per_bar();
    shortest = std::min(shortest, ticks);
    longest = std::max(longest, ticks);
  }
  const int64_t bars = static_cast<int64_t>(target_bars_) - std::max(bar, 0) - 1;
  return bars * shortest >= 2 * int64_t{horizon} + 2 * longest;
}

bool StreamGrammar::AppendSharedKey(int32_t horizon, bool far, int32_t now, const MeterClock& meter,
                                    std::string& key) const {
  // Near the last tick that there is, sums are cut. Harmonies are not trained on.
  if (!tables_.harmony.empty() || now > kMaxDecodedTick / 2 || horizon > kMaxDecodedTick / 4) {
    return false;
  }
  Append(key, static_cast<uint8_t>(expect_));
  for (const bool flag :
       {started_, ended_, complete_, any_note_, onset_in_last_bar_, in_last_bar_, may_press_pedal_, fresh_,
        before_chord_, program_set_, stream_fixed_, drum_stream_, drums_decided_, has_target(), far, all_sound_}) {
    key += flag ? '1' : '0';
  }
  Append(key, meter.meter().numerator);
  Append(key, meter.meter().denominator);
  if (!far) {
    Append(key, static_cast<uint32_t>(target_bars_));
    Append(key, end_ - now);
    Append(key, std::max(sound_end_ - now, 0));
  }
  if (tables_.config.use_rests) {
    Append(key, std::max(note_end_ - now, 0));
  }
  Append(key, static_cast<int16_t>(program_));
  Append(key, static_cast<int16_t>(stage_));
  Append(key, static_cast<int16_t>(block_program_));
  Append(key, static_cast<int16_t>(block_));
  if (half_written()) {
    Append(key, note_timed_);
    Append(key, untimed_ticks_);
    Append(key, static_cast<int16_t>(pedal_program_));
  }
  for (const int16_t program : programs_) {
    const auto index = static_cast<size_t>(program + 1);
    const int32_t pressed = pedal_start_[index];
    const int pedal = pressed < 0 ? 0 : pressed < tick_ ? 1 : 2;
    // Later pedals come after the end of this one, which may be ahead.
    const int32_t pedal_end = std::max(pedal_end_[index] - now, -1);
    const bool bent = bend_tick_[index] == tick_;
    if (done_[index] || pedal != 0 || pedal_end >= 0 || bent) {
      Append(key, program);
      key += static_cast<char>('a' + pedal * 4 + (done_[index] ? 2 : 0) + (bent ? 1 : 0));
      Append(key, pedal_end);
    }
  }
  key += '|';
  for (const SoundingNote& note : sounding_) {
    Append(key, note.program);
    key += static_cast<char>(note.pitch);
    key += static_cast<char>('a' + (note.drum ? 2 : 0) + (note.onset < tick_ ? 1 : 0));
  }
  return true;
}

}  // namespace continuo
