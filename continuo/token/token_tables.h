#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "continuo/core/result.h"
#include "continuo/token/python_compat.h"
#include "continuo/token/tokenizer_config.h"
#include "continuo/token/vocabulary.h"

namespace continuo {

struct Representation;

/// The lengths that Duration, TimeShift or Rest tokens have where a beat has `ticks_per_beat`
/// ticks.
class TimeTable {
 public:
  TimeTable(const std::vector<std::array<int, 3>>& values, int ticks_per_beat);

  int ticks_per_beat() const { return ticks_per_beat_; }
  bool empty() const { return ticks_.empty(); }
  /// Ticks of each token, not falling.
  const std::vector<int32_t>& ticks() const { return ticks_; }
  int32_t min_ticks() const { return ticks_.front(); }
  int32_t max_ticks() const { return ticks_.back(); }

  /// Index of the token whose ticks are nearest to `ticks` (between two, the longer); of several
  /// with the same ticks, the last.
  size_t Nearest(int32_t ticks) const;
  /// Index of the last token that is not longer than `ticks`, which is min_ticks() or more.
  size_t Floor(int32_t ticks) const;
  /// True if tokens of the table can add up to `ticks` exactly.
  bool Reaches(int32_t ticks) const;
  /// True if Reaches() is for every number of ticks but those below min_ticks().
  bool reaches_all() const { return reaches_all_; }

 private:
  size_t FloorSlow(int32_t ticks) const;
  int ticks_per_beat_;
  std::vector<int32_t> ticks_;
  std::vector<uint16_t> nearest_;  // by ticks, as far as it goes
  std::vector<uint16_t> floor_;
  std::vector<uint8_t> reaches_;  // by ticks, as far as it goes
  bool reaches_all_ = false;
};

struct Meter {
  int numerator = 4;
  int denominator = 4;
  bool operator==(const Meter&) const = default;
};

/// A configuration as numbers: what each id means, and the id of each thing. No strings are touched
/// after it is made.
struct TokenTables {
  TokenizerConfig config;
  const Representation* representation = nullptr;

  std::vector<std::string> tokens;
  std::vector<TokenInfo> infos;               // by id
  std::vector<int32_t> numbers;               // by id: the token's value as an integer, if it reads as one
  std::array<IdRange, kTokenTypes> ranges{};  // by type: its ids, which follow each other
  IdRange drum_range;                         // of kPitchDrum, those that decode keeps

  const IdRange& range(TokenType type) const { return ranges[static_cast<size_t>(type)]; }

  /// What an id stands for; one that no token has is a special one.
  const TokenInfo& InfoOf(TokenId id) const {
    static const TokenInfo nothing;
    return static_cast<size_t>(id) < infos.size() ? infos[static_cast<size_t>(id)] : nothing;
  }

  int positions_per_beat = 8;     // the finest resolution
  int time_division = 8;          // ticks in a quarter note of a decoded score
  int default_tempo = 0;          // index into tempos: the nearest to 120
  std::vector<double> tempos;     // quarter notes per minute, as the tokens say
  std::vector<int32_t> tempo_us;  // the same in microseconds per quarter note, of decoded scores
  int32_t default_tempo_us = 500000;
  std::vector<Meter> time_signatures;         // by the index in TimeSig tokens
  std::vector<std::array<int, 3>> durations;  // beats, parts, parts in a beat
  std::vector<std::array<int, 3>> rests;

  // Ids, or kNoToken where the vocabulary has none.
  TokenId bar = kNoToken;
  TokenId bar_end = kNoToken;
  TokenId beat = kNoToken;     // of BEAT
  TokenId silence = kNoToken;  // Rest_None of BEAT
  TokenId first_position = kNoToken;
  int positions = 0;
  std::array<TokenId, 128> pitch;  // Pitch or NoteOn
  std::array<TokenId, 128> pitch_drum;
  std::array<TokenId, 128> note_off;
  std::array<TokenId, 128> drum_off;
  std::array<TokenId, 256> velocity;  // of the nearest velocity that there is a token for
  std::vector<TokenId> duration;      // by the index in `durations`
  std::vector<TokenId> time_shift;
  TokenId no_shift = kNoToken;
  std::vector<int32_t> micro_timing_ticks;  // of PerTok, not falling
  std::vector<TokenId> micro_timing;
  std::vector<TokenId> rest;
  std::vector<TokenId> tempo;
  std::vector<TokenId> time_signature;
  std::array<TokenId, 129> program;  // by program + 1
  std::array<TokenId, 129> pedal;
  std::array<TokenId, 129> pedal_off;
  std::vector<int32_t> pitch_bend_values;  // rising
  std::vector<TokenId> pitch_bend;
  std::vector<std::array<TokenId, 12>> chord;          // by quality and pitch class of the root
  std::vector<std::array<TokenId, 12>> unknown_chord;  // by number of notes and pitch class of the root

  std::vector<TokenId> harmony;  // by Chord::index(); empty without
  std::vector<TokenId> repeat;   // by lag, 0 for none; empty without a plan
  std::vector<TokenId> density;  // by level
  std::vector<TokenId> loudness;

  std::array<bool, 129> has_program{};                 // of config.programs, by program + 1
  std::array<bool, 129> uses_durations{};              // of config.use_note_duration_programs
  std::vector<std::array<int, 2>> tpb_by_denominator;  // denominator, ticks per beat of decoded scores

  /// Notes end by NoteOff tokens.
  bool note_on_off() const;
  /// A Program token stands before each note and bend.
  bool program_tokens() const { return config.use_programs && !config.program_changes; }
  bool one_stream() const { return config.one_token_stream_for_programs; }

  const TimeTable& time_table(int ticks_per_beat) const { return Table(time_tables, ticks_per_beat); }
  const TimeTable& rest_table(int ticks_per_beat) const { return Table(rest_tables, ticks_per_beat); }
  /// Ticks per beat of decoded scores.
  int DecodedTicksPerBeat(int denominator) const;
  /// Index of the nearest tempo.
  size_t NearestTempo(int32_t us_per_quarter) const;
  size_t NearestPitchBend(int32_t value) const;
  /// The id of a special token by its name ("EOS_None"), or kNoToken.
  TokenId SpecialToken(std::string_view name) const;
  /// Index of a time signature, or -1.
  int FindTimeSignature(int numerator, int denominator) const;

  std::vector<TimeTable> time_tables;
  std::vector<TimeTable> rest_tables;
  struct TempoStep {
    double us_per_quarter = 0;  // of the token's tempo, not rounded
    size_t index = 0;           // of the tempo that MidiTok writes for it
  };
  std::vector<TempoStep> tempo_steps;  // rising

 private:
  static const TimeTable& Table(const std::vector<TimeTable>& tables, int ticks_per_beat);
};

/// Makes the tables. `config` is a normalized one.
Result<TokenTables> BuildTokenTables(const TokenizerConfig& config);

}  // namespace continuo
