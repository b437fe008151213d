#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "continuo/midi/document_edit.h"
#include "continuo/score/score.h"

namespace continuo {

/// A note of a given piece that stays where bars are rewritten, as a stream of tokens has it.
struct KeptNote {
  int32_t tick = 0;  // in the ticks of decoded scores, on the tokenizer's grid
  int32_t duration = 1;
  std::optional<int> program;  // as Program tokens have it; none: the model's choice
  int pitch = 0;
  int velocity = 64;
  bool operator==(const KeptNote&) const = default;
};

/// The melody of the notes that begin in [begin, end) and that `selected` accepts, taken to be its
/// top notes: of the notes that begin together (within a 32nd note) the highest, unless a kept note
/// above it still sounds, or it is more than an octave below a note kept in the last whole note,
/// and so belongs to the accompaniment. Indices into `notes`, in the order of time.
std::vector<size_t> TopNotes(std::span<const MidiNote> notes, uint32_t begin, uint32_t end, int32_t ticks_per_quarter,
                             const NoteFilter& selected);

/// Removes from a decoded score the notes that are in `kept`: tokens repeat them, the piece has
/// them.
void RemoveKept(Score& decoded, std::span<const KeptNote> kept);

}  // namespace continuo
