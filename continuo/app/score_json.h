#pragma once

#include <nlohmann/json.hpp>

#include "continuo/score/score.h"

namespace continuo {

/// {"tpq", "tempos": [[tick, qpm]], "time_signatures": [[tick, numerator, denominator]], "tracks":
/// [{"program", "drum", "notes": [[time, duration, pitch, velocity]], "pedals": [[time, duration]],
/// "pitch_bends": [[time, value]]}]}, times in ticks, qpm rounded to 0.01, notes sorted.
nlohmann::ordered_json ScoreToJson(const Score& score);

}  // namespace continuo
