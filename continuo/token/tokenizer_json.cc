#include "continuo/token/tokenizer_json.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <functional>
#include <nlohmann/json.hpp>

#include "continuo/token/python_compat.h"
#include "continuo/token/representation.h"

namespace continuo {

namespace {

using Json = nlohmann::ordered_json;

constexpr int kMaxDepth = 16;

// Keys of MidiTok's configuration that we do not do, and the only value each may have.
struct FixedKey {
  const char* name;
  const char* value;
};

constexpr FixedKey kFixedKeys[] = {
    {"use_pitch_intervals", "false"},    {"use_key_signatures", "false"},  {"use_control_changes", "false"},
    {"ac_polyphony_track", "false"},     {"ac_polyphony_bar", "false"},    {"ac_pitch_class_bar", "false"},
    {"ac_note_density_track", "false"},  {"ac_note_density_bar", "false"}, {"ac_note_duration_bar", "false"},
    {"ac_note_duration_track", "false"}, {"ac_repetition_track", "false"},
};

// Keys that say how one of the above would be done; they have no effect while it is off.
constexpr FixedKey kIdleKeys[] = {
    {"max_pitch_interval", "16"},
    {"pitch_intervals_max_time_dist", "1"},
    {"control_change_numbers",
     "[0,1,2,4,5,6,7,8,10,11,32,33,34,36,37,38,39,40,42,43,64,65,66,67,68,69,70,71,72,73,74,75,76,77,78,84,88,91,92,"
     "93,94,95,96,97,100,101,120,121,122,123,124,125,126,127]"},
    {"control_change_n_bins", "32"},
    {"ac_polyphony_min", "1"},
    {"ac_polyphony_max", "6"},
    {"ac_note_density_track_min", "0"},
    {"ac_note_density_track_max", "18"},
    {"ac_note_density_bar_max", "18"},
    {"ac_repetition_track_num_bins", "10"},
    {"ac_repetition_track_num_consec_bars", "4"},
};

Result<bool> AsBool(const Json& value, const std::string& key) {
  if (!value.is_boolean()) {
    return MakeError("{} is {}, expected true or false", key, value.dump());
  }
  return value.get<bool>();
}

Result<int> AsInt(const Json& value, const std::string& key) {
  if (!value.is_number_integer() || value.get<int64_t>() < -(1 << 24) || value.get<int64_t>() > (1 << 24) ||
      (value.is_number_unsigned() && value.get<uint64_t>() > (1 << 24))) {
    return MakeError("{} is {}, expected a whole number", key, value.dump());
  }
  return static_cast<int>(value.get<int64_t>());
}

Result<double> AsNumber(const Json& value, const std::string& key) {
  if (!value.is_number() || !std::isfinite(value.get<double>())) {
    return MakeError("{} is {}, expected a number", key, value.dump());
  }
  return value.get<double>();
}

Result<std::string> AsString(const Json& value, const std::string& key) {
  if (!value.is_string()) {
    return MakeError("{} is {}, expected text", key, value.dump());
  }
  return value.get<std::string>();
}

Result<std::vector<int>> AsInts(const Json& value, const std::string& key) {
  if (!value.is_array()) {
    return MakeError("{} is {}, expected a list of whole numbers", key, value.type_name());
  }
  std::vector<int> result;
  for (const Json& item : value) {
    CONTINUO_ASSIGN(const int number, AsInt(item, key));
    result.push_back(number);
  }
  return result;
}

template <size_t N>
Result<std::array<int, N>> AsIntArray(const Json& value, const std::string& key) {
  CONTINUO_ASSIGN(const std::vector<int> items, AsInts(value, key));
  if (items.size() != N) {
    return MakeError("{} has {} values, expected {}", key, items.size(), N);
  }
  std::array<int, N> result;
  std::copy(items.begin(), items.end(), result.begin());
  return result;
}

Result<int> ParseInt(std::string_view text, const std::string& key) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) {
    return MakeError("{} has the key '{}', expected whole numbers", key, text);
  }
  return value;
}

Status CheckObject(const Json& value, const std::string& key) {
  if (!value.is_object()) {
    return MakeError("{} is {}, expected an object", key, value.type_name());
  }
  return {};
}

Result<std::vector<BeatRange>> AsBeatRanges(const Json& value, const std::string& key) {
  CONTINUO_TRY(CheckObject(value, key));
  std::vector<BeatRange> ranges;
  for (const auto& [name, resolution] : value.items()) {
    const size_t middle = name.find('_');
    if (middle == std::string::npos) {
      return MakeError("{} has the key '{}', expected FIRST_LAST", key, name);
    }
    BeatRange range;
    CONTINUO_ASSIGN(range.first, ParseInt(std::string_view(name).substr(0, middle), key));
    CONTINUO_ASSIGN(range.last, ParseInt(std::string_view(name).substr(middle + 1), key));
    CONTINUO_ASSIGN(range.resolution, AsInt(resolution, key));
    ranges.push_back(range);
  }
  return ranges;
}

Result<std::vector<MeterRange>> AsMeterRanges(const Json& value, const std::string& key) {
  CONTINUO_TRY(CheckObject(value, key));
  std::vector<MeterRange> ranges;
  for (const auto& [name, numerators] : value.items()) {
    MeterRange range;
    CONTINUO_ASSIGN(range.denominator, ParseInt(name, key));
    CONTINUO_ASSIGN(range.numerators, AsInts(numerators, key));
    ranges.push_back(std::move(range));
  }
  return ranges;
}

Result<std::vector<ChordMap>> AsChords(const Json& value, const std::string& key) {
  CONTINUO_TRY(CheckObject(value, key));
  std::vector<ChordMap> chords;
  for (const auto& [name, intervals] : value.items()) {
    ChordMap chord{name, {}};
    CONTINUO_ASSIGN(chord.intervals, AsInts(intervals, key));
    chords.push_back(std::move(chord));
  }
  return chords;
}

Result<std::vector<std::string>> AsStrings(const Json& value, const std::string& key) {
  if (!value.is_array()) {
    return MakeError("{} is {}, expected a list of texts", key, value.type_name());
  }
  std::vector<std::string> result;
  for (const Json& item : value) {
    CONTINUO_ASSIGN(std::string text, AsString(item, key));
    result.push_back(std::move(text));
  }
  return result;
}

// max_duration is [beats, parts, resolution] or "beats.parts.resolution".
Result<std::array<int, 3>> AsDuration(const Json& value, const std::string& key) {
  if (!value.is_string()) {
    return AsIntArray<3>(value, key);
  }
  const std::string text = value.get<std::string>();
  const size_t first = text.find('.');
  const size_t second = text.find('.', first == std::string::npos ? first : first + 1);
  if (second == std::string::npos) {
    return MakeError("{} is '{}', expected BEATS.PARTS.RESOLUTION", key, text);
  }
  std::array<int, 3> result{};
  CONTINUO_ASSIGN(result[0], ParseInt(std::string_view(text).substr(0, first), key));
  CONTINUO_ASSIGN(result[1], ParseInt(std::string_view(text).substr(first + 1, second - first - 1), key));
  CONTINUO_ASSIGN(result[2], ParseInt(std::string_view(text).substr(second + 1), key));
  return result;
}

Status ReadAdditional(const Json& params, TokenizerConfig& config) {
  CONTINUO_TRY(CheckObject(params, "additional_params"));
  for (const auto& [key, value] : params.items()) {
    const std::string name = "additional_params." + key;
    if (key == "max_bar_embedding") {
      if (!value.is_null()) {
        return MakeError("{} is {}; numbered bars are not supported, expected null", name, value.dump());
      }
    } else if (key == "use_bar_end_tokens") {
      CONTINUO_ASSIGN(config.use_bar_end_tokens, AsBool(value, name));
    } else if (key == "add_trailing_bars") {
      CONTINUO_ASSIGN(config.add_trailing_bars, AsBool(value, name));
    } else if (key == "max_duration") {
      if (!value.is_null()) {
        CONTINUO_ASSIGN(config.max_duration, AsDuration(value, name));
      }
    } else if (key == "base_tokenizer" && RepresentationOf(config).base != nullptr) {
      // It has named the representation.
    } else if (config.kind == TokenizationKind::kPerTok && key == "ticks_per_quarter") {
      CONTINUO_ASSIGN(config.pertok.ticks_per_quarter, AsInt(value, name));
    } else if (config.kind == TokenizationKind::kPerTok && key == "use_microtiming") {
      CONTINUO_ASSIGN(config.pertok.use_microtiming, AsBool(value, name));
    } else if (config.kind == TokenizationKind::kPerTok && key == "max_microtiming_shift") {
      CONTINUO_ASSIGN(config.pertok.max_microtiming_shift, AsNumber(value, name));
    } else if (config.kind == TokenizationKind::kPerTok && key == "num_microtiming_bins") {
      CONTINUO_ASSIGN(config.pertok.num_microtiming_bins, AsInt(value, name));
    } else if (config.kind == TokenizationKind::kPerTok && key == "use_position_toks") {
      CONTINUO_ASSIGN(config.pertok.use_position_toks, AsBool(value, name));
    } else {
      return MakeError("{} is not supported", name);
    }
  }
  return {};
}

// One key of the configuration.
Status ReadKey(const std::string& key, const Json& value, TokenizerConfig& config) {
  if (key == "pitch_range") {
    CONTINUO_ASSIGN(config.pitch_range, AsIntArray<2>(value, key));
  } else if (key == "beat_res") {
    CONTINUO_ASSIGN(config.beat_res, AsBeatRanges(value, key));
  } else if (key == "num_velocities") {
    CONTINUO_ASSIGN(config.num_velocities, AsInt(value, key));
  } else if (key == "remove_duplicated_notes") {
    CONTINUO_ASSIGN(config.remove_duplicated_notes, AsBool(value, key));
  } else if (key == "encode_ids_split") {
    CONTINUO_ASSIGN(config.encode_ids_split, AsString(value, key));
  } else if (key == "special_tokens") {
    CONTINUO_ASSIGN(config.special_tokens, AsStrings(value, key));
  } else if (key == "use_velocities") {
    CONTINUO_ASSIGN(config.use_velocities, AsBool(value, key));
  } else if (key == "use_note_duration_programs") {
    CONTINUO_ASSIGN(config.use_note_duration_programs, AsInts(value, key));
  } else if (key == "use_chords") {
    CONTINUO_ASSIGN(config.use_chords, AsBool(value, key));
  } else if (key == "use_rests") {
    CONTINUO_ASSIGN(config.use_rests, AsBool(value, key));
  } else if (key == "use_tempos") {
    CONTINUO_ASSIGN(config.use_tempos, AsBool(value, key));
  } else if (key == "use_time_signatures") {
    CONTINUO_ASSIGN(config.use_time_signatures, AsBool(value, key));
  } else if (key == "use_sustain_pedals") {
    CONTINUO_ASSIGN(config.use_sustain_pedals, AsBool(value, key));
  } else if (key == "use_pitch_bends") {
    CONTINUO_ASSIGN(config.use_pitch_bends, AsBool(value, key));
  } else if (key == "use_programs") {
    CONTINUO_ASSIGN(config.use_programs, AsBool(value, key));
  } else if (key == "use_pitchdrum_tokens") {
    CONTINUO_ASSIGN(config.use_pitchdrum_tokens, AsBool(value, key));
  } else if (key == "default_note_duration") {
    CONTINUO_ASSIGN(config.default_note_duration, AsNumber(value, key));
  } else if (key == "programs") {
    CONTINUO_ASSIGN(config.programs, AsInts(value, key));
  } else if (key == "one_token_stream_for_programs") {
    CONTINUO_ASSIGN(config.one_token_stream_for_programs, AsBool(value, key));
  } else if (key == "program_changes") {
    CONTINUO_ASSIGN(config.program_changes, AsBool(value, key));
  } else if (key == "beat_res_rest") {
    CONTINUO_ASSIGN(config.beat_res_rest, AsBeatRanges(value, key));
  } else if (key == "chord_maps") {
    CONTINUO_ASSIGN(config.chord_maps, AsChords(value, key));
  } else if (key == "chord_tokens_with_root_note") {
    CONTINUO_ASSIGN(config.chord_tokens_with_root_note, AsBool(value, key));
  } else if (key == "chord_unknown") {
    config.chord_unknown.reset();
    if (!value.is_null()) {
      CONTINUO_ASSIGN(config.chord_unknown, AsIntArray<2>(value, key));
    }
  } else if (key == "num_tempos") {
    CONTINUO_ASSIGN(config.num_tempos, AsInt(value, key));
  } else if (key == "tempo_range") {
    if (!value.is_array() || value.size() != 2) {
      return MakeError("tempo_range is {}, expected two numbers", value.type_name());
    }
    CONTINUO_ASSIGN(config.tempo_range[0], AsNumber(value[0], key));
    CONTINUO_ASSIGN(config.tempo_range[1], AsNumber(value[1], key));
  } else if (key == "log_tempos") {
    CONTINUO_ASSIGN(config.log_tempos, AsBool(value, key));
  } else if (key == "delete_equal_successive_tempo_changes") {
    CONTINUO_ASSIGN(config.delete_equal_successive_tempo_changes, AsBool(value, key));
  } else if (key == "time_signature_range") {
    CONTINUO_ASSIGN(config.time_signature_range, AsMeterRanges(value, key));
  } else if (key == "delete_equal_successive_time_sig_changes") {
    CONTINUO_ASSIGN(config.delete_equal_successive_time_sig_changes, AsBool(value, key));
  } else if (key == "sustain_pedal_duration") {
    CONTINUO_ASSIGN(config.sustain_pedal_duration, AsBool(value, key));
  } else if (key == "pitch_bend_range") {
    CONTINUO_ASSIGN(config.pitch_bend_range, AsIntArray<3>(value, key));
  } else if (key == "drums_pitch_range") {
    CONTINUO_ASSIGN(config.drums_pitch_range, AsIntArray<2>(value, key));
  } else if (key == "additional_params") {
    return ReadAdditional(value, config);
  } else if (key == "miditok_version" || key == "symusic_version" || key == "hf_tokenizers_version") {
    return {};
  } else {
    for (const FixedKey& fixed : kFixedKeys) {
      if (key == fixed.name) {
        if (value != Json::parse(fixed.value)) {
          return MakeError("{} is {}; it is not supported, expected {}", key, value.dump(), fixed.value);
        }
        return {};
      }
    }
    for (const FixedKey& idle : kIdleKeys) {
      if (key == idle.name) {
        return {};
      }
    }
    return MakeError("{} is not supported", key);
  }
  return {};
}

// The release that a file names, or `fallback`.
Result<MidiTokRelease> ReleaseOf(const Json& file, MidiTokRelease fallback) {
  if (const auto own = file.find("miditok"); own != file.end()) {
    CONTINUO_ASSIGN(const std::string text, AsString(*own, "miditok"));
    return ParseMidiTokRelease(text);
  }
  if (const auto version = file.find("miditok_version"); version != file.end() && version->is_string()) {
    const Result<MidiTokRelease> release = ParseMidiTokRelease(version->get<std::string>());
    return release.ok() ? *release : fallback;
  }
  return fallback;
}

constexpr std::string_view kRemiChord = "REMIChord";
constexpr std::string_view kRemiPlan = "REMIPlan";

std::string KindNames() {
  std::string names;
  for (const Representation& representation : Representations()) {
    const std::string name = fmt::format("{}, ", representation.name);
    names += names.ends_with(name) ? "" : name;
  }
  return names + fmt::format("{} or {}", kRemiChord, kRemiPlan);
}

/// The representation of MMM whose tracks are what additional_params.base_tokenizer names.
Result<TokenizationKind> MmmKind(const Json& file) {
  static const Json none;
  const Json* at = &file;
  for (const char* key : {"config", "additional_params", "base_tokenizer"}) {
    const auto found = at->find(key);
    at = found == at->end() ? &none : &*found;
  }
  const Json& base = *at;
  std::string names;
  for (const Representation& representation : Representations()) {
    if (representation.base != nullptr) {
      if (base == representation.base->name) {
        return representation.kind;
      }
      names += fmt::format("{}{}", names.empty() ? "" : ", ", representation.base->name);
    }
  }
  return MakeError("additional_params.base_tokenizer of MMM is {}, expected one of {}", base.dump(), names);
}

/// The default configuration of the representation that the file names.
Result<TokenizerConfig> DefaultOf(const Json& file, MidiTokRelease release) {
  const auto tokenization = file.find("tokenization");
  if (tokenization == file.end()) {
    return MakeError("there is no key tokenization, expected {}", KindNames());
  }
  if (*tokenization == kRemiChord || *tokenization == kRemiPlan) {
    return DefaultConfig(TokenizationKind::kRemi, release);
  }
  if (*tokenization == "MMM") {
    CONTINUO_ASSIGN(const TokenizationKind kind, MmmKind(file));
    return DefaultConfig(kind, release);
  }
  for (const Representation& representation : Representations()) {
    if (*tokenization == representation.name) {
      return DefaultConfig(representation.kind, release);
    }
  }
  for (const std::string_view name : {"CPWord", "Octuple", "MuMIDI"}) {
    if (*tokenization == name) {
      return MakeError(
          "tokenization {} is not supported: it writes several ids at each step, where a model here writes one; "
          "expected {}",
          name, KindNames());
    }
  }
  return MakeError("tokenization {} is not supported, expected {}", tokenization->dump(), KindNames());
}

/// Seven numbers of `value`, which is part of the plan.
Result<std::array<double, 7>> AsLevels(const Json& value, const std::string& name) {
  std::array<double, 7> levels{};
  if (!value.is_array() || value.size() != levels.size()) {
    return MakeError("plan.{} is {}, expected seven numbers", name,
                     value.is_array() ? "of another length" : value.type_name());
  }
  for (size_t i = 0; i < levels.size(); ++i) {
    CONTINUO_ASSIGN(levels[i], AsNumber(value[i], "plan." + name));
  }
  return levels;
}

Result<PlanLevels> AsPlan(const Json& value) {
  CONTINUO_TRY(CheckObject(value, "plan"));
  PlanLevels plan;
  for (const auto& [name, levels] : value.items()) {
    if (name == "density") {
      CONTINUO_ASSIGN(plan.density, AsLevels(levels, name));
    } else if (name == "loudness") {
      CONTINUO_ASSIGN(plan.loudness, AsLevels(levels, name));
    } else {
      return MakeError("plan.{} is not supported, expected density and loudness", name);
    }
  }
  return plan;
}

// One of the keys of a trained tokenizer.
Status ReadTrained(const std::string& key, const Json& value, TokenizerJson& result) {
  if (key == "_model") {
    CONTINUO_ASSIGN(result.model, AsString(value, key));
    return {};
  }
  CONTINUO_TRY(CheckObject(value, key));
  for (const auto& [name, entry] : value.items()) {
    if (key == "_vocab_base") {
      if (!entry.is_number_integer()) {
        return MakeError("{}[\"{}\"] is {}, expected a whole number", key, name, entry.type_name());
      }
      result.base_ids[name] = entry.get<int64_t>();
    } else {
      CONTINUO_ASSIGN(result.base_characters[name], AsString(entry, key));
    }
  }
  return {};
}

Result<TokenizerJson> ReadFile(const Json& file, MidiTokRelease fallback, bool trained_too) {
  CONTINUO_TRY(CheckObject(file, "the file"));
  CONTINUO_ASSIGN(const MidiTokRelease release, ReleaseOf(file, fallback));
  TokenizerJson result;
  CONTINUO_ASSIGN(result.config, DefaultOf(file, release));
  const bool has_plan = file["tokenization"] == kRemiPlan;
  const bool has_chords = has_plan || file["tokenization"] == kRemiChord;
  if (has_plan) {
    result.config.plan = PlanLevels{};
  }
  result.config.chords = has_chords ? ChordSource::kAuto : ChordSource::kNone;
  for (const auto& [key, value] : file.items()) {
    if (key == "config") {
      CONTINUO_TRY(CheckObject(value, key));
      for (const auto& [name, setting] : value.items()) {
        CONTINUO_TRY(ReadKey(name, setting, result.config));
      }
    } else if (key == "chords" && has_chords) {
      CONTINUO_ASSIGN(const std::string source, AsString(value, key));
      CONTINUO_ASSIGN(result.config.chords, ParseChordSource(source));
    } else if (key == "plan" && has_plan) {
      CONTINUO_ASSIGN(result.config.plan, AsPlan(value));
    } else if (key == "vocab_sha256") {
      CONTINUO_ASSIGN(result.vocab_sha256, AsString(value, key));
    } else if (key == "_model" || key == "_vocab_base" || key == "_vocab_base_byte_to_token") {
      if (!trained_too) {
        return MakeError(
            "{} is not supported here: the tokenizer was trained to merge tokens (BPE, Unigram or "
            "WordPiece)",
            key);
      }
      CONTINUO_TRY(ReadTrained(key, value, result));
    } else if (key != "tokenization" && key != "miditok" && key != "miditok_version" && key != "symusic_version" &&
               key != "hf_tokenizers_version" && key != "has_bpe") {
      return MakeError("{} is not supported", key);
    }
  }
  if (!result.model.empty()) {
    // Training Unigram adds each special token a second time, which the base vocabulary lacks.
    std::erase_if(result.config.special_tokens, [](const std::string& token) { return token.ends_with("-unigram"); });
  }
  CONTINUO_ASSIGN(result.config, NormalizeConfig(std::move(result.config)));
  if (const Representation& representation = RepresentationOf(result.config);
      !result.model.empty() && !representation.trainable) {
    return MakeError("_model: {} with ids that stand for several tokens (BPE, Unigram or WordPiece) is not supported",
                     representation.name);
  }
  return result;
}

// Whole numbers are written without a point, as they come from MidiTok.
Json Number(double value) {
  return value == std::trunc(value) && std::abs(value) < 1e9 ? Json(static_cast<int64_t>(value)) : Json(value);
}

Json BeatRangesJson(const std::vector<BeatRange>& ranges) {
  Json result = Json::object();
  for (const BeatRange& range : ranges) {
    result[std::to_string(range.first) + "_" + std::to_string(range.last)] = range.resolution;
  }
  return result;
}

// The order in which MidiTok's set gives the programs, if a set made from that order gives it
// again.
std::vector<int> StableOrder(const std::vector<int>& programs) {
  std::vector<int> order = PythonSetOrder(programs);
  return PythonSetOrder(order) == order ? order : programs;
}

Json ConfigJson(const TokenizerConfig& config) {
  const bool old = config.release == MidiTokRelease::k3_0_4;
  Json json = Json::object();
  const auto idle = [&json](const char* name) {
    for (const FixedKey& key : kIdleKeys) {
      if (std::string_view(key.name) == name) {
        json[name] = Json::parse(key.value);
      }
    }
  };
  json["pitch_range"] = config.pitch_range;
  json["beat_res"] = BeatRangesJson(config.beat_res);
  json["num_velocities"] = config.num_velocities;
  json["remove_duplicated_notes"] = config.remove_duplicated_notes;
  json["encode_ids_split"] = config.encode_ids_split;
  json["special_tokens"] = config.special_tokens;
  json["use_velocities"] = config.use_velocities;
  json["use_note_duration_programs"] = StableOrder(config.use_note_duration_programs);
  json["use_chords"] = config.use_chords;
  json["use_rests"] = config.use_rests;
  json["use_tempos"] = config.use_tempos;
  json["use_time_signatures"] = config.use_time_signatures;
  if (!old) {
    json["use_key_signatures"] = false;
  }
  json["use_sustain_pedals"] = config.use_sustain_pedals;
  json["use_pitch_bends"] = config.use_pitch_bends;
  if (!old) {
    json["use_control_changes"] = false;
    idle("control_change_numbers");
    idle("control_change_n_bins");
  }
  json["use_programs"] = config.use_programs;
  json["use_pitch_intervals"] = false;
  json["use_pitchdrum_tokens"] = config.use_pitchdrum_tokens;
  json["default_note_duration"] = Number(config.default_note_duration);
  json["programs"] = StableOrder(config.programs);
  json["one_token_stream_for_programs"] = config.one_token_stream_for_programs;
  json["program_changes"] = config.program_changes;
  json["beat_res_rest"] = BeatRangesJson(config.beat_res_rest);
  Json chords = Json::object();
  for (const ChordMap& chord : config.chord_maps) {
    chords[chord.name] = chord.intervals;
  }
  json["chord_maps"] = std::move(chords);
  json["chord_tokens_with_root_note"] = config.chord_tokens_with_root_note;
  json["chord_unknown"] = config.chord_unknown ? Json(*config.chord_unknown) : Json();
  json["num_tempos"] = config.num_tempos;
  json["tempo_range"] = {Number(config.tempo_range[0]), Number(config.tempo_range[1])};
  json["log_tempos"] = config.log_tempos;
  json["delete_equal_successive_tempo_changes"] = config.delete_equal_successive_tempo_changes;
  Json meters = Json::object();
  for (const MeterRange& range : config.time_signature_range) {
    meters[std::to_string(range.denominator)] = range.numerators;
  }
  json["time_signature_range"] = std::move(meters);
  json["delete_equal_successive_time_sig_changes"] = config.delete_equal_successive_time_sig_changes;
  json["sustain_pedal_duration"] = config.sustain_pedal_duration;
  json["pitch_bend_range"] = config.pitch_bend_range;
  idle("max_pitch_interval");
  idle("pitch_intervals_max_time_dist");
  json["drums_pitch_range"] = config.drums_pitch_range;
  json["ac_polyphony_track"] = false;
  json["ac_polyphony_bar"] = false;
  idle("ac_polyphony_min");
  idle("ac_polyphony_max");
  json["ac_pitch_class_bar"] = false;
  json["ac_note_density_track"] = false;
  idle("ac_note_density_track_min");
  idle("ac_note_density_track_max");
  json["ac_note_density_bar"] = false;
  idle("ac_note_density_bar_max");
  json["ac_note_duration_bar"] = false;
  json["ac_note_duration_track"] = false;
  json["ac_repetition_track"] = false;
  idle("ac_repetition_track_num_bins");
  idle("ac_repetition_track_num_consec_bars");
  Json additional = Json::object();
  if (config.max_duration) {
    additional["max_duration"] = *config.max_duration;
  }
  const Representation* base = RepresentationOf(config).base;
  if (base != nullptr) {
    additional["base_tokenizer"] = base->name;
  }
  if ((base != nullptr ? base->kind : config.kind) == TokenizationKind::kRemi) {
    additional["max_bar_embedding"] = nullptr;
    additional["use_bar_end_tokens"] = config.use_bar_end_tokens;
    if (!old) {
      additional["add_trailing_bars"] = config.add_trailing_bars;
    }
  }
  if (config.kind == TokenizationKind::kPerTok) {
    additional["ticks_per_quarter"] = config.pertok.ticks_per_quarter;
    additional["use_microtiming"] = config.pertok.use_microtiming;
    additional["max_microtiming_shift"] = Number(config.pertok.max_microtiming_shift);
    additional["num_microtiming_bins"] = config.pertok.num_microtiming_bins;
    additional["use_position_toks"] = config.pertok.use_position_toks;
  }
  json["additional_params"] = std::move(additional);
  return json;
}

}  // namespace

Result<TokenizerJson> ParseTokenizerJson(std::string_view text, std::string_view name, MidiTokRelease release,
                                         bool trained_too) {
  int depth = 0;
  bool too_deep = false;
  const Json::parser_callback_t check_depth = [&](int level, Json::parse_event_t, Json&) {
    depth = std::max(depth, level);
    too_deep = too_deep || level > kMaxDepth;
    return !too_deep;
  };
  const Json file = Json::parse(text, check_depth, /*allow_exceptions=*/false);
  if (file.is_discarded() || too_deep) {
    return MakeError("{}: not valid JSON", name);
  }
  Result<TokenizerJson> result = ReadFile(file, release, trained_too);
  if (!result.ok()) {
    Error error = result.error();
    error.message = fmt::format("{}: {}", name, error.message);
    return error;
  }
  return result;
}

std::string WriteTokenizerJson(const TokenizerConfig& config, std::string_view vocab_sha256) {
  const bool old = config.release == MidiTokRelease::k3_0_4;
  Json json = Json::object();
  json["config"] = ConfigJson(config);
  json["tokenization"] = RepresentationName(config);
  if (config.chords != ChordSource::kNone) {
    json["chords"] = ToString(config.chords);
  }
  if (config.plan) {
    const auto levels = [](const std::array<double, 7>& values) {
      Json list = Json::array();
      for (const double value : values) {
        list.push_back(Number(value));
      }
      return list;
    };
    json["plan"] = {{"density", levels(config.plan->density)}, {"loudness", levels(config.plan->loudness)}};
  }
  json["miditok_version"] = ToString(config.release);
  json["symusic_version"] = old ? "0.5.4" : "0.6.0";
  json["miditok"] = ToString(config.release);
  json["vocab_sha256"] = vocab_sha256;
  return json.dump(4, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace continuo
