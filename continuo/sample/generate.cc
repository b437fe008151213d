#include "continuo/sample/generate.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <optional>

#include "continuo/core/rng.h"

namespace continuo {
namespace {

// A bar of Pop1K7 takes some 50 REMI tokens. One that has taken so many gets no more notes, if it
// can do without, so that a model that repeats one chord for ever still comes to the bar line.
constexpr size_t kCrowdedBarTokens = 512;
// Without new notes a bar ends within its positions or time shifts; more tokens than this come from a bug.
constexpr size_t kMaxTokensPerBar = 4096;

/// The negative logarithm of softmax(logits)[id], in nats.
double NegativeLogLikelihood(std::span<const float> logits, TokenId id) {
  const float highest = *std::max_element(logits.begin(), logits.end());
  double sum = 0.0;
  for (const float logit : logits) {
    sum += std::exp(static_cast<double>(logit) - highest);
  }
  return std::log(sum) + highest - logits[static_cast<size_t>(id)];
}

/// A piece under way in one slot of the session.
struct Writer {
  size_t index = 0;
  GeneratedPiece piece;
  std::unique_ptr<Grammar> grammar;
  Rng rng{0, 0};
  std::vector<uint8_t> seen;
  std::vector<TokenId> pending;  // ids that the model has not read yet
  size_t bar_begin = 0;          // index in piece.ids of the bar under way
  double nll_sum = 0.0;
  size_t drawn = 0;
};

class Generation {
 public:
  Generation(const LanguageModel& model, const Tokenizer& tokenizer, std::span<const TokenId> prompt,
             const GenerationOptions& options, const PieceSink& sink, Progress& progress)
      : tokenizer_(tokenizer),
        prompt_(prompt),
        options_(options),
        sink_(sink),
        progress_(progress),
        vocabulary_size_(tokenizer.vocabulary().size()),
        context_(static_cast<size_t>(model.config().context_length)),
        session_(model.NewSession(std::min(options.batch, options.count))),
        eos_(tokenizer.vocabulary().eos().value_or(-1)),
        bar_(tokenizer.vocabulary().Find("Bar_None").value_or(-1)),
        sampler_(options.sampling),
        allowed_(vocabulary_size_),
        writers_(session_->slots()),
        logits_(session_->slots() * vocabulary_size_) {
    for (size_t id = 0; id < vocabulary_size_; ++id) {
      const std::string& token = tokenizer.vocabulary().token(static_cast<TokenId>(id));
      for (const std::string_view type : {"Pitch_", "PitchDrum_", "NoteOn_", "DrumOn_", "Program_", "Pedal_", "PitchBend_"}) {
        if (token.starts_with(type)) {
          note_ids_.push_back(static_cast<TokenId>(id));
        }
      }
    }
  }

  Status Run() {
    for (size_t slot = 0; slot < writers_.size(); ++slot) {
      CONTINUO_TRY(Begin(slot));
    }
    while (active_ > 0 && !progress_.ShouldStop()) {
      CONTINUO_TRY(Step());
    }
    return {};
  }

 private:
  /// Starts the next piece in a slot, or leaves the slot empty when all are begun.
  Status Begin(size_t slot) {
    writers_[slot].reset();
    if (next_index_ == options_.count) {
      return {};
    }
    Writer writer;
    writer.index = next_index_++;
    writer.grammar = tokenizer_.NewGrammar({options_.bars});
    writer.rng = Rng(options_.seed, writer.index);
    writer.seen.assign(vocabulary_size_, 0);
    for (const TokenId id : prompt_) {
      if (!writer.grammar->Advance(id)) {
        return MakeError("the prompt's token {} ({}) breaks the grammar of its tokenizer", writer.piece.ids.size(),
                         tokenizer_.vocabulary().token(id));
      }
      writer.piece.ids.push_back(id);
      writer.seen[static_cast<size_t>(id)] = 1;
    }
    if (writer.grammar->complete() || writer.grammar->bars() > options_.bars) {
      return MakeError("the prompt has all of the {} bars asked for", options_.bars);
    }
    writer.piece.prompt_length = writer.piece.ids.size();
    if (const std::optional<TokenId> bos = tokenizer_.vocabulary().bos()) {
      writer.pending.push_back(*bos);
      writer.seen[static_cast<size_t>(*bos)] = 1;
    }
    writer.pending.insert(writer.pending.end(), prompt_.begin(), prompt_.end());
    if (writer.pending.empty()) {
      return MakeError("the tokenizer has no BOS token, so that a piece needs a prompt to begin with");
    }
    session_->Reset(slot);
    writers_[slot] = std::move(writer);
    ++active_;
    return {};
  }

  /// Makes room for a slot's pending ids: empties its cache and puts a window of its last bars there.
  void Slide(size_t slot) {
    Writer& writer = *writers_[slot];
    const size_t limit = context_ - context_ / 4;
    const std::vector<size_t> bars = tokenizer_.BarOffsets(writer.piece.ids);
    // The earliest bar whose window fits; its length falls with the bar's number.
    std::vector<TokenId> window;
    size_t low = 0;
    size_t high = bars.size();
    while (low < high) {
      const size_t middle = (low + high) / 2;
      std::vector<TokenId> candidate = tokenizer_.WindowFromBar(writer.piece.ids, middle);
      if (candidate.size() <= limit) {
        window = std::move(candidate);
        high = middle;
      } else {
        low = middle + 1;
      }
    }
    if (window.empty()) {
      // One bar alone is longer than the window: its end must do.
      const size_t tail = std::min(limit, writer.piece.ids.size());
      window.assign(writer.piece.ids.end() - static_cast<std::ptrdiff_t>(tail), writer.piece.ids.end());
    }
    session_->Reset(slot);
    writer.pending = std::move(window);
    ++writer.piece.slides;
  }

  /// One forward pass over all active slots, and a token for each.
  Status Step() {
    std::vector<DecodingSession::Input> inputs;
    for (size_t slot = 0; slot < writers_.size(); ++slot) {
      if (!writers_[slot]) {
        continue;
      }
      if (session_->length(slot) + writers_[slot]->pending.size() > context_) {
        Slide(slot);
      }
      inputs.push_back({slot, writers_[slot]->pending});
    }
    session_->Append(inputs, std::span(logits_).first(inputs.size() * vocabulary_size_));
    for (size_t row = 0; row < inputs.size(); ++row) {
      CONTINUO_TRY(Choose(inputs[row].slot, std::span(logits_).subspan(row * vocabulary_size_, vocabulary_size_)));
    }
    return {};
  }

  Status Choose(size_t slot, std::span<const float> logits) {
    Writer& writer = *writers_[slot];
    writer.grammar->Allowed(allowed_);
    if (writer.piece.ids.size() - writer.bar_begin >= kCrowdedBarTokens) {
      AllowNoNewNotes();
    }
    const TokenId id = sampler_.Sample(logits, writer.seen, allowed_, writer.rng.NextDouble());
    const size_t bars_before = writer.grammar->bars();
    CONTINUO_CHECK(writer.grammar->Advance(id));
    writer.nll_sum += NegativeLogLikelihood(logits, id);
    ++writer.drawn;
    const bool complete = writer.grammar->complete();
    if (!complete || (id != eos_ && id != bar_)) {
      writer.piece.ids.push_back(id);
    }
    if (complete) {
      return Finish(slot);
    }
    CONTINUO_CHECK(writer.piece.ids.size() - writer.bar_begin < kMaxTokensPerBar);
    writer.pending.assign(1, id);
    writer.seen[static_cast<size_t>(id)] = 1;
    if (writer.grammar->bars() != bars_before) {
      writer.bar_begin = writer.piece.ids.size();
      ++bars_done_;
      progress_.Update(bars_done_, options_.count * options_.bars, "");
    }
    return {};
  }

  /// Takes the beginnings of notes from what is allowed, unless nothing else is.
  void AllowNoNewNotes() {
    std::vector<uint8_t> without = allowed_;
    for (const TokenId id : note_ids_) {
      without[static_cast<size_t>(id)] = 0;
    }
    if (std::find(without.begin(), without.end(), 1) != without.end()) {
      allowed_ = std::move(without);
    }
  }

  Status Finish(size_t slot) {
    Writer writer = std::move(*writers_[slot]);
    --active_;
    writer.piece.nll = writer.nll_sum / static_cast<double>(writer.drawn);
    CONTINUO_TRY(sink_(writer.index, std::move(writer.piece)));
    return Begin(slot);
  }

  const Tokenizer& tokenizer_;
  const std::span<const TokenId> prompt_;
  const GenerationOptions& options_;
  const PieceSink& sink_;
  Progress& progress_;
  const size_t vocabulary_size_;
  const size_t context_;
  const std::unique_ptr<DecodingSession> session_;
  std::vector<TokenId> note_ids_;  // that begin a note
  // A piece may end with one of these, which then is no part of it.
  const TokenId eos_;
  const TokenId bar_;
  Sampler sampler_;
  std::vector<uint8_t> allowed_;
  std::vector<std::optional<Writer>> writers_;
  std::vector<float> logits_;
  size_t next_index_ = 0;
  size_t active_ = 0;
  uint64_t bars_done_ = 0;
};

}  // namespace

Status CheckGenerationOptions(const GenerationOptions& options) {
  if (options.bars < 1 || options.bars > kMaxBars) {
    return MakeError("bars is {}, expected 1 to {}", options.bars, kMaxBars);
  }
  if (options.count < 1) {
    return MakeError("count is {}, expected 1 or more", options.count);
  }
  if (options.batch < 1) {
    return MakeError("batch is {}, expected 1 or more", options.batch);
  }
  return CheckSamplingOptions(options.sampling);
}

Status Generate(const LanguageModel& model, const Tokenizer& tokenizer, std::span<const TokenId> prompt,
                const GenerationOptions& options, const PieceSink& sink, Progress& progress) {
  CONTINUO_TRY(CheckGenerationOptions(options));
  if (static_cast<size_t>(model.config().vocab_size) != tokenizer.vocabulary().size()) {
    return MakeError("the model has {} tokens, its tokenizer {}", model.config().vocab_size,
                     tokenizer.vocabulary().size());
  }
  return Generation(model, tokenizer, prompt, options, sink, progress).Run();
}

}  // namespace continuo
