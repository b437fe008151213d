#include "continuo/compose/likelihood.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include "continuo/compose/sliding_window.h"

namespace continuo {
namespace {

// Ids whose logits are held at a time.
constexpr size_t kChunk = 128;

}  // namespace

double NegativeLogLikelihood(std::span<const float> logits, TokenId id) {
  const float highest = *std::max_element(logits.begin(), logits.end());
  double sum = 0.0;
  for (const float logit : logits) {
    sum += std::exp(static_cast<double>(logit) - highest);
  }
  return std::log(sum) + highest - logits[static_cast<size_t>(id)];
}

double Likelihood::total() const {
  return std::accumulate(token_nll.begin(), token_nll.end(), 0.0);
}

double Likelihood::OfBar(size_t bar) const {
  const size_t begin = bar == 0 ? 0 : bar_offsets[bar];
  const size_t end = bar + 1 < bar_offsets.size() ? bar_offsets[bar + 1] : token_nll.size();
  return std::accumulate(token_nll.begin() + static_cast<std::ptrdiff_t>(begin),
                         token_nll.begin() + static_cast<std::ptrdiff_t>(end), 0.0);
}

Result<Likelihood> MeasureLikelihood(const LanguageModel& model, const Tokenizer& tokenizer,
                                     std::span<const TokenId> ids, Progress& progress, const StopToken& stop) {
  const size_t vocabulary_size = tokenizer.model_size();
  const auto context = model.context_length();
  if (model.vocab_size() != vocabulary_size) {
    return MakeError("the model has {} tokens, its tokenizer {}", model.vocab_size(), vocabulary_size);
  }
  Likelihood likelihood;
  for (size_t i = 0; i < ids.size(); ++i) {
    if (ids[i] < 0 || static_cast<size_t>(ids[i]) >= vocabulary_size) {
      return MakeError("token {} is {}, expected 0 to {}", i, ids[i], vocabulary_size - 1);
    }
  }
  const std::vector<TokenId> tokens = tokenizer.FromModelIds(ids);
  likelihood.notes = static_cast<size_t>(std::count_if(
      tokens.begin(), tokens.end(), [&](TokenId token) { return tokenizer.vocabulary().begins_note(token); }));
  likelihood.bar_offsets = tokenizer.ModelBarOffsets(ids);

  const std::unique_ptr<DecodingSession> session = model.NewSession(1);
  std::vector<float> logits(kChunk * vocabulary_size);
  std::vector<TokenId> pending;  // read next; the logits after the last give ids[measured]'s likelihood
  if (const std::optional<TokenId> bos = tokenizer.ModelIdOf(tokenizer.vocabulary().bos())) {
    pending.push_back(*bos);
  } else if (!ids.empty()) {
    pending.push_back(ids[0]);
    likelihood.token_nll.push_back(0.0);
  }
  while (likelihood.token_nll.size() < ids.size()) {
    if (stop.stop_requested()) {
      return CancelledError();
    }
    // As in Generate: the window slides when not even the next id fits.
    if (session->length(0) + pending.size() > context) {
      session->Reset(0);
      pending = SlidingWindow(tokenizer, tokenizer.FromModelIds(ids.first(likelihood.token_nll.size())), context);
    }
    const std::array<DecodingSession::Input, 1> prefix = {{{0, pending}}};
    session->Append(prefix, std::span(logits).first(vocabulary_size));
    size_t next = likelihood.token_nll.size();
    likelihood.token_nll.push_back(NegativeLogLikelihood(std::span(logits).first(vocabulary_size), ids[next]));
    // Then as many ids as fit, except the last, whose logits are not needed.
    while (next + 1 < ids.size() && session->length(0) < context) {
      const size_t count = std::min({kChunk, context - session->length(0), ids.size() - 1 - next});
      const std::array<DecodingSession::Input, 1> chunk = {{{0, ids.subspan(next, count), true}}};
      session->Append(chunk, std::span(logits).first(count * vocabulary_size));
      for (size_t k = 0; k < count; ++k) {
        ++next;
        likelihood.token_nll.push_back(
            NegativeLogLikelihood(std::span(logits).subspan(k * vocabulary_size, vocabulary_size), ids[next]));
      }
      progress.Update(next, ids.size(), "");
    }
    if (next < ids.size()) {
      pending.assign(1, ids[next]);
    }
  }
  return likelihood;
}

}  // namespace continuo
