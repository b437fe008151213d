#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "continuo/score/score.h"
#include "continuo/token/vocabulary.h"

namespace continuo {

using Streams = std::vector<std::vector<TokenId>>;

/// A score in the form of the golden decode.json: tempos in quarter notes per minute, notes sorted.
inline nlohmann::json ScoreJson(const Score& score) {
  using Json = nlohmann::json;
  Json json{{"tpq", score.ticks_per_quarter},
            {"tempos", Json::array()},
            {"time_signatures", Json::array()},
            {"tracks", Json::array()}};
  for (const Tempo& tempo : score.tempos) {
    json["tempos"].push_back({tempo.time, std::stod(fmt::format("{:.2f}", tempo.qpm()))});
  }
  for (const TimeSignature& meter : score.time_signatures) {
    json["time_signatures"].push_back({meter.time, meter.numerator, meter.denominator});
  }
  for (const Track& track : score.tracks) {
    std::vector<std::array<int, 4>> notes;
    for (const Note& note : track.notes) {
      notes.push_back({note.time, note.duration, note.pitch, note.velocity});
    }
    std::sort(notes.begin(), notes.end());
    Json pedals = Json::array();
    for (const Pedal& pedal : track.pedals) {
      pedals.push_back({pedal.time, pedal.duration});
    }
    Json bends = Json::array();
    for (const PitchBend& bend : track.pitch_bends) {
      bends.push_back({bend.time, bend.value});
    }
    json["tracks"].push_back({{"program", track.program},
                              {"drum", track.is_drum},
                              {"notes", notes},
                              {"pedals", pedals},
                              {"pitch_bends", bends}});
  }
  return json;
}

/// A golden score as a Score can hold it: MidiTok decodes nonsense to velocities and lengths below
/// 0.
inline nlohmann::json WithoutNegatives(nlohmann::json score) {
  for (auto& track : score["tracks"]) {
    for (auto& note : track["notes"]) {
      note[0] = std::max(0, note[0].get<int>());
      note[3] = std::max(0, note[3].get<int>());
    }
    std::sort(track["notes"].begin(), track["notes"].end());
    for (auto& pedal : track["pedals"]) {
      pedal[1] = std::max(0, pedal[1].get<int>());
    }
  }
  return score;
}

/// A score of testdata/tokens, whose tempos are in microseconds per quarter note.
inline Score ScoreFromJson(const nlohmann::json& json) {
  Score score;
  score.ticks_per_quarter = json["tpq"];
  for (const auto& tempo : json["tempos"]) {
    score.tempos.push_back({tempo[0], tempo[1]});
  }
  for (const auto& meter : json["time_signatures"]) {
    score.time_signatures.push_back({meter[0], meter[1], meter[2]});
  }
  for (const auto& part : json["tracks"]) {
    Track track;
    track.program = part["program"];
    track.is_drum = part["drum"];
    for (const auto& note : part["notes"]) {
      track.notes.push_back({note[0], note[1], note[2], note[3]});
    }
    for (const auto& pedal : part["pedals"]) {
      track.pedals.push_back({pedal[0], pedal[1]});
    }
    for (const auto& bend : part["pitch_bends"]) {
      track.pitch_bends.push_back({bend[0], bend[1]});
    }
    score.tracks.push_back(std::move(track));
  }
  return score;
}

/// "Bar_None Position_0 ..." of a few ids, for messages.
inline std::string TokenText(const Vocabulary& vocabulary, const std::vector<TokenId>& ids, size_t first = 0,
                             size_t last = SIZE_MAX) {
  std::string text;
  for (size_t i = first; i < std::min(last, ids.size()); ++i) {
    text += (text.empty() ? "" : " ") + vocabulary.token(ids[i]);
  }
  return text;
}

/// The ids of tokens written with spaces between them.
inline std::vector<TokenId> IdsOf(const Vocabulary& vocabulary, const std::string& text) {
  std::vector<TokenId> ids;
  size_t first = 0;
  while (first < text.size()) {
    const size_t last = std::min(text.find(' ', first), text.size());
    ids.push_back(vocabulary.Find(text.substr(first, last - first)).value());
    first = last + 1;
  }
  return ids;
}

}  // namespace continuo
