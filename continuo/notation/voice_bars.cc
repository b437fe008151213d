#include "continuo/notation/voice_bars.h"

#include <algorithm>
#include <utility>

#include "continuo/core/check.h"

namespace continuo {
namespace {

// A stretch of a bar in which the same notes sound.
struct Slice {
  Unit from = 0;  // from the start of the bar
  Unit to = 0;
  std::vector<size_t> notes;  // empty: a rest
};

// A stretch of a bar that is written as a tuplet.
struct TupletSpan {
  Unit from = 0;
  Unit to = 0;
  Unit unit = 0;  // the shortest place in it
  SheetTuplet tuplet;
};

// Tuplets are needed where something begins or ends off the binary grid.
bool OffBinary(Unit place) {
  return place % 3 != 0;
}

// Whether all places strictly inside (from, to) are multiples of `unit` from `from`, and one is off
// the binary grid.
bool Fits(const std::vector<Unit>& places, Unit from, Unit to, Unit unit) {
  bool off = false;
  for (auto it = std::upper_bound(places.begin(), places.end(), from); it != places.end() && *it < to; ++it) {
    if ((*it - from) % unit != 0) {
      return false;
    }
    off = off || OffBinary(*it);
  }
  return off;
}

bool HasOff(const std::vector<Unit>& places, Unit from, Unit to) {
  return std::any_of(places.begin(), places.end(), [&](Unit p) { return p > from && p < to && OffBinary(p); });
}

// The tuplets of a bar, from the places where something begins or ends.
std::vector<TupletSpan> FindTuplets(const std::vector<Unit>& places, Unit length) {
  constexpr Unit kQuarter = kUnitsPerQuarter;
  std::vector<TupletSpan> spans;
  for (Unit from = 0; from + kQuarter <= length; from += kQuarter) {
    const Unit to = from + kQuarter;
    const Unit middle = from + kQuarter / 2;
    if (!HasOff(places, from, to)) {
      continue;
    }
    const bool on_even = from / kQuarter % 2 == 0;
    if (on_even && from + 2 * kQuarter <= length && Fits(places, from, from + 2 * kQuarter, kQuarter * 2 / 3)) {
      spans.push_back({from, from + 2 * kQuarter, kQuarter * 2 / 3, {3, 2, 2}});
      from += kQuarter;
    } else if (Fits(places, from, to, kQuarter / 3)) {
      spans.push_back({from, to, kQuarter / 3, {3, 2, 3}});
    } else if (std::binary_search(places.begin(), places.end(), middle)) {
      for (const Unit half : {from, middle}) {
        if (HasOff(places, half, half + kQuarter / 2)) {
          spans.push_back({half, half + kQuarter / 2, kQuarter / 6, {3, 2, 4}});
        }
      }
    } else {
      spans.push_back({from, to, kQuarter / 6, {6, 4, 4}});
    }
  }
  return spans;
}

// A stretch of a tuplet as symbols, each 1, 2, 3 or 4 units long.
std::vector<NotatedPart> SplitInTuplet(Unit from, Unit to, const TupletSpan& span) {
  std::vector<NotatedPart> parts;
  CONTINUO_CHECK((from - span.from) % span.unit == 0 && (to - span.from) % span.unit == 0);
  Unit at = (from - span.from) / span.unit;
  const Unit end = (to - span.from) / span.unit;
  while (at < end) {
    Unit units = end - at;
    if (units == 5) {
      units = at == 0 ? 3 : 2;
    }
    NoteValue value{span.tuplet.log2, 0};
    if (units == 2 || units == 3) {
      value.log2 = static_cast<int8_t>(value.log2 - 1);
      value.dots = units == 3 ? 1 : 0;
    } else if (units == 4) {
      value.log2 = static_cast<int8_t>(value.log2 - 2);
    }
    parts.push_back({span.from + at * span.unit, span.from + (at + units) * span.unit, value});
    at += units;
  }
  return parts;
}

// The symbols of a bar.
class BarWriter {
 public:
  /// `pickup`: its beats are those at the end of a whole bar.
  BarWriter(const std::vector<StaffNote>& notes, const GridBar& bar, bool pickup)
      : notes_(notes),
        bar_(bar),
        metre_(bar.signature.numerator, bar.signature.denominator),
        shift_(pickup ? metre_.length() - bar.length : 0) {}

  std::vector<Symbol> Write(const std::vector<Slice>& slices) {
    std::vector<Unit> places;
    for (const Slice& slice : slices) {
      places.push_back(slice.from);
    }
    places.push_back(bar_.length);
    const std::vector<TupletSpan> tuplets = FindTuplets(places, bar_.length);
    auto tuplet = tuplets.begin();
    for (const Slice& slice : slices) {
      Unit at = slice.from;
      while (at < slice.to) {
        while (tuplet != tuplets.end() && tuplet->to <= at) {
          ++tuplet;
        }
        if (tuplet != tuplets.end() && tuplet->from <= at) {
          const Unit to = std::min(slice.to, tuplet->to);
          for (const NotatedPart& part : SplitInTuplet(at, to, *tuplet)) {
            Add(slice, part);
            symbols_.back().tuplet = tuplet->tuplet;
            symbols_.back().tuplet.begins = part.from == tuplet->from;
            symbols_.back().tuplet.ends = part.to == tuplet->to;
          }
          at = to;
          continue;
        }
        const Unit to = tuplet == tuplets.end() ? slice.to : std::min(slice.to, tuplet->from);
        for (NotatedPart part : slice.notes.empty() ? metre_.SplitRest(at + shift_, to + shift_)
                                                    : metre_.SplitNote(at + shift_, to + shift_)) {
          part.from -= shift_;
          part.to -= shift_;
          Add(slice, part);
        }
        at = to;
      }
    }
    SetBeams(symbols_, metre_, shift_);
    return std::move(symbols_);
  }

 private:
  void Add(const Slice& slice, const NotatedPart& part) {
    Symbol symbol;
    symbol.from = part.from;
    symbol.length = part.to - part.from;
    symbol.value = part.value;
    symbol.notes.reserve(slice.notes.size());
    for (const size_t index : slice.notes) {
      const StaffNote& note = notes_[index];
      SheetNote head;
      head.key = note.pitch;
      head.velocity = note.velocity;
      head.name = note.name;
      head.tied_from_before = note.from < bar_.from + part.from;
      head.tied_to_next = note.to > bar_.from + part.to;
      symbol.notes.push_back(head);
    }
    std::sort(symbol.notes.begin(), symbol.notes.end(), [](const auto& a, const auto& b) { return a.key < b.key; });
    symbols_.push_back(std::move(symbol));
  }

  const std::vector<StaffNote>& notes_;
  const GridBar& bar_;
  const Metre metre_;
  const Unit shift_;
  std::vector<Symbol> symbols_;
};

int BeamsOf(const Symbol& symbol) {
  return symbol.notes.empty() ? 0 : std::clamp(symbol.value.log2 - 2, 0, 5);
}

// Beams a run of symbols [begin, end), all of which have flags.
void BeamRun(std::vector<Symbol>& symbols, size_t begin, size_t end) {
  if (end - begin < 2) {
    return;
  }
  for (size_t i = begin; i < end; ++i) {
    const int beams = BeamsOf(symbols[i]);
    for (int level = 1; level <= beams; ++level) {
      const bool before = i > begin && BeamsOf(symbols[i - 1]) >= level;
      const bool after = i + 1 < end && BeamsOf(symbols[i + 1]) >= level;
      Beam beam = Beam::kContinue;
      if (before != after) {
        beam = before ? Beam::kEnd : Beam::kBegin;
      } else if (!before) {
        // A hook points to the note with which it fills a longer value.
        const bool starts_pair = symbols[i].from % (2 * symbols[i].value.length()) == 0;
        beam = i + 1 < end && (i == begin || starts_pair) ? Beam::kForwardHook : Beam::kBackwardHook;
      }
      symbols[i].beams[static_cast<size_t>(level - 1)] = beam;
    }
  }
}

}  // namespace

Error TooManyNoteHeads(std::string_view name) {
  return {.message = fmt::format("{}: the sheet music would have more than {} note heads", name, kMaxSheetHeads),
          .hint = "export fewer bars",
          .code = ErrorCode::kTooLarge};
}

void SetBeams(std::vector<Symbol>& symbols, const Metre& metre, Unit shift) {
  const std::vector<Unit>& beats = metre.beats();
  const auto group_of = [&](Unit from) {
    return static_cast<size_t>(std::upper_bound(beats.begin(), beats.end(), from + shift) - beats.begin()) - 1;
  };
  // Two beats share a beam if they are four eighths.
  const auto joined = [&](size_t begin) {
    const Unit from = symbols[begin].from;
    if (begin + 4 > symbols.size() || !metre.JoinsNext(group_of(from)) || from + shift != beats[group_of(from)]) {
      return false;
    }
    for (size_t i = begin; i < begin + 4; ++i) {
      if (symbols[i].notes.empty() || symbols[i].value != NoteValue{3, 0} || symbols[i].tuplet.actual != 0) {
        return false;
      }
    }
    return true;
  };
  for (Symbol& symbol : symbols) {
    symbol.beams = {};
  }
  for (size_t i = 0; i < symbols.size();) {
    if (BeamsOf(symbols[i]) == 0) {
      ++i;
      continue;
    }
    if (joined(i)) {
      BeamRun(symbols, i, i + 4);
      i += 4;
      continue;
    }
    size_t end = i;
    while (end < symbols.size() && BeamsOf(symbols[end]) > 0 &&
           group_of(symbols[end].from) == group_of(symbols[i].from)) {
      ++end;
    }
    BeamRun(symbols, i, end);
    i = end;
  }
}

Result<std::vector<std::vector<Symbol>>> WriteVoice(const std::vector<StaffNote>& notes, const SheetGrid& grid,
                                                    size_t& heads, std::string_view name) {
  const std::vector<GridBar>& bars = grid.bars();
  std::vector<std::vector<Symbol>> result(bars.size());
  // Places where the sounding notes change.
  std::vector<Unit> changes;
  changes.reserve(2 * notes.size());
  for (const StaffNote& note : notes) {
    CONTINUO_CHECK(note.from < note.to);
    changes.push_back(note.from);
    changes.push_back(note.to);
  }
  std::sort(changes.begin(), changes.end());
  changes.erase(std::unique(changes.begin(), changes.end()), changes.end());

  std::vector<size_t> sounding;
  size_t next_note = 0;
  size_t next_change = 0;
  for (size_t b = 0; b < bars.size(); ++b) {
    const GridBar& bar = bars[b];
    std::vector<Slice> slices;
    bool any = false;
    Unit at = bar.from;
    while (at < bar.to()) {
      std::erase_if(sounding, [&](size_t i) { return notes[i].to <= at; });
      for (; next_note < notes.size() && notes[next_note].from <= at; ++next_note) {
        sounding.push_back(next_note);
      }
      while (next_change < changes.size() && changes[next_change] <= at) {
        ++next_change;
      }
      const Unit to = next_change < changes.size() ? std::min(changes[next_change], bar.to()) : bar.to();
      slices.push_back({at - bar.from, to - bar.from, sounding});
      any = any || !sounding.empty();
      if (sounding.size() > heads) {
        return TooManyNoteHeads(name);
      }
      heads -= sounding.size();
      at = to;
    }
    if (any) {
      result[b] = BarWriter(notes, bar, b == 0 && grid.has_pickup()).Write(slices);
    }
  }
  return result;
}

}  // namespace continuo
