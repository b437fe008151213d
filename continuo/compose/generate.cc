#include "continuo/compose/generate.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "continuo/compose/crowded_bar.h"
#include "continuo/compose/id_mask.h"
#include "continuo/compose/likelihood.h"
#include "continuo/compose/sliding_window.h"
#include "continuo/core/rng.h"
#include "continuo/token/trained_vocabulary.h"

namespace continuo {
namespace {

// A crowded bar ends within its positions or time shifts; only a bug can make one longer than this.
constexpr size_t kMaxTokensPerBar = 4096;

/// A piece under way in one slot of the session.
struct Writer {
  Writer(ConstraintList constraint_list, BarGuard bar_guard)
      : constraints(std::move(constraint_list)), guard(std::move(bar_guard)) {}

  size_t index = 0;
  GeneratedPiece piece;
  ConstraintList constraints;
  Rng rng{0, 0};
  std::vector<uint8_t> seen;
  std::vector<TokenId> pending;  // ids that the model has not read yet
  std::vector<TokenId> begun;    // the last of piece.ids, in no id that the model reads yet: the next is to begin so
  double nll_sum = 0.0;
  size_t drawn = 0;
  size_t bars_done = 0;
  size_t bars_reported = 0;  // of those
  BarGuard guard;
  /// The state in which a bar began.
  struct BarBegin {
    size_t length;  // of piece.ids
    size_t bar;     // counted from 0
    size_t bars_done;
    double nll_sum;
    size_t drawn;
    BarGuard guard;
    std::optional<ConstraintList> constraints;  // only if the piece may go back
  };
  std::vector<BarBegin> bars;  // since the prompt, or since the drafts' begin; the last is the bar under way
  /// Bars that are complete, and not reported yet.
  struct CompleteBars {
    size_t length;  // of piece.ids
    size_t bars;    // of the piece
  };
  std::vector<CompleteBars> unreported;
  /// A draft that is complete waits for the others of its piece.
  bool waits = false;
  std::optional<double> rating;  // then

  void BeginBar(size_t bar, bool may_go_back) {
    constraints.BeginBar(bar);
    bars.push_back({piece.ids.size(), bar, bars_done, nll_sum, drawn, guard, std::nullopt});
    if (may_go_back) {
      bars.back().constraints = constraints;
    }
  }
  /// Tokens in the bar under way.
  size_t bar_length() const { return piece.ids.size() - bars.back().length; }
};

// Draft d of piece i draws from the stream i + d * kDraftStreams; without drafts it is number 0.
constexpr uint64_t kDraftStreams = uint64_t{1} << 40;

/// By id of the model: 1 for those whose first token begins a note.
std::vector<uint8_t> IdsThatBeginNotes(const Tokenizer& tokenizer) {
  std::vector<uint8_t> begins_note(tokenizer.model_size(), 0);
  for (size_t i = 0; i < begins_note.size(); ++i) {
    auto token = static_cast<TokenId>(i);
    if (tokenizer.trained() != nullptr) {
      const std::span<const TokenId> tokens = tokenizer.trained()->Tokens(token);
      token = tokens.empty() ? kNoToken : tokens.front();
    }
    begins_note[i] = token != kNoToken && tokenizer.vocabulary().begins_note(token) ? 1 : 0;
  }
  return begins_note;
}

class Generation {
 public:
  Generation(const LanguageModel& model, const Tokenizer& tokenizer, std::span<const TokenId> prompt,
             const GenerationOptions& options, const GenerationSinks& sinks, Progress& progress)
      : tokenizer_(tokenizer),
        prompt_(prompt),
        options_(options),
        sinks_(sinks),
        progress_(progress),
        constraints_(tokenizer.NewGrammar()),
        vocabulary_size_(tokenizer.model_size()),
        context_(model.context_length()),
        drafts_(std::max<size_t>(1, options.drafts.count)),
        session_(model.NewSession(drafts_ * std::min(options.batch > 0
                                                         ? options.batch
                                                         : std::max<size_t>(1, model.preferred_slots() / drafts_),
                                                     options.count))),
        eos_(tokenizer.vocabulary().eos().value_or(kNoToken)),
        bar_(tokenizer.vocabulary().id(TokenType::kBar).value_or(kNoToken)),
        shift_begins_note_(tokenizer.vocabulary().has(TokenType::kNoShift)),
        sampler_(options.sampling, IdsThatBeginNotes(tokenizer)),
        allowed_(vocabulary_size_),
        token_allowed_(tokenizer.vocabulary().size()),
        writers_(session_->slots()),
        read_(session_->slots()),
        logits_(session_->slots() * vocabulary_size_) {
    // Before the caller's, so that a piece ends whatever these forbid.
    constraints_.Add(CrowdedBarConstraint(tokenizer.vocabulary()));
    for (const std::shared_ptr<const TokenConstraint>& constraint : options.constraints) {
      constraints_.Add(*constraint);
    }
    if (tokenizer.trained() != nullptr) {
      id_mask_.emplace(tokenizer);
    }
  }

  Status Run() {
    for (size_t slot = 0; slot < writers_.size(); slot += drafts_) {
      CONTINUO_TRY(Begin(slot));
    }
    while (active_ > 0 && !options_.stop.stop_requested()) {
      CONTINUO_TRY(Step());
    }
    return {};
  }

 private:
  bool may_go_back() const { return options_.retries > 0; }

  /// Makes the model forget what a slot holds and read the writer's pending ids instead. Those at
  /// their begin that the slot holds already need not be read again.
  void ReadPendingInstead(size_t slot) {
    std::vector<TokenId>& pending = writers_[slot]->pending;
    std::vector<TokenId>& read = read_[slot];
    const auto last = pending.end() - 1;  // whose logits are needed
    const auto same = std::mismatch(pending.begin(), last, read.begin(), read.end()).first - pending.begin();
    session_->Truncate(slot, static_cast<size_t>(same));
    read.resize(static_cast<size_t>(same));
    pending.erase(pending.begin(), pending.begin() + same);
  }

  /// The first slot of those that have the drafts of a slot's piece.
  size_t FirstSlot(size_t slot) const { return slot / drafts_ * drafts_; }

  /// Starts the next piece in the slots of its drafts, of which `slot` is the first, or leaves them
  /// empty if all have begun.
  Status Begin(size_t slot) {
    std::fill_n(writers_.begin() + static_cast<std::ptrdiff_t>(slot), drafts_, std::nullopt);
    if (next_index_ == options_.count) {
      return {};
    }
    Writer writer(constraints_, BarGuard(tokenizer_.vocabulary(), options_.guards));
    writer.index = next_index_++;
    for (const TokenId id : prompt_) {
      if (!writer.constraints.Advance(id)) {
        return MakeError("the prompt's token {} ({}) breaks the grammar of its tokenizer", writer.piece.ids.size(),
                         tokenizer_.vocabulary().token(id));
      }
      writer.piece.ids.push_back(id);
    }
    if (!writer.constraints.SetTarget({options_.bars})) {
      return MakeError("after the prompt's {} tokens a piece cannot end with {} bars", prompt_.size(), options_.bars);
    }
    writer.piece.prompt_length = writer.piece.ids.size();
    writer.BeginBar(std::max<size_t>(writer.constraints.bars(), 1) - 1, may_go_back());
    ReadFromStart(writer);
    if (writer.pending.empty()) {
      return MakeError("the tokenizer has no BOS token, so that a piece needs a prompt to begin with");
    }
    for (size_t draft = 0; draft < drafts_; ++draft) {
      writer.rng = Rng(options_.seed, writer.index + draft * kDraftStreams);
      writers_[slot + draft] = writer;
    }
    ++active_;
    ReadPendingInstead(slot);
    if (drafts_ > 1) {
      ReadAllButLast(slot);
      Spread(slot);
    }
    return {};
  }

  /// Makes the model read the piece so far from its start, in a slot that is empty.
  void ReadFromStart(Writer& writer) const {
    writer.pending = options_.reading;
    size_t read = writer.piece.prompt_length;
    if (writer.pending.empty()) {
      read = 0;
      if (const std::optional<TokenId> bos = tokenizer_.ModelIdOf(tokenizer_.vocabulary().bos())) {
        writer.pending.push_back(*bos);
      }
    }
    const std::vector<TokenId> ids = tokenizer_.ToModelIds(std::span(writer.piece.ids).subspan(read));
    writer.pending.insert(writer.pending.end(), ids.begin(), ids.end());
    LeaveLastOpen(writer);
    writer.seen.assign(vocabulary_size_, 0);
    for (const TokenId id : writer.pending) {
      writer.seen[static_cast<size_t>(id)] = 1;
    }
  }

  /// Trained: takes the last id back from what the model is about to read. Where these tokens go
  /// on, the vocabulary may have an id for them together, which the model has learnt to expect
  /// there.
  void LeaveLastOpen(Writer& writer) const {
    writer.begun.clear();
    if (!id_mask_ || writer.pending.size() < 2) {
      return;
    }
    const auto tokens_of = [&](TokenId id) { return tokenizer_.trained()->Tokens(id); };
    const std::span<const TokenId> last = tokens_of(writer.pending.back());
    if (last.empty() || last.size() > writer.piece.ids.size() ||
        tokenizer_.vocabulary().info(last.front()).type == TokenType::kSpecial) {
      return;
    }
    writer.begun.assign(last.begin(), last.end());
    writer.pending.pop_back();
    // The mark before it may be in that id as well.
    if (writer.pending.size() > 1 && tokens_of(writer.pending.back()).empty()) {
      writer.pending.pop_back();
    }
  }

  /// Makes room for a slot's pending ids: replaces what the model has read by a window of the last
  /// bars.
  void Slide(size_t slot) {
    Writer& writer = *writers_[slot];
    writer.pending = SlidingWindow(tokenizer_, writer.piece.ids, context_);
    LeaveLastOpen(writer);
    ReadPendingInstead(slot);
    ++writer.piece.slides;
  }

  /// One forward pass over all active slots, and a token for each.
  Status Step() {
    std::vector<DecodingSession::Input> inputs;
    for (size_t slot = 0; slot < writers_.size(); ++slot) {
      if (!writers_[slot] || writers_[slot]->waits) {
        continue;
      }
      if (session_->length(slot) + writers_[slot]->pending.size() > context_) {
        Slide(slot);
      }
      inputs.push_back({slot, writers_[slot]->pending});
    }
    Read(inputs);
    for (size_t row = 0; row < inputs.size(); ++row) {
      CONTINUO_TRY(Choose(inputs[row].slot, std::span(logits_).subspan(row * vocabulary_size_, vocabulary_size_)));
    }
    return {};
  }

  /// Makes the model read ids; logits_ then has a row for each input.
  void Read(const std::vector<DecodingSession::Input>& inputs) {
    session_->Append(inputs, std::span(logits_).first(inputs.size() * vocabulary_size_));
    for (const DecodingSession::Input& input : inputs) {
      read_[input.slot].insert(read_[input.slot].end(), input.ids.begin(), input.ids.end());
    }
  }

  Status Choose(size_t slot, std::span<const float> logits) {
    Writer& writer = *writers_[slot];
    if (id_mask_) {
      return ChooseId(slot, logits);
    }
    writer.constraints.Restrict(allowed_);
    const TokenId id = Draw(writer, logits);
    writer.pending.assign(1, id);
    const Result<bool> goes_on = Take(slot, id);
    return goes_on.ok() ? Status() : goes_on.error();
  }

  /// Of a trained vocabulary: an id, then the tokens that it stands for.
  Status ChooseId(size_t slot, std::span<const float> logits) {
    Writer& writer = *writers_[slot];
    const TrainedVocabulary& vocabulary = *tokenizer_.trained();
    const bool after_mark = vocabulary.Tokens(writer.pending.back()).empty();
    while (!id_mask_->Restrict(writer.constraints, writer.begun, after_mark, allowed_)) {
      // No id begins with a token that may come: one is written that the model does not read.
      writer.constraints.Restrict(token_allowed_);
      const auto token = std::find(token_allowed_.begin(), token_allowed_.end(), 1) - token_allowed_.begin();
      CONTINUO_ASSIGN(const bool goes_on, Take(slot, static_cast<TokenId>(token)));
      if (!goes_on) {
        return {};
      }
    }
    const TokenId id = Draw(writer, logits);
    writer.pending.assign(1, id);
    const std::span<const TokenId> tokens = vocabulary.Tokens(id);
    const size_t known = std::min(writer.begun.size(), tokens.size());
    writer.begun.erase(writer.begun.begin(), writer.begun.begin() + static_cast<std::ptrdiff_t>(known));
    for (const TokenId token : tokens.subspan(known)) {
      CONTINUO_ASSIGN(const bool goes_on, Take(slot, token));
      if (!goes_on) {
        return {};
      }
    }
    return {};
  }

  TokenId Draw(Writer& writer, std::span<const float> logits) {
    const TokenId id = sampler_.Sample(logits, writer.seen, allowed_, writer.rng.NextDouble());
    writer.nll_sum += NegativeLogLikelihood(logits, id);
    ++writer.drawn;
    writer.seen[static_cast<size_t>(id)] = 1;
    return id;
  }

  /// Appends a token that may come. False if the slot does not continue from there: the piece or a
  /// draft is complete, or it went back.
  Result<bool> Take(size_t slot, TokenId id) {
    Writer& writer = *writers_[slot];
    const size_t bars_before = writer.constraints.bars();
    CONTINUO_CHECK(writer.constraints.Advance(id));
    const bool complete = writer.constraints.complete();
    if (!complete || !EndsPiece(id)) {
      writer.piece.ids.push_back(id);
      writer.guard.Add(id);
    }
    CONTINUO_CHECK(writer.bar_length() < kMaxTokensPerBar);
    // The first bar of a stream with bar tokens is opened by one, which completes no bar; a time
    // shift may complete several.
    const size_t whole_bars = complete ? options_.bars : writer.constraints.bars() - 1;
    const size_t whole_before = complete ? writer.bars.back().bar : std::max<size_t>(bars_before, 1) - 1;
    if (whole_bars <= whole_before) {
      return true;
    }
    for (size_t bar = whole_before; bar < whole_bars; ++bar) {
      if (const std::optional<GuardKind> stuck = writer.guard.CloseBar()) {
        if (writer.piece.retries < options_.retries) {
          GoBack(slot);
          return false;
        }
        writer.piece.guards.push_back({bar, *stuck});
      }
      ++writer.bars_done;
    }
    writer.unreported.push_back({writer.piece.ids.size(), whole_bars});
    if (!complete) {
      writer.BeginBar(whole_bars, may_go_back());
    }
    if (drafts_ > 1) {
      if (complete || whole_before / DraftOptions::kBars != whole_bars / DraftOptions::kBars) {
        CONTINUO_TRY(EndDraft(slot));
        return false;
      }
      return true;
    }
    CONTINUO_TRY(ReportBars(writer));
    if (complete) {
      CONTINUO_TRY(Finish(slot));
      return false;
    }
    return true;
  }

  /// Rates a draft that is complete. Once all of its piece are, each slot goes on from the best.
  Status EndDraft(size_t slot) {
    Writer& writer = *writers_[slot];
    CONTINUO_ASSIGN(writer.rating, options_.drafts.rate(writer.piece.ids, writer.unreported.back().bars));
    writer.waits = true;
    const size_t first = FirstSlot(slot);
    size_t best = first;
    for (size_t other = first; other < first + drafts_; ++other) {
      if (!writers_[other]->waits) {
        return {};
      }
      if (writers_[other]->rating > writers_[best]->rating) {  // none is below any
        best = other;
      }
    }
    Writer& kept = *writers_[best];
    kept.waits = false;
    CONTINUO_TRY(ReportBars(kept));
    if (kept.constraints.complete()) {
      return Finish(best);
    }
    kept.bars.erase(kept.bars.begin(), kept.bars.end() - 1);  // it never goes back before
    if (id_mask_) {                                           // the last id may go on past these bars
      ReadFromStart(kept);
      ReadPendingInstead(best);
    }
    Spread(best);
    return {};
  }

  /// Makes all drafts of a piece go on as the one in `slot`, each with random numbers of its own.
  void Spread(size_t slot) {
    const size_t first = FirstSlot(slot);
    for (size_t other = first; other < first + drafts_; ++other) {
      if (other != slot) {
        const Rng rng = writers_[other]->rng;
        writers_[other] = writers_[slot];
        writers_[other]->rng = rng;
        session_->Copy(slot, other);
        read_[other] = read_[slot];
      }
    }
  }

  /// Makes the model read a slot's pending ids except the last.
  void ReadAllButLast(size_t slot) {
    std::vector<TokenId>& pending = writers_[slot]->pending;
    if (pending.size() > 1 && session_->length(slot) + pending.size() <= context_) {
      const std::vector<TokenId> ids(pending.begin(), pending.end() - 1);
      Read({{slot, ids}});
      pending.erase(pending.begin(), pending.end() - 1);
    }
  }

  Status ReportBars(Writer& writer) {
    bars_done_ += writer.bars_done - std::exchange(writer.bars_reported, writer.bars_done);
    progress_.Update(bars_done_, options_.count * options_.bars, "");
    for (const Writer::CompleteBars& complete : std::exchange(writer.unreported, {})) {
      if (sinks_.on_bar) {
        CONTINUO_TRY(sinks_.on_bar(writer.index, std::span(writer.piece.ids).first(complete.length), complete.bars));
      }
    }
    return {};
  }

  /// The token that completed the piece does not belong to it.
  bool EndsPiece(TokenId id) const {
    const bool shift = tokenizer_.vocabulary().info(id).type == TokenType::kTimeShift;
    return id == eos_ || id == bar_ || (shift && shift_begins_note_);
  }

  /// Removes the bar that is complete and the one before it, but nothing of the prompt.
  void GoBack(size_t slot) {
    Writer& writer = *writers_[slot];
    if (writer.bars.size() > 1) {
      writer.bars.pop_back();
    }
    const Writer::BarBegin& begin = writer.bars.back();
    ++writer.piece.retries;
    writer.piece.ids.resize(begin.length);
    std::erase_if(writer.piece.guards, [&](const GuardEvent& event) { return event.bar >= begin.bar; });
    std::erase_if(writer.unreported, [&](const Writer::CompleteBars& bars) { return bars.length > begin.length; });
    writer.bars_done = begin.bars_done;
    bars_done_ -= writer.bars_reported - std::min(writer.bars_reported, writer.bars_done);
    writer.bars_reported = std::min(writer.bars_reported, writer.bars_done);
    writer.nll_sum = begin.nll_sum;
    writer.drawn = begin.drawn;
    writer.guard = begin.guard;
    writer.constraints = *begin.constraints;
    ReadFromStart(writer);
    ReadPendingInstead(slot);
  }

  Status Finish(size_t slot) {
    Writer writer = std::move(*writers_[slot]);
    --active_;
    writer.piece.nll = writer.nll_sum / static_cast<double>(writer.drawn);
    CONTINUO_TRY(sinks_.on_piece(writer.index, std::move(writer.piece)));
    return Begin(FirstSlot(slot));
  }

  const Tokenizer& tokenizer_;
  const std::span<const TokenId> prompt_;
  const GenerationOptions& options_;
  const GenerationSinks& sinks_;
  Progress& progress_;
  ConstraintList constraints_;  // at the start of a piece
  const size_t vocabulary_size_;
  const size_t context_;
  const size_t drafts_;  // of each piece
  const std::unique_ptr<DecodingSession> session_;
  // A piece may end with one of these, which then is no part of it.
  const TokenId eos_;
  const TokenId bar_;
  const bool shift_begins_note_;  // Structured
  Sampler sampler_;
  std::vector<uint8_t> allowed_;                // by id of the model
  std::vector<uint8_t> token_allowed_;          // by id of the tokenizer's vocabulary
  std::optional<IdMask> id_mask_;               // of a trained vocabulary
  std::vector<std::optional<Writer>> writers_;  // by slot; the drafts of a piece have slots that follow each other
  std::vector<std::vector<TokenId>> read_;      // what a slot of the session holds
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
                const GenerationOptions& options, const GenerationSinks& sinks, Progress& progress) {
  CONTINUO_TRY(CheckGenerationOptions(options));
  if (model.vocab_size() != tokenizer.model_size()) {
    return MakeError("the model has {} tokens, its tokenizer {}", model.vocab_size(), tokenizer.model_size());
  }
  return Generation(model, tokenizer, prompt, options, sinks, progress).Run();
}

}  // namespace continuo
