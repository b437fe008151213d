#include "continuo/compose/composer.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <tuple>
#include <utility>

#include "continuo/compose/chord_recall.h"
#include "continuo/compose/continuation.h"
#include "continuo/compose/fill.h"
#include "continuo/compose/limit_constraint.h"
#include "continuo/compose/pitch_constraint.h"
#include "continuo/compose/plan_constraint.h"
#include "continuo/compose/repeat_constraint.h"
#include "continuo/compose/score_parts.h"
#include "continuo/compose/tempo_constraint.h"
#include "continuo/score/score_file.h"
#include "continuo/score/tempo_map.h"
#include "continuo/token/representation.h"

namespace continuo {
namespace {

/// What one kind of request asks of the generator, and how ids become a piece.
class Job {
 public:
  virtual ~Job() = default;

  std::vector<TokenId> prompt;
  size_t bars = 0;           // of the ids, the prompt's included
  size_t first_new_bar = 0;  // counted from 0
  bool keeps_one = false;    // if no number is given; else all
  std::shared_ptr<const TokenConstraint> pitches;
  std::vector<std::shared_ptr<const TokenConstraint>> constraints;

  /// What the model reads instead of the prompt (GenerationOptions::reading).
  virtual std::vector<TokenId> Reading(const LoadedModel& /*model*/) const { return {}; }
  virtual Result<LimitConstraint> Limits(const MusicLimits& limits, const Tokenizer& tokenizer) const {
    return LimitConstraint::Create(limits, tokenizer, {.first_bar = first_new_bar, .bars = bars});
  }
  /// The piece that `ids` make, which may end with any bar from the prompt's last on.
  virtual Result<Score> Whole(std::span<const TokenId> ids) const = 0;
  /// Sets what a complete piece has besides GeneratedPiece and the index, and returns the number to
  /// rank it by.
  virtual Result<double> Finish(const LanguageModel& model, WrittenPiece& written) const = 0;
};

class NewJob final : public Job {
 public:
  NewJob(const NewRequest& request, const Tokenizer& tokenizer, std::optional<double> bpm)
      : tokenizer_(tokenizer), bpm_(bpm) {
    bars = request.bars;
    pitches = std::make_shared<PitchConstraint>(tokenizer);
  }

  Result<Score> Whole(std::span<const TokenId> ids) const override {
    const Score decoded = tokenizer_.Decode(std::vector<std::vector<TokenId>>(1, {ids.begin(), ids.end()}));
    Score score = NewPart(decoded, 0, kTicksPerQuarter);
    EndRepeatedNotes(score);
    if (bpm_) {  // exactly; its token is the nearest there is
      score.tempos = {{.time = 0, .us_per_quarter = static_cast<int32_t>(std::lround(60e6 / *bpm_))}};
    }
    return score;
  }

  Result<double> Finish(const LanguageModel& /*model*/, WrittenPiece& written) const override {
    CONTINUO_ASSIGN(const Score score, Whole(written.generated.ids));
    for (const Track& track : score.tracks) {
      written.new_notes += track.notes.size();
    }
    CONTINUO_TRY(CheckChannels(score));
    written.piece = MidiPiece(score);
    return written.generated.nll;
  }

 private:
  static constexpr int32_t kTicksPerQuarter = 480;  // of new files

  const Tokenizer& tokenizer_;
  const std::optional<double> bpm_;
};

class ContinueJob final : public Job {
 public:
  static Result<std::unique_ptr<Job>> Create(const ContinueRequest& request, const Tokenizer& tokenizer,
                                             const TempoRule& tempo) {
    const auto check = [](std::string_view name, size_t value) -> Status {
      if (value < 1 || value > kMaxBars) {
        return MakeError("{} is {}, expected 1 to {}", name, value, kMaxBars);
      }
      return {};
    };
    CONTINUO_TRY(check("prompt-bars", request.prompt_bars));
    CONTINUO_TRY(check("bars", request.bars));
    CONTINUO_ASSIGN(Prompt prompt,
                    TakePrompt(request.piece, request.prompt_bars, request.bars, tokenizer, tempo, request.track));
    return std::unique_ptr<Job>(new ContinueJob(request, std::move(prompt), tokenizer));
  }

  Result<Score> Whole(std::span<const TokenId> ids) const override {
    CONTINUO_ASSIGN(const Continuation joined, JoinContinuation(prompt_, ids, tokenizer_));
    return joined.whole.score();
  }

  Result<double> Finish(const LanguageModel& /*model*/, WrittenPiece& written) const override {
    CONTINUO_ASSIGN(Continuation joined, JoinContinuation(prompt_, written.generated.ids, tokenizer_));
    MidiDocument new_bars = ExtractFrom(joined.whole.document(), static_cast<uint32_t>(prompt_.seam.line));
    CONTINUO_ASSIGN(written.new_bars, MidiPiece::FromDocument(std::move(new_bars), "the new bars"));
    written.piece = std::move(joined.whole);
    written.new_notes = joined.notes.notes;
    written.raised = std::move(joined.raised);
    return written.generated.nll;
  }

 private:
  ContinueJob(const ContinueRequest& request, Prompt taken, const Tokenizer& tokenizer)
      : tokenizer_(tokenizer), prompt_(std::move(taken)) {
    prompt = prompt_.seam.ids;
    pitches = prompt_.seam.pitches;
    constraints = prompt_.seam.constraints;
    first_new_bar = request.prompt_bars;
    bars = request.prompt_bars + request.bars;
  }

  const Tokenizer& tokenizer_;
  const Prompt prompt_;
};

class FillJob final : public Job {
 public:
  static Result<std::unique_ptr<Job>> Create(const FillRequest& request, const Tokenizer& tokenizer, bool keep_top) {
    CONTINUO_ASSIGN(Gap gap, MakeGap(request.piece, request.first, request.last, tokenizer, keep_top));
    return std::unique_ptr<Job>(new FillJob(std::move(gap), tokenizer));
  }

  std::vector<TokenId> Reading(const LoadedModel& model) const override {
    return model.reads_both_sides ? ReadBothSides(gap_, tokenizer_, model.model->context_length())
                                  : std::vector<TokenId>();
  }

  Result<LimitConstraint> Limits(const MusicLimits& limits, const Tokenizer& tokenizer) const override {
    return LimitConstraint::Create(limits, tokenizer,
                                   {.first_bar = first_new_bar, .bars = bars, .last_bar_tick = gap_.last_bar_tick},
                                   gap_.kept_top);
  }

  Result<Score> Whole(std::span<const TokenId> ids) const override {
    CONTINUO_ASSIGN(const Filled filled, FillGap(gap_, ids, tokenizer_));
    return filled.whole.score();
  }

  Result<double> Finish(const LanguageModel& model, WrittenPiece& written) const override {
    CONTINUO_ASSIGN(Filled filled, FillGap(gap_, written.generated.ids, tokenizer_));
    CONTINUO_ASSIGN(written.following_nll, FollowingNll(gap_, filled.whole.score(), model, tokenizer_));
    written.piece = std::move(filled.whole);
    written.new_notes = filled.notes.notes;
    return written.following_nll.value_or(written.generated.nll);
  }

 private:
  FillJob(Gap gap, const Tokenizer& tokenizer) : tokenizer_(tokenizer), gap_(std::move(gap)) {
    prompt = gap_.seam.ids;
    pitches = gap_.seam.pitches;
    constraints = gap_.seam.constraints;
    first_new_bar = gap_.first;
    bars = gap_.last;
    keeps_one = true;
  }

  const Tokenizer& tokenizer_;
  const Gap gap_;
};

Result<std::unique_ptr<Job>> MakeJob(const Request& request, const Tokenizer& tokenizer, const TempoRule& tempo,
                                     bool keep_top = false) {
  if (const auto* continued = std::get_if<ContinueRequest>(&request)) {
    return ContinueJob::Create(*continued, tokenizer, tempo);
  }
  if (const auto* filled = std::get_if<FillRequest>(&request)) {
    return FillJob::Create(*filled, tokenizer, keep_top);
  }
  const std::optional<double> bpm = tempo.kind == TempoRule::Kind::kFixed ? std::optional(tempo.bpm) : std::nullopt;
  return std::unique_ptr<Job>(std::make_unique<NewJob>(std::get<NewRequest>(request), tokenizer, bpm));
}

/// A request that has passed every check.
struct Plan {
  std::unique_ptr<Job> job;
  GenerationOptions generation;
};

/// What a representation can't do is refused by its name.
Status CheckRepresentation(const Tokenizer& tokenizer) {
  const Representation& representation = RepresentationOf(tokenizer.config());
  if (representation.base != nullptr) {
    return MakeError("a model of {} writes one track after the other, but pieces are written bar by bar",
                     representation.name);
  }
  return {};
}

Result<Plan> MakePlan(const LoadedModel& model, const Request& request, const ComposeOptions& options) {
  const Tokenizer& tokenizer = *model.tokenizer;
  Plan plan;
  if (options.bpm && std::holds_alternative<FillRequest>(request)) {
    return MakeError("bpm is {}, but a piece whose bars are rewritten keeps its own tempo", *options.bpm);
  }
  if (options.bpm && options.free_tempo) {
    return MakeError("bpm is {}, but the tempo is to be free", *options.bpm);
  }
  const auto* continued = std::get_if<ContinueRequest>(&request);
  if (options.bpm && continued != nullptr && continued->piece.document().is_smpte()) {
    return MakeError("bpm is {}, but {} counts time in frames of film (SMPTE), and has no tempo", *options.bpm,
                     continued->piece.name());
  }
  if (options.limits.keep_top && !std::holds_alternative<FillRequest>(request)) {
    return MakeError("keep_top keeps the top notes of bars that are rewritten, but this request rewrites none");
  }
  CONTINUO_TRY(CheckRepresentation(tokenizer));
  TempoRule tempo;
  if (options.bpm) {
    tempo = {TempoRule::Kind::kFixed, *options.bpm};
  } else if (options.free_tempo) {
    tempo.kind = TempoRule::Kind::kFree;
  }
  CONTINUO_ASSIGN(plan.job, MakeJob(request, tokenizer, tempo, options.limits.keep_top));
  GenerationOptions& generation = plan.generation;
  generation.bars = plan.job->bars;
  generation.count = options.count;
  generation.seed = options.seed;
  generation.batch = options.batch;
  generation.stop = options.stop;
  generation.sampling = options.sampling.value_or(model.sampling);
  generation.guards = options.guards;
  generation.retries = options.retries;
  const bool limited = !options.limits.empty();
  if (!limited) {
    generation.constraints.push_back(plan.job->pitches);
  }
  generation.constraints.insert(generation.constraints.end(), plan.job->constraints.begin(),
                                plan.job->constraints.end());
  generation.reading = plan.job->Reading(model);
  if (options.bpm) {
    CONTINUO_ASSIGN(const TempoConstraint fixed,
                    TempoConstraint::Create(*options.bpm, tokenizer, plan.job->first_new_bar));
    generation.constraints.push_back(std::make_shared<TempoConstraint>(fixed));
  }
  if (!options.chords.empty()) {
    CONTINUO_ASSIGN(const ChordConstraint chords,
                    ChordConstraint::Create(options.chords, tokenizer, plan.job->first_new_bar));
    generation.constraints.push_back(std::make_shared<ChordConstraint>(chords));
  }
  if (!options.plan.empty()) {
    const size_t first = plan.job->first_new_bar;
    CONTINUO_ASSIGN(const PlanConstraint planned,
                    PlanConstraint::Create(options.plan, tokenizer, first, plan.job->bars - first));
    generation.constraints.push_back(std::make_shared<PlanConstraint>(planned));
  }
  if (limited) {
    CONTINUO_ASSIGN(const LimitConstraint limits, plan.job->Limits(options.limits, tokenizer));
    generation.constraints.push_back(std::make_shared<LimitConstraint>(limits));
    generation.constraints.push_back(plan.job->pitches);
  }
  if (generation.sampling.recall > 0.0) {
    if (!tokenizer.vocabulary().has(TokenType::kRepeat)) {
      return Error{fmt::format("recall is {}, but the model's tokens ({}) do not say which bars repeat others",
                               generation.sampling.recall, RepresentationName(tokenizer.config())),
                   "recall needs a model of the tokenizer remiplan"};
    }
    generation.constraints.push_back(std::make_shared<RepeatConstraint>(tokenizer, generation.sampling.recall));
  }
  if (generation.sampling.chord_recall > 0.0) {
    if (!tokenizer.vocabulary().has(TokenType::kChord)) {
      return Error{fmt::format("chord-recall is {}, but the model's tokens ({}) have no chords",
                               generation.sampling.chord_recall, RepresentationName(tokenizer.config())),
                   "chord-recall needs a model of the tokenizer remichord or remiplan"};
    }
    if (options.chords.empty()) {  // which else say every chord
      generation.constraints.push_back(
          std::make_shared<ChordRecallConstraint>(tokenizer, generation.sampling.chord_recall));
    }
  }
  if (generation.sampling.drafts > 1) {
    if (model.discriminator == nullptr) {
      return Error{fmt::format("drafts is {}, but nothing compares them: the model has no discriminator.json",
                               generation.sampling.drafts),
                   "`continuo discriminator` makes one"};
    }
    generation.drafts.count = static_cast<size_t>(generation.sampling.drafts);
    generation.drafts.rate = [job = plan.job.get(), discriminator = model.discriminator](
                                 std::span<const TokenId> ids, size_t bars) -> Result<std::optional<double>> {
      CONTINUO_ASSIGN(const Score score, job->Whole(ids));
      return discriminator->LogOdds(score, bars);
    };
  }
  generation.constraints.insert(generation.constraints.end(), options.constraints.begin(), options.constraints.end());
  CONTINUO_TRY(CheckGenerationOptions(generation));
  return plan;
}

bool Better(const RankedPiece& a, const RankedPiece& b) {
  return a.nll != b.nll ? a.nll < b.nll : a.index < b.index;
}

/// Finds the notes that are new with each bar of a piece.
class BarNotes {
 public:
  explicit BarNotes(const Job& job) : job_(job) {}

  Status Start() {
    CONTINUO_ASSIGN(const Score given, job_.Whole(job_.prompt));
    ForEachNote(given, [&](const Key& key, const Note&, const Track&) { given_.insert(key); });
    return {};
  }

  Result<BarUpdate> Update(size_t index, std::span<const TokenId> ids, size_t bars) {
    BarUpdate update{.index = index, .bars = bars, .notes = {}};
    std::map<Key, size_t>& reported = reported_[index];
    std::erase_if(reported, [bars](const auto& entry) { return entry.second >= bars; });  // the piece went back
    CONTINUO_ASSIGN(const Score score, job_.Whole(ids));
    const TempoMap seconds(score);
    ForEachNote(score, [&](const Key& key, const Note& note, const Track& track) {
      if (!given_.contains(key) && reported.emplace(key, bars).second) {
        const double begin = seconds.Seconds(note.time);
        update.notes.push_back({.note = note,
                                .program = track.program,
                                .is_drum = track.is_drum,
                                .seconds = begin,
                                .duration_seconds = seconds.Seconds(note.time + note.duration) - begin});
      }
    });
    return update;
  }

  void Forget(size_t index) { reported_.erase(index); }

 private:
  using Key = std::tuple<Tick, uint8_t, uint8_t, bool>;

  template <typename Visit>
  static void ForEachNote(const Score& score, const Visit& visit) {
    for (const Track& track : score.tracks) {
      for (const Note& note : track.notes) {
        visit(Key(note.time, note.pitch, track.program, track.is_drum), note, track);
      }
    }
  }

  const Job& job_;
  std::set<Key> given_;                               // the notes of the request's piece that stay
  std::map<size_t, std::map<Key, size_t>> reported_;  // by piece: a note, and the bars of its update
};

}  // namespace

Status CheckRequest(const Request& request, const Tokenizer& tokenizer) {
  const Result<std::unique_ptr<Job>> job = MakeJob(request, tokenizer, {});
  return job.ok() ? Status() : job.error();
}

Status Composer::Check(const Request& request, const ComposeOptions& options) const {
  const Result<Plan> plan = MakePlan(model_, request, options);
  return plan.ok() ? Status() : plan.error();
}

Result<ComposeReport> Composer::Write(const Request& request, const ComposeOptions& options, const PieceSink& sink,
                                      Progress& progress, const BarSink& on_bar) const {
  CONTINUO_ASSIGN(const Plan plan, MakePlan(model_, request, options));
  const Job& job = *plan.job;
  const size_t keep = job.keeps_one ? std::max<size_t>(options.keep, 1) : options.keep;

  ComposeReport report;
  report.best_first = job.keeps_one || (keep > 0 && keep < options.count);
  std::vector<std::pair<RankedPiece, WrittenPiece>> best;  // at most `keep`, the best first
  std::optional<BarNotes> bar_notes;
  GenerationSinks sinks;
  sinks.on_piece = [&](size_t index, GeneratedPiece generated) -> Status {
    if (bar_notes) {
      bar_notes->Forget(index);
    }
    WrittenPiece written;
    written.index = index;
    written.generated = std::move(generated);
    CONTINUO_ASSIGN(const double nll, job.Finish(*model_.model, written));
    const RankedPiece rank{index, nll};
    report.ranking.insert(std::upper_bound(report.ranking.begin(), report.ranking.end(), rank, Better), rank);
    if (!report.best_first) {
      ++report.delivered;
      return sink(std::move(written));
    }
    const auto place = std::upper_bound(best.begin(), best.end(), rank,
                                        [](const RankedPiece& a, const auto& b) { return Better(a, b.first); });
    best.emplace(place, rank, std::move(written));
    best.resize(std::min(best.size(), keep));
    return {};
  };
  if (on_bar) {
    bar_notes.emplace(job);
    CONTINUO_TRY(bar_notes->Start());
    sinks.on_bar = [&](size_t index, std::span<const TokenId> ids, size_t bars) -> Status {
      CONTINUO_ASSIGN(const BarUpdate update, bar_notes->Update(index, ids, bars));
      return on_bar(update);
    };
  }
  CONTINUO_TRY(Generate(*model_.model, *model_.tokenizer, job.prompt, plan.generation, sinks, progress));
  for (auto& [rank, written] : best) {
    ++report.delivered;
    CONTINUO_TRY(sink(std::move(written)));
  }
  report.stopped = report.ranking.size() < options.count;
  return report;
}

Result<std::vector<WrittenPiece>> Composer::Write(const Request& request, const ComposeOptions& options,
                                                  Progress& progress) const {
  std::vector<WrittenPiece> pieces;
  const auto sink = [&pieces](WrittenPiece piece) -> Status {
    pieces.push_back(std::move(piece));
    return {};
  };
  CONTINUO_ASSIGN(const ComposeReport report, Write(request, options, sink, progress));
  if (!report.best_first) {
    std::sort(pieces.begin(), pieces.end(),
              [](const WrittenPiece& a, const WrittenPiece& b) { return a.index < b.index; });
  }
  return pieces;
}

}  // namespace continuo
