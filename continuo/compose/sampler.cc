#include "continuo/compose/sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace continuo {
namespace {

constexpr double kLargestLogit = 1e300;

bool Likelier(const Sampler::Candidate& a, const Sampler::Candidate& b) {
  return a.probability != b.probability ? a.probability > b.probability : a.id < b.id;
}

}  // namespace

Sampler::Sampler(const SamplingOptions& options, std::vector<uint8_t> begins_note)
    : options_(options), begins_note_(std::move(begins_note)) {
  CONTINUO_CHECK(CheckSamplingOptions(options).ok());
}

void Sampler::Normalize() {
  const double highest = candidates_.front().probability;
  double sum = 0.0;
  for (Candidate& candidate : candidates_) {
    candidate.probability = std::exp(candidate.probability - highest);
    sum += candidate.probability;
  }
  for (Candidate& candidate : candidates_) {
    candidate.probability /= sum;
  }
}

std::span<const Sampler::Candidate> Sampler::Distribution(std::span<const float> logits, std::span<const uint8_t> seen,
                                                          std::span<const uint8_t> allowed) {
  CONTINUO_CHECK(logits.size() == seen.size() && logits.size() == allowed.size());
  // `probability` holds the logit until Normalize.
  candidates_.clear();
  for (size_t id = 0; id < logits.size(); ++id) {
    if (allowed[id] == 0) {
      continue;
    }
    double logit = logits[id];
    if (std::isnan(logit) || logit == -std::numeric_limits<double>::infinity()) {
      continue;
    }
    if (seen[id] != 0 && options_.repetition_penalty != 1.0) {
      logit = logit < 0 ? logit * options_.repetition_penalty : logit / options_.repetition_penalty;
    }
    if (options_.temperature > 0.0) {
      logit /= options_.temperature;
    }
    // Differences of what is left stay finite.
    logit = std::clamp(logit, -kLargestLogit, kLargestLogit);
    candidates_.push_back({static_cast<TokenId>(id), logit});
  }
  if (candidates_.empty()) {
    for (size_t id = 0; id < allowed.size(); ++id) {
      if (allowed[id] != 0) {
        candidates_.push_back({static_cast<TokenId>(id), 0.0});
      }
    }
  }
  CONTINUO_CHECK(!candidates_.empty());

  std::sort(candidates_.begin(), candidates_.end(), Likelier);
  if (options_.temperature == 0.0) {
    candidates_.resize(1);
    candidates_.front().probability = 1.0;
    return candidates_;
  }
  const auto k = static_cast<size_t>(options_.top_k);
  if (k > 0 && k < candidates_.size()) {
    const double least = candidates_[k - 1].probability;
    size_t keep = k;
    while (keep < candidates_.size() && candidates_[keep].probability == least) {
      ++keep;
    }
    candidates_.resize(keep);
  }
  Normalize();
  const auto likeliest = static_cast<size_t>(candidates_.front().id);
  const bool is_pitch = likeliest < begins_note_.size() && begins_note_[likeliest] != 0;
  const double top_p = is_pitch ? std::min(options_.top_p, options_.pitch_top_p) : options_.top_p;
  if (top_p < 1.0) {
    // An id stays as long as the likelier ones together fall short of p.
    double before = 0.0;
    size_t keep = 0;
    while (keep < candidates_.size() && before < top_p) {
      before += candidates_[keep++].probability;
    }
    candidates_.resize(keep);
  }
  if (options_.min_p > 0.0) {
    const double least = options_.min_p * candidates_.front().probability;
    while (candidates_.back().probability < least) {
      candidates_.pop_back();
    }
  }
  double sum = 0.0;
  for (const Candidate& candidate : candidates_) {
    sum += candidate.probability;
  }
  for (Candidate& candidate : candidates_) {
    candidate.probability /= sum;
  }
  return candidates_;
}

TokenId Sampler::Sample(std::span<const float> logits, std::span<const uint8_t> seen, std::span<const uint8_t> allowed,
                        double uniform) {
  double below = 0.0;
  for (const Candidate& candidate : Distribution(logits, seen, allowed)) {
    below += candidate.probability;
    if (uniform < below) {
      return candidate.id;
    }
  }
  return candidates_.back().id;  // the sum fell short of 1 by rounding
}

}  // namespace continuo
