#pragma once

#include <array>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "continuo/core/result.h"
#include "continuo/token/token_tables.h"

namespace continuo {

/// Writes the vocabulary and, as it goes, what each id means. What representations share is here;
/// their order and their own tokens are their own (Representation::write_vocabulary).
class TokenTablesBuilder {
 public:
  explicit TokenTablesBuilder(const TokenizerConfig& config);

  Result<TokenTables> Build();

  TokenTables& tables() { return tables_; }
  /// Adds a token and returns its id. One that is there already keeps its first id and meaning, as
  /// in MidiTok.
  TokenId Add(std::string token, TokenType type, int value);
  /// "NAME_KEY" for the keys of a range.
  void AddPitches(std::string_view name, TokenType type, const std::array<int, 2>& range,
                  std::array<TokenId, 128>& ids);
  void AddVelocities();
  /// "Duration_...", one for each of tables().durations.
  void AddDurations();
  /// Pitches (or NoteOn and NoteOff), velocities and, where notes have them, durations.
  void AddNotes();
  void AddPositions();
  /// "TimeShift_...", one for each of tables().durations.
  void AddTimeShifts();
  /// What the configuration asks for on top: drums, chords, rests, tempos, programs, signatures,
  /// pedals, bends, and what is ours.
  void AddAdditional();

 private:
  void SetRanges();
  void SetTimes();
  void SetValues();
  void AddDrums();
  void AddChords();
  void AddPrograms(std::string_view name, TokenType type, std::array<TokenId, 129>& ids);
  void AddPlan();
  void AddPedals();

  TokenTables tables_;
  std::unordered_map<std::string, TokenId> ids_;
};

/// "1.2.8", as tokens of time are named.
std::string TimeName(const std::array<int, 3>& time);

}  // namespace continuo
