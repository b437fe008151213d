#include "continuo/compose/plan.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <string>

namespace continuo {
namespace {

std::string_view Trim(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t");
  return first == std::string_view::npos ? std::string_view()
                                         : text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

/// The number behind a token's underscore: 8 of "Position_8", 121.29 of "Tempo_121.29".
double ValueOf(std::string_view token) {
  double value = 0.0;
  const size_t at = token.find('_') + 1;
  std::from_chars(token.data() + at, token.data() + token.size(), value);
  return value;
}

}  // namespace

Result<std::vector<std::vector<ChordLabel>>> ParseChordPlan(std::string_view text) {
  std::vector<std::vector<ChordLabel>> bars;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find('|', begin), text.size());
    std::string_view cell = Trim(text.substr(begin, end - begin));
    begin = end + 1;
    if (cell.empty()) {
      return MakeError("chords: bar {} is empty, expected chords like \"C | Am | F G7\"", bars.size() + 1);
    }
    std::vector<ChordLabel>& bar = bars.emplace_back();
    while (!cell.empty()) {
      const std::string_view name = cell.substr(0, cell.find_first_of(" \t"));
      const std::optional<ChordLabel> chord = ParseChordName(name);
      if (!chord) {
        return MakeError("chords: bar {} has '{}', expected a chord like C, F#m7, Bbmaj7, Gsus4, Bdim, or N for none",
                         bars.size(), name);
      }
      bar.push_back(*chord);
      cell = Trim(cell.substr(name.size()));
    }
  }
  return bars;
}

Result<PlanTable> PlanTable::Create(const Plan& plan, const Tokenizer& tokenizer) {
  const Vocabulary& vocabulary = tokenizer.vocabulary();
  const TokenizerConfig& config = tokenizer.config();
  if (!plan.chords.empty() && (config.chords == ChordSource::kNone || config.use_time_signatures)) {
    return Error{fmt::format("the model's tokens ({}) hold no harmony to ask for", RepresentationName(config)),
                 "chords need a model of the tokenizer remichord"};
  }
  PlanTable table;
  table.roles_.assign(vocabulary.size(), Role::kOther);
  table.positions_.assign(vocabulary.size(), 0);
  int positions = 0;
  double nearest = INFINITY;
  double slowest = INFINITY;
  double fastest = 0.0;
  for (size_t i = 0; i < vocabulary.size(); ++i) {
    const auto id = static_cast<TokenId>(i);
    const std::string_view token = vocabulary.token(id);
    if (token == "Bar_None") {
      table.roles_[i] = Role::kBar;
    } else if (token == "EOS_None") {
      table.roles_[i] = Role::kEnd;
    } else if (token.starts_with("Position_")) {
      table.roles_[i] = Role::kPosition;
      table.positions_[i] = static_cast<int>(ValueOf(token));
      positions = std::max(positions, table.positions_[i] + 1);
    } else if (token.starts_with("Chord_")) {
      table.roles_[i] = Role::kChord;
    } else if (token.starts_with("Tempo_")) {
      table.roles_[i] = Role::kTempo;
      const double tempo = ValueOf(token);
      slowest = std::min(slowest, tempo);
      fastest = std::max(fastest, tempo);
      const double distance = std::abs(tempo - plan.bpm.value_or(0.0));
      if (plan.bpm && distance < nearest) {
        nearest = distance;
        table.tempo_ = id;
      }
    }
  }
  if (plan.bpm && (fastest == 0.0 || positions == 0)) {
    return MakeError("the model's tokens ({}) hold no tempo to ask for", RepresentationName(config));
  }
  if (plan.bpm && !(*plan.bpm >= slowest && *plan.bpm <= fastest)) {
    return MakeError("bpm is {}, expected {} to {}, as the model's tokens have", *plan.bpm, slowest, fastest);
  }
  for (const std::vector<ChordLabel>& chords : plan.chords) {
    std::vector<Change>& bar = table.bars_.emplace_back();
    if (chords.empty() || chords.size() > static_cast<size_t>(positions)) {
      return MakeError("chords: bar {} has {} of them, expected 1 to {}", table.bars_.size(), chords.size(), positions);
    }
    for (size_t i = 0; i < chords.size(); ++i) {
      const std::optional<TokenId> id = vocabulary.Find("Chord_" + chords[i].Text());
      if (!id) {
        return MakeError("chords: the model has no token for {}", chords[i].Text());
      }
      bar.push_back({static_cast<int>(i * static_cast<size_t>(positions) / chords.size()), *id});
    }
  }
  return table;
}

Score DecodePlanned(std::span<const TokenId> ids, const Plan& plan, const Tokenizer& tokenizer) {
  Score score = tokenizer.Decode(std::vector<std::vector<TokenId>>(1, {ids.begin(), ids.end()}));
  if (plan.bpm) {
    score.tempos = {{.time = 0, .us_per_quarter = static_cast<int32_t>(std::lround(60e6 / *plan.bpm))}};
  }
  return score;
}

const PlanTable::Change* PlanFollower::Due() const {
  if (table_->bars_.empty() || bar_ < 0) {
    return nullptr;
  }
  TokenId in_force = in_force_;
  for (const PlanTable::Change& change : table_->bars_[static_cast<size_t>(bar_) % table_->bars_.size()]) {
    if (change.position < position_) {
      in_force = change.chord;  // it was written, or was in force already
    } else if (change.chord != in_force) {
      return &change;
    }
  }
  return nullptr;
}

void PlanFollower::Restrict(std::span<uint8_t> allowed) {
  using Role = PlanTable::Role;
  const PlanTable::Change* due = Due();
  const bool tempo_due = table_->tempo_ >= 0 && !tempo_written_;
  // What must be written at this very position comes before all else.
  TokenId must = -1;
  if (tempo_due && position_ == 0 && allowed[static_cast<size_t>(table_->tempo_)] != 0) {
    must = table_->tempo_;
  } else if (due != nullptr && due->position == position_ && allowed[static_cast<size_t>(due->chord)] != 0) {
    must = due->chord;
  }
  if (must >= 0) {
    std::fill(allowed.begin(), allowed.end(), 0);
    allowed[static_cast<size_t>(must)] = 1;
    return;
  }
  const int latest = tempo_due ? 0 : due != nullptr ? due->position : INT32_MAX;
  const bool waiting = tempo_due || due != nullptr;
  kept_.assign(allowed.begin(), allowed.end());
  bool any = false;
  for (size_t id = 0; id < allowed.size(); ++id) {
    const Role role = table_->roles_[id];
    const bool refused = (role == Role::kChord && !table_->bars_.empty()) ||
                         (role == Role::kTempo && table_->tempo_ >= 0) ||
                         (role == Role::kPosition && table_->positions_[id] > latest) ||
                         (waiting && bar_ >= 0 && (role == Role::kBar || role == Role::kEnd));
    kept_[id] = refused ? 0 : kept_[id];
    any = any || kept_[id] != 0;
  }
  if (any) {
    std::copy(kept_.begin(), kept_.end(), allowed.begin());
  }
}

void PlanFollower::Advance(TokenId id) {
  using Role = PlanTable::Role;
  switch (table_->roles_[static_cast<size_t>(id)]) {
    case Role::kBar:
      ++bar_;
      position_ = -1;
      break;
    case Role::kPosition:
      position_ = table_->positions_[static_cast<size_t>(id)];
      break;
    case Role::kTempo:
      tempo_written_ = true;
      break;
    case Role::kChord:
      in_force_ = id;
      break;
    case Role::kEnd:
    case Role::kOther:
      break;
  }
}

}  // namespace continuo
