#include "continuo/token/tokenizer_config.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

#include "continuo/token/representation.h"

namespace continuo {

namespace {

constexpr int kMaxResolution = 1 << 10;
constexpr size_t kMaxTimeTokens = 1 << 16;
constexpr double kMaxLevel = 1e6;

std::vector<int> AllPrograms() {
  std::vector<int> programs(129);
  std::iota(programs.begin(), programs.end(), -1);
  return programs;
}

// MidiTok 3.0.4 and 3.1.0, constants.py: CHORD_MAPS.
const std::vector<ChordMap>& DefaultChords() {
  static const std::vector<ChordMap> chords{
      {"min", {0, 3, 7}},          {"maj", {0, 4, 7}},          {"dim", {0, 3, 6}},      {"aug", {0, 4, 8}},
      {"sus2", {0, 2, 7}},         {"sus4", {0, 5, 7}},         {"7dom", {0, 4, 7, 10}}, {"7min", {0, 3, 7, 10}},
      {"7maj", {0, 4, 7, 11}},     {"7halfdim", {0, 3, 6, 10}}, {"7dim", {0, 3, 6, 9}},  {"7aug", {0, 4, 8, 11}},
      {"9maj", {0, 4, 7, 10, 14}}, {"9min", {0, 4, 7, 10, 13}},
  };
  return chords;
}

/// Ranges that may overlap are of a representation that takes the times of all of them.
Status CheckBeatRanges(const std::vector<BeatRange>& ranges, std::string_view key, bool may_overlap = false) {
  if (ranges.empty()) {
    return MakeError("{} is empty, expected at least one range of beats", key);
  }
  int beat = 0;
  size_t tokens = 0;
  for (const BeatRange& range : ranges) {
    if (range.first < (may_overlap ? 0 : beat) || range.last <= range.first || range.last > kMaxBeat) {
      return MakeError("{}: beats {}_{} are not expected after beat {} (ranges must rise, up to {})", key, range.first,
                       range.last, beat, kMaxBeat);
    }
    if (range.resolution < 1 || range.resolution > kMaxResolution) {
      return MakeError("{}: resolution {} of beats {}_{}, expected 1 to {}", key, range.resolution, range.first,
                       range.last, kMaxResolution);
    }
    beat = range.last;
    tokens += static_cast<size_t>(range.last - range.first) * static_cast<size_t>(range.resolution);
  }
  if (tokens > kMaxTimeTokens) {
    return MakeError("{} makes {} tokens, expected at most {}", key, tokens, kMaxTimeTokens);
  }
  return {};
}

Status CheckPrograms(const std::vector<int>& programs, std::string_view key) {
  for (int program : programs) {
    if (program < -1 || program > 127) {
      return MakeError("{} has {}, expected -1 (drums) to 127", key, program);
    }
  }
  return {};
}

Status CheckPitchRange(const std::array<int, 2>& range, std::string_view key) {
  if (range[0] < 0 || range[1] <= range[0] || range[1] > 127) {
    return MakeError("{} is [{}, {}], expected two rising values in 0 to 127", key, range[0], range[1]);
  }
  return {};
}

int MaxResolution(const std::vector<BeatRange>& ranges) {
  int result = 0;
  for (const BeatRange& range : ranges) {
    result = std::max(result, range.resolution);
  }
  return result;
}

Status CheckTimeSignatures(const TokenizerConfig& config) {
  bool has_quarter = false;
  size_t count = 0;
  std::set<int> denominators;
  for (const MeterRange& meter : config.time_signature_range) {
    const int denominator = meter.denominator;
    if (denominator < 1 || denominator > 64 || (denominator & (denominator - 1)) != 0) {
      return MakeError("time_signature_range has denominator {}, expected a power of 2 up to 64", denominator);
    }
    if (!denominators.insert(denominator).second) {
      return MakeError("time_signature_range has denominator {} twice", denominator);
    }
    has_quarter = has_quarter || denominator == 4;
    for (int numerator : meter.numerators) {
      if (numerator < 1 || numerator > 255) {
        return MakeError("time_signature_range has numerator {}, expected 1 to 255", numerator);
      }
    }
    count += meter.numerators.size();
  }
  if (!has_quarter) {
    return MakeError("time_signature_range has no denominator 4, which sets the unit of time");
  }
  if (config.use_time_signatures && count == 0) {
    return MakeError("time_signature_range has no time signature");
  }
  return {};
}

Status CheckChords(const TokenizerConfig& config) {
  std::set<std::string> names;
  for (const ChordMap& chord : config.chord_maps) {
    if (chord.name.empty() || chord.name.find_first_of("_\n") != std::string::npos) {
      return MakeError("chord_maps has the name '{}', expected one without '_' and line breaks", chord.name);
    }
    if (!names.insert(chord.name).second) {
      return MakeError("chord_maps has the name '{}' twice", chord.name);
    }
  }
  if (config.chord_unknown) {
    const auto [first, last] = *config.chord_unknown;
    if (first < 0 || last < first || last > 128) {
      return MakeError("chord_unknown is [{}, {}], expected two rising values in 0 to 128", first, last);
    }
  }
  return {};
}

Status CheckPlan(const TokenizerConfig& config) {
  if (config.chords == ChordSource::kNone || config.use_rests) {
    return MakeError("plan is for REMI with chords and without use_rests");
  }
  for (const auto& [name, levels] :
       {std::pair("density", &config.plan->density), std::pair("loudness", &config.plan->loudness)}) {
    double before = 0;
    for (const double level : *levels) {
      if (!(level > before && level <= kMaxLevel)) {  // also catches NaN
        return MakeError("plan.{} has {} after {}, expected seven rising numbers above 0 and up to {}", name, level,
                         before, kMaxLevel);
      }
      before = level;
    }
  }
  return {};
}

Status CheckSpecialTokens(const std::vector<std::string>& tokens) {
  for (const std::string& token : tokens) {
    if (token.find('\n') != std::string::npos || token.size() > 256) {
      return MakeError("special_tokens has '{}', expected one short line", token.substr(0, 256));
    }
  }
  return {};
}

// "NAME" becomes "NAME_None", "A_B_C" becomes "A-B_C"; repeats go; PAD is there in any case.
std::vector<std::string> FormatSpecialTokens(const std::vector<std::string>& tokens) {
  std::vector<std::string> result;
  auto add = [&result](std::string token) {
    const size_t last = token.rfind('_');
    if (last == std::string::npos) {
      token += "_None";
    } else {
      std::replace(token.begin(), token.begin() + static_cast<std::ptrdiff_t>(last), '_', '-');
    }
    if (std::find(result.begin(), result.end(), token) == result.end()) {
      result.push_back(std::move(token));
    }
  };
  for (const std::string& token : tokens) {
    add(token);
  }
  add("PAD_None");
  return result;
}

}  // namespace

Result<MidiTokRelease> ParseMidiTokRelease(std::string_view text) {
  if (text == "3.0.4") {
    return MidiTokRelease::k3_0_4;
  }
  if (text == "3.1.0") {
    return MidiTokRelease::k3_1_0;
  }
  return MakeError("MidiTok release '{}' is not known, expected 3.0.4 or 3.1.0", text);
}

std::string_view ToString(MidiTokRelease release) {
  return release == MidiTokRelease::k3_0_4 ? "3.0.4" : "3.1.0";
}

Result<ChordSource> ParseChordSource(std::string_view text) {
  for (ChordSource source : {ChordSource::kAuto, ChordSource::kMarkers, ChordSource::kRecognised}) {
    if (text == ToString(source)) {
      return source;
    }
  }
  return MakeError("chords is '{}', expected auto, markers or recognised", text);
}

std::string_view ToString(ChordSource source) {
  switch (source) {
    case ChordSource::kNone:
      return "none";
    case ChordSource::kAuto:
      return "auto";
    case ChordSource::kMarkers:
      return "markers";
    case ChordSource::kRecognised:
      return "recognised";
  }
  return "";
}

std::string_view RepresentationName(const TokenizerConfig& config) {
  if (config.plan) {
    return "REMIPlan";
  }
  return config.chords != ChordSource::kNone ? "REMIChord" : RepresentationOf(config).name;
}

TokenizerConfig DefaultConfig(TokenizationKind kind, MidiTokRelease release) {
  TokenizerConfig config;
  config.kind = kind;
  config.release = release;
  config.use_time_signatures = release != MidiTokRelease::k3_0_4;
  config.use_note_duration_programs = AllPrograms();
  config.programs = AllPrograms();
  config.chord_maps = DefaultChords();
  return config;
}

std::vector<std::string> PresetNames() {
  std::vector<std::string> names{"remi", "remiplus", "midilike", "hw_remi", "hw_remiplus", "hw_midilike"};
  for (const Representation& representation : Representations()) {
    names.push_back(std::string(representation.preset) + "_default");
  }
  names.insert(names.end(), {"remi_programs", "remi_all", "midilike_all", "tsd_all", "remichord", "remiplan"});
  return names;
}

namespace {

std::optional<TokenizerConfig> DefaultPreset(std::string_view name, MidiTokRelease release) {
  for (const Representation& representation : Representations()) {
    if (name == std::string(representation.preset) + "_default" &&
        !(representation.only_3_1_0 && release == MidiTokRelease::k3_0_4)) {
      return DefaultConfig(representation.kind, release);
    }
  }
  return std::nullopt;
}

}  // namespace

std::optional<TokenizerConfig> PresetConfig(std::string_view name, MidiTokRelease release) {
  const std::vector<std::string> names = PresetNames();
  if (std::find(names.begin(), names.end(), name) == names.end() || name.ends_with("_default")) {
    return DefaultPreset(name, release);
  }
  const auto contains = [name](std::string_view part) { return name.find(part) != std::string_view::npos; };
  const TokenizationKind kind = contains("midilike") ? TokenizationKind::kMidiLike
                                : contains("tsd")    ? TokenizationKind::kTsd
                                                     : TokenizationKind::kRemi;
  TokenizerConfig config = DefaultConfig(kind, release);
  config.use_tempos = true;
  config.use_time_signatures = contains("remiplus") || contains("_programs") || contains("_all");
  config.use_chords = config.use_time_signatures || contains("hw_");
  if (name == "remichord" || name == "remiplan") {
    config.chords = ChordSource::kAuto;
  }
  if (name == "remiplan") {
    config.use_time_signatures = true;
    config.plan = PlanLevels{};
  }
  if (contains("hw_")) {
    config.num_velocities = 16;
    if (kind == TokenizationKind::kMidiLike) {
      config.max_duration = {4, 480, 120};
    }
  }
  if (contains("_programs") || contains("_all")) {
    config.use_programs = true;
  }
  if (contains("_all")) {
    config.use_rests = true;
    config.use_sustain_pedals = true;
    config.use_pitch_bends = true;
  }
  return config;
}

Result<TokenizerConfig> NormalizeConfig(TokenizerConfig config) {
  CONTINUO_TRY(CheckPitchRange(config.pitch_range, "pitch_range"));
  CONTINUO_TRY(CheckPitchRange(config.drums_pitch_range, "drums_pitch_range"));
  const Representation& representation = RepresentationOf(config);
  CONTINUO_TRY(CheckBeatRanges(config.beat_res, "beat_res", representation.keeps_ticks));
  CONTINUO_TRY(CheckBeatRanges(config.beat_res_rest, "beat_res_rest"));
  CONTINUO_TRY(CheckPrograms(config.programs, "programs"));
  CONTINUO_TRY(CheckPrograms(config.use_note_duration_programs, "use_note_duration_programs"));
  CONTINUO_TRY(CheckTimeSignatures(config));
  CONTINUO_TRY(CheckChords(config));
  CONTINUO_TRY(CheckSpecialTokens(config.special_tokens));
  if (representation.only_3_1_0 && config.release == MidiTokRelease::k3_0_4) {
    return MakeError("{} is that of MidiTok 3.1.0, and release 3.0.4 is not supported for it", representation.name);
  }
  if (representation.adapt != nullptr) {
    CONTINUO_TRY(representation.adapt(config));
  }
  if (config.chords != ChordSource::kNone && (config.kind != TokenizationKind::kRemi || config.use_chords)) {
    return MakeError("chords is {}, which is for REMI without use_chords", ToString(config.chords));
  }
  if (config.plan) {
    CONTINUO_TRY(CheckPlan(config));
  }
  if (config.num_velocities < 1 || config.num_velocities > 127) {
    return MakeError("num_velocities is {}, expected 1 to 127", config.num_velocities);
  }
  if (config.num_tempos < 1 || config.num_tempos > 4096) {
    return MakeError("num_tempos is {}, expected 1 to 4096", config.num_tempos);
  }
  for (double tempo : config.tempo_range) {
    if (!(tempo >= 1 && tempo <= 10000)) {  // also catches NaN
      return MakeError("tempo_range has {}, expected 1 to 10000 quarter notes per minute", tempo);
    }
  }
  const auto [bend_first, bend_last, bend_count] = config.pitch_bend_range;
  if (bend_first < -8192 || bend_last > 8191 || bend_first > bend_last || bend_count < 1 || bend_count > 16384) {
    return MakeError("pitch_bend_range is [{}, {}, {}], expected rising ends in -8192 to 8191 and 1 to 16384 steps",
                     bend_first, bend_last, bend_count);
  }
  if (!(config.default_note_duration > 0 && config.default_note_duration <= kMaxBeat)) {
    return MakeError("default_note_duration is {}, expected more than 0 and at most {} beats",
                     config.default_note_duration, kMaxBeat);
  }
  if (config.max_duration) {
    const auto [beats, parts, resolution] = *config.max_duration;
    if (beats < 0 || beats > kMaxBeat || parts < 0 || parts > (1 << 20) || resolution < 1 || resolution > (1 << 20) ||
        beats + parts == 0) {
      return MakeError("max_duration is [{}, {}, {}], expected beats up to {}, parts, and at least 1 part a beat",
                       beats, parts, resolution, kMaxBeat);
    }
  }

  config.special_tokens = FormatSpecialTokens(config.special_tokens);
  config.one_token_stream_for_programs = config.one_token_stream_for_programs && config.use_programs;
  config.program_changes = config.program_changes && config.use_programs;
  config.sustain_pedal_duration = config.sustain_pedal_duration && config.use_sustain_pedals;
  config.add_trailing_bars = config.add_trailing_bars && config.release != MidiTokRelease::k3_0_4;  // new in 3.1.0
  // A rest is measured from the end of the note before, so that every note needs a duration.
  const std::set<int> timed(config.use_note_duration_programs.begin(), config.use_note_duration_programs.end());
  if (config.use_rests && timed.size() < 129) {
    const bool all_timed = std::all_of(config.programs.begin(), config.programs.end(),
                                       [&timed](int program) { return timed.count(program) > 0; });
    if (!config.use_programs || !all_timed) {
      config.use_rests = false;
    }
  }
  if (config.use_rests && MaxResolution(config.beat_res_rest) > MaxResolution(config.beat_res)) {
    return MakeError("beat_res_rest has resolution {}, expected at most that of beat_res, {}",
                     MaxResolution(config.beat_res_rest), MaxResolution(config.beat_res));
  }
  return config;
}

}  // namespace continuo
