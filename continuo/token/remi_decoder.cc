#include <algorithm>

#include "continuo/token/decode.h"
#include "continuo/token/decoder.h"

namespace continuo {
namespace {

class RemiDecoder : public Decoder {
 public:
  using Decoder::Decoder;

 private:
  void DecodeStream() override {
    if (is_first_) {
      const Meter first = FindFirstMeter();
      score_.time_signatures.push_back({0, first.numerator, first.denominator});
    }
    const TimeSignature& last = score_.time_signatures.back();
    RemiClock clock(tables_, {last.numerator, last.denominator});
    int32_t note_end = 0;
    for (size_t i = 0; i < ids_.size(); ++i) {
      const TokenInfo& info = Info(i);
      switch (info.type) {
        case TokenType::kBar:
          clock.OnBar();
          break;
        case TokenType::kPosition:
          clock.OnPosition(info.value);
          break;
        case TokenType::kRest:
          clock.OnRest(info.value, note_end);
          break;
        case TokenType::kPitch:
        case TokenType::kPitchDrum: {
          const int32_t duration = DecodeNote(i, info, clock);
          if (duration >= 0) {
            note_end = std::max(note_end, AddTicks(clock.tick(), duration));
          }
          break;
        }
        case TokenType::kTempo:
          DecodeTempo(info.value, clock.tick());
          note_end = std::max(note_end, clock.tick());
          break;
        case TokenType::kChord:
          DecodeHarmony(info.value, clock.tick());
          note_end = std::max(note_end, clock.tick());
          break;
        case TokenType::kTimeSig:
          DecodeMeter(tables_.time_signatures[static_cast<size_t>(info.value)], clock);
          break;
        case TokenType::kVelocity:  // read with the Pitch before them; the most frequent
        case TokenType::kDuration:
          break;
        default:
          DecodeEvent(i, info, clock);
          break;
      }
    }
  }

  // The meter of the first TimeSig token, if it comes before anything that sounds.
  Meter FindFirstMeter() const {
    for (size_t i = 0; i < ids_.size() && config_.use_time_signatures; ++i) {
      switch (Info(i).type) {
        case TokenType::kTimeSig:
          return tables_.time_signatures[static_cast<size_t>(Info(i).value)];
        case TokenType::kPitch:
        case TokenType::kPitchDrum:
        case TokenType::kVelocity:
        case TokenType::kDuration:
        case TokenType::kPitchBend:
        case TokenType::kPedal:
          return {};
        default:
          break;
      }
    }
    return {};
  }

  void DecodeMeter(const Meter& meter, RemiClock& clock) {
    if (clock.OnMeter(meter) && is_first_) {
      score_.time_signatures.push_back({clock.tick(), meter.numerator, meter.denominator});
    }
  }
};

}  // namespace

Score DecodeRemi(std::span<const std::vector<TokenId>> streams, const TokenTables& tables) {
  return RemiDecoder(tables).Run(streams);
}

}  // namespace continuo
