#include <algorithm>

#include "continuo/token/decode.h"
#include "continuo/token/decoder.h"

namespace continuo {
namespace {

class TsdDecoder : public Decoder {
 public:
  using Decoder::Decoder;

 private:
  void DecodeStream() override {
    ShiftClock clock(tables_);
    int32_t note_end = 0;
    for (size_t i = 0; i < ids_.size(); ++i) {
      const TokenInfo& info = Info(i);
      switch (info.type) {
        case TokenType::kTimeShift:
          clock.Shift(clock.meter().TimeTicks(info.value));
          continue;
        case TokenType::kRest:
          clock.OnRest(clock.meter().RestTicks(info.value), note_end);
          continue;
        case TokenType::kPitch:
        case TokenType::kPitchDrum: {
          const int32_t duration = DecodeNote(i, info, clock);
          if (duration >= 0) {
            note_end = std::max(note_end, AddTicks(clock.tick(), duration));
          }
          continue;
        }
        case TokenType::kTimeSig:
          DecodeMeter(info.value, clock);
          break;
        case TokenType::kNoteChord:
          break;
        case TokenType::kVelocity:  // read with the Pitch before them; the most frequent
        case TokenType::kDuration:
          continue;
        default:
          if (!DecodeEvent(i, info, clock)) {
            continue;
          }
          break;
      }
      note_end = std::max(note_end, clock.tick());
    }
  }
};

}  // namespace

Score DecodeTsd(std::span<const std::vector<TokenId>> streams, const TokenTables& tables) {
  return TsdDecoder(tables).Run(streams);
}

}  // namespace continuo
