#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "continuo/compose/sampling_options.h"
#include "continuo/token/vocabulary.h"

namespace continuo {

/// Draws tokens. The steps and their order are those of Hugging Face's logits processors
/// (transformers, generation/logits_process.py): repetition penalty, temperature, top-k, top-p,
/// min-p. Ids that are not allowed are removed before the first step. Where the likeliest id that
/// is left begins a note, the smaller of top-p and pitch-top-p holds. Not thread-safe; the only
/// state is scratch memory.
class Sampler {
 public:
  /// `options` have passed CheckSamplingOptions. `begins_note` has a 1 for each id that begins a
  /// note; shorter than the vocabulary: the other ids begin none.
  explicit Sampler(const SamplingOptions& options, std::vector<uint8_t> begins_note = {});

  struct Candidate {
    TokenId id;
    double probability;
  };

  /// The distribution that a token is drawn from, likeliest first (ties: lower id first). At least
  /// one candidate, probabilities that sum to 1. `logits`, `seen` and `allowed` have the
  /// vocabulary's size; seen[id] != 0 marks ids that the penalty applies to; at least one id is
  /// allowed. NaN counts as minus infinity; if no allowed id has more than that, all allowed are
  /// equally likely. Valid until the next call.
  std::span<const Candidate> Distribution(std::span<const float> logits, std::span<const uint8_t> seen,
                                          std::span<const uint8_t> allowed);

  /// A draw from Distribution: `uniform` in [0, 1) picks the candidate.
  TokenId Sample(std::span<const float> logits, std::span<const uint8_t> seen, std::span<const uint8_t> allowed,
                 double uniform);

 private:
  /// Turns candidates' logits, kept in `probability` and sorted, into probabilities.
  void Normalize();

  SamplingOptions options_;
  std::vector<uint8_t> begins_note_;
  std::vector<Candidate> candidates_;
};

}  // namespace continuo
