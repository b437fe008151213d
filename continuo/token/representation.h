#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "continuo/core/result.h"
#include "continuo/score/score.h"
#include "continuo/token/grammar.h"
#include "continuo/token/tokenizer_config.h"
#include "continuo/token/vocabulary.h"

namespace continuo {

struct EncodedStream;
struct EventList;
struct TokenTables;
class TokenTablesBuilder;

/// How the end of a note is written, and so what preparation moves it to.
enum class NoteEnd : uint8_t {
  kDuration,  // a Duration token: lengths that have one
  kNoteOff,   // a NoteOff token: the grid
  kPattern,   // what the key does in each step: the grid, and the next note of the same pitch
};

/// What one representation does in its own way. A representation is a file with these functions and
/// a row of the table in representation.cc.
struct Representation {
  std::string_view name;    // MidiTok's class, `tokenization` in tokenizer.json
  std::string_view preset;  // of the preset of MidiTok's defaults, without "_default"
  TokenizationKind kind;

  /// Of a representation that writes the tracks one after the other into one stream: that of a
  /// track. Else null.
  const Representation* base = nullptr;

  /// Each bar begins with a Bar token. Else bars are counted from the time.
  bool bar_tokens = false;
  NoteEnd note_end = NoteEnd::kDuration;
  /// Tracks of one program become one where all tracks share a stream.
  bool merges_tracks = true;
  /// Scores are resampled to PerTokConfig::ticks_per_quarter, and lengths of notes are not moved.
  bool keeps_ticks = false;
  /// Tempos change at bar lines only: preparation moves them to the next.
  bool tempos_on_bar_lines = false;
  /// 3.0.4 has it in a way that we do not do.
  bool only_3_1_0 = false;
  /// Ids that stand for several tokens are done.
  bool trainable = false;

  /// Sets what MidiTok sets whatever the configuration says, and checks what is this
  /// representation's own. Null: nothing.
  Status (*adapt)(TokenizerConfig& config) = nullptr;
  /// The lengths of time tokens, rising. Null: those of beat_res.
  std::vector<std::array<int, 3>> (*durations)(const TokenizerConfig& config) = nullptr;
  /// Adds the tokens after the special ones, in MidiTok's order.
  void (*write_vocabulary)(TokenTablesBuilder& builder) = nullptr;
  /// The ids of one stream's events, and the same with times. Null in representations that do not
  /// write events one after the other.
  std::vector<TokenId> (*encode_events)(const EventList& list, int32_t ticks_per_quarter,
                                        const TokenTables& tables) = nullptr;
  EncodedStream (*encode_timed)(const EventList& list, int32_t ticks_per_quarter, const TokenTables& tables) = nullptr;
  /// See Tokenizer.
  std::vector<std::vector<TokenId>> (*encode)(const Score& score, const TokenTables& tables) = nullptr;
  Score (*decode)(std::span<const std::vector<TokenId>> tracks, const TokenTables& tables) = nullptr;
  std::vector<size_t> (*bar_offsets)(std::span<const TokenId> ids, const TokenTables& tables) = nullptr;
  std::vector<TokenId> (*window)(std::span<const TokenId> ids, size_t bar, const TokenTables& tables) = nullptr;
  /// `tables` must outlive the grammar and its clones.
  std::unique_ptr<Grammar> (*new_grammar)(const TokenTables& tables, const GrammarTarget& target) = nullptr;
};

/// All representations of MidiTok's that we do.
std::span<const Representation> Representations();
/// That of a configuration.
const Representation& RepresentationOf(const TokenizerConfig& config);

// A file each.
extern const Representation kRemiRepresentation;
extern const Representation kMidiLikeRepresentation;
extern const Representation kTsdRepresentation;
extern const Representation kStructuredRepresentation;
extern const Representation kBeatRepresentation;
extern const Representation kPerTokRepresentation;
/// MMM of tracks in another representation.
Representation MmmOf(const Representation& base, std::string_view preset, TokenizationKind kind);

}  // namespace continuo
