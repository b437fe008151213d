#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "continuo/compose/guards.h"
#include "continuo/compose/plan.h"
#include "continuo/compose/sampler.h"
#include "continuo/core/progress.h"
#include "continuo/core/result.h"
#include "continuo/model/language_model.h"
#include "continuo/token/tokenizer.h"

namespace continuo {

/// More bars than anybody asks for; keeps sizes within bounds.
inline constexpr size_t kMaxBars = 10000;

struct GenerationOptions {
  size_t bars = 32;   // of each piece, the prompt's bars among them; 1 to kMaxBars
  size_t count = 1;   // pieces
  uint64_t seed = 1;  // piece i draws from the random stream (seed, i)
  size_t batch = 0;   // pieces decoded side by side; changes the speed alone; 0: as many as suit the model
  SamplingOptions sampling{};
  Plan plan{};  // of what the tokenizer's tokens hold: chords, tempo
  GuardLimits guards{};
  size_t retries = 0;  // how often a piece may go back a bar where a guard found it stuck; 0: never
};

/// Fails, naming the option, its value and the range expected.
Status CheckGenerationOptions(const GenerationOptions& options);

struct GeneratedPiece {
  std::vector<TokenId> ids;        // the prompt's, then the new ones; without BOS and EOS
  size_t prompt_length = 0;        // how many of `ids` are the prompt's
  size_t slides = 0;               // how often the window slid
  double nll = 0.0;                // mean negative log-likelihood of the new ids under the model itself, in nats
  std::vector<GuardEvent> guards;  // what they found in the piece as it is
  size_t retries = 0;              // how often it went back
};

/// Receives each piece as soon as it is whole, from the calling thread, in the order of completion.
using PieceSink = std::function<Status(size_t index, GeneratedPiece piece)>;

/// Is told, from the calling thread, when piece `index` has `bars` whole bars, the last of them too; `ids` are those so
/// far. A piece that goes back (GenerationOptions::retries) tells of the same bars again.
using BarSink = std::function<Status(size_t index, std::span<const TokenId> ids, size_t bars)>;

/// Writes `options.count` pieces of exactly `options.bars` complete bars. Each begins with BOS, where the
/// vocabulary has it, and `prompt`, which may be empty; a prompt is what Tokenizer's grammar accepts and
/// leaves at least one bar to write.
///
/// A piece that outgrows the model's context goes on in a window that begins on a bar line and holds at
/// most half of the context (WindowFromBar).
///
/// A bar that has taken 512 tokens gets no new notes as long as the grammar lets it do without, so that a piece always
/// ends.
///
/// Where a guard finds the piece stuck and retries are left, the last two bars are taken back and drawn again, with
/// random numbers that go on. Otherwise it is noted, and the piece goes on.
///
/// Piece i is the same whatever `count`, `batch` and the number of threads. Stops early, without error, when
/// `progress` asks for it: pieces not handed to `sink` by then are dropped. Fails on options out of range, on
/// a model and tokenizer of different vocabularies, and when `sink` or `on_bar` (which may be empty) fails.
Status Generate(const LanguageModel& model, const Tokenizer& tokenizer, std::span<const TokenId> prompt,
                const GenerationOptions& options, const PieceSink& sink, Progress& progress,
                const BarSink& on_bar = {});

}  // namespace continuo
