#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "continuo/core/result.h"

namespace continuo {

/// Bars [first, last) of a piece, counted from 0.
struct BarSpan {
  size_t first = 0;
  size_t last = SIZE_MAX;
  bool Contains(size_t bar) const { return first <= bar && bar < last; }
};

/// Pitch classes that notes may have: bit i is class i, C is 0.
struct ScaleLimit {
  uint16_t pitch_classes = 0xFFF;
  BarSpan bars = {};
};

/// The lowest and the highest MIDI key.
struct RangeLimit {
  int low = 0;
  int high = 127;
  BarSpan bars = {};
};

struct CountLimit {
  int value = 1;
  BarSpan bars = {};
};

/// What new notes must keep to, whatever the model. Of several limits of one kind the last that
/// names a bar holds there; a bar that none names is free.
///
/// Limits hold for new notes, not for those of a given piece. Scale and range do not apply to
/// drums.
struct MusicLimits {
  std::vector<ScaleLimit> scale;
  std::vector<RangeLimit> range;
  std::vector<CountLimit> grid;           // notes begin on this part of a whole note, counted from the bar line
  std::vector<CountLimit> max_notes;      // that begin in a bar
  std::vector<CountLimit> max_polyphony;  // that sound at once
  /// Of a FillRequest: the top notes of the bars stay (see KeptTop), and new notes lie below them.
  bool keep_top = false;

  bool empty() const {
    return scale.empty() && range.empty() && grid.empty() && max_notes.empty() && max_polyphony.empty() && !keep_top;
  }
};

/// A kind of limit as text, for flags, JSON and language bindings.
struct LimitField {
  std::string_view name;  // "max_notes"
  std::string_view flag;  // "--max-notes"
  std::string_view type;  // of the flag's value
  std::string_view help;
};

/// All but keep_top.
std::span<const LimitField> LimitFields();

/// Reads one limit and adds it. `text` is a value, and optionally the bars that it is for, counted
/// from 1: "A minor", "A minor@9-16", "C3:C6@9", "8@17-" (from bar 17 on).
///
/// - scale: a root and the name of a scale ("F# dorian"), or pitch classes ("C D E G A", "0 2 4")
/// - range: two keys with octaves, C4 being MIDI key 60 ("C3:C6"), or their numbers ("48:84")
/// - grid: 16, 8 or 12 (sixteenth notes, eighth notes, triplets of eighth notes)
/// - max_notes: 1 or more; max_polyphony: 1 or more
///
/// Fails, naming the value and what is expected.
Status AddLimit(std::string_view name, std::string_view text, MusicLimits& limits);

/// Removes all limits of a kind. Fails on an unknown name.
Status RemoveLimits(std::string_view name, MusicLimits& limits);

}  // namespace continuo
