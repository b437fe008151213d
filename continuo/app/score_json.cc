#include "continuo/app/score_json.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace continuo {
namespace {

using Json = nlohmann::ordered_json;

}  // namespace

Json ScoreToJson(const Score& score) {
  Json tempos = Json::array();
  for (const Tempo& tempo : score.tempos) {
    tempos.push_back(Json::array({tempo.time, std::round(tempo.qpm() * 100) / 100}));
  }
  Json signatures = Json::array();
  for (const TimeSignature& signature : score.time_signatures) {
    signatures.push_back(Json::array({signature.time, signature.numerator, signature.denominator}));
  }
  Json tracks = Json::array();
  for (const Track& track : score.tracks) {
    std::vector<std::array<int32_t, 4>> notes;
    for (const Note& note : track.notes) {
      notes.push_back({note.time, note.duration, note.pitch, note.velocity});
    }
    std::sort(notes.begin(), notes.end());
    Json pedals = Json::array();
    for (const Pedal& pedal : track.pedals) {
      pedals.push_back(Json::array({pedal.time, pedal.duration}));
    }
    Json bends = Json::array();
    for (const PitchBend& bend : track.pitch_bends) {
      bends.push_back(Json::array({bend.time, bend.value}));
    }
    tracks.push_back({{"program", track.program},
                      {"drum", track.is_drum},
                      {"notes", notes},
                      {"pedals", std::move(pedals)},
                      {"pitch_bends", std::move(bends)}});
  }
  return {{"tpq", score.ticks_per_quarter},
          {"tempos", std::move(tempos)},
          {"time_signatures", std::move(signatures)},
          {"tracks", std::move(tracks)}};
}

}  // namespace continuo
