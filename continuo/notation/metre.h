#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace continuo {

/// Time in sheet music, in units of which a quarter note has `kUnitsPerQuarter`. Every note down to
/// the 128th has whole units, and so have triplets down to sixteenths.
using Unit = int64_t;
inline constexpr Unit kUnitsPerQuarter = 96;
inline constexpr Unit kUnitsPerWhole = 4 * kUnitsPerQuarter;

/// The largest denominator of a time signature whose beats can be written.
inline constexpr int32_t kMaxDenominator = 128;

/// How long a symbol looks: `log2` -1 is a breve, 0 a whole note, 1 a half, 2 a quarter, ... 7 a
/// 128th; each has at most one dot.
struct NoteValue {
  int8_t log2 = 2;
  uint8_t dots = 0;
  bool operator==(const NoteValue&) const = default;

  Unit length() const;
};

/// Whether one symbol, with at most one dot, lasts so long; then also which.
bool FindNoteValue(Unit length, NoteValue& value);

/// A part of a note or rest that one symbol shows.
struct NotatedPart {
  Unit from = 0;
  Unit to = 0;
  NoteValue value;
  bool operator==(const NotatedPart&) const = default;
};

/// The bar of a time signature: its beats, and how an engraver divides notes, rests and beams so
/// that the beats can be seen. Positions are from the start of the bar.
///
/// Each position has a level: 0 the bar line, 1 the middle of a bar of four beats (or of twelve
/// eighths; the groups of five and seven beats), 2 a beat, 3 and more the binary divisions of the
/// beat. Where the numerator is a multiple of 3 above 3, three units of the denominator are a beat;
/// for denominators from 8 on also 3, and any other number is divided into beats of two, an odd one
/// ending with a beat of three (5: three, then two).
///
/// Rules: E. Gould, Behind Bars (2011), p. 166-174 (ties), 160-165 (rests), 153-157 (beams).
class Metre {
 public:
  /// `numerator` > 0, `denominator` a power of two up to kMaxDenominator.
  Metre(int32_t numerator, int32_t denominator);

  Unit length() const { return length_; }
  /// 0 is strongest. `position` is a multiple of 3 in [0, length].
  int Level(Unit position) const;

  /// The symbols, tied to each other, that show a note from `from` to `to`, both multiples of 3,
  /// 0 <= from < to <= length().
  std::vector<NotatedPart> SplitNote(Unit from, Unit to) const { return Split(from, to, false); }
  /// The same for a rest.
  std::vector<NotatedPart> SplitRest(Unit from, Unit to) const { return Split(from, to, true); }

  /// Where the groups of beamed notes begin: each beat.
  const std::vector<Unit>& beats() const { return beats_; }
  /// Whether the beat that begins at `beats()[i]` may share a beam with the next if both hold
  /// eighth notes only: the first and third of 4/4, and the first of 2/4.
  bool JoinsNext(size_t i) const;

 private:
  std::vector<NotatedPart> Split(Unit from, Unit to, bool rest) const;
  /// The boundaries of the strongest level strictly inside (from, to), first and last; false: none.
  bool StrongestInside(Unit from, Unit to, int& level, Unit& first, Unit& last) const;
  bool Allowed(Unit from, Unit to, NoteValue value, bool rest) const;

  int32_t numerator_;
  int32_t denominator_;
  Unit length_;
  bool compound_;
  bool irregular_ = false;     // beats of different lengths
  std::vector<Unit> middles_;  // level 1
  std::vector<Unit> beats_;    // level 2, and the bar line
  std::vector<Unit> steps_;    // of level 3 and up; each divides all beats
};

}  // namespace continuo
