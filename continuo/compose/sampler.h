#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "continuo/core/result.h"
#include "continuo/token/vocabulary.h"

namespace continuo {

/// How the next token is drawn. The defaults change nothing: the model's own distribution.
struct SamplingOptions {
  double temperature = 1.0;         // divides the logits; 0: always the likeliest
  int64_t top_k = 0;                // only the k likeliest, with ties of the k-th; 0: all
  double top_p = 1.0;               // only the likeliest that together reach p
  double min_p = 0.0;               // only those at least min_p times as likely as the likeliest
  double repetition_penalty = 1.0;  // for ids seen: positive logits are divided by it, negative ones multiplied
  bool operator==(const SamplingOptions&) const = default;
};

/// Fails, naming the option, its value and the range expected.
Status CheckSamplingOptions(const SamplingOptions& options);

/// Draws tokens. The steps and their order are those of Hugging Face's logits processors (transformers,
/// generation/logits_process.py): repetition penalty, temperature, top-k, top-p, min-p. Ids that are not
/// allowed have no weight before the first of them. Holds scratch memory only: not thread-safe, and any
/// object gives the same answers.
class Sampler {
 public:
  /// `options` have passed CheckSamplingOptions.
  explicit Sampler(const SamplingOptions& options);

  struct Candidate {
    TokenId id;
    double probability;
  };

  /// The distribution that a token is drawn from, likeliest first (ties: lower id first). At least one
  /// candidate, probabilities that sum to 1. `logits`, `seen` and `allowed` have the vocabulary's size;
  /// seen[id] != 0 marks ids that the penalty applies to; at least one id is allowed. NaN counts as
  /// minus infinity; if no allowed id has more than that, all allowed are equally likely. Valid until the next call.
  std::span<const Candidate> Distribution(std::span<const float> logits, std::span<const uint8_t> seen,
                                          std::span<const uint8_t> allowed);

  /// A draw from Distribution: `uniform` in [0, 1) picks the candidate.
  TokenId Sample(std::span<const float> logits, std::span<const uint8_t> seen, std::span<const uint8_t> allowed,
                 double uniform);

 private:
  /// Turns candidates' logits, kept in `probability` and sorted, into probabilities.
  void Normalize();

  SamplingOptions options_;
  std::vector<Candidate> candidates_;
};

}  // namespace continuo
