#pragma once

#include <algorithm>
#include <cstdint>
#include <type_traits>
#include <utility>
#include <vector>

#include "continuo/token/encode.h"
#include "continuo/token/event_list.h"
#include "continuo/token/token_tables.h"

namespace continuo {

inline int32_t TicksPerBeat(int denominator, int32_t ticks_per_quarter) {
  return std::max(1, static_cast<int32_t>(ticks_per_quarter * 4.0 / denominator));
}

/// EncodedStream, or its ids alone.
template <bool kTimed>
using Encoded = std::conditional_t<kTimed, EncodedStream, std::vector<TokenId>>;

/// Appends to a stream; with program changes, a Program token where the program changes. A timed
/// one also notes the time of each token (EncodedStream).
template <bool kTimed>
class EventWriter {
 public:
  EventWriter(const TokenTables& tables, size_t events)
      : tables_(tables), changes_(tables.one_stream() && tables.config.program_changes) {
    ids_.resize(events * 4 + 64);
  }

  void Put(TokenId id, int32_t time) {
    if (id != kNoToken) {
      MakeRoom();
      ids_[size_++] = id;
      NoteTimes(time);
    }
  }

  void PutEvent(const ScoreEvent& event) {
    MakeRoom();
    // All four places are written, those beyond `count` to be written over.
    for (size_t i = 0; i < event.ids.size(); ++i) {
      ids_[size_ + i] = event.ids[i];
    }
    size_ += event.count;
    NoteTimes(event.time);
  }

  /// The Program token that comes before an event, and before its time tokens' effect on rests.
  /// True if there is one.
  bool PutProgramChange(const ScoreEvent& event) {
    if (!changes_ || event.kind < ScoreEvent::Kind::kBend || event.program == program_) {
      return false;
    }
    program_ = event.program;
    Put(tables_.program[static_cast<size_t>(event.program + 1)], event.time);
    return true;
  }

  /// Time tokens that lead to `until`, `ticks` long in all, from the longest that fits down; what
  /// is left of `ticks`.
  int32_t PutTime(int32_t until, int32_t ticks, const TimeTable& table, const std::vector<TokenId>& ids) {
    while (ticks >= table.min_ticks() && table.min_ticks() > 0) {
      const size_t index = table.Floor(ticks);
      Put(ids[index], until - ticks);
      ticks -= table.ticks()[index];
    }
    return ticks;
  }

  Encoded<kTimed> Take() {
    ids_.resize(size_);
    if constexpr (kTimed) {
      return {std::move(ids_), std::move(times_)};
    } else {
      return std::move(ids_);
    }
  }

 private:
  void NoteTimes(int32_t time) {
    if constexpr (kTimed) {
      times_.resize(size_, time);
    }
  }

  void MakeRoom() {
    if (size_ + 4 > ids_.size()) [[unlikely]] {
      ids_.resize(ids_.size() * 2);
    }
  }

  const TokenTables& tables_;
  const bool changes_;
  int program_ = -2;          // none yet
  std::vector<TokenId> ids_;  // of which the first size_ are written
  size_t size_ = 0;
  struct None {};
  [[no_unique_address]] std::conditional_t<kTimed, std::vector<int32_t>, None> times_;
};

}  // namespace continuo
