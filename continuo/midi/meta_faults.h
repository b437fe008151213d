#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "continuo/midi/defects.h"
#include "continuo/midi/midi_format.h"

namespace continuo {

inline constexpr int kLargestDenominatorBits = 7;  // of a time signature: a 128th note
inline constexpr int kLargestKey = 7;              // sharps or flats

/// FindMetaFaults, of all but sound tempos.
void FindRareMetaFaults(uint8_t type, std::span<const uint8_t> data, size_t offset, Defects& defects);

/// Notes in `defects` what is wrong with a meta event of this type: a tempo, a time signature or a
/// key signature of another size, or with a value out of range, which no reader takes. `offset` is
/// the event's place in the file.
inline void FindMetaFaults(uint8_t type, std::span<const uint8_t> data, size_t offset, Defects& defects) {
  // Most metas of a performance are tempos and markers.
  const bool sound_tempo = type == kMetaTempo && data.size() == 3 && (data[0] | data[1] | data[2]) != 0;
  const bool is_checked = type == kMetaTempo || type == kMetaTimeSignature || type == kMetaKeySignature;
  if (is_checked && !sound_tempo) {
    FindRareMetaFaults(type, data, offset, defects);
  }
}

}  // namespace continuo
