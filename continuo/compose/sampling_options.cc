#include "continuo/compose/sampling_options.h"

#include <array>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

namespace continuo {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
// The largest whole number up to which double has all of them.
constexpr double kMostInteger = 9007199254740992.0;

/// Get and set for a member.
template <auto member>
double Get(const SamplingOptions& options) {
  return static_cast<double>(options.*member);
}
template <auto member>
void Set(SamplingOptions& options, double value) {
  using Value = std::remove_reference_t<decltype(options.*member)>;
  options.*member = static_cast<Value>(value);
}

constexpr std::array<SamplingField, 9> kFields = {{
    {"temperature", "--temperature", "0: always the likeliest token; 1: the model's own distribution; more: bolder",
     "0 (always the likeliest token) or more", 0.0, false, kInfinity, false, Get<&SamplingOptions::temperature>,
     Set<&SamplingOptions::temperature>},
    {"top_k", "--top-k", "draw from the k likeliest tokens", "1 or more", 0.0, false, kMostInteger, true,
     Get<&SamplingOptions::top_k>, Set<&SamplingOptions::top_k>},
    {"top_p", "--top-p", "draw from the likeliest tokens whose probabilities together reach p",
     "more than 0 and at most 1", 0.0, true, 1.0, false, Get<&SamplingOptions::top_p>, Set<&SamplingOptions::top_p>},
    {"pitch_top_p", "--pitch-top-p", "top-p of pitches alone: notes stay in the key, and rhythm and length are free",
     "more than 0 and at most 1", 0.0, true, 1.0, false, Get<&SamplingOptions::pitch_top_p>,
     Set<&SamplingOptions::pitch_top_p>},
    {"min_p", "--min-p", "draw from tokens at least this share as likely as the likeliest", "0 to 1", 0.0, false, 1.0,
     false, Get<&SamplingOptions::min_p>, Set<&SamplingOptions::min_p>},
    {"repetition_penalty", "--repetition-penalty", "above 1: makes tokens that the piece already has less likely",
     "more than 0 (1 is none)", 0.0, true, kInfinity, false, Get<&SamplingOptions::repetition_penalty>,
     Set<&SamplingOptions::repetition_penalty>},
    {"recall", "--recall", "share of the notes that return in a bar which repeats another; needs a remiplan model",
     "0 to 1", 0.0, false, 1.0, false, Get<&SamplingOptions::recall>, Set<&SamplingOptions::recall>},
    {"chord_recall", "--chord-recall",
     "share of the other bars whose chords return from 4, 8 or 16 bars before; needs a model with chord tokens",
     "0 to 1", 0.0, false, 1.0, false, Get<&SamplingOptions::chord_recall>, Set<&SamplingOptions::chord_recall>},
    {"drafts", "--drafts",
     "draw every two bars this often and keep those most like real music; needs a model with discriminator.json",
     "1 to 16", 1.0, false, 16.0, true, Get<&SamplingOptions::drafts>, Set<&SamplingOptions::drafts>},
}};

}  // namespace

Status SamplingField::Check(double value) const {
  const bool high_enough = excludes_least ? value > least : value >= least;  // false for NaN
  if (!high_enough || !(value <= most) || !std::isfinite(value)) {
    return MakeError("{} is {}, expected {}", flag.substr(2), value, expected);
  }
  if (is_integer && value != std::floor(value)) {
    return MakeError("{} is {}, expected a whole number", flag.substr(2), value);
  }
  return {};
}

std::span<const SamplingField> SamplingFields() {
  return kFields;
}

const SamplingField* FindSamplingField(std::string_view name) {
  for (const SamplingField& field : kFields) {
    if (field.name == name) {
      return &field;
    }
  }
  return nullptr;
}

Status CheckSamplingOptions(const SamplingOptions& options) {
  for (const SamplingField& field : kFields) {
    CONTINUO_TRY(field.Check(field.get(options)));
  }
  return {};
}

nlohmann::ordered_json SamplingToJson(const SamplingOptions& options) {
  nlohmann::ordered_json json;
  for (const SamplingField& field : kFields) {
    const std::string name(field.name);
    if (field.is_integer) {
      json[name] = static_cast<int64_t>(field.get(options));
    } else {
      json[name] = field.get(options);
    }
  }
  return json;
}

}  // namespace continuo
