#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "continuo/compose/guards.h"
#include "continuo/compose/sampler.h"
#include "continuo/compose/token_constraint.h"
#include "continuo/core/progress.h"
#include "continuo/core/result.h"
#include "continuo/core/stop_token.h"
#include "continuo/model/language_model.h"
#include "continuo/token/tokenizer.h"

namespace continuo {

/// The most bars that a piece may have; bounds the memory that a request can take.
inline constexpr size_t kMaxBars = 10000;

/// How often bars are drawn, to keep the best.
struct DraftOptions {
  static constexpr size_t kBars = 2;  // those up to a multiple of so many, or to the end, are compared
  size_t count = 1;                   // drafts of these bars; 1: none are compared
  /// How good the last of `bars` complete bars are, given those before; higher is better. `ids` are
  /// those so far. nullopt, which is below any number: such bars cannot be compared.
  std::function<Result<std::optional<double>>(std::span<const TokenId> ids, size_t bars)> rate = {};
};

struct GenerationOptions {
  size_t bars = 32;   // of each piece, the prompt's included; 1 to kMaxBars
  size_t count = 1;   // pieces
  uint64_t seed = 1;  // piece i draws from the random stream (seed, i)
  size_t batch = 0;   // pieces written at a time; affects the speed only; 0: as many as suit the model
  StopToken stop{};   // asked before each token
  SamplingOptions sampling{};
  DraftOptions drafts{};
  GuardLimits guards{};
  size_t retries = 0;  // how often a piece may go back when a guard finds it stuck; 0: never
  /// Applied in this order after the grammar and CrowdedBarConstraint; each piece gets clones.
  std::vector<std::shared_ptr<const TokenConstraint>> constraints{};
  /// What the model reads before the new ids (Tokenizer::ToModelIds), in place of BOS and the
  /// prompt, until a piece outgrows the context; empty: those.
  std::vector<TokenId> reading{};
};

/// Fails, naming the option, its value and the range expected.
Status CheckGenerationOptions(const GenerationOptions& options);

struct GeneratedPiece {
  std::vector<TokenId> ids;        // the prompt's, then the new ones; without BOS and EOS
  size_t prompt_length = 0;        // how many of `ids` are the prompt's
  size_t slides = 0;               // how often the window slid
  double nll = 0.0;                // mean negative log-likelihood of the new ids under the model itself, in nats
  std::vector<GuardEvent> guards;  // limits that the piece passes as it is
  size_t retries = 0;              // how often it went back
};

/// Receives each piece when it is complete, in the order of completion.
using GeneratedPieceSink = std::function<Status(size_t index, GeneratedPiece piece)>;

/// Called when piece `index` has `bars` complete bars, the last included; `ids` are those so far.
/// Of drafts only those that are kept are reported, their bars one after the other. `bars` grows
/// from call to call, except after the piece has gone back (GenerationOptions::retries): then the
/// bars since are reported again.
using GeneratedBarSink = std::function<Status(size_t index, std::span<const TokenId> ids, size_t bars)>;

/// Both are called from the thread that called Generate; an error that they return ends it.
struct GenerationSinks {
  GeneratedPieceSink on_piece;
  GeneratedBarSink on_bar = {};  // may be empty
};

/// Writes `options.count` pieces of exactly `options.bars` complete bars. Each begins with BOS, if
/// the vocabulary has it, and `prompt`, which may be empty; the grammar must accept the prompt, and
/// at least one bar must remain to write.
///
/// A piece that outgrows the model's context continues in a window that begins on a bar line and
/// holds at most half of the context (SlidingWindow).
///
/// If a guard finds the piece stuck and retries are left, the last two bars are removed and drawn
/// again, with the random numbers that follow. Otherwise the event is recorded and the piece
/// continues.
///
/// Drafts of bars (GenerationOptions::drafts) are written side by side, each with random numbers of
/// its own, and the piece continues from the one with the highest rating, the first of equals. It
/// never goes back before bars that were kept.
///
/// Piece i depends on neither `count`, `batch` nor the number of threads. Stops early, without an
/// error, when `options.stop` requests it: pieces not handed over by then are dropped. Fails on
/// options out of range, on a model and tokenizer with different vocabularies, on a prompt that the
/// grammar rejects, and when a sink fails.
Status Generate(const LanguageModel& model, const Tokenizer& tokenizer, std::span<const TokenId> prompt,
                const GenerationOptions& options, const GenerationSinks& sinks, Progress& progress);

}  // namespace continuo
