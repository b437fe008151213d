#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "continuo/core/result.h"
#include "continuo/notation/metre.h"
#include "continuo/notation/spelling.h"
#include "continuo/score/chord.h"
#include "continuo/score/score.h"

namespace continuo {

/// One head of a chord.
struct SheetNote {
  uint8_t key = 60;  // MIDI
  uint8_t velocity = 64;
  SpelledPitch name;  // of a drum: where it stands
  bool tied_from_before = false;
  bool tied_to_next = false;
  std::optional<int8_t> accidental;  // to print, in semitones
};

/// A note's place in a tuplet: `actual` of a type in the time of `normal`.
struct SheetTuplet {
  uint8_t actual = 0;  // 0: none
  uint8_t normal = 0;
  int8_t log2 = 3;  // the type counted, as in NoteValue
  bool begins = false;
  bool ends = false;
};

enum class Beam : uint8_t { kNone, kBegin, kContinue, kEnd, kForwardHook, kBackwardHook };

/// A chord, a note, or a rest.
struct Symbol {
  Unit from = 0;  // from the start of the bar
  Unit length = 0;
  NoteValue value;
  bool whole_bar = false;  // a rest for the bar, of whatever length
  SheetTuplet tuplet;
  std::array<Beam, 5> beams{};   // of the eighths, the sixteenths, ...
  std::vector<SheetNote> notes;  // from low to high; empty: a rest
};

/// What one voice of a staff has in a bar; it fills the bar.
struct SheetVoice {
  uint8_t staff = 0;   // 0 is the upper
  uint8_t number = 0;  // 0 or 1 within its staff
  std::vector<Symbol> symbols;
};

/// What a bar holds, the same in all parts.
struct SheetBar {
  Unit length = 0;
  std::optional<TimeSignature> signature;  // to print
  std::optional<int8_t> key_signature;     // to print: sharps, or minus flats
  int32_t number = 1;                      // 0 for a pickup
  bool shortened = false;
};

struct SheetPart {
  std::string name;
  uint8_t program = 0;
  bool is_drum = false;
  uint8_t staves = 1;
  std::array<char, 2> clefs = {'G', 'F'};     // G, F, or P for percussion; of each staff
  int8_t octaves_up = 0;                      // written so far above where it sounds
  std::vector<uint8_t> drum_keys;             // those that occur, ascending
  std::vector<std::vector<SheetVoice>> bars;  // staff by staff, voice by voice
};

/// What stands above the first staff, at a place of a bar.
struct SheetChord {
  size_t bar = 0;
  Unit at = 0;
  Chord chord;
  Fifths root = 0;
};
struct SheetTempo {
  size_t bar = 0;
  Unit at = 0;
  double qpm = 120;
  bool shown = false;  // else only for playing
};
struct SheetDynamic {
  size_t part = 0;
  size_t bar = 0;
  uint8_t level = 0;  // index into kDynamics
};
inline constexpr std::array<std::string_view, 8> kDynamics = {"ppp", "pp", "p", "mp", "mf", "f", "ff", "fff"};

/// Sheet music, ready to be written.
struct Sheet {
  std::string title;
  std::vector<SheetBar> bars;
  std::vector<SheetPart> parts;
  std::vector<SheetChord> chords;  // in the order of time, as the others
  std::vector<SheetTempo> tempos;
  std::vector<SheetDynamic> dynamics;
};

struct NotationOptions {
  std::string title = {};
  int32_t smallest_note = 32;  // 16, 32 or 64: where notes may begin and end
  bool triplets = true;        // look for them
  bool chords = true;          // above the staff: of the markers if they name any, else recognised
  bool dynamics = false;       // marks, from velocities
};

/// Music as sheet music: bars, staves, voices, ties, tuplets, beams, names and accidentals of the
/// notes.
///
/// Each track with notes is a part: programs 0 to 7 (pianos) have two staves, others one, drums a
/// percussion staff. Two piano tracks with one program and the same name, or with names that say
/// left and right, are the hands of one part. A staff has at most two voices.
///
/// The notes are those of the score, moved to the grid, with what one instrument cannot play
/// removed (EndAtRestrike). Of drums, only the onsets are kept. The key is the score's if it has
/// one that is not C major, else EstimateKey's.
///
/// Fails as SheetGrid::Create does, and where the sheet would hold more than kMaxSheetHeads note
/// heads. `name` stands for the file in messages. The same score gives the same sheet everywhere.
Result<Sheet> Engrave(const Score& score, const NotationOptions& options, std::string_view name);

inline constexpr size_t kMaxSheetHeads = 2'000'000;

}  // namespace continuo
