#include "continuo/midi/meta_faults.h"

#include <string_view>

namespace continuo {

void FindRareMetaFaults(uint8_t type, std::span<const uint8_t> data, size_t offset, Defects& defects) {
  // Readers need the first `needed` of `size` bytes.
  const auto fits = [&](std::string_view what, size_t size, size_t needed) {
    if (data.size() != size) {
      defects.Add(offset, "a {} of {} bytes, where {} were expected", what, data.size(), size);
    }
    return data.size() >= needed;
  };
  switch (type) {
    case kMetaTempo:
      if (fits("tempo", 3, 3) && (data[0] | data[1] | data[2]) == 0) {
        defects.Add(offset, "a tempo of 0 microseconds a quarter note; ignored");
      }
      break;
    case kMetaTimeSignature:
      if (fits("time signature", 4, 2) && (data[0] == 0 || data[1] > kLargestDenominatorBits)) {
        defects.Add(offset, "a time signature of {}/2^{}, where 1 to 255 and 0 to {} were expected; ignored", data[0],
                    data[1], kLargestDenominatorBits);
      }
      break;
    case kMetaKeySignature:
      if (fits("key signature", 2, 2)) {
        const auto key = static_cast<int8_t>(data[0]);
        if (key < -kLargestKey || key > kLargestKey || data[1] > 1) {
          defects.Add(offset, "a key signature of {} and {}, where -7 to 7 and 0 or 1 were expected; ignored", key,
                      data[1]);
        }
      }
      break;
    default:
      break;
  }
}

}  // namespace continuo
