#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "continuo/core/progress.h"
#include "continuo/core/result.h"
#include "continuo/core/stop_token.h"
#include "continuo/model/language_model.h"
#include "continuo/token/tokenizer.h"

namespace continuo {

/// The negative logarithm of softmax(logits)[id], in nats.
double NegativeLogLikelihood(std::span<const float> logits, TokenId id);

/// The likelihood of a piece under a model.
struct Likelihood {
  std::vector<double> token_nll;    // of each id, given those before it, in nats
  std::vector<size_t> bar_offsets;  // index of each bar's first id
  size_t notes = 0;

  double total() const;
  /// The sum over the ids of bar `bar`; ids before the first bar line belong to the first bar.
  double OfBar(size_t bar) const;
};

/// The likelihood of each id of one stream, in the ids that the model reads
/// (Tokenizer::EncodeForModel, Tokenizer::ToModelIds). The model reads what it would have read if
/// it had written the piece itself: BOS, if the vocabulary has it, and all ids before, or the
/// SlidingWindow if they exceed its context. Without BOS the first id counts as certain. EOS is not
/// part of a piece and is not counted.
///
/// Fails on a model and tokenizer with different vocabularies, on ids outside the vocabulary, and
/// when `progress` asks to stop.
Result<Likelihood> MeasureLikelihood(const LanguageModel& model, const Tokenizer& tokenizer,
                                     std::span<const TokenId> ids, Progress& progress, const StopToken& stop = {});

}  // namespace continuo
