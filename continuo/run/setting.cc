#include "continuo/run/setting.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <functional>
#include <nlohmann/json.hpp>
#include <type_traits>

#include "continuo/core/check.h"

namespace continuo {
namespace {

using Json = nlohmann::ordered_json;
using S = TrainSettings;
using Kind = TrainSetting::Kind;
using Value = TrainSetting::Value;
using enum TrainSetting::Group;
using enum TrainSetting::Effect;
using enum TrainSetting::Absence;

constexpr double kAny = TrainSetting::kUnbounded;
constexpr double kMany = 1e6;
constexpr std::array<std::string_view, 2> kBlockNames = {"first", "all"};  // by BlockMode
/// By Architecture: those that `train` makes.
constexpr std::array<std::string_view, 2> kTrainedArchitectures = {kArchitectureNames[0], kArchitectureNames[1]};

/// The member that a path of pointers to members leads to: MemberOf<&S::schedule,
/// &ScheduleOptions::warmup>(settings).
template <auto... kPath>
auto& MemberOf(auto& settings) {
  return (settings.*....*kPath);
}

template <auto... kPath>
constexpr Value Integer(double least, double most) {
  return {.kind = Kind::kInteger,
          .least = least,
          .most = most,
          .get = [](const S& s) -> Json { return static_cast<uint64_t>(MemberOf<kPath...>(s)); },
          .set =
              [](S& s, const Json& value) {
                auto& member = MemberOf<kPath...>(s);
                member = value.get<std::remove_reference_t<decltype(member)>>();
              }};
}

template <auto... kPath>
constexpr Value Real(double least, double most, bool above_least = false) {
  return {.kind = Kind::kReal,
          .least = least,
          .most = most,
          .above_least = above_least,
          .get = [](const S& s) -> Json { return MemberOf<kPath...>(s); },
          .set = [](S& s, const Json& value) { MemberOf<kPath...>(s) = value.get<double>(); }};
}

template <auto... kPath>
constexpr Value Positive(double most) {
  return Real<kPath...>(0, most, /*above_least=*/true);
}

template <auto... kPath>
constexpr Value Switch() {
  return {.kind = Kind::kSwitch,
          .get = [](const S& s) -> Json { return MemberOf<kPath...>(s); },
          .set = [](S& s, const Json& value) { MemberOf<kPath...>(s) = value.get<bool>(); }};
}

/// A switch that turns off what the member turns on.
template <auto... kPath>
constexpr Value OffSwitch() {
  return {.kind = Kind::kSwitch,
          .get = [](const S& s) -> Json { return !MemberOf<kPath...>(s); },
          .set = [](S& s, const Json& value) { MemberOf<kPath...>(s) = !value.get<bool>(); }};
}

/// One of `kNames`, which are in the order of the member's enumerators.
template <const auto& kNames, auto... kPath>
constexpr Value Choice() {
  return {.kind = Kind::kChoice,
          .choices = kNames,
          .get = [](const S& s) -> Json { return kNames[static_cast<size_t>(MemberOf<kPath...>(s))]; },
          .set =
              [](S& s, const Json& value) {
                auto& member = MemberOf<kPath...>(s);
                const auto found = std::find(kNames.begin(), kNames.end(), value.get_ref<const std::string&>());
                CONTINUO_CHECK(found != kNames.end());
                member = static_cast<std::remove_reference_t<decltype(member)>>(found - kNames.begin());
              }};
}

template <auto... kPath>
constexpr Value Text() {
  return {.kind = Kind::kText,
          .get = [](const S& s) -> Json { return MemberOf<kPath...>(s); },
          .set = [](S& s, const Json& value) { MemberOf<kPath...>(s) = value.get<std::string>(); }};
}

template <auto... kPath>
constexpr Value Integers(double least, double most) {
  return {.kind = Kind::kIntegers,
          .least = least,
          .most = most,
          .get = [](const S& s) -> Json { return MemberOf<kPath...>(s); },
          .set = [](S& s, const Json& value) { MemberOf<kPath...>(s) = value.get<std::vector<uint64_t>>(); }};
}

// Rows of a group stand together. The order within [grid] is that of the rows.
// clang-format off
constexpr TrainSetting kTable[] = {
    {"architecture", "--architecture", "gpt2, or llama: rotary positions, RMSNorm, SwiGLU", kModel,
     Choice<kTrainedArchitectures, &S::model, &ModelConfig::architecture>(), kWeights},
    {"layers", "--layers", "blocks of the model", kModel,
     Integer<&S::model, &ModelConfig::layers>(1, 1000), kWeights},
    {"heads", "--heads", "attention heads", kModel,
     Integer<&S::model, &ModelConfig::heads>(1, 1000), kWeights},
    {"kv_heads", "--kv-heads", "llama: heads of keys and values, which divide --heads; 0: as many", kModel,
     Integer<&S::model, &ModelConfig::kv_head_count>(0, 1000), kWeights},
    {"width", "--width", "width of the residual stream", kModel,
     Integer<&S::model, &ModelConfig::width>(1, 65536), kWeights},
    {"feed_width", "--feed-width",
     "width within the feed-forward part; 0: 4 x width; llama: 8/3 x width, rounded up to a multiple of 64", kModel,
     Integer<&S::model, &ModelConfig::inner_width>(0, 1 << 20), kWeights},
    {"context", "--context", "ids that the model sees at once", kModel,
     Integer<&S::model, &ModelConfig::context_length>(1, 65536), kWeights},
    {"rope_theta", "--rope-theta", "llama: base of the rotary positions' periods", kModel,
     Real<&S::model, &ModelConfig::rope_theta>(1, 1e12), kWeights},
    {"dropout", "--dropout", "dropout", kModel,
     Real<&S::model, &ModelConfig::dropout>(0, 0.99), kWeights},
    {"init_from", "--init-from",
     "a model directory to begin with, of the same shape: of this vocabulary, or of text", kModel,
     Text<&S::init_from>(), kNone, kNotInSpec | kNotInPretrain},

    {"epochs", "--epochs", "passes over the corpus", kLength,
     Integer<&S::epochs>(1, kMany), kWeights},
    {"keep_epochs", "--keep-epochs", "epochs after which the model is kept in epoch-N, as in: 10,30,50", kLength,
     Integers<&S::keep_epochs>(1, kMany), kNone, kNotInSpec},
    {"keep_percents", "--keep-percents", "shares of the run, in percent, after which the model is kept in percent-N",
     kLength, Integers<&S::keep_percents>(1, 100), kNone, kNotInSpec},
    {"steps", "--steps", "updates, instead of --epochs; 0: --epochs holds", kLength,
     Integer<&S::steps>(0, 1e12), kWeights},
    {"minutes", "--minutes", "wall clock, instead of --epochs; the schedule follows the clock; 0: --epochs holds",
     kLength, Real<&S::minutes>(0, kMany), kWeights},
    {"patience", "--patience", "end after this many validations without a lower NLL; 0: never", kLength,
     Integer<&S::patience>(0, kMany), kWeights},

    {"batch", "--batch", "windows per micro-batch, over all ranks", kBatches,
     Integer<&S::batch>(1, kMany), kWeights},
    {"grad_accum", "--grad-accum", "micro-batches per update", kBatches,
     Integer<&S::grad_accum>(1, kMany), kWeights},
    {"blocks", "--blocks", "first: the first ids of each song; all: windows that cover the song", kBatches,
     Choice<kBlockNames, &S::blocks>(), kWeights},
    {"transpose", "--augment-transpose", "transpose each song by -5 to +6 semitones, drawn for each epoch", kBatches,
     Switch<&S::augment_transpose>(), kWeights, kNotInPretrain},
    {"vary_velocity", "--augment-velocity", "make each song louder or softer, by up to 12 of 127", kBatches,
     Switch<&S::augment_velocity>(), kWeights, kNotInPretrain},
    {"vary_tempo", "--augment-tempo", "make each song faster or slower, by up to 12 %", kBatches,
     Switch<&S::augment_tempo>(), kWeights, kNotInPretrain},
    {"plan_dropout", "--plan-dropout",
     "remiplan: how likely a kind of plan token is left out of a song, and else out of each bar", kBatches,
     Real<&S::plan_dropout>(0, 1), kWeights, kNotInPretrain},
    {"gap_share", "--gap-share",
     "share of windows with bars moved to the end, so that fill reads what follows a gap too", kBatches,
     Real<&S::gap_share>(0, 1), kWeights, kNotInPretrain},
    {"short_share", "--short-share", "share of the run, at its beginning, on short windows", kBatches,
     Real<&S::short_share>(0, 1), kWeights},
    {"short_context", "--short-context", "ids of a short window", kBatches,
     Integer<&S::short_context>(1, 65536), kWeights},

    {"optimizer", "--optimizer", "optimizer of the matrices within blocks; AdamW for everything else", kOptimizer,
     Choice<kOptimizerNames, &S::optimizer, &OptimizerOptions::kind>(), kWeights},
    {"lr", "--lr", "highest learning rate", kOptimizer,
     Positive<&S::schedule, &ScheduleOptions::max_lr>(1e3), kWeights},
    {"schedule", "--schedule", "how the learning rate changes", kOptimizer,
     Choice<kScheduleNames, &S::schedule, &ScheduleOptions::kind>(), kWeights},
    {"warmup", "--warmup", "share of the run in which the rate rises", kOptimizer,
     Real<&S::schedule, &ScheduleOptions::warmup>(0, 1), kWeights},
    {"div_factor", "--div-factor", "onecycle: highest rate / first rate", kOptimizer,
     Positive<&S::schedule, &ScheduleOptions::div_factor>(1e12), kWeights},
    {"final_div_factor", "--final-div-factor", "first rate (onecycle) or highest rate (others) / last rate", kOptimizer,
     Positive<&S::schedule, &ScheduleOptions::final_div_factor>(1e12), kWeights},
    {"no_cycle_momentum", "--no-cycle-momentum", "onecycle: keep beta1 as it is", kOptimizer,
     OffSwitch<&S::schedule, &ScheduleOptions::cycle_momentum>(), kWeights},
    {"beta1", "--beta1", "AdamW's beta1", kOptimizer,
     Real<&S::optimizer, &OptimizerOptions::beta1>(0, 0.9999), kWeights},
    {"beta2", "--beta2", "AdamW's beta2", kOptimizer,
     Real<&S::optimizer, &OptimizerOptions::beta2>(0, 0.999999), kWeights},
    {"epsilon", "--epsilon", "AdamW's epsilon", kOptimizer,
     Positive<&S::optimizer, &OptimizerOptions::epsilon>(1), kWeights},
    {"weight_decay", "--weight-decay", "weight decay", kOptimizer,
     Real<&S::optimizer, &OptimizerOptions::weight_decay>(0, 1e3), kWeights},
    {"decay_matrices_only", "--decay-matrices-only", "no decay of biases and norms", kOptimizer,
     Switch<&S::optimizer, &OptimizerOptions::decay_matrices_only>(), kWeights},
    {"label_smoothing", "--label-smoothing", "share of each target that is spread over the vocabulary", kOptimizer,
     Real<&S::label_smoothing>(0, 0.99), kWeights},
    {"ema", "--ema", "decay of a running average of the weights, which best/ and final/ hold; 0: none", kOptimizer,
     Real<&S::optimizer, &OptimizerOptions::average_decay>(0, 0.999999), kWeights},
    {"clip", "--clip", "upper bound of the gradients' norm; 0: none", kOptimizer,
     Real<&S::clip>(0, 1e9), kWeights},

    {"device", "--device", "auto (a GPU if LibTorch sees one), cpu, cuda or cuda:N", kRun,
     Text<&S::device>(), kNone},
    {"precision", "--precision",
     "of matrix products; auto: bf16 on GPUs and on CPUs that multiply in it, else f32; with --resume the run's own",
     kRun, Choice<kPrecisionNames, &S::precision>(), kWeights},
    {"seed", "--seed", "seed of weights, order, dropout and augmentation", kRun,
     Integer<&S::seed>(0, kAny), kWeights, kNotInSpec},
    {"threads", "--threads", "threads; 0: one per core", kRun,
     Integer<&S::threads>(0, 1024), kNone, kNotInSpec},
    {"valid_every", "--valid-every", "updates between validations; 0: at the end of each epoch", kRun,
     Integer<&S::valid_every>(0, 1e12), kOutputs},
    {"checkpoint_minutes", "--checkpoint-minutes", "minutes between checkpoints", kRun,
     Positive<&S::checkpoint_minutes>(kMany), kNone},
    {"keep", "--keep", "checkpoints to keep, the newest", kRun,
     Integer<&S::keep>(1, kMany), kNone},
    {"export_bf16", "--export-bf16", "write best/, epoch-N/, percent-N/ and final/ in bf16", kRun,
     Switch<&S::export_bf16>(), kOutputs},
};
// clang-format on

/// "a", "a or b", "a, b or c"
std::string Alternatives(std::span<const std::string_view> words) {
  std::string text;
  for (size_t i = 0; i < words.size(); ++i) {
    text += fmt::format("{}{}", i == 0 ? "" : i + 1 == words.size() ? " or " : ", ", words[i]);
  }
  return text;
}

/// A value for a message.
std::string Shown(const Json& value) {
  if (value.is_number_float()) {
    return fmt::format("{}", value.get<double>());
  }
  return value.is_string() ? value.get<std::string>() : value.dump(-1, ' ', true, Json::error_handler_t::replace);
}

template <typename T>
std::optional<Json> ParseNumber(std::string_view text) {
  T value{};
  const char* end = text.data() + text.size();
  const auto [stop, code] = std::from_chars(text.data(), end, value);
  return code == std::errc() && stop == end ? std::optional<Json>(value) : std::nullopt;
}

/// What a command line's text stands for; the text itself if it is not of the setting's type.
Json Interpret(Kind kind, std::string_view text) {
  switch (kind) {
    case Kind::kInteger:
      return ParseNumber<uint64_t>(text).value_or(text);
    case Kind::kReal:
      return ParseNumber<double>(text).value_or(text);
    case Kind::kSwitch:
      return text == "true" || text == "false" ? Json(text == "true") : Json(text);
    case Kind::kIntegers: {
      Json items = Json::array();
      while (!text.empty()) {
        const size_t comma = std::min(text.find(','), text.size());
        items.push_back(Interpret(Kind::kInteger, text.substr(0, comma)));
        text.remove_prefix(std::min(comma + 1, text.size()));
      }
      return items;
    }
    case Kind::kChoice:
    case Kind::kText:
      break;
  }
  return text;
}

bool InRange(const Value& range, double value) {
  return std::isfinite(value) && value <= range.most &&
         (range.above_least ? value > range.least : value >= range.least);
}

/// An integer of the range as JSON has it without a sign; none if it is none.
std::optional<Json> IntegerIn(const Value& range, const Json& value) {
  const bool fits = value.is_number_unsigned() || (value.is_number_integer() && value.get<int64_t>() >= 0);
  return fits && InRange(range, value.get<double>()) ? std::optional<Json>(value.get<uint64_t>()) : std::nullopt;
}

std::optional<Json> Convert(const Value& wanted, const Json& value) {
  switch (wanted.kind) {
    case Kind::kInteger:
      return IntegerIn(wanted, value);
    case Kind::kReal:
      return value.is_number() && InRange(wanted, value.get<double>()) ? std::optional<Json>(value.get<double>())
                                                                       : std::nullopt;
    case Kind::kSwitch:
      return value.is_boolean() ? std::optional<Json>(value) : std::nullopt;
    case Kind::kText:
      return value.is_string() ? std::optional<Json>(value) : std::nullopt;
    case Kind::kChoice:
      return value.is_string() && std::find(wanted.choices.begin(), wanted.choices.end(),
                                            value.get_ref<const std::string&>()) != wanted.choices.end()
                 ? std::optional<Json>(value)
                 : std::nullopt;
    case Kind::kIntegers:
      break;
  }
  const bool fits = value.is_array() && std::all_of(value.begin(), value.end(), [&wanted](const Json& item) {
                      return IntegerIn(wanted, item).has_value();
                    });
  return fits ? std::optional<Json>(value) : std::nullopt;
}

/// The limits in words; empty if there are none.
std::string Limits(const Value& range) {
  if (range.above_least) {
    return range.most == kAny ? fmt::format("above {}", range.least)
                              : fmt::format("above {} and at most {}", range.least, range.most);
  }
  return range.most == kAny ? fmt::format("of {} or more", range.least)
                            : fmt::format("from {} to {}", range.least, range.most);
}

}  // namespace

std::string TrainSetting::Expected() const {
  switch (value.kind) {
    case Kind::kInteger:
      return fmt::format("an integer {}", Limits(value));
    case Kind::kReal:
      return value.above_least ? Limits(value) : fmt::format("a number {}", Limits(value));
    case Kind::kSwitch:
      return "true or false";
    case Kind::kChoice:
      return Alternatives(value.choices);
    case Kind::kText:
      return "a text";
    case Kind::kIntegers:
      break;
  }
  return fmt::format("integers {}", Limits(value));
}

Result<Json> TrainSetting::Accept(const Json& candidate) const {
  if (auto accepted = Convert(value, candidate)) {
    return *std::move(accepted);
  }
  return MakeError("must be {}, not {}", Expected(), Shown(candidate));
}

Result<Json> TrainSetting::Parse(std::string_view text) const {
  return Accept(Interpret(value.kind, text));
}

std::string TrainSetting::ToText(const Json& accepted) const {
  return accepted.is_array() ? fmt::format("{}", fmt::join(accepted.get<std::vector<uint64_t>>(), ","))
                             : Shown(accepted);
}

std::span<const TrainSetting> TrainSettingTable() {
  return kTable;
}

const TrainSetting* FindTrainSetting(std::string_view key) {
  const auto found =
      std::find_if(std::begin(kTable), std::end(kTable), [key](const TrainSetting& row) { return row.key == key; });
  return found == std::end(kTable) ? nullptr : found;
}

std::string_view ToString(TrainSetting::Group group) {
  constexpr std::array<std::string_view, 5> kNames = {"Model", "Length", "Batches", "Optimizer", "Run"};
  return kNames[static_cast<size_t>(group)];
}

void Apply(const Json& values, TrainSettings& settings) {
  for (const auto& [key, value] : values.items()) {
    const TrainSetting* row = FindTrainSetting(key);
    CONTINUO_CHECK(row != nullptr);
    row->value.set(settings, value);
  }
}

std::vector<std::string> FlagsOf(const TrainSettings& settings) {
  std::vector<std::string> flags;
  for (const TrainSetting& row : kTable) {
    if ((row.absence & kNotInSpec) != 0) {
      continue;
    }
    const Json value = row.value.get(settings);
    if (row.value.kind == Kind::kSwitch) {
      if (value.get<bool>()) {
        flags.emplace_back(row.flag);
      }
      continue;
    }
    flags.emplace_back(row.flag);
    flags.push_back(row.ToText(value));
  }
  return flags;
}

namespace {

/// What does not fit the architecture. `stated` gives a setting with its value.
std::optional<SettingsFault> FindFaultOfArchitecture(const TrainSettings& settings,
                                                     const std::function<std::string(std::string_view)>& stated) {
  const ModelConfig& model = settings.model;
  if (model.block().positions == PositionKind::kLearned) {
    for (const std::string_view key : {"kv_heads", "rope_theta"}) {
      const TrainSetting& row = *FindTrainSetting(key);
      if (row.value.get(settings) != row.value.get(TrainSettings())) {
        return SettingsFault{{key, "architecture"},
                             fmt::format("{} is for llama only, not for {}", stated(key), stated("architecture"))};
      }
    }
    return std::nullopt;
  }
  if (model.heads % model.kv_heads() != 0) {
    return SettingsFault{{"kv_heads", "heads"},
                         fmt::format("{} is not a multiple of {}", stated("heads"), stated("kv_heads"))};
  }
  if (model.head_dim() % 2 != 0) {
    return SettingsFault{{"width", "heads"},
                         fmt::format("{} / {} is {}, an odd number, but rotary positions rotate pairs", stated("width"),
                                     stated("heads"), model.head_dim())};
  }
  return std::nullopt;
}

}  // namespace

std::optional<SettingsFault> FindFault(const TrainSettings& settings, SettingNames names) {
  for (const TrainSetting& row : kTable) {
    if (const auto accepted = row.Accept(row.value.get(settings)); !accepted.ok()) {
      return SettingsFault{{row.key}, fmt::format("{} {}", row.name(names), accepted.error().message)};
    }
  }
  /// "--width 33" or "width 33"
  const auto stated = [&](std::string_view key) {
    const TrainSetting& row = *FindTrainSetting(key);
    return fmt::format("{} {}", row.name(names), row.ToText(row.value.get(settings)));
  };
  if (settings.model.width % settings.model.heads != 0) {
    return SettingsFault{{"width", "heads"},
                         fmt::format("{} is not a multiple of {}", stated("width"), stated("heads"))};
  }
  if (auto fault = FindFaultOfArchitecture(settings, stated)) {
    return fault;
  }
  if (settings.short_share > 0 && settings.short_context > static_cast<uint64_t>(settings.model.context_length)) {
    return SettingsFault{{"short_context", "context"},
                         fmt::format("{} is larger than {}", stated("short_context"), stated("context"))};
  }
  return std::nullopt;
}

Status Check(const TrainSettings& settings, SettingNames names) {
  if (auto fault = FindFault(settings, names)) {
    return Error{std::move(fault->message), {}};
  }
  return {};
}

}  // namespace continuo
