#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "continuo/midi/midi_document.h"
#include "continuo/midi/note_pairs.h"
#include "continuo/token/tokenizer.h"

namespace continuo {

/// The notes of one track, channel and program of a document: what ParseScore makes a Track of.
/// Programs are those that the track itself sets; 0 before the first.
struct Voice {
  uint32_t track = 0;
  uint8_t channel = 0;
  uint8_t program = 0;
  size_t notes = 0;  // 0 for a track of lyrics alone

  bool is_drum() const { return channel == kDrumChannel; }
};

/// The voices of a document whose notes all have their note-offs, in the order of the tracks of its
/// Score.
class Voices {
 public:
  /// Program changes at or after `changes_before` are known to be removed from the document later.
  explicit Voices(const MidiDocument& document, uint32_t changes_before = UINT32_MAX);

  const std::vector<Voice>& list() const { return list_; }
  /// The program of a note of the document.
  uint8_t ProgramOf(const MidiNote& note) const { return ProgramAt(note.track, note.channel, note.begin); }
  /// The program that a track has set on a channel after all events at `time`.
  uint8_t ProgramAt(uint32_t track, uint8_t channel, uint32_t time) const;

 private:
  using Changes = std::vector<std::pair<uint32_t, uint8_t>>;  // time and program
  std::vector<Voice> list_;
  std::map<std::pair<uint32_t, uint8_t>, Changes> changes_;  // by track and channel
};

/// Whether one stream of tokens says of each note which program it has.
bool WritesPrograms(const Tokenizer& tokenizer);

/// Whether a tokenizer has a program among those of its configuration; true for one without
/// programs.
bool HasProgram(const TokenizerConfig& config, uint8_t program, bool is_drum);

/// Whether a tokenizer can read, and a model write, notes of a program.
bool ReadsProgram(const Tokenizer& tokenizer, uint8_t program, bool is_drum);

/// Where all notes of a model go: to `voice`, an index into voices.list(); without it, and if the
/// tokenizer has no programs, to the first voice that is not of drums. Null if there is none, or if
/// each note goes to the voice of its program.
const Voice* MainVoice(const Voices& voices, const Tokenizer& tokenizer, std::optional<size_t> voice);

/// Finds where new notes of a document go: to the track and channel of their program. Adds tracks
/// (in files of one track: events) where there is none.
class VoiceFinder {
 public:
  struct Place {
    uint32_t track = 0;
    uint8_t channel = 0;
  };

  /// New notes begin at `from` or later. `voice` as for MainVoice. All must outlive the finder.
  VoiceFinder(MidiDocument& document, const Voices& voices, const Tokenizer& tokenizer, uint32_t from,
              std::optional<size_t> voice = std::nullopt);

  Place Find(uint8_t program, bool is_drum, uint32_t time);

 private:
  Place Add(uint8_t channel, uint8_t program);

  MidiDocument& document_;
  const Voices& voices_;
  const uint32_t from_;
  const Voice* const main_;
  std::map<std::pair<uint8_t, bool>, Place> added_;
};

}  // namespace continuo
