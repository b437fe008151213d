#include <cstddef>
#include <cstdint>

#include "continuo/core/check.h"
#include "continuo/midi/channel_state.h"
#include "continuo/midi/document_edit.h"
#include "continuo/midi/midi_document.h"
#include "continuo/midi/note_pairs.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace continuo;
  Defects defects("input");
  Result<MidiDocument> read = ReadMidiDocument({data, size}, defects);
  if (!read.ok()) {
    return 0;
  }
  Defects none("written");
  const Result<MidiDocument> again = ReadMidiDocument(SerializeMidiDocument(*read), none);
  CONTINUO_CHECK(again.ok());
  CONTINUO_CHECK(PairNotes(*again).size() == PairNotes(*read).size());

  // The bytes choose where to cut and which notes to add.
  const uint32_t time = size > 0 ? read->end() / 256 * data[size - 1] : 0;
  ExtractFrom(*read, time);
  StateBefore(*read, time);
  MidiDocument document = *read;
  EndOpenNotes(document);
  KeepBefore(document, time);
  ResetChannels(document, time, {});
  if (document.tracks.empty() || time > kLastTick - 1024) {
    return 0;
  }
  std::vector<NewMidiNote> notes;
  for (size_t i = 0; i + 2 < size && notes.size() < 64; i += 3) {
    notes.push_back({data[i] % static_cast<uint32_t>(document.tracks.size()), time + data[i],
                     time + data[i] + 1u + data[i + 1], static_cast<uint8_t>(data[i + 1] & 0x0F),
                     static_cast<uint8_t>(data[i + 2] & 0x7F), 64});
  }
  const FittedNotes fitted = FitNotes(document, notes);
  const size_t before = PairNotes(document).size();
  InsertNotes(document, fitted.notes);
  CONTINUO_CHECK(PairNotes(document).size() == before + fitted.notes.size());
  return 0;
}
