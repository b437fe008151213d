#include "continuo/compose/generate.h"

#include <algorithm>
#include <memory>
#include <optional>

#include "continuo/compose/likelihood.h"
#include "continuo/compose/sliding_window.h"
#include "continuo/core/rng.h"

namespace continuo {
namespace {

// A bar of Pop1K7 takes some 50 REMI tokens. One that has taken so many gets no more notes, if it
// can do without, so that a model that repeats one chord for ever still comes to the bar line.
constexpr size_t kCrowdedBarTokens = 512;
// Without new notes a bar ends within its positions or time shifts; more tokens than this come from a bug.
constexpr size_t kMaxTokensPerBar = 4096;

/// A piece under way in one slot of the session.
struct Writer {
  explicit Writer(BarGuard bar_guard) : guard(std::move(bar_guard)) {}

  size_t index = 0;
  GeneratedPiece piece;
  std::unique_ptr<Grammar> grammar;
  Rng rng{0, 0};
  std::vector<uint8_t> seen;
  std::vector<TokenId> pending;  // ids that the model has not read yet
  double nll_sum = 0.0;
  size_t drawn = 0;
  size_t bars_done = 0;
  BarGuard guard;
  std::optional<PlanFollower> follower;
  /// How things were when a bar began; one for each bar since the prompt, the last for the bar under way.
  struct BarBegin {
    size_t length;  // of piece.ids
    size_t bar;     // counted from 0
    size_t bars_done;
    double nll_sum;
    size_t drawn;
    BarGuard guard;
  };
  std::vector<BarBegin> bars;

  void BeginBar(size_t bar) { bars.push_back({piece.ids.size(), bar, bars_done, nll_sum, drawn, guard}); }
  /// Tokens in the bar under way.
  size_t bar_length() const { return piece.ids.size() - bars.back().length; }
};

class Generation {
 public:
  Generation(const LanguageModel& model, const Tokenizer& tokenizer, std::span<const TokenId> prompt,
             const GenerationOptions& options, const PieceSink& sink, Progress& progress, const BarSink& on_bar)
      : tokenizer_(tokenizer),
        prompt_(prompt),
        options_(options),
        sink_(sink),
        progress_(progress),
        on_bar_(on_bar),
        guard_table_(tokenizer.vocabulary()),
        vocabulary_size_(tokenizer.vocabulary().size()),
        context_(model.context_length()),
        session_(
            model.NewSession(std::min(options.batch > 0 ? options.batch : model.preferred_slots(), options.count))),
        eos_(tokenizer.vocabulary().eos().value_or(-1)),
        bar_(tokenizer.vocabulary().Find("Bar_None").value_or(-1)),
        sampler_(options.sampling),
        allowed_(vocabulary_size_),
        writers_(session_->slots()),
        logits_(session_->slots() * vocabulary_size_) {
    for (size_t id = 0; id < vocabulary_size_; ++id) {
      const std::string& token = tokenizer.vocabulary().token(static_cast<TokenId>(id));
      for (const std::string_view type :
           {"Pitch_", "PitchDrum_", "NoteOn_", "DrumOn_", "Program_", "Pedal_", "PitchBend_"}) {
        if (token.starts_with(type)) {
          note_ids_.push_back(static_cast<TokenId>(id));
        }
      }
    }
  }

  Status Run() {
    if (!options_.plan.empty()) {
      CONTINUO_ASSIGN(plan_, PlanTable::Create(options_.plan, tokenizer_));
    }
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
    Writer writer(BarGuard(guard_table_, options_.guards));
    writer.index = next_index_++;
    writer.grammar = tokenizer_.NewGrammar({options_.bars});
    writer.rng = Rng(options_.seed, writer.index);
    writer.seen.assign(vocabulary_size_, 0);
    if (plan_) {
      writer.follower.emplace(*plan_);
    }
    for (const TokenId id : prompt_) {
      if (plan_) {
        writer.follower->Advance(id);
      }
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
    writer.BeginBar(std::max<size_t>(writer.grammar->bars(), 1) - 1);
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
    session_->Reset(slot);
    writer.pending = SlidingWindow(tokenizer_, writer.piece.ids, context_);
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
    if (writer.bar_length() >= kCrowdedBarTokens) {
      AllowNoNewNotes();
    }
    if (plan_) {
      writer.follower->Restrict(allowed_);
    }
    const TokenId id = sampler_.Sample(logits, writer.seen, allowed_, writer.rng.NextDouble());
    const size_t bars_before = writer.grammar->bars();
    CONTINUO_CHECK(writer.grammar->Advance(id));
    if (plan_) {
      writer.follower->Advance(id);
    }
    writer.nll_sum += NegativeLogLikelihood(logits, id);
    ++writer.drawn;
    const bool complete = writer.grammar->complete();
    if (!complete || (id != eos_ && id != bar_)) {
      writer.piece.ids.push_back(id);
      writer.guard.Add(id);
    }
    CONTINUO_CHECK(writer.bar_length() < kMaxTokensPerBar);
    writer.pending.assign(1, id);
    writer.seen[static_cast<size_t>(id)] = 1;
    // The first bar of a stream with bar tokens is opened by one, and ends none; a long time shift ends several.
    const size_t whole_bars = complete ? options_.bars : writer.grammar->bars() - 1;
    const size_t bars_before_that = complete ? writer.bars.back().bar : std::max<size_t>(bars_before, 1) - 1;
    if (whole_bars <= bars_before_that) {
      return {};
    }
    for (size_t bar = bars_before_that; bar < whole_bars; ++bar) {
      if (const std::optional<GuardKind> stuck = writer.guard.CloseBar()) {
        if (writer.piece.retries < options_.retries) {
          return GoBack(slot);
        }
        writer.piece.guards.push_back({bar, *stuck});
      }
      ++writer.bars_done;
      ++bars_done_;
    }
    progress_.Update(bars_done_, options_.count * options_.bars, "");
    if (on_bar_) {
      CONTINUO_TRY(on_bar_(writer.index, writer.piece.ids, whole_bars));
    }
    if (complete) {
      return Finish(slot);
    }
    writer.BeginBar(whole_bars);
    return {};
  }

  /// Takes back the bar that is whole and the one before it, as far as the prompt lets it.
  Status GoBack(size_t slot) {
    Writer& writer = *writers_[slot];
    if (writer.bars.size() > 1) {
      writer.bars.pop_back();
    }
    const Writer::BarBegin begin = writer.bars.back();
    ++writer.piece.retries;
    writer.piece.ids.resize(begin.length);
    std::erase_if(writer.piece.guards, [&](const GuardEvent& event) { return event.bar >= begin.bar; });
    bars_done_ -= writer.bars_done - begin.bars_done;
    writer.bars_done = begin.bars_done;
    writer.nll_sum = begin.nll_sum;
    writer.drawn = begin.drawn;
    writer.guard = begin.guard;
    writer.grammar = tokenizer_.NewGrammar({options_.bars});
    writer.pending.clear();
    if (const std::optional<TokenId> bos = tokenizer_.vocabulary().bos()) {
      writer.pending.push_back(*bos);
    }
    if (plan_) {
      writer.follower.emplace(*plan_);
    }
    for (const TokenId id : writer.piece.ids) {
      CONTINUO_CHECK(writer.grammar->Advance(id));
      if (plan_) {
        writer.follower->Advance(id);
      }
    }
    writer.pending.insert(writer.pending.end(), writer.piece.ids.begin(), writer.piece.ids.end());
    std::fill(writer.seen.begin(), writer.seen.end(), 0);
    for (const TokenId id : writer.pending) {
      writer.seen[static_cast<size_t>(id)] = 1;
    }
    session_->Reset(slot);
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
  const BarSink& on_bar_;
  const GuardTable guard_table_;
  std::optional<PlanTable> plan_;
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
  return CheckSamplingOptions(options.sampling);
}

Status Generate(const LanguageModel& model, const Tokenizer& tokenizer, std::span<const TokenId> prompt,
                const GenerationOptions& options, const PieceSink& sink, Progress& progress, const BarSink& on_bar) {
  CONTINUO_TRY(CheckGenerationOptions(options));
  if (model.vocab_size() != tokenizer.vocabulary().size()) {
    return MakeError("the model has {} tokens, its tokenizer {}", model.vocab_size(),
                     tokenizer.vocabulary().size());
  }
  return Generation(model, tokenizer, prompt, options, sink, progress, on_bar).Run();
}

}  // namespace continuo
