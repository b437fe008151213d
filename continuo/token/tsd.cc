// TSD: a note is [Program] Pitch [Velocity] [Duration], with TimeShift (and Rest) between what
// begins at different times.

#include <algorithm>

#include "continuo/token/decoder.h"
#include "continuo/token/representation.h"
#include "continuo/token/shifts.h"
#include "continuo/token/window.h"

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
          clock.OnTimeShift(info.value);
          continue;
        case TokenType::kRest:
          clock.OnRest(info.value, note_end);
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

Score Decode(std::span<const std::vector<TokenId>> streams, const TokenTables& tables) {
  return TsdDecoder(tables).Run(streams);
}

}  // namespace

constinit const Representation kTsdRepresentation{
    .name = "TSD",
    .preset = "tsd",
    .kind = TokenizationKind::kTsd,
    .trainable = true,
    .write_vocabulary = WriteShiftVocabulary,
    .encode_events = EncodeShifts,
    .encode_timed = EncodeTimedShifts,
    .encode = EncodeScore,
    .decode = Decode,
    .bar_offsets = FindBarOffsets,
    .window = CutWindow,
    .new_grammar = NewShiftGrammar,
};

}  // namespace continuo
