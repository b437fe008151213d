#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

#include "continuo/metrics/grid_piece.h"
#include "continuo/score/score.h"

namespace continuo {

/// Lengths that notation has names for. Lengths of notes and gaps between onsets are assigned to
/// the nearest.
struct LengthClass {
  std::string_view name;
  double quarters;
};
inline constexpr size_t kLengthClasses = 12;
inline constexpr std::array<LengthClass, kLengthClasses> kLengthClassTable = {{
    {"whole", 4.0},
    {"dotted half", 3.0},
    {"half", 2.0},
    {"dotted quarter", 1.5},
    {"half triplet", 4.0 / 3},
    {"quarter", 1.0},
    {"dotted eighth", 0.75},
    {"quarter triplet", 2.0 / 3},
    {"eighth", 0.5},
    {"dotted sixteenth", 0.375},
    {"eighth triplet", 1.0 / 3},
    {"sixteenth", 0.25},
}};

struct Key {
  uint8_t tonic = 0;  // 0 is C
  bool minor = false;
  double correlation = std::numeric_limits<double>::quiet_NaN();  // -1..1, how well it fits; NaN: no key
  /// "C major", "F# minor"; "-" if there is none.
  std::string Name() const;
};

/// What a piece is made of, beyond the metrics of metrics.h. Drums count only in `notes_per_bar`
/// and `empty_bars`. Numbers that are undefined for a piece are NaN, histograms without entries all
/// 0.
struct Description {
  static constexpr double kUndefined = std::numeric_limits<double>::quiet_NaN();

  double notes_per_bar = kUndefined;
  double polyphony = kUndefined;          // notes that sound at once, mean over the time when any does
  double empty_bars = kUndefined;         // share of the bars in which no note begins
  double lowest_pitch = kUndefined;       // MIDI key
  double highest_pitch = kUndefined;      // MIDI key
  double pitches_used = 0;                // different keys
  double scale_consistency = kUndefined;  // largest share of the notes within one major scale
  Key key;
  double tempo_mean = kUndefined;       // quarters per minute, weighted by the quarters that each tempo lasts
  double tempo_deviation = kUndefined;  // its standard deviation with the same weights
  double mean_interval = kUndefined;    // semitones from a note to the next, up or down
  double mean_onset_gap = kUndefined;   // quarters from an onset to the next; the notes of a chord are one onset

  // Shares that sum to 1. Transitions are from a note to the next, [from * 12 + to].
  std::array<double, 12> pitch_classes{};
  std::array<double, kLengthClasses> note_lengths{};
  std::array<double, kLengthClasses> onset_gaps{};
  std::array<double, 144> pitch_class_transitions{};
  std::array<double, kLengthClasses * kLengthClasses> note_length_transitions{};
};

/// Describes the first `first_bars` bars; 0: all. Times in `score` must not be negative.
Description Describe(const Score& score, int64_t first_bars = 0);
/// The same, with the bars of `score` that are on the grid already.
Description Describe(const Score& score, const GridPiece& piece);

/// The key whose profile of 12 pitch classes correlates best with how long each sounds, after
/// Krumhansl and Schmuckler with the profiles of Krumhansl and Kessler (1982). None if all 12 are
/// equal.
Key EstimateKey(const std::array<double, 12>& sounding);

}  // namespace continuo
