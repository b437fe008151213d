#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <string>
#include <utility>

#include "continuo/core/check.h"
#include "continuo/metrics/description.h"
#include "continuo/notation/sheet.h"
#include "continuo/notation/sheet_grid.h"
#include "continuo/notation/voice_bars.h"
#include "continuo/notation/voices.h"
#include "continuo/score/chord_recogniser.h"

namespace continuo {
namespace {

// The tracks of one part: one, or the hands of a piano, the right one first.
struct TracksOfPart {
  std::vector<const Track*> tracks;
};

bool IsPiano(const Track& track) {
  return !track.is_drum && track.program < 8;
}

double MeanPitch(const Track& track) {
  int64_t sum = 0;
  for (const Note& note : track.notes) {
    sum += note.pitch;
  }
  return static_cast<double>(sum) / static_cast<double>(track.notes.size());
}

std::string LowerCase(std::string text) {
  for (char& c : text) {
    c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  }
  return text;
}

bool AreHands(const Track& a, const Track& b) {
  if (!IsPiano(a) || !IsPiano(b) || a.program != b.program) {
    return false;
  }
  const auto says = [](const Track& track, const char* word) {
    return LowerCase(track.name).find(word) != std::string::npos;
  };
  return a.name == b.name || (says(a, "right") && says(b, "left")) || (says(a, "left") && says(b, "right"));
}

std::vector<TracksOfPart> FindParts(const Score& score) {
  std::vector<const Track*> tracks;
  for (const Track& track : score.tracks) {
    if (!track.notes.empty()) {
      tracks.push_back(&track);
    }
  }
  std::vector<TracksOfPart> parts;
  const auto pianos = std::count_if(tracks.begin(), tracks.end(), [](const Track* track) { return IsPiano(*track); });
  for (size_t i = 0; i < tracks.size(); ++i) {
    if (pianos == 2 && i + 1 < tracks.size() && AreHands(*tracks[i], *tracks[i + 1])) {
      const bool first_is_right = MeanPitch(*tracks[i]) >= MeanPitch(*tracks[i + 1]);
      parts.push_back({{tracks[first_is_right ? i : i + 1], tracks[first_is_right ? i + 1 : i]}});
      ++i;
    } else {
      parts.push_back({{tracks[i]}});
    }
  }
  return parts;
}

// Where a drum of General MIDI stands on a staff, by the letters of a G clef.
SpelledPitch DrumPlace(uint8_t key) {
  struct Place {
    uint8_t key;
    char step;
    int8_t octave;
  };
  // After N. Weinberg, Guidelines for Drumset Notation (1994).
  constexpr std::array<Place, 22> kPlaces = {
      {{35, 'E', 4}, {36, 'F', 4}, {37, 'C', 5}, {38, 'C', 5}, {39, 'C', 5}, {40, 'C', 5}, {41, 'G', 4}, {42, 'G', 5},
       {43, 'A', 4}, {44, 'D', 4}, {45, 'B', 4}, {46, 'G', 5}, {47, 'D', 5}, {48, 'D', 5}, {49, 'A', 5}, {50, 'E', 5},
       {51, 'F', 5}, {52, 'B', 5}, {53, 'F', 5}, {55, 'B', 5}, {57, 'A', 5}, {59, 'F', 5}}};
  for (const Place& place : kPlaces) {
    if (place.key == key) {
      return {place.step, 0, place.octave};
    }
  }
  return {'E', 0, 5};
}

// A part while it is being made.
struct DraftPart {
  SheetPart part;
  std::vector<StaffNote> notes;
};

std::vector<Note> Sorted(std::vector<Note> notes) {
  std::stable_sort(notes.begin(), notes.end(), [](const Note& a, const Note& b) {
    return std::pair(a.time, a.pitch) < std::pair(b.time, b.pitch);
  });
  return notes;
}

// The place where a hit at `from` ends: at the next, at a beat or at the bar line.
void EndDrums(std::vector<StaffNote>& notes, const SheetGrid& grid) {
  Unit next = -1;
  Unit at = -1;
  for (size_t i = notes.size(); i-- > 0;) {
    StaffNote& note = notes[i];
    if (note.from != at) {
      next = at;
      at = note.from;
    }
    const GridBar& bar = grid.bars()[grid.BarAt(note.from)];
    const Unit inside = (note.from - bar.from) % kUnitsPerQuarter;
    note.to = std::min(bar.to(), note.from - inside + kUnitsPerQuarter);
    if (next >= 0) {
      note.to = std::min(note.to, next);
    }
  }
}

DraftPart DraftOf(const TracksOfPart& tracks, const Score& score, const SheetGrid& grid, bool triplets) {
  const Track& first = *tracks.tracks.front();
  DraftPart draft;
  SheetPart& part = draft.part;
  part.program = first.program;
  part.is_drum = first.is_drum;
  part.staves = IsPiano(first) ? 2 : 1;
  part.name = !first.name.empty() ? first.name
              : first.is_drum     ? "Drums"
              : IsPiano(first)    ? "Piano"
                                  : fmt::format("Program {}", first.program + 1);

  std::array<std::vector<Note>, 2> staves;
  if (tracks.tracks.size() == 2) {
    staves = {tracks.tracks[0]->notes, tracks.tracks[1]->notes};
    part.name = "Piano";
  } else if (part.staves == 2) {
    const std::vector<Note> notes = Sorted(first.notes);
    const std::vector<bool> right = ChooseHands(notes, score.ticks_per_quarter / 16);
    for (size_t i = 0; i < notes.size(); ++i) {
      staves[right[i] ? 0 : 1].push_back(notes[i]);
    }
  } else {
    staves[0] = first.notes;
  }

  std::vector<StaffGrid> grids;
  for (uint8_t staff = 0; staff < part.staves; ++staff) {
    const std::vector<Note> notes = Sorted(std::move(staves[staff]));
    grids.push_back(triplets ? grid.FindTriplets(notes) : grid.Binary());
    const std::vector<StaffNote> snapped = grid.SnapNotes(notes, grids.back(), staff);
    draft.notes.insert(draft.notes.end(), snapped.begin(), snapped.end());
  }
  EndAtRestrike(draft.notes, grid, grids);

  if (part.is_drum) {
    part.clefs[0] = 'P';
    EndDrums(draft.notes, grid);
    std::array<bool, 128> used{};
    for (StaffNote& note : draft.notes) {
      used[note.pitch & 0x7F] = true;
      note.name = DrumPlace(note.pitch);
    }
    for (uint8_t key = 0; key < 128; ++key) {
      if (used[key]) {
        part.drum_keys.push_back(key);
      }
    }
  } else if (part.staves == 1) {
    std::vector<uint8_t> pitches;
    for (const StaffNote& note : draft.notes) {
      pitches.push_back(note.pitch);
    }
    const auto median = pitches.begin() + static_cast<ptrdiff_t>(pitches.size() / 2);
    std::nth_element(pitches.begin(), median, pitches.end());
    part.clefs[0] = *median < 57 ? 'F' : 'G';
  }
  return draft;
}

// A key signature and where its tonic is.
struct SheetKey {
  size_t bar = 0;
  int8_t signature = 0;
  bool minor = false;
  Fifths tonic() const { return signature + (minor ? 3 : 0); }
};

std::vector<SheetKey> ChooseKeys(const Score& score, const SheetGrid& grid) {
  const bool says_some = std::any_of(score.key_signatures.begin(), score.key_signatures.end(),
                                     [](const KeySignature& key) { return key.key != 0 || key.tonality != 0; });
  if (says_some) {
    std::vector<SheetKey> keys;
    for (const KeySignature& signature : score.key_signatures) {
      const Unit place = grid.Snap(std::max<Tick>(0, signature.time));
      if (place >= grid.bars().back().to()) {
        break;
      }
      const SheetKey key{grid.BarAt(place), static_cast<int8_t>(std::clamp<int>(signature.key, -7, 7)),
                         signature.tonality != 0};
      if (keys.empty() && key.bar > 0) {
        keys.push_back({});  // C major, as for any reader of the file
      }
      if (!keys.empty() && keys.back().bar == key.bar) {
        keys.back() = key;
      } else if (keys.empty() || keys.back().signature != key.signature || keys.back().minor != key.minor) {
        keys.push_back(key);
      }
    }
    if (!keys.empty()) {
      return keys;
    }
  }
  std::array<double, 12> sounding{};
  for (const Track& track : score.tracks) {
    for (const Note& note : track.notes) {
      if (!track.is_drum) {
        sounding[note.pitch % 12] += note.duration;
      }
    }
  }
  const Key key = EstimateKey(sounding);
  if (std::isnan(key.correlation)) {
    return {{}};
  }
  // Major keys from D flat to F sharp, minor keys from E flat to G sharp.
  const Fifths tonic = PlaceNear(key.minor ? 2 : 0, key.tonic);
  return {{0, static_cast<int8_t>(tonic - (key.minor ? 3 : 0)), key.minor}};
}

void SpellNotes(std::vector<DraftPart>& drafts, Fifths tonic) {
  std::vector<StaffNote*> notes;
  for (DraftPart& draft : drafts) {
    if (!draft.part.is_drum) {
      for (StaffNote& note : draft.notes) {
        notes.push_back(&note);
      }
    }
  }
  std::stable_sort(notes.begin(), notes.end(), [](const StaffNote* a, const StaffNote* b) {
    return std::pair(a->from, a->pitch) < std::pair(b->from, b->pitch);
  });
  std::vector<uint8_t> keys;
  keys.reserve(notes.size());
  for (const StaffNote* note : notes) {
    keys.push_back(note->pitch);
  }
  const std::vector<SpelledPitch> names = SpellPitches(keys, tonic);
  for (size_t i = 0; i < notes.size(); ++i) {
    notes[i]->name = names[i];
  }
}

// MusicXML has the octaves 0 to 9, MIDI also notes below: such a part is written higher than it
// sounds, unless it is as high as it is low.
void WriteInOctaves0To9(DraftPart& draft) {
  if (draft.part.is_drum) {
    return;
  }
  const auto [lowest, highest] =
      std::minmax_element(draft.notes.begin(), draft.notes.end(),
                          [](const StaffNote& a, const StaffNote& b) { return a.name.octave < b.name.octave; });
  const int up = -lowest->name.octave;
  if (up <= 0 || highest->name.octave + up > 9) {
    return;
  }
  draft.part.octaves_up = static_cast<int8_t>(up);
  for (StaffNote& note : draft.notes) {
    note.name.octave = static_cast<int8_t>(note.name.octave + up);
  }
}

// Drums don't hold: what is tied is a rest.
void UntieDrums(std::vector<Symbol>& symbols) {
  for (Symbol& symbol : symbols) {
    if (!symbol.notes.empty() && symbol.notes.front().tied_from_before) {
      symbol.notes.clear();
    }
    for (SheetNote& note : symbol.notes) {
      note.tied_to_next = false;
    }
  }
}

Status FillBars(DraftPart& draft, const SheetGrid& grid, size_t& heads, std::string_view name) {
  const std::vector<GridBar>& bars = grid.bars();
  std::vector<Unit> bar_lines;
  for (const GridBar& bar : bars) {
    bar_lines.push_back(bar.from);
  }
  SheetPart& part = draft.part;
  part.bars.resize(bars.size());
  for (uint8_t staff = 0; staff < part.staves; ++staff) {
    std::vector<StaffNote> notes;
    for (const StaffNote& note : draft.notes) {
      if (note.staff == staff) {
        notes.push_back(note);
      }
    }
    std::array<std::vector<StaffNote>, 2> voices;
    if (part.is_drum) {
      voices[0] = std::move(notes);
    } else {
      const std::vector<bool> second = ChooseVoices(notes, bar_lines);
      for (size_t i = 0; i < notes.size(); ++i) {
        voices[second[i] ? 1 : 0].push_back(notes[i]);
      }
    }
    for (uint8_t number = 0; number < 2; ++number) {
      CONTINUO_ASSIGN(auto written, WriteVoice(voices[number], grid, heads, name));
      for (size_t b = 0; b < bars.size(); ++b) {
        SheetVoice voice{staff, number, std::move(written[b])};
        if (voice.symbols.empty()) {
          if (number == 1) {
            continue;
          }
          Symbol rest;
          rest.length = bars[b].length;
          rest.whole_bar = true;
          voice.symbols.push_back(std::move(rest));
        }
        if (heads == 0) {
          return TooManyNoteHeads(name);
        }
        --heads;
        if (part.is_drum) {
          UntieDrums(voice.symbols);
          SetBeams(voice.symbols, Metre(bars[b].signature.numerator, bars[b].signature.denominator),
                   b == 0 && grid.has_pickup()
                       ? Metre(bars[b].signature.numerator, bars[b].signature.denominator).length() - bars[b].length
                       : 0);
        }
        part.bars[b].push_back(std::move(voice));
      }
    }
  }
  return {};
}

// Prints an accidental where the bar so far and the key say another; ties need none.
void SetAccidentals(SheetPart& part, const std::vector<int8_t>& key_of_bar) {
  if (part.is_drum) {
    return;
  }
  for (size_t b = 0; b < part.bars.size(); ++b) {
    for (uint8_t staff = 0; staff < part.staves; ++staff) {
      std::vector<Symbol*> symbols;
      for (SheetVoice& voice : part.bars[b]) {
        if (voice.staff == staff) {
          for (Symbol& symbol : voice.symbols) {
            symbols.push_back(&symbol);
          }
        }
      }
      std::stable_sort(symbols.begin(), symbols.end(),
                       [](const Symbol* x, const Symbol* y) { return x->from < y->from; });
      std::map<std::pair<char, int8_t>, int> in_force;
      for (Symbol* symbol : symbols) {
        for (SheetNote& note : symbol->notes) {
          if (note.tied_from_before) {
            continue;
          }
          const auto [found, fresh] =
              in_force.try_emplace({note.name.step, note.name.octave}, AlterInKey(note.name.step, key_of_bar[b]));
          if (found->second != note.name.alter) {
            note.accidental = note.name.alter;
            found->second = note.name.alter;
          }
        }
      }
    }
  }
}

void AddChords(Sheet& sheet, const Score& score, const SheetGrid& grid, const std::vector<SheetKey>& keys) {
  std::vector<ChordChange> changes = ChordsOfMarkers(score);
  if (changes.empty()) {
    changes = RecogniseChords(score);
  }
  for (const ChordChange& change : changes) {
    const Unit place = grid.Snap(std::max<Tick>(0, change.time));
    if (place >= grid.bars().back().to()) {
      break;
    }
    SheetChord chord;
    chord.bar = grid.BarAt(place);
    chord.at = place - grid.bars()[chord.bar].from;
    chord.chord = change.chord;
    const auto key = std::prev(std::upper_bound(keys.begin(), keys.end(), chord.bar,
                                                [](size_t bar, const SheetKey& k) { return bar < k.bar; }));
    chord.root = PlaceNear(key->tonic(), change.chord.root);
    if (!sheet.chords.empty() && sheet.chords.back().bar == chord.bar && sheet.chords.back().at == chord.at) {
      sheet.chords.pop_back();
    }
    const bool silent_before = sheet.chords.empty() || sheet.chords.back().chord.none();
    if (!(chord.chord.none() && silent_before)) {
      sheet.chords.push_back(chord);
    }
  }
}

void AddTempos(Sheet& sheet, const Score& score, const SheetGrid& grid) {
  sheet.tempos.push_back({.qpm = 120, .shown = true});
  for (const Tempo& tempo : score.tempos) {
    const Unit place = grid.Snap(std::max<Tick>(0, tempo.time));
    if (place >= grid.bars().back().to()) {
      break;
    }
    const size_t bar = grid.BarAt(place);
    const Unit at = place - grid.bars()[bar].from;
    // To a hundredth, as it is printed.
    const double qpm = std::clamp(std::round(tempo.qpm() * 100) / 100, 1.0, 10000.0);
    SheetTempo& last = sheet.tempos.back();
    if (last.bar == bar && last.at == at) {
      last.qpm = qpm;
    } else if (last.qpm != qpm) {
      sheet.tempos.push_back({bar, at, qpm, false});
    }
  }
  double shown = sheet.tempos.front().qpm;
  for (SheetTempo& tempo : sheet.tempos) {
    if (tempo.at == 0 && std::abs(tempo.qpm - shown) >= 0.1 * shown) {
      tempo.shown = true;
      shown = tempo.qpm;
    }
  }
}

void AddDynamics(Sheet& sheet) {
  constexpr std::array<int, kDynamics.size()> kVelocities = {16, 33, 49, 64, 80, 96, 112, 126};
  constexpr int kFirmness = 11;  // a mark stays for velocities so near to its own
  for (size_t p = 0; p < sheet.parts.size(); ++p) {
    int level = -1;
    for (size_t b = 0; b < sheet.bars.size(); ++b) {
      int64_t sum = 0;
      int64_t count = 0;
      for (const SheetVoice& voice : sheet.parts[p].bars[b]) {
        for (const Symbol& symbol : voice.symbols) {
          for (const SheetNote& note : symbol.notes) {
            if (!note.tied_from_before) {
              sum += note.velocity;
              ++count;
            }
          }
        }
      }
      if (count == 0) {
        continue;
      }
      const auto mean = static_cast<int>(sum / count);
      const auto distance = [&](int v) { return std::abs(v - mean); };
      if (level >= 0 && distance(kVelocities[static_cast<size_t>(level)]) <= kFirmness) {
        continue;
      }
      const auto nearest = std::min_element(kVelocities.begin(), kVelocities.end(),
                                            [&](int x, int y) { return distance(x) < distance(y); });
      if (nearest - kVelocities.begin() != level) {
        level = static_cast<int>(nearest - kVelocities.begin());
        sheet.dynamics.push_back({p, b, static_cast<uint8_t>(level)});
      }
    }
  }
}

}  // namespace

Result<Sheet> Engrave(const Score& score, const NotationOptions& options, std::string_view name) {
  CONTINUO_CHECK(options.smallest_note == 16 || options.smallest_note == 32 || options.smallest_note == 64);
  CONTINUO_ASSIGN(const SheetGrid grid, SheetGrid::Create(score, options.smallest_note / 4, name));
  const std::vector<GridBar>& bars = grid.bars();
  const std::vector<SheetKey> keys = ChooseKeys(score, grid);

  Sheet sheet;
  sheet.title = options.title;
  std::vector<int8_t> key_of_bar(bars.size());
  for (size_t b = 0, k = 0; b < bars.size(); ++b) {
    SheetBar bar;
    bar.length = bars[b].length;
    bar.number = static_cast<int32_t>(b) + (grid.has_pickup() ? 0 : 1);
    bar.shortened = bars[b].shortened;
    const TimeSignature& signature = bars[b].signature;
    if (b == 0 || signature.numerator != bars[b - 1].signature.numerator ||
        signature.denominator != bars[b - 1].signature.denominator) {
      bar.signature = signature;
    }
    k += k + 1 < keys.size() && keys[k + 1].bar == b ? 1 : 0;
    key_of_bar[b] = keys[k].signature;
    if (b == 0 || key_of_bar[b] != key_of_bar[b - 1]) {
      bar.key_signature = key_of_bar[b];
    }
    sheet.bars.push_back(bar);
  }

  std::vector<DraftPart> drafts;
  for (const TracksOfPart& tracks : FindParts(score)) {
    drafts.push_back(DraftOf(tracks, score, grid, options.triplets));
  }
  if (drafts.empty()) {
    return MakeError("{}: has no notes, so there is nothing to write", name);
  }
  SpellNotes(drafts, keys.front().tonic());
  size_t heads = kMaxSheetHeads;
  for (DraftPart& draft : drafts) {
    WriteInOctaves0To9(draft);
    CONTINUO_TRY(FillBars(draft, grid, heads, name));
    SetAccidentals(draft.part, key_of_bar);
    sheet.parts.push_back(std::move(draft.part));
  }
  if (options.chords) {
    AddChords(sheet, score, grid, keys);
  }
  AddTempos(sheet, score, grid);
  if (options.dynamics) {
    AddDynamics(sheet);
  }
  return sheet;
}

}  // namespace continuo
