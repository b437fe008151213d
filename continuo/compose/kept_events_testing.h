#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "continuo/compose/composer.h"
#include "continuo/compose/voices.h"
#include "continuo/midi/document_edit.h"
#include "continuo/midi/note_pairs.h"
#include "continuo/score/bars.h"

namespace continuo {

// What must hold for every continuation and every piece with bars written again.

/// The first event of `before` that `kept` accepts and that is not in `after`, in its track and in
/// its order; "" if all are.
template <typename Kept>
std::string LostEvent(const MidiDocument& before, const MidiDocument& after, const Kept& kept) {
  if (after.format != before.format || after.division != before.division ||
      after.tracks.size() < before.tracks.size()) {
    return "another format, resolution or fewer tracks";
  }
  for (uint32_t i = 0; i < before.tracks.size(); ++i) {
    const std::vector<MidiEvent>& events = after.tracks[i].events;
    size_t at = 0;
    for (uint32_t j = 0; j < before.tracks[i].events.size(); ++j) {
      if (!kept(i, j)) {
        continue;
      }
      const MidiEvent& event = before.tracks[i].events[j];
      while (at < events.size() && !SameEvent(before, event, after, events[at])) {
        ++at;
      }
      if (at == events.size()) {
        return fmt::format("track {} lost {}", i, Describe(before, event));
      }
      ++at;
    }
  }
  return "";
}

/// The notes of a file as its readers see them.
inline size_t NotesIn(const MidiPiece& piece) {
  size_t notes = 0;
  for (const Track& track : piece.score().tracks) {
    notes += track.notes.size();
  }
  return notes;
}

/// What is wrong with a continuation by `bars` bars, or "".
inline std::string FaultOfContinuation(const MidiPiece& piece, size_t prompt_bars, size_t bars,
                                       const WrittenPiece& written) {
  const MidiDocument& before = piece.document();
  const auto line = static_cast<uint32_t>(BarGrid(piece.score()).Line(prompt_bars));
  std::vector<std::set<uint32_t>> ends(before.tracks.size());
  size_t kept = 0;
  for (const MidiNote& note : PairNotes(before)) {
    if (note.begin < line) {
      ends[note.track].insert(note.off);
      ++kept;
    }
  }
  const std::string lost = LostEvent(before, written.piece.document(), [&](uint32_t i, uint32_t j) {
    return before.tracks[i].events[j].time < line || ends[i].contains(j);
  });
  if (!lost.empty()) {
    return lost;
  }
  if (NotesIn(written.piece) != kept + written.new_notes) {
    return fmt::format("{} notes, where {} kept and {} new ones were expected", NotesIn(written.piece), kept,
                       written.new_notes);
  }
  if (NotesIn(*written.new_bars) != written.new_notes) {
    return fmt::format("{} notes in the new bars, where {} were expected", NotesIn(*written.new_bars),
                       written.new_notes);
  }
  const BarGrid grid(written.piece.score());
  for (const Track& track : written.piece.score().tracks) {
    for (const Note& note : track.notes) {
      if (grid.BarAt(note.time) >= prompt_bars + bars) {
        return fmt::format("a note at tick {}, after the new bars", note.time);
      }
    }
  }
  return "";
}

/// What is wrong with a piece whose bars [first, last) were written again, or "".
inline std::string FaultOfFill(const MidiPiece& piece, size_t first, size_t last, const Tokenizer& tokenizer,
                               const WrittenPiece& written) {
  const MidiDocument& before = piece.document();
  const auto begin = static_cast<uint32_t>(BarGrid(piece.score()).Line(first));
  const auto end = static_cast<uint32_t>(BarGrid(piece.score()).Line(last));
  const Voices voices(before);
  std::vector<std::set<uint32_t>> gone(before.tracks.size());
  size_t kept = 0;
  for (const MidiNote& note : PairNotes(before)) {
    if (note.begin >= begin && note.begin < end &&
        ReadsProgram(tokenizer, voices.ProgramOf(note), note.channel == kDrumChannel)) {
      gone[note.track].insert({note.on, note.off});
    } else {
      ++kept;
    }
  }
  const std::string lost =
      LostEvent(before, written.piece.document(), [&](uint32_t i, uint32_t j) { return !gone[i].contains(j); });
  if (!lost.empty()) {
    return lost;
  }
  if (NotesIn(written.piece) != kept + written.new_notes) {
    return fmt::format("{} notes, where {} kept and {} new ones were expected", NotesIn(written.piece), kept,
                       written.new_notes);
  }
  return "";
}

}  // namespace continuo
