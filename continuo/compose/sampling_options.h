#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <string_view>

#include "continuo/core/result.h"

namespace continuo {

/// How the next token is drawn. The defaults change nothing: the model's own distribution.
struct SamplingOptions {
  double temperature = 1.0;         // divides the logits; 0: always the likeliest
  int64_t top_k = 0;                // only the k likeliest, with ties of the k-th; 0: all
  double top_p = 1.0;               // only the likeliest that together reach p
  double pitch_top_p = 1.0;         // the same, where the likeliest token begins a note
  double min_p = 0.0;               // only those at least min_p times as likely as the likeliest
  double repetition_penalty = 1.0;  // for ids seen: positive logits are divided by it, negative ones multiplied
  double recall = 0.0;        // the share of a bar's notes that a bar which repeats it takes over; see RepeatConstraint
  double chord_recall = 0.0;  // the share of the other bars whose chords return; see ChordRecallConstraint
  int64_t drafts = 1;         // how often every two bars are drawn, to keep the best; see DraftOptions
  bool operator==(const SamplingOptions&) const = default;
};

/// The sampling of the study (docs/experiments.md), for models that bring none.
inline constexpr SamplingOptions kStudySampling = {.temperature = 1.2, .top_k = 5, .repetition_penalty = 1.2};

/// One field of SamplingOptions. Flags, manifests, generation.json, experiment specs and the C
/// interface are made from this table.
struct SamplingField {
  std::string_view name;      // "top_k", in files and interfaces
  std::string_view flag;      // "--top-k"
  std::string_view help;      // for the flag
  std::string_view expected;  // the range in words
  double least;
  bool excludes_least;  // the range begins above `least`
  double most;          // may be infinite, which is then excluded
  bool is_integer;      // a whole number
  double (*get)(const SamplingOptions& options);
  void (*set)(SamplingOptions& options, double value);  // `value` has passed Check

  /// Fails, naming the field, the value and the range, on a value out of range.
  Status Check(double value) const;
};
std::span<const SamplingField> SamplingFields();
/// The field of that name; nullptr if there is none.
const SamplingField* FindSamplingField(std::string_view name);

/// Fails as SamplingField::Check does.
Status CheckSamplingOptions(const SamplingOptions& options);

/// {"temperature": 1.2, "top_k": 5, ...}: all fields in the order of the table.
nlohmann::ordered_json SamplingToJson(const SamplingOptions& options);

}  // namespace continuo
