#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "continuo/score/score.h"

namespace continuo {

using TokenId = int32_t;

/// The id of a thing that a vocabulary has no token for.
inline constexpr TokenId kNoToken = -1;

/// What a token is. The comments give the token's name and the meaning of `TokenInfo::value`.
enum class TokenType : uint8_t {
  kSpecial,      // PAD, BOS, EOS, MASK, ...: index among the special tokens
  kBar,          // Bar_None: 0
  kBarEnd,       // Bar_End: 0
  kPosition,     // Position: in the bar, in parts of a beat of the finest resolution; of PerTok in ticks
  kPitch,        // Pitch, NoteOn: MIDI key; begins a note
  kPitchDrum,    // PitchDrum, DrumOn: MIDI key; begins a note of drums
  kNoteOff,      // NoteOff: MIDI key
  kDrumOff,      // DrumOff: MIDI key
  kVelocity,     // Velocity: MIDI velocity
  kDuration,     // Duration: index; Vocabulary::length has the beats
  kTimeShift,    // TimeShift: index; Vocabulary::length has the beats
  kRest,         // Rest: index; Vocabulary::length has the beats
  kNoteChord,    // Chord of MidiTok, before notes that begin together: pitch class of the root, -1 without a root
  kTempo,        // Tempo: index; Vocabulary::tempo has the quarter notes per minute
  kProgram,      // Program: MIDI program, -1 for drums
  kTimeSig,      // TimeSig: index; Vocabulary::time_signature has the numbers
  kPedal,        // Pedal: MIDI program, -1 for drums
  kPedalOff,     // PedalOff: MIDI program, -1 for drums
  kPitchBend,    // PitchBend: -8192..8191
  kChord,        // Chord of REMIChord, in force from its position on: Chord::index()
  kRepeat,       // Repeat of REMIPlan: the bar repeats the one that many bars before; 0: none
  kDensity,      // Density of REMIPlan: level of the number of notes that begin in the bar, 0 to 7
  kLoudness,     // Loudness of REMIPlan: level of their mean velocity, 0 to 7
  kNoShift,      // TimeShift_0.0.1 of Structured: 0; the note begins when the one before does
  kBeat,         // Beat_None of BEAT: 0
  kSilence,      // Rest_None of BEAT: 0; the beat, or the track in it, has no note
  kKey,          // Pitch of BEAT: MIDI key of a block's first, else semitones below the one before
  kDrumKey,      // PitchDrum of BEAT: MIDI key
  kPattern,      // Pattern of BEAT: what the key does in each quarter of the beat, 0 to 80
  kMicroTiming,  // MicroTiming of PerTok: ticks of decoded scores after the time of the tokens before
};
inline constexpr size_t kTokenTypes = static_cast<size_t>(TokenType::kMicroTiming) + 1;

struct TokenInfo {
  TokenType type = TokenType::kSpecial;
  int32_t value = 0;  // see TokenType
  bool operator==(const TokenInfo&) const = default;
};

/// `count` ids from `first` on.
struct IdRange {
  TokenId first = 0;
  TokenId count = 0;
  TokenId end() const { return first + count; }
  bool empty() const { return count == 0; }
  bool Contains(TokenId id) const { return id >= first && id - first < count; }
};

/// `beats + parts / resolution` beats.
struct BeatLength {
  int beats = 0;
  int parts = 0;
  int resolution = 1;
  bool operator==(const BeatLength&) const = default;
};

/// What the indices in TokenInfo stand for.
struct TokenValues {
  std::vector<double> tempos;                  // quarter notes per minute
  std::vector<TimeSignature> time_signatures;  // `time` is 0
  std::vector<BeatLength> lengths;             // of Duration and TimeShift
  std::vector<BeatLength> rests;
};

/// Tokens as MidiTok names them ("Pitch_60"), numbered from 0, and what they mean. The ids of one
/// type follow each other. Immutable after creation; any number of threads may use one object.
///
/// Functions that take an id require it to be in [0, size()), and of the type that they name.
class Vocabulary {
 public:
  /// `infos` has an entry for each token.
  Vocabulary(std::vector<std::string> tokens, std::vector<TokenInfo> infos, TokenValues values);

  size_t size() const { return tokens_.size(); }
  /// "Type_Value".
  const std::string& token(TokenId id) const { return tokens_[static_cast<size_t>(id)]; }
  const std::vector<std::string>& tokens() const { return tokens_; }
  /// The id of a token's name, if there is one.
  std::optional<TokenId> Find(std::string_view token) const;

  const TokenInfo& info(TokenId id) const { return infos_[static_cast<size_t>(id)]; }
  /// The ids of a type; empty if the vocabulary has none.
  const IdRange& range(TokenType type) const { return ranges_[static_cast<size_t>(type)]; }
  bool has(TokenType type) const { return !range(type).empty(); }
  /// The first id of a type with that value, if there is one. Linear in the number of ids of the
  /// type.
  std::optional<TokenId> id(TokenType type, int32_t value = 0) const;

  /// True for the one token of each note that gives its pitch: Pitch, NoteOn, PitchDrum, DrumOn.
  bool begins_note(TokenId id) const {
    return info(id).type == TokenType::kPitch || info(id).type == TokenType::kPitchDrum;
  }
  /// Quarter notes per minute of a Tempo token.
  double tempo(TokenId id) const { return values_.tempos[Index(id)]; }
  /// Of a TimeSig token; its `time` is 0.
  const TimeSignature& time_signature(TokenId id) const { return values_.time_signatures[Index(id)]; }
  /// Of a Duration, TimeShift or Rest token, in beats of the running time signature.
  const BeatLength& length(TokenId id) const {
    return (info(id).type == TokenType::kRest ? values_.rests : values_.lengths)[Index(id)];
  }

  /// Special tokens, where the vocabulary has them.
  std::optional<TokenId> pad() const { return pad_; }
  std::optional<TokenId> bos() const { return bos_; }
  std::optional<TokenId> eos() const { return eos_; }
  std::optional<TokenId> mask() const { return mask_; }

 private:
  size_t Index(TokenId id) const { return static_cast<size_t>(info(id).value); }

  std::vector<std::string> tokens_;
  std::vector<TokenInfo> infos_;
  TokenValues values_;
  std::vector<IdRange> ranges_;  // by type
  std::unordered_map<std::string, TokenId> ids_;
  std::optional<TokenId> pad_;
  std::optional<TokenId> bos_;
  std::optional<TokenId> eos_;
  std::optional<TokenId> mask_;
};

}  // namespace continuo
