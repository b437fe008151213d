#include "continuo/midi/note_pairs.h"

#include <algorithm>
#include <array>
#include <utility>

#include "continuo/midi/document_edit.h"

namespace continuo {
namespace {

constexpr size_t kSlots = kMidiChannels * kMidiPitches;

size_t SlotOf(const MidiEvent& event) {
  return size_t{event.channel()} * kMidiPitches + event.data1;
}

/// Pairs the notes of a document's tracks, one after another. A slot, which is a channel and pitch,
/// has a queue of the notes that sound, linked by `next_`.
class Pairing {
 public:
  explicit Pairing(std::vector<MidiNote>& notes) : notes_(notes) {}

  void Read(const MidiTrack& track, uint32_t index) {
    first_ = notes_.size();
    next_.clear();
    for (uint32_t i = 0; i < track.events.size(); ++i) {
      const MidiEvent& event = track.events[i];
      if (event.is_note_on()) {
        Begin(event, index, i);
      } else if (event.is_note_off()) {
        End(event, i);
      } else if (SilencesNotes(event)) {
        silencers_[event.channel()].push_back({notes_.size(), event.time, i});
      }
    }
    // What still sounds ends with a controller or the track.
    for (size_t i = first_; i < notes_.size(); ++i) {
      Slot& slot = slots_[size_t{notes_[i].channel} * kMidiPitches + notes_[i].pitch];
      for (; slot.head != kNone; slot.head = next_[slot.head - first_]) {
        if (IsSilenced(slot.head)) {
          Silence(slot.head);
        } else {
          notes_[slot.head].end = track.end;
          notes_[slot.head].off = static_cast<uint32_t>(track.events.size());
        }
      }
    }
    for (std::vector<Silencer>& silencers : silencers_) {
      silencers.clear();
    }
  }

 private:
  static constexpr size_t kNone = ~size_t{0};
  struct Slot {
    size_t head = kNone;
    size_t tail = kNone;
  };
  struct Silencer {
    size_t notes;  // that there were before it
    uint32_t time;
    uint32_t event;
  };

  /// Whether a controller came after the note began.
  bool IsSilenced(size_t note) const {
    const std::vector<Silencer>& silencers = silencers_[notes_[note].channel];
    return !silencers.empty() && note < silencers.back().notes;
  }

  /// Ends a note with the first controller after its beginning.
  void Silence(size_t note) {
    const std::vector<Silencer>& silencers = silencers_[notes_[note].channel];
    const auto first = std::upper_bound(silencers.begin(), silencers.end(), note,
                                        [](size_t id, const Silencer& silencer) { return id < silencer.notes; });
    notes_[note].end = first->time;
    notes_[note].off = first->event;
    notes_[note].ended_by = MidiNote::End::kController;
  }

  void Begin(const MidiEvent& event, uint32_t track, uint32_t i) {
    Slot& slot = slots_[SlotOf(event)];
    // Notes that a controller silenced and no note-off has claimed are over; the new note is
    // another.
    while (slot.head != kNone && IsSilenced(slot.head)) {
      Silence(slot.head);
      slot.head = next_[slot.head - first_];
    }
    const size_t id = notes_.size();
    notes_.push_back(
        {track, i, 0, event.time, event.time, MidiNote::End::kEndOfTrack, event.channel(), event.data1, event.data2});
    next_.push_back(kNone);
    if (slot.head == kNone) {
      slot.head = id;
    } else {
      next_[slot.tail - first_] = id;
    }
    slot.tail = id;
  }

  void End(const MidiEvent& event, uint32_t i) {
    Slot& slot = slots_[SlotOf(event)];
    if (slot.head == kNone) {
      return;
    }
    // Of several silenced notes the newest takes it, so that notes end in the order of their
    // beginnings.
    while (IsSilenced(slot.head) && next_[slot.head - first_] != kNone) {
      Silence(slot.head);
      slot.head = next_[slot.head - first_];
    }
    MidiNote& note = notes_[slot.head];
    note.off = i;
    note.end = event.time;
    note.ended_by = MidiNote::End::kNoteOff;
    slot.head = next_[slot.head - first_];
  }

  std::vector<MidiNote>& notes_;
  size_t first_ = 0;          // of this track, in notes_
  std::vector<size_t> next_;  // of each note of this track the next in its queue
  std::array<Slot, kSlots> slots_{};
  std::array<std::vector<Silencer>, kMidiChannels> silencers_;
};

}  // namespace

bool SilencesNotes(const MidiEvent& event) {
  constexpr uint8_t kAllSoundOff = 120;
  constexpr uint8_t kAllNotesOff = 123;  // and the modes above, which imply it
  return event.kind() == kControlChange && (event.data1 == kAllSoundOff || event.data1 >= kAllNotesOff);
}

std::vector<MidiNote> PairNotes(const MidiDocument& document) {
  std::vector<MidiNote> notes;
  Pairing pairing(notes);
  for (size_t i = 0; i < document.tracks.size(); ++i) {
    pairing.Read(document.tracks[i], static_cast<uint32_t>(i));
  }
  return notes;
}

std::vector<std::vector<uint32_t>> OrphanNoteOffs(const MidiDocument& document, const std::vector<MidiNote>& notes) {
  std::vector<std::vector<uint32_t>> claimed(document.tracks.size());
  for (const MidiNote& note : notes) {
    if (note.ended_by == MidiNote::End::kNoteOff) {
      claimed[note.track].push_back(note.off);
    }
  }
  std::vector<std::vector<uint32_t>> orphans(document.tracks.size());
  for (size_t i = 0; i < document.tracks.size(); ++i) {
    std::sort(claimed[i].begin(), claimed[i].end());
    const std::vector<MidiEvent>& events = document.tracks[i].events;
    auto next = claimed[i].begin();
    for (uint32_t j = 0; j < events.size(); ++j) {
      if (!events[j].is_note_off()) {
        continue;
      }
      if (next != claimed[i].end() && *next == j) {
        ++next;
      } else {
        orphans[i].push_back(j);
      }
    }
  }
  return orphans;
}

EndedNotes EndOpenNotes(MidiDocument& document) {
  EndedNotes ended;
  std::vector<MidiInsertion> note_offs;
  for (const MidiNote& note : PairNotes(document)) {
    if (note.ended_by == MidiNote::End::kNoteOff) {
      continue;
    }
    ++(note.ended_by == MidiNote::End::kController ? ended.by_controller : ended.by_end_of_track);
    note_offs.push_back(
        {note.track, note.off, NewMessage(note.end, static_cast<uint8_t>(kNoteOff | note.channel), note.pitch)});
  }
  InsertEvents(document, std::move(note_offs));
  return ended;
}

Result<CompleteMidi> ReadCompleteMidi(std::span<const uint8_t> bytes, std::string_view name) {
  Defects defects(name);
  CompleteMidi read;
  CONTINUO_ASSIGN(read.document, ReadMidiDocument(bytes, defects));
  const EndedNotes ended = EndOpenNotes(read.document);
  read.repairs = defects.TakeMessages();
  const auto report = [&](size_t notes, std::string_view where) {
    if (notes > 0) {
      read.repairs.push_back(fmt::format("{}: {} {} without a note-off, ended where {}", name, notes,
                                         notes == 1 ? "note" : "notes", where));
    }
  };
  report(ended.by_end_of_track, "the track ends");
  report(ended.by_controller, "a controller silences the channel");
  return read;
}

}  // namespace continuo
