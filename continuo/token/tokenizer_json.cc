#include "continuo/token/tokenizer_json.h"

#include <algorithm>
#include <span>
#include <variant>

#include "continuo/token/json_values.h"
#include "continuo/token/python_compat.h"
#include "continuo/token/representation.h"

namespace continuo {

namespace {

constexpr int kMaxDepth = 16;

using Config = TokenizerConfig;

/// A list of programs, which MidiTok keeps as a set.
struct Programs {
  std::vector<int> Config::* member;
};
/// What we do not do: the only value.
struct Only {
  const char* value;
};
/// Says how one of those would be done, and has no effect while it is off.
struct Idle {
  const char* value;
};

using Member =
    std::variant<bool Config::*, int Config::*, double Config::*, std::string Config::*,
                 std::vector<std::string> Config::*, std::array<int, 2> Config::*, std::array<int, 3> Config::*,
                 std::array<double, 2> Config::*, std::optional<std::array<int, 2>> Config::*,
                 std::vector<BeatRange> Config::*, std::vector<MeterRange> Config::*, std::vector<ChordMap> Config::*,
                 Programs, Only, Idle, bool PerTokConfig::*, int PerTokConfig::*, double PerTokConfig::*>;

struct Key {
  const char* name;
  Member member;
  bool since_3_1_0 = false;
};

/// In MidiTok's order.
constexpr Key kKeys[] = {
    {"pitch_range", &Config::pitch_range},
    {"beat_res", &Config::beat_res},
    {"num_velocities", &Config::num_velocities},
    {"remove_duplicated_notes", &Config::remove_duplicated_notes},
    {"encode_ids_split", &Config::encode_ids_split},
    {"special_tokens", &Config::special_tokens},
    {"use_velocities", &Config::use_velocities},
    {"use_note_duration_programs", Programs{&Config::use_note_duration_programs}},
    {"use_chords", &Config::use_chords},
    {"use_rests", &Config::use_rests},
    {"use_tempos", &Config::use_tempos},
    {"use_time_signatures", &Config::use_time_signatures},
    {"use_key_signatures", Only{"false"}, true},
    {"use_sustain_pedals", &Config::use_sustain_pedals},
    {"use_pitch_bends", &Config::use_pitch_bends},
    {"use_control_changes", Only{"false"}, true},
    {"control_change_numbers",
     Idle{"[0,1,2,4,5,6,7,8,10,11,32,33,34,36,37,38,39,40,42,43,64,65,66,67,68,69,70,71,72,73,74,75,76,77,78,84,88,91,"
          "92,"
          "93,94,95,96,97,100,101,120,121,122,123,124,125,126,127]"},
     true},
    {"control_change_n_bins", Idle{"32"}, true},
    {"use_programs", &Config::use_programs},
    {"use_pitch_intervals", Only{"false"}},
    {"use_pitchdrum_tokens", &Config::use_pitchdrum_tokens},
    {"default_note_duration", &Config::default_note_duration},
    {"programs", Programs{&Config::programs}},
    {"one_token_stream_for_programs", &Config::one_token_stream_for_programs},
    {"program_changes", &Config::program_changes},
    {"beat_res_rest", &Config::beat_res_rest},
    {"chord_maps", &Config::chord_maps},
    {"chord_tokens_with_root_note", &Config::chord_tokens_with_root_note},
    {"chord_unknown", &Config::chord_unknown},
    {"num_tempos", &Config::num_tempos},
    {"tempo_range", &Config::tempo_range},
    {"log_tempos", &Config::log_tempos},
    {"delete_equal_successive_tempo_changes", &Config::delete_equal_successive_tempo_changes},
    {"time_signature_range", &Config::time_signature_range},
    {"delete_equal_successive_time_sig_changes", &Config::delete_equal_successive_time_sig_changes},
    {"sustain_pedal_duration", &Config::sustain_pedal_duration},
    {"pitch_bend_range", &Config::pitch_bend_range},
    {"max_pitch_interval", Idle{"16"}},
    {"pitch_intervals_max_time_dist", Idle{"1"}},
    {"drums_pitch_range", &Config::drums_pitch_range},
    {"ac_polyphony_track", Only{"false"}},
    {"ac_polyphony_bar", Only{"false"}},
    {"ac_polyphony_min", Idle{"1"}},
    {"ac_polyphony_max", Idle{"6"}},
    {"ac_pitch_class_bar", Only{"false"}},
    {"ac_note_density_track", Only{"false"}},
    {"ac_note_density_track_min", Idle{"0"}},
    {"ac_note_density_track_max", Idle{"18"}},
    {"ac_note_density_bar", Only{"false"}},
    {"ac_note_density_bar_max", Idle{"18"}},
    {"ac_note_duration_bar", Only{"false"}},
    {"ac_note_duration_track", Only{"false"}},
    {"ac_repetition_track", Only{"false"}},
    {"ac_repetition_track_num_bins", Idle{"10"}},
    {"ac_repetition_track_num_consec_bars", Idle{"4"}},
};

/// Of additional_params, in REMI; they are read for all.
constexpr Key kRemiKeys[] = {
    {"max_bar_embedding", Only{"null"}},
    {"use_bar_end_tokens", &Config::use_bar_end_tokens},
    {"add_trailing_bars", &Config::add_trailing_bars, true},
};

/// Of additional_params, in PerTok.
constexpr Key kPerTokKeys[] = {
    {"ticks_per_quarter", &PerTokConfig::ticks_per_quarter},
    {"use_microtiming", &PerTokConfig::use_microtiming},
    {"max_microtiming_shift", &PerTokConfig::max_microtiming_shift},
    {"num_microtiming_bins", &PerTokConfig::num_microtiming_bins},
    {"use_position_toks", &PerTokConfig::use_position_toks},
};

struct ValueReader {
  const Json& value;
  const std::string& name;
  Config& config;

  template <typename T>
  Status operator()(T Config::* member) const {
    return ReadValue(value, name, config.*member);
  }
  template <typename T>
  Status operator()(T PerTokConfig::* member) const {
    return ReadValue(value, name, config.pertok.*member);
  }
  Status operator()(const Programs& programs) const { return ReadValue(value, name, config.*programs.member); }
  Status operator()(const Only& only) const {
    if (value != Json::parse(only.value)) {
      return MakeError("{} is {}; it is not supported, expected {}", name, value.dump(), only.value);
    }
    return {};
  }
  Status operator()(const Idle& /*idle*/) const { return {}; }
};

struct ValueWriter {
  const Config& config;

  template <typename T>
  Json operator()(T Config::* member) const {
    return ToJson(config.*member);
  }
  template <typename T>
  Json operator()(T PerTokConfig::* member) const {
    return ToJson(config.pertok.*member);
  }
  /// The order in which MidiTok's set gives the programs, if a set made from that order gives it
  /// again.
  Json operator()(const Programs& programs) const {
    const std::vector<int> order = PythonSetOrder(config.*programs.member);
    return PythonSetOrder(order) == order ? order : config.*programs.member;
  }
  Json operator()(const Only& only) const { return Json::parse(only.value); }
  Json operator()(const Idle& idle) const { return Json::parse(idle.value); }
};

/// Reads one key of a table. Whether the table has it.
Result<bool> ReadKey(std::span<const Key> keys, std::string_view key, const ValueReader& reader) {
  for (const Key& row : keys) {
    if (row.name == key) {
      CONTINUO_TRY(std::visit(reader, row.member));
      return true;
    }
  }
  return false;
}

void WriteKeys(std::span<const Key> keys, const Config& config, Json& object) {
  for (const Key& row : keys) {
    if (!row.since_3_1_0 || config.release != MidiTokRelease::k3_0_4) {
      object[row.name] = std::visit(ValueWriter{config}, row.member);
    }
  }
}

/// [beats, parts, resolution], or "beats.parts.resolution".
Status ReadMaxDuration(const Json& value, const std::string& name, Config& config) {
  if (!value.is_string()) {
    return value.is_null() ? Status() : ReadValue(value, name, config.max_duration.emplace());
  }
  std::string list = fmt::format("[{}]", value.get<std::string>());
  std::replace(list.begin(), list.end(), '.', ',');
  const Json numbers = Json::parse(list, nullptr, /*allow_exceptions=*/false);
  if (!ReadValue(numbers, name, config.max_duration.emplace()).ok()) {
    return MakeError("{} is {}, expected BEATS.PARTS.RESOLUTION", name, value.dump());
  }
  return {};
}

Status ReadAdditional(const Json& params, Config& config) {
  CONTINUO_TRY(CheckObject(params, "additional_params"));
  const std::span<const Key> pertok_keys =
      config.kind == TokenizationKind::kPerTok ? std::span<const Key>(kPerTokKeys) : std::span<const Key>();
  for (const auto& [key, value] : params.items()) {
    const std::string name = "additional_params." + key;
    const ValueReader reader{value, name, config};
    CONTINUO_ASSIGN(bool known, ReadKey(kRemiKeys, key, reader));
    if (!known) {
      CONTINUO_ASSIGN(known, ReadKey(pertok_keys, key, reader));
    }
    if (key == "max_duration") {
      CONTINUO_TRY(ReadMaxDuration(value, name, config));
    } else if (!known && !(key == "base_tokenizer" && RepresentationOf(config).base != nullptr)) {
      return MakeError("{} is not supported", name);
    }
  }
  return {};
}

Json WriteAdditional(const Config& config) {
  Json params = Json::object();
  if (config.max_duration) {
    params["max_duration"] = *config.max_duration;
  }
  const Representation* base = RepresentationOf(config).base;
  if (base != nullptr) {
    params["base_tokenizer"] = base->name;
  }
  if ((base != nullptr ? base->kind : config.kind) == TokenizationKind::kRemi) {
    WriteKeys(kRemiKeys, config, params);
  } else if (config.kind == TokenizationKind::kPerTok) {
    WriteKeys(kPerTokKeys, config, params);
  }
  return params;
}

/// Reads the object `config`, for the kind and release that are set.
Status ReadConfig(const Json& object, TokenizerConfig& config) {
  CONTINUO_TRY(CheckObject(object, "config"));
  for (const auto& [key, value] : object.items()) {
    CONTINUO_ASSIGN(const bool known, ReadKey(kKeys, key, {value, key, config}));
    if (key == "additional_params") {
      CONTINUO_TRY(ReadAdditional(value, config));
    } else if (!known && key != "miditok_version" && key != "symusic_version" && key != "hf_tokenizers_version") {
      return MakeError("{} is not supported", key);
    }
  }
  return {};
}

Json WriteConfig(const TokenizerConfig& config) {
  Json object = Json::object();
  WriteKeys(kKeys, config, object);
  object["additional_params"] = WriteAdditional(config);
  return object;
}

// The release that a file names, or `fallback`.
Result<MidiTokRelease> ReleaseOf(const Json& file, MidiTokRelease fallback) {
  if (const auto own = file.find("miditok"); own != file.end()) {
    std::string text;
    CONTINUO_TRY(ReadValue(*own, "miditok", text));
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

Result<PlanLevels> AsPlan(const Json& value) {
  CONTINUO_TRY(CheckObject(value, "plan"));
  PlanLevels plan;
  for (const auto& [name, levels] : value.items()) {
    if (name != "density" && name != "loudness") {
      return MakeError("plan.{} is not supported, expected density and loudness", name);
    }
    CONTINUO_TRY(ReadValue(levels, "plan." + name, name == "density" ? plan.density : plan.loudness));
  }
  return plan;
}

// One of the keys of a trained tokenizer.
Status ReadTrained(const std::string& key, const Json& value, TokenizerJson& result) {
  if (key == "_model") {
    return ReadValue(value, key, result.model);
  }
  CONTINUO_TRY(CheckObject(value, key));
  for (const auto& [name, entry] : value.items()) {
    if (key == "_vocab_base") {
      if (!entry.is_number_integer()) {
        return MakeError("{}[\"{}\"] is {}, expected a whole number", key, name, entry.type_name());
      }
      result.base_ids[name] = entry.get<int64_t>();
    } else {
      CONTINUO_TRY(ReadValue(entry, key, result.base_characters[name]));
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
      CONTINUO_TRY(ReadConfig(value, result.config));
    } else if (key == "chords" && has_chords) {
      std::string source;
      CONTINUO_TRY(ReadValue(value, key, source));
      CONTINUO_ASSIGN(result.config.chords, ParseChordSource(source));
    } else if (key == "plan" && has_plan) {
      CONTINUO_ASSIGN(result.config.plan, AsPlan(value));
    } else if (key == "vocab_sha256") {
      CONTINUO_TRY(ReadValue(value, key, result.vocab_sha256));
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
  json["config"] = WriteConfig(config);
  json["tokenization"] = RepresentationName(config);
  if (config.chords != ChordSource::kNone) {
    json["chords"] = ToString(config.chords);
  }
  if (config.plan) {
    json["plan"] = {{"density", ToJson(config.plan->density)}, {"loudness", ToJson(config.plan->loudness)}};
  }
  json["miditok_version"] = ToString(config.release);
  json["symusic_version"] = old ? "0.5.4" : "0.6.0";
  json["miditok"] = ToString(config.release);
  json["vocab_sha256"] = vocab_sha256;
  return json.dump(4, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace continuo
