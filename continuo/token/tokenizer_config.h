#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "continuo/core/result.h"

namespace continuo {

/// The most beats that a token of a duration, a time shift or a rest can name.
inline constexpr int kMaxBeat = 1 << 12;

enum class MidiTokRelease { k3_0_4, k3_1_0 };
enum class TokenizationKind { kRemi, kMidiLike, kTsd, kStructured, kBeat, kPerTok, kMmmRemi, kMmmMidiLike, kMmmTsd };

/// Where the chords of REMIChord come from, a representation of ours: REMI with a
/// Chord_ROOT_QUALITY token (or Chord_N) wherever the harmony of the whole score changes. kAuto:
/// from markers (see ParseChordMarker) where the score has any that name a chord, else from the
/// recogniser.
enum class ChordSource { kNone, kAuto, kMarkers, kRecognised };

/// "3.0.4" or "3.1.0".
Result<MidiTokRelease> ParseMidiTokRelease(std::string_view text);
std::string_view ToString(MidiTokRelease release);
/// "auto", "markers" or "recognised"; "none".
Result<ChordSource> ParseChordSource(std::string_view text);
std::string_view ToString(ChordSource source);

/// Of the beats first to last-1, each is divided into `resolution` parts.
struct BeatRange {
  int first = 0;
  int last = 0;
  int resolution = 1;
  bool operator==(const BeatRange&) const = default;
};

/// Time signatures numerator/denominator for each of the numerators, in the order of their ids.
struct MeterRange {
  int denominator = 4;
  std::vector<int> numerators;
  bool operator==(const MeterRange&) const = default;
};

/// A chord's name and its notes in semitones above the lowest.
struct ChordMap {
  std::string name;
  std::vector<int> intervals;
  bool operator==(const ChordMap&) const = default;
};

/// Where the levels of the plan tokens of REMIPlan begin, a representation of ours: REMIChord with,
/// after each Bar, what the bar repeats, how many notes begin in it and how loud they are (see
/// token/plan.h). Level k of 1 to 7 begins at element k - 1, which belongs to it; level 0 is below.
/// The values here are the octiles of the bars of Pop1K7 and of POP909 aligned to its beats.
struct PlanLevels {
  std::array<double, 7> density{6, 9, 11, 14, 16, 20, 25};                   // notes
  std::array<double, 7> loudness{57.6, 60.7, 63.3, 66.2, 69.2, 73.6, 86.3};  // mean velocity
  bool operator==(const PlanLevels&) const = default;
};

/// What PerTok has in MidiTok's `additional_params`. MidiTok has no defaults for the first four;
/// these are those of its documentation.
struct PerTokConfig {
  int ticks_per_quarter = 320;
  bool use_microtiming = true;
  double max_microtiming_shift = 0.125;  // in quarter notes
  int num_microtiming_bins = 30;
  bool use_position_toks = false;
  bool operator==(const PerTokConfig&) const = default;
};

/// What MidiTok's TokenizerConfig holds, under the same names, plus the kind and the release. A key
/// of MidiTok's that is missing here is one that we refuse unless it has its default (see
/// tokenizer_json.h). The values here are the defaults of release 3.1.0; DefaultConfig gives those
/// of either.
struct TokenizerConfig {
  TokenizationKind kind = TokenizationKind::kRemi;
  MidiTokRelease release = MidiTokRelease::k3_1_0;
  ChordSource chords = ChordSource::kNone;  // REMI, without use_chords; not MidiTok's
  std::optional<PlanLevels> plan;           // with `chords`, without use_rests; not MidiTok's

  std::array<int, 2> pitch_range{21, 109};  // the upper end belongs to it in 3.1.0, not in 3.0.4
  std::vector<BeatRange> beat_res{{0, 4, 8}, {4, 12, 4}};
  int num_velocities = 32;
  bool remove_duplicated_notes = false;
  std::string encode_ids_split = "bar";  // no effect on ids; kept for MidiTok
  std::vector<std::string> special_tokens{"PAD_None", "BOS_None", "EOS_None", "MASK_None"};

  bool use_velocities = true;
  std::vector<int> use_note_duration_programs;  // -1 (drums) to 127
  bool use_chords = false;
  bool use_rests = false;
  bool use_tempos = false;
  bool use_time_signatures = true;
  bool use_sustain_pedals = false;
  bool use_pitch_bends = false;
  bool use_programs = false;
  bool use_pitchdrum_tokens = true;
  double default_note_duration = 0.5;  // in beats, for programs without durations

  std::vector<int> programs;                  // -1 (drums) to 127, in any order
  bool one_token_stream_for_programs = true;  // counts only with use_programs
  bool program_changes = false;               // counts only with use_programs

  std::vector<BeatRange> beat_res_rest{{0, 1, 8}, {1, 2, 4}, {2, 12, 2}};

  std::vector<ChordMap> chord_maps;
  bool chord_tokens_with_root_note = false;
  std::optional<std::array<int, 2>> chord_unknown;  // numbers of notes [first, last) of chords without a name

  int num_tempos = 32;
  std::array<double, 2> tempo_range{40, 250};  // quarter notes per minute
  bool log_tempos = false;
  bool delete_equal_successive_tempo_changes = false;

  std::vector<MeterRange> time_signature_range{{8, {3, 12, 6}}, {4, {5, 6, 3, 2, 1, 4}}};
  bool delete_equal_successive_time_sig_changes = false;

  bool sustain_pedal_duration = false;                   // counts only with use_sustain_pedals
  std::array<int, 3> pitch_bend_range{-8192, 8191, 32};  // first, last, how many
  std::array<int, 2> drums_pitch_range{27, 88};          // ends as in pitch_range

  bool use_bar_end_tokens = false;                 // REMI
  bool add_trailing_bars = false;                  // REMI, 3.1.0
  std::optional<std::array<int, 3>> max_duration;  // MIDI-Like: beats, parts, parts in a beat
  PerTokConfig pertok;                             // PerTok

  bool operator==(const TokenizerConfig&) const = default;
};

/// MidiTok's defaults, which differ between the releases.
TokenizerConfig DefaultConfig(TokenizationKind kind, MidiTokRelease release);

/// "REMIPlan" where the configuration has a plan, "REMIChord" where it has a source of chords only,
/// else that of its kind.
std::string_view RepresentationName(const TokenizerConfig& config);

/// The names that PresetConfig knows.
std::vector<std::string> PresetNames();
/// The configuration of a preset: remi, remiplus, midilike (4/4 without and with meter and chords,
/// 32 velocities), hw_remi, hw_remiplus, hw_midilike (16 velocities), remi_default,
/// midilike_default, tsd_default, structured_default, beat_default, pertok_default,
/// mmm_remi_default, mmm_midilike_default, mmm_tsd_default (MidiTok's), remi_programs, remi_all,
/// midilike_all, tsd_all (all tracks in one stream), and ours: remichord (remi with chords) and
/// remiplan (remichord with meter and a plan of each bar). Empty for another name.
std::optional<TokenizerConfig> PresetConfig(std::string_view name, MidiTokRelease release);

/// Switches off what MidiTok switches off (what counts only together with something that is off),
/// and checks each value against what its key may hold.
Result<TokenizerConfig> NormalizeConfig(TokenizerConfig config);

}  // namespace continuo
