#include "continuo/token/window.h"

#include <algorithm>
#include <array>
#include <optional>
#include <tuple>

#include "continuo/token/stream_state.h"

namespace continuo {

namespace {

bool IsTime(TokenType type) {
  return type == TokenType::kBar || type == TokenType::kBarEnd || type == TokenType::kPosition ||
         type == TokenType::kTimeShift || type == TokenType::kRest;
}

bool IsPlan(TokenType type) {
  return type == TokenType::kRepeat || type == TokenType::kDensity || type == TokenType::kLoudness;
}

bool IsItem(TokenType type) {
  return type == TokenType::kPitchBend || type == TokenType::kNoteChord || type == TokenType::kPitch ||
         type == TokenType::kPitchDrum || type == TokenType::kNoteOff || type == TokenType::kDrumOff;
}

class WindowCutter {
 public:
  WindowCutter(std::span<const TokenId> ids, const TokenTables& tables)
      : ids_(ids), tables_(tables), config_(tables.config), old_(tables), new_(tables) {}

  std::vector<TokenId> Cut(size_t start, size_t bar) {
    for (next_ = 0; next_ < start; ++next_) {
      old_.Advance(ids_[next_]);
    }
    if (config_.program_changes && !tables_.one_stream()) {
      Put(old_.stream_program());
    }
    if (old_.has_bar_tokens()) {
      OpenRemi(static_cast<int32_t>(bar));
    } else {
      OpenShifts(static_cast<int64_t>(bar));
    }
    CopyRest();
    return std::move(window_);
  }

 private:
  // An event at the window's first tick. Program tokens are written again.
  struct Item {
    int stage = 0;  // among the events of a tick; see StreamGrammar
    int block = 0;
    int rank = 0;
    int program = 0;
    bool needs_program = true;
    std::array<TokenId, 3> ids{kNoToken, kNoToken, kNoToken};
  };

  enum Rank { kPedal, kBend, kNoteOff, kChord, kHeldNote, kNote };

  void Put(TokenId id) {
    if (id == kNoToken) {
      return;
    }
    window_.push_back(id);
    new_.Advance(id);
  }

  TokenId TypeIdAt(size_t position, TokenType type) const {
    return position < ids_.size() && tables_.InfoOf(ids_[position]).type == type ? ids_[position] : kNoToken;
  }

  void TakeOld() { old_.Advance(ids_[next_++]); }

  // A bar of the window cannot repeat one from before the window.
  void PutPlan(TokenId id) {
    const TokenInfo& info = tables_.InfoOf(id);
    if (info.type != TokenType::kRepeat || info.value <= new_.bar()) {
      Put(id);
    }
  }

  void PutMeter() {
    const Meter& meter = old_.meter().meter();
    const int index = tables_.FindTimeSignature(meter.numerator, meter.denominator);
    if (index >= 0) {
      Put(tables_.time_signature[static_cast<size_t>(index)]);
    }
  }

  TokenId Tempo() const {
    if (!config_.use_tempos) {
      return kNoToken;
    }
    return old_.tempo() != kNoToken ? old_.tempo() : tables_.tempo[static_cast<size_t>(tables_.default_tempo)];
  }

  void OpenRemi(int32_t bar) {
    if (TypeIdAt(next_, TokenType::kBar) != kNoToken && old_.bar() < bar) {
      TakeOld();
    }
    if (TypeIdAt(next_, TokenType::kTimeSig) != kNoToken && old_.bar() == bar) {
      TakeOld();
    }
    Put(tables_.bar);
    PutMeter();
    while (next_ < ids_.size() && IsPlan(tables_.InfoOf(ids_[next_]).type)) {
      PutPlan(ids_[next_]);
      TakeOld();
    }
    std::vector<Item> items;
    const bool at_once = old_.bar() == bar && TypeIdAt(next_, TokenType::kPosition) == tables_.first_position;
    if (at_once && tables_.first_position != kNoToken) {
      TakeOld();
      items = TakeItems();
    }
    AddHeld(items, old_.tick_at_bar());
    const TokenId tempo = Tempo();
    if (tempo != kNoToken || old_.harmony() != kNoToken || !items.empty()) {
      Put(tables_.first_position);
      Put(tempo);
      Put(old_.harmony());
      PutItems(items);
    }
    origin_ = old_.tick_at_bar() - (old_.bar() - bar) * old_.meter().ticks_per_bar();
    PutBarsUntil(old_.bar() - bar);
  }

  void OpenShifts(int64_t bar) {
    origin_ = old_.shift().TickOfBar(bar);
    std::vector<Item> items;
    if (old_.tick() == origin_) {
      if (TypeIdAt(next_, TokenType::kTimeSig) != kNoToken) {
        TakeOld();
      }
      items = TakeItems();
    }
    AddHeld(items, origin_);
    if (config_.use_time_signatures) {
      PutMeter();
    }
    Put(Tempo());
    PutItems(items);
    PutShift(old_.tick() - origin_);
  }

  // The events of this tick, up to the next token of time. Ends of notes and pedals that began
  // before are left out: neither is begun again.
  std::vector<Item> TakeItems() {
    std::vector<Item> items;
    const int32_t tick = old_.tick();
    while (next_ < ids_.size() && !IsTime(tables_.InfoOf(ids_[next_]).type)) {
      const TokenInfo info = tables_.InfoOf(ids_[next_]);
      Item item;
      item.ids[0] = ids_[next_];
      item.program = old_.program();
      bool keep = true;
      switch (info.type) {
        case TokenType::kPitchBend:
          item.rank = kBend;
          break;
        case TokenType::kNoteChord:
          item.rank = kChord;
          break;
        case TokenType::kNoteOff:
        case TokenType::kDrumOff:
          item.rank = kNoteOff;
          keep = IsNewNote(info.value, tick);
          break;
        case TokenType::kPitch:
        case TokenType::kPitchDrum:
          item.rank = kNote;
          break;
        case TokenType::kPedal:
        case TokenType::kPedalOff:
          item.rank = kPedal;
          item.program = info.value;
          item.needs_program = false;
          keep = info.type == TokenType::kPedal;
          break;
        default:  // a Program, Tempo or chord of REMIChord, which is written again, or nothing that belongs here
          TakeOld();
          continue;
      }
      TakeOld();
      // Velocity and duration come along.
      for (size_t i = 1; i < item.ids.size() && next_ < ids_.size(); ++i) {
        const TokenType type = tables_.InfoOf(ids_[next_]).type;
        if ((item.rank != kNote || type != TokenType::kVelocity) && type != TokenType::kDuration) {
          break;
        }
        item.ids[i] = ids_[next_];
        TakeOld();
      }
      if (keep) {
        items.push_back(item);
      }
    }
    return items;
  }

  // True if the note that an end at this tick would end began at it.
  bool IsNewNote(int pitch, int32_t tick) const {
    for (const StreamState::SoundingNote& note : old_.sounding()) {
      if (note.program == old_.program() && note.pitch == pitch) {
        return note.onset >= tick;
      }
    }
    return false;
  }

  // What began before the window and continues in it.
  void AddHeld(std::vector<Item>& items, int32_t tick) const {
    for (int program = -1; program < 128 && config_.use_sustain_pedals; ++program) {
      const TokenId pedal = tables_.pedal[static_cast<size_t>(program + 1)];
      const bool written = std::any_of(items.begin(), items.end(), [program](const Item& item) {
        return item.rank == kPedal && item.program == program;
      });
      if (old_.pedal_is_down(program) && !written) {
        Item item;
        item.rank = kPedal;
        item.program = program;
        item.needs_program = false;
        item.ids[0] = pedal;
        items.push_back(item);
      }
    }
    for (const StreamState::SoundingNote& note : old_.sounding()) {
      if (note.onset < tick) {
        Item item;
        item.rank = kHeldNote;
        item.program = note.program;
        item.ids = {note.pitch_id, note.velocity_id, kNoToken};
        items.push_back(item);
      }
    }
  }

  void PutItems(std::vector<Item>& items) {
    const bool by_kind = tables_.note_on_off() && config_.use_chords;
    std::vector<int> programs;  // in the order of their blocks
    for (Item& item : items) {
      if (by_kind) {
        item.stage = item.rank == kNoteOff ? 0 : item.rank == kPedal ? 1 : item.rank == kBend ? 2 : 3;
      }
      if (item.stage == 3 || !by_kind) {
        auto place = std::find(programs.begin(), programs.end(), item.program);
        item.block = static_cast<int>(place - programs.begin());
        if (place == programs.end()) {
          programs.push_back(item.program);
        }
      }
    }
    std::stable_sort(items.begin(), items.end(), [](const Item& a, const Item& b) {
      return std::tie(a.stage, a.block, a.rank) < std::tie(b.stage, b.block, b.rank);
    });
    for (const Item& item : items) {
      if (item.needs_program) {
        PutProgram(item.program);
      }
      for (const TokenId id : item.ids) {
        Put(id);
      }
    }
  }

  void PutProgram(int program) {
    const TokenId id = tables_.program[static_cast<size_t>(program + 1)];
    if (tables_.program_tokens()) {
      Put(id);
    } else if (config_.program_changes && tables_.one_stream() && (!program_set_ || program != new_.program())) {
      Put(id);
      program_set_ = true;
    }
  }

  void PutBarsUntil(int32_t bar) {
    while (new_.bar() < bar) {
      Put(tables_.bar_end);
      Put(tables_.bar);
      if (config_.use_time_signatures) {
        PutMeter();
      }
    }
  }

  void PutShift(int32_t ticks) {
    const TimeTable& table = old_.meter().time_table();
    while (ticks >= table.min_ticks() && table.min_ticks() > 0) {
      const size_t index = table.Floor(ticks);
      Put(tables_.time_shift[index]);
      ticks -= table.ticks()[index];
    }
  }

  // A rest is measured from the end of the notes before; those before the window are gone.
  void CopyRestToken(int32_t index) {
    const int32_t old_bar = old_.bar();
    const bool same = new_.TickAfterRest(index) == old_.TickAfterRest(index) - origin_;
    const TokenId id = ids_[next_];
    TakeOld();
    if (same) {
      Put(id);
    } else if (old_.has_bar_tokens()) {
      PutBarsUntil(new_.bar() + old_.bar() - old_bar);
    } else {
      PutShift(old_.tick() - origin_ - new_.tick());
    }
  }

  void CopyRest() {
    const bool changes = config_.program_changes && tables_.one_stream();
    while (next_ < ids_.size()) {
      const TokenInfo& info = tables_.InfoOf(ids_[next_]);
      if (info.type == TokenType::kRest) {
        CopyRestToken(info.value);
        continue;
      }
      if (changes && IsItem(info.type)) {
        PutProgram(old_.program());
      }
      program_set_ = program_set_ || info.type == TokenType::kProgram;
      IsPlan(info.type) ? PutPlan(ids_[next_]) : Put(ids_[next_]);
      TakeOld();
    }
  }

  const std::span<const TokenId> ids_;
  const TokenTables& tables_;
  const TokenizerConfig& config_;
  StreamState old_;
  StreamState new_;
  size_t next_ = 0;     // position in ids_
  int32_t origin_ = 0;  // tick of ids_ that is the window's first
  bool program_set_ = false;
  std::vector<TokenId> window_;
};

}  // namespace

std::vector<size_t> FindBarOffsets(std::span<const TokenId> ids, const TokenTables& tables) {
  std::vector<size_t> offsets;
  const auto begin_bars = [&offsets, &ids](int32_t bar, size_t offset) {
    while (static_cast<int64_t>(offsets.size()) <= bar && offset < ids.size()) {
      offsets.push_back(offset);
    }
  };
  StreamState state(tables);
  for (size_t i = 0; i < ids.size(); ++i) {
    const TokenType type = tables.InfoOf(ids[i]).type;
    if (type == TokenType::kSpecial) {
      continue;
    }
    if (!state.has_bar_tokens()) {
      begin_bars(state.bar(), i);
    }
    state.Advance(ids[i]);
    if (state.has_bar_tokens()) {
      begin_bars(state.bar(), type == TokenType::kRest ? i + 1 : i);
    }
  }
  return offsets;
}

std::vector<TokenId> CutWindow(std::span<const TokenId> ids, size_t bar, const TokenTables& tables) {
  const std::vector<size_t> offsets = FindBarOffsets(ids, tables);
  if (bar >= offsets.size()) {
    return {};
  }
  return WindowCutter(ids, tables).Cut(offsets[bar], bar);
}

}  // namespace continuo
