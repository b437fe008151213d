#include "continuo/token/token_tables.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "continuo/score/chord.h"
#include "continuo/token/miditok_3_0_4.h"
#include "continuo/token/plan.h"
#include "continuo/token/python_compat.h"
#include "continuo/token/representation.h"
#include "continuo/token/token_tables_builder.h"

namespace continuo {

namespace {

constexpr size_t kMaxVocabulary = 65536;  // ids are stored in 16 bits
constexpr int32_t kReachTicks = 1024;     // tables no longer than this know which sums they reach
constexpr int32_t kDenseTicks = 4096;     // time tables answer by one look-up up to here

// The lengths of the time tokens, without the first, which is 0, and with the end of the last
// range.
std::vector<std::array<int, 3>> TimeValues(const std::vector<BeatRange>& ranges) {
  std::vector<std::array<int, 3>> values;
  for (const BeatRange& range : ranges) {
    for (int beat = range.first; beat < range.last; ++beat) {
      for (int part = 0; part < range.resolution; ++part) {
        values.push_back({beat, part, range.resolution});
      }
    }
  }
  values.push_back({ranges.back().last, 0, ranges.back().resolution});
  values.erase(values.begin());
  return values;
}

}  // namespace

std::string TimeName(const std::array<int, 3>& time) {
  return fmt::format("{}.{}.{}", time[0], time[1], time[2]);
}

TokenTablesBuilder::TokenTablesBuilder(const TokenizerConfig& config) {
  tables_.config = config;
  tables_.representation = &RepresentationOf(config);
  for (auto* ids : {&tables_.pitch, &tables_.pitch_drum, &tables_.note_off, &tables_.drum_off}) {
    ids->fill(kNoToken);
  }
  tables_.velocity.fill(kNoToken);
  for (auto* ids : {&tables_.program, &tables_.pedal, &tables_.pedal_off}) {
    ids->fill(kNoToken);
  }
}

Result<TokenTables> TokenTablesBuilder::Build() {
  const TokenizerConfig& config = tables_.config;
  SetTimes();
  SetValues();
  for (size_t i = 0; i < config.special_tokens.size(); ++i) {
    Add(config.special_tokens[i], TokenType::kSpecial, static_cast<int>(i));
  }
  tables_.representation->write_vocabulary(*this);
  if (tables_.tokens.size() > kMaxVocabulary) {
    return MakeError("the configuration makes {} tokens, expected at most {}", tables_.tokens.size(), kMaxVocabulary);
  }
  SetRanges();
  return std::move(tables_);
}

TokenId TokenTablesBuilder::Add(std::string token, TokenType type, int value) {
  const auto [place, is_new] = ids_.emplace(token, static_cast<TokenId>(tables_.tokens.size()));
  if (is_new) {
    tables_.infos.push_back({type, value});
    tables_.numbers.push_back(PythonInt(std::string_view(token).substr(token.rfind('_') + 1)));
    tables_.tokens.push_back(std::move(token));
  }
  return place->second;
}

void TokenTablesBuilder::SetRanges() {
  for (size_t id = 0; id < tables_.infos.size(); ++id) {
    const TokenInfo& info = tables_.infos[id];
    IdRange& range = tables_.ranges[static_cast<size_t>(info.type)];
    range.first = range.count == 0 ? static_cast<TokenId>(id) : range.first;
    ++range.count;
    // A decoder drops drums that are outside the range of other pitches.
    const std::array<int, 2>& kept = tables_.config.pitch_range;
    if (info.type == TokenType::kPitchDrum && info.value >= kept[0] && info.value <= kept[1]) {
      tables_.drum_range.first = tables_.drum_range.count == 0 ? static_cast<TokenId>(id) : tables_.drum_range.first;
      ++tables_.drum_range.count;
    }
  }
}

void TokenTablesBuilder::SetTimes() {
  const TokenizerConfig& config = tables_.config;
  int resolution = 1;
  for (const BeatRange& range : config.beat_res) {
    resolution = std::max(resolution, range.resolution);
  }
  tables_.positions_per_beat = resolution;
  if (config.use_time_signatures) {
    for (const MeterRange& range : config.time_signature_range) {
      for (int numerator : range.numerators) {
        tables_.time_signatures.push_back({numerator, range.denominator});
      }
    }
  }
  int max_denominator = 4;
  if (config.use_time_signatures) {
    max_denominator = 1;
    for (const Meter& meter : tables_.time_signatures) {
      max_denominator = std::max(max_denominator, meter.denominator);
    }
    // A range without 4/4's denominator among its signatures still needs a unit.
    max_denominator = std::max(max_denominator, 4);
  }
  for (const MeterRange& range : config.time_signature_range) {
    tables_.tpb_by_denominator.push_back(
        {range.denominator, resolution * std::max(1, max_denominator / range.denominator)});
  }
  const bool keeps_ticks = tables_.representation->keeps_ticks;
  if (keeps_ticks) {
    for (auto& [denominator, ticks] : tables_.tpb_by_denominator) {
      ticks = config.pertok.ticks_per_quarter;
    }
  }
  tables_.time_division = tables_.DecodedTicksPerBeat(4);

  const auto durations = tables_.representation->durations;
  tables_.durations = durations != nullptr ? durations(config) : TimeValues(config.beat_res);
  if (config.use_rests) {
    tables_.rests = TimeValues(config.beat_res_rest);
  }
  // Scores are resampled to the finest beat among their own meters, so that a beat may have the
  // finest resolution times any power of two up to the ratio of the denominators; less with odd
  // resolutions and meters of whole or half notes.
  std::vector<int> beats;
  for (int finest = 1; finest <= 64; finest *= 2) {
    const int quarter = std::max(1, resolution * finest / 4);
    for (int denominator = 1; denominator <= finest; denominator *= 2) {
      beats.push_back(std::max(1, quarter * 4 / denominator));
    }
  }
  for (const auto& [denominator, ticks] : tables_.tpb_by_denominator) {
    beats.push_back(ticks);
  }
  if (!config.use_time_signatures) {
    beats = {resolution, tables_.time_division};
  }
  if (keeps_ticks) {
    beats = {tables_.time_division};
  }
  std::sort(beats.begin(), beats.end());
  beats.erase(std::unique(beats.begin(), beats.end()), beats.end());
  for (int ticks : beats) {
    tables_.time_tables.emplace_back(tables_.durations, ticks);
    tables_.rest_tables.emplace_back(tables_.rests, ticks);
  }
}

void TokenTablesBuilder::SetValues() {
  const TokenizerConfig& config = tables_.config;
  for (int program : config.programs) {
    tables_.has_program[static_cast<size_t>(program + 1)] = true;
  }
  for (int program : config.use_note_duration_programs) {
    tables_.uses_durations[static_cast<size_t>(program + 1)] = true;
  }
  if (!config.use_tempos) {
    return;
  }
  const auto [first, last] = config.tempo_range;
  tables_.tempos =
      config.log_tempos ? Geomspace(first, last, config.num_tempos) : Linspace(first, last, config.num_tempos);
  for (double& tempo : tables_.tempos) {
    tempo = RoundToHundredths(tempo);
  }
  for (size_t i = 0; i < tables_.tempos.size(); ++i) {
    const double tempo = tables_.tempos[i];
    if (std::abs(tempo - 120) < std::abs(tables_.tempos[static_cast<size_t>(tables_.default_tempo)] - 120)) {
      tables_.default_tempo = static_cast<int>(i);
    }
    tables_.tempo_us.push_back(static_cast<int32_t>(std::round(60e6 / tempo)));
    // symusic keeps whole microseconds, so that MidiTok names the tempo that is left of the
    // token's after they were cut off. Where there is no such token, MidiTok fails; we keep ours.
    const double kept = PythonRoundToHundredths(60e6 / std::trunc(60e6 / tempo));
    const auto named = std::find(tables_.tempos.begin(), tables_.tempos.end(), kept);
    const size_t index = named == tables_.tempos.end() ? i : static_cast<size_t>(named - tables_.tempos.begin());
    tables_.tempo_steps.push_back({60e6 / tempo, index});
  }
  std::stable_sort(tables_.tempo_steps.begin(), tables_.tempo_steps.end(),
                   [](const auto& a, const auto& b) { return a.us_per_quarter < b.us_per_quarter; });
  tables_.default_tempo_us = tables_.tempo_us[static_cast<size_t>(tables_.default_tempo)];
}

void TokenTablesBuilder::AddPitches(std::string_view name, TokenType type, const std::array<int, 2>& range,
                                    std::array<TokenId, 128>& ids) {
  for (int pitch = range[0]; pitch <= LastPitch(range, tables_.config.release); ++pitch) {
    ids[static_cast<size_t>(pitch)] = Add(fmt::format("{}_{}", name, pitch), type, pitch);
  }
}

void TokenTablesBuilder::AddNotes() {
  const TokenizerConfig& config = tables_.config;
  const bool timed = !config.use_note_duration_programs.empty();
  if (tables_.note_on_off()) {
    AddPitches("NoteOn", TokenType::kPitch, config.pitch_range, tables_.pitch);
    if (timed) {
      AddPitches("NoteOff", TokenType::kNoteOff, config.pitch_range, tables_.note_off);
    }
  } else {
    AddPitches("Pitch", TokenType::kPitch, config.pitch_range, tables_.pitch);
  }
  if (config.use_velocities) {
    AddVelocities();
  }
  if ((!tables_.note_on_off() && timed) || config.sustain_pedal_duration) {
    AddDurations();
  }
}

void TokenTablesBuilder::AddVelocities() {
  std::vector<int> values;
  const std::vector<double> steps = Linspace(0, 127, tables_.config.num_velocities + 1);
  for (size_t i = 1; i < steps.size(); ++i) {
    values.push_back(static_cast<int>(std::floor(steps[i])));
  }
  std::vector<TokenId> ids;
  for (int value : values) {
    ids.push_back(Add(fmt::format("Velocity_{}", value), TokenType::kVelocity, value));
  }
  size_t nearest = 0;
  for (int velocity = 0; velocity < 256; ++velocity) {
    while (nearest + 1 < values.size() &&
           std::abs(values[nearest + 1] - velocity) <= std::abs(values[nearest] - velocity)) {
      ++nearest;
    }
    tables_.velocity[static_cast<size_t>(velocity)] = ids[nearest];
  }
}

void TokenTablesBuilder::AddDurations() {
  for (size_t i = 0; i < tables_.durations.size(); ++i) {
    tables_.duration.push_back(
        Add("Duration_" + TimeName(tables_.durations[i]), TokenType::kDuration, static_cast<int>(i)));
  }
}

void TokenTablesBuilder::AddTimeShifts() {
  for (size_t i = 0; i < tables_.durations.size(); ++i) {
    tables_.time_shift.push_back(
        Add("TimeShift_" + TimeName(tables_.durations[i]), TokenType::kTimeShift, static_cast<int>(i)));
  }
}

void TokenTablesBuilder::AddDrums() {
  const std::array<int, 2>& range = tables_.config.drums_pitch_range;
  const NoteEnd end = tables_.representation->note_end;
  AddPitches(end == NoteEnd::kNoteOff ? "DrumOn" : "PitchDrum",
             end == NoteEnd::kPattern ? TokenType::kDrumKey : TokenType::kPitchDrum, range, tables_.pitch_drum);
  if (end == NoteEnd::kNoteOff) {
    AddPitches("DrumOff", TokenType::kDrumOff, range, tables_.drum_off);
  }
}

void TokenTablesBuilder::AddPositions() {
  int beats = 4;
  if (tables_.config.use_time_signatures) {
    beats = 0;
    for (const Meter& meter : tables_.time_signatures) {
      beats = std::max(beats, meter.numerator);
    }
  }
  tables_.positions = beats * tables_.positions_per_beat;
  tables_.first_position = static_cast<TokenId>(tables_.tokens.size());
  for (int position = 0; position < tables_.positions; ++position) {
    Add(fmt::format("Position_{}", position), TokenType::kPosition, position);
  }
}

void TokenTablesBuilder::AddChords() {
  const TokenizerConfig& config = tables_.config;
  const auto add = [&](const std::string& rootless, const std::string& rooted) {
    std::array<TokenId, 12> ids{};
    for (int root = 0; root < 12; ++root) {
      ids[static_cast<size_t>(root)] =
          config.chord_tokens_with_root_note
              ? Add(fmt::format("Chord_{}:{}", kPitchClassNames[static_cast<size_t>(root)], rooted),
                    TokenType::kNoteChord, root)
              : Add("Chord_" + rootless, TokenType::kNoteChord, -1);
    }
    return ids;
  };
  for (const ChordMap& chord : config.chord_maps) {
    tables_.chord.push_back(add(chord.name, chord.name));
  }
  if (config.chord_unknown) {
    std::array<TokenId, 12> none{};
    none.fill(kNoToken);
    tables_.unknown_chord.assign(static_cast<size_t>(std::max((*config.chord_unknown)[1], 6)), none);
    for (int notes = (*config.chord_unknown)[0]; notes < (*config.chord_unknown)[1]; ++notes) {
      tables_.unknown_chord[static_cast<size_t>(notes)] = add(fmt::format("{}", notes), fmt::format("ukn{}", notes));
    }
  }
}

void TokenTablesBuilder::AddPrograms(std::string_view name, TokenType type, std::array<TokenId, 129>& ids) {
  std::vector<int> programs = PythonSetOrder(tables_.config.programs);
  if (tables_.representation->base != nullptr) {
    programs = PythonSetOrder(programs);  // MidiTok makes the tokenizer of the tracks from a copy
  }
  for (int program : programs) {
    ids[static_cast<size_t>(program + 1)] = Add(fmt::format("{}_{}", name, program), type, program);
  }
}

void TokenTablesBuilder::AddAdditional() {
  const TokenizerConfig& config = tables_.config;
  if (config.use_pitchdrum_tokens) {
    AddDrums();
  }
  if (config.use_chords) {
    AddChords();
  }
  for (size_t i = 0; i < tables_.rests.size(); ++i) {
    tables_.rest.push_back(Add("Rest_" + TimeName(tables_.rests[i]), TokenType::kRest, static_cast<int>(i)));
  }
  for (size_t i = 0; i < tables_.tempos.size(); ++i) {
    tables_.tempo.push_back(Add("Tempo_" + PythonRepr(tables_.tempos[i]), TokenType::kTempo, static_cast<int>(i)));
  }
  if (config.use_programs) {
    AddPrograms("Program", TokenType::kProgram, tables_.program);
  }
  for (size_t i = 0; i < tables_.time_signatures.size(); ++i) {
    const Meter& meter = tables_.time_signatures[i];
    tables_.time_signature.push_back(Add(fmt::format("TimeSig_{}/{}", meter.numerator, meter.denominator),
                                         TokenType::kTimeSig, static_cast<int>(i)));
  }
  if (config.use_sustain_pedals) {
    AddPedals();
  }
  if (config.use_pitch_bends) {
    const auto [first, last, count] = config.pitch_bend_range;
    for (double value : Linspace(first, last, count)) {
      const int bend = static_cast<int>(std::floor(value));
      tables_.pitch_bend_values.push_back(bend);
      tables_.pitch_bend.push_back(Add(fmt::format("PitchBend_{}", bend), TokenType::kPitchBend, bend));
    }
  }
  // Last, so that all other ids are those of the same configuration without chords.
  if (config.chords != ChordSource::kNone) {
    for (size_t i = 0; i < kChords; ++i) {
      tables_.harmony.push_back(Add("Chord_" + Chord::FromIndex(i).Text(), TokenType::kChord, static_cast<int>(i)));
    }
  }
  if (config.plan) {
    AddPlan();
  }
}

void TokenTablesBuilder::AddPlan() {
  const auto add = [this](std::string_view name, TokenType type, int count, std::vector<TokenId>& ids) {
    for (int value = 0; value < count; ++value) {
      ids.push_back(Add(fmt::format("{}_{}", name, value), type, value));
    }
  };
  const int levels = static_cast<int>(tables_.config.plan->density.size()) + 1;
  add("Repeat", TokenType::kRepeat, kLongestRepeat + 1, tables_.repeat);
  add("Density", TokenType::kDensity, levels, tables_.density);
  if (tables_.config.use_velocities) {
    add("Loudness", TokenType::kLoudness, levels, tables_.loudness);
  }
}

void TokenTablesBuilder::AddPedals() {
  const bool on_off = !tables_.config.sustain_pedal_duration;
  if (tables_.config.use_programs) {
    AddPrograms("Pedal", TokenType::kPedal, tables_.pedal);
    if (on_off) {
      AddPrograms("PedalOff", TokenType::kPedalOff, tables_.pedal_off);
    }
    return;
  }
  tables_.pedal.fill(Add("Pedal_0", TokenType::kPedal, 0));
  if (on_off) {
    tables_.pedal_off.fill(Add("PedalOff_0", TokenType::kPedalOff, 0));
  }
}

TimeTable::TimeTable(const std::vector<std::array<int, 3>>& values, int ticks_per_beat)
    : ticks_per_beat_(ticks_per_beat) {
  for (const auto& [beats, parts, resolution] : values) {
    const int64_t ticks = (static_cast<int64_t>(beats) * resolution + parts) * ticks_per_beat / resolution;
    ticks_.push_back(static_cast<int32_t>(ticks));
  }
  if (ticks_.empty()) {
    return;
  }
  const int32_t dense = std::min(kDenseTicks, max_ticks() + 1);
  for (int32_t i = 0; i < dense; ++i) {
    floor_.push_back(static_cast<uint16_t>(FloorSlow(std::max(i, min_ticks()))));
  }
  for (int32_t i = 0; i < dense; ++i) {
    size_t index = floor_[static_cast<size_t>(i)];
    if (index + 1 < ticks_.size() && ticks_[index + 1] - i <= i - ticks_[index] && ticks_[index] <= i) {
      index = FloorSlow(ticks_[index + 1]);
    }
    nearest_.push_back(static_cast<uint16_t>(index));
  }
  if (max_ticks() <= kReachTicks) {
    reaches_.assign(static_cast<size_t>(max_ticks()) * 2 + 1, 0);
    reaches_[0] = 1;
    for (size_t sum = 1; sum < reaches_.size(); ++sum) {
      for (int32_t step : ticks_) {
        if (static_cast<size_t>(step) <= sum && reaches_[sum - static_cast<size_t>(step)] != 0) {
          reaches_[sum] = 1;
          break;
        }
      }
    }
    reaches_all_ = std::all_of(reaches_.begin() + std::max(1, min_ticks()), reaches_.end(),
                               [](uint8_t reached) { return reached != 0; });
  }
}

bool TokenTables::note_on_off() const {
  return representation->note_end == NoteEnd::kNoteOff;
}

bool TimeTable::Reaches(int32_t ticks) const {
  if (reaches_.empty()) {
    return ticks == 0 || ticks >= min_ticks();
  }
  // Longest tokens first, down to where the table knows.
  if (static_cast<size_t>(ticks) >= reaches_.size()) {
    ticks = max_ticks() + ticks % max_ticks();
  }
  return reaches_[static_cast<size_t>(ticks)] != 0;
}

size_t TimeTable::FloorSlow(int32_t ticks) const {
  return static_cast<size_t>(std::upper_bound(ticks_.begin(), ticks_.end(), ticks) - ticks_.begin()) - 1;
}

size_t TimeTable::Floor(int32_t ticks) const {
  return static_cast<size_t>(ticks) < floor_.size() ? floor_[static_cast<size_t>(ticks)] : FloorSlow(ticks);
}

size_t TimeTable::Nearest(int32_t ticks) const {
  if (static_cast<size_t>(ticks) < nearest_.size()) {
    return nearest_[static_cast<size_t>(ticks)];
  }
  if (ticks <= min_ticks()) {
    return FloorSlow(min_ticks());
  }
  size_t index = FloorSlow(ticks);
  if (index + 1 < ticks_.size() && ticks_[index + 1] - ticks <= ticks - ticks_[index]) {
    index = FloorSlow(ticks_[index + 1]);
  }
  return index;
}

const TimeTable& TokenTables::Table(const std::vector<TimeTable>& tables, int ticks_per_beat) {
  for (const TimeTable& table : tables) {
    if (table.ticks_per_beat() >= ticks_per_beat) {
      return table;
    }
  }
  return tables.back();
}

int TokenTables::DecodedTicksPerBeat(int denominator) const {
  for (const auto& [candidate, ticks] : tpb_by_denominator) {
    if (candidate == denominator) {
      return ticks;
    }
  }
  return positions_per_beat;
}

size_t TokenTables::NearestTempo(int32_t us_per_quarter) const {
  const double wanted = us_per_quarter;
  const auto above = std::lower_bound(tempo_steps.begin(), tempo_steps.end(), wanted,
                                      [](const TempoStep& step, double value) { return step.us_per_quarter < value; });
  if (above == tempo_steps.begin()) {
    return above->index;
  }
  const auto below = above - 1;
  const bool take_below = above == tempo_steps.end() || wanted - below->us_per_quarter < above->us_per_quarter - wanted;
  return take_below ? below->index : above->index;
}

size_t TokenTables::NearestPitchBend(int32_t value) const {
  const auto above = std::lower_bound(pitch_bend_values.begin(), pitch_bend_values.end(), value);
  const size_t index = static_cast<size_t>(above - pitch_bend_values.begin());
  if (index == 0) {
    return 0;
  }
  const bool take_below = above == pitch_bend_values.end() || value - pitch_bend_values[index - 1] < *above - value;
  return take_below ? index - 1 : index;
}

TokenId TokenTables::SpecialToken(std::string_view name) const {
  const IdRange& special = range(TokenType::kSpecial);
  for (TokenId id = special.first; id < special.end(); ++id) {
    if (tokens[static_cast<size_t>(id)] == name) {
      return id;
    }
  }
  return kNoToken;
}

int TokenTables::FindTimeSignature(int numerator, int denominator) const {
  for (size_t i = 0; i < time_signatures.size(); ++i) {
    if (time_signatures[i] == Meter{numerator, denominator}) {
      return static_cast<int>(i);
    }
  }
  return -1;
}

Result<TokenTables> BuildTokenTables(const TokenizerConfig& config) {
  return TokenTablesBuilder(config).Build();
}

}  // namespace continuo
