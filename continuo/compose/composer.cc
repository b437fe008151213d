#include "continuo/compose/composer.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <tuple>
#include <utility>

#include "continuo/compose/continuation.h"
#include "continuo/compose/fill.h"
#include "continuo/compose/tempo_constraint.h"
#include "continuo/score/tempo_map.h"

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

  /// The piece that `ids` make, which may end with any bar from the prompt's last on.
  virtual Score Whole(std::span<const TokenId> ids) const = 0;
  /// Sets what a complete piece has besides GeneratedPiece and the index, and returns the number to
  /// rank it by.
  virtual Result<double> Finish(const LanguageModel& model, WrittenPiece& written) const = 0;
};

class NewJob final : public Job {
 public:
  NewJob(const NewRequest& request, const Tokenizer& tokenizer, std::optional<double> bpm)
      : tokenizer_(tokenizer), bpm_(bpm) {
    bars = request.bars;
  }

  Score Whole(std::span<const TokenId> ids) const override {
    Score score = tokenizer_.Decode(std::vector<std::vector<TokenId>>(1, {ids.begin(), ids.end()}));
    if (bpm_) {  // exactly; its token is the nearest there is
      score.tempos = {{.time = 0, .us_per_quarter = static_cast<int32_t>(std::lround(60e6 / *bpm_))}};
    }
    return score;
  }

  Result<double> Finish(const LanguageModel& /*model*/, WrittenPiece& written) const override {
    written.piece = MidiPiece(Whole(written.generated.ids));
    return written.generated.nll;
  }

 private:
  const Tokenizer& tokenizer_;
  const std::optional<double> bpm_;
};

class ContinueJob final : public Job {
 public:
  static Result<std::unique_ptr<Job>> Create(const ContinueRequest& request, const Tokenizer& tokenizer) {
    const auto check = [](std::string_view name, size_t value) -> Status {
      if (value < 1 || value > kMaxBars) {
        return MakeError("{} is {}, expected 1 to {}", name, value, kMaxBars);
      }
      return {};
    };
    CONTINUO_TRY(check("prompt-bars", request.prompt_bars));
    CONTINUO_TRY(check("bars", request.bars));
    CONTINUO_ASSIGN(Prompt prompt, TakePrompt(request.piece.score(), request.prompt_bars, tokenizer,
                                              request.piece.name(), request.track));
    return std::unique_ptr<Job>(new ContinueJob(request, std::move(prompt), tokenizer));
  }

  Score Whole(std::span<const TokenId> ids) const override { return JoinContinuation(prompt_, ids, tokenizer_).whole; }

  Result<double> Finish(const LanguageModel& /*model*/, WrittenPiece& written) const override {
    Continuation joined = JoinContinuation(prompt_, written.generated.ids, tokenizer_);
    written.piece = MidiPiece(std::move(joined.whole));
    written.new_bars = MidiPiece(std::move(joined.new_bars), "the new bars");
    return written.generated.nll;
  }

 private:
  ContinueJob(const ContinueRequest& request, Prompt taken, const Tokenizer& tokenizer)
      : tokenizer_(tokenizer), prompt_(std::move(taken)) {
    prompt = prompt_.ids;
    first_new_bar = request.prompt_bars;
    bars = request.prompt_bars + request.bars;
  }

  const Tokenizer& tokenizer_;
  const Prompt prompt_;
};

class FillJob final : public Job {
 public:
  static Result<std::unique_ptr<Job>> Create(const FillRequest& request, const Tokenizer& tokenizer) {
    CONTINUO_ASSIGN(Gap gap,
                    MakeGap(request.piece.score(), request.first, request.last, tokenizer, request.piece.name()));
    return std::unique_ptr<Job>(new FillJob(std::move(gap), tokenizer));
  }

  Score Whole(std::span<const TokenId> ids) const override { return FillGap(gap_, ids, tokenizer_); }

  Result<double> Finish(const LanguageModel& model, WrittenPiece& written) const override {
    Score filled = Whole(written.generated.ids);
    CONTINUO_ASSIGN(const double nll, FollowingNll(gap_, filled, model, tokenizer_));
    written.piece = MidiPiece(std::move(filled));
    written.following_nll = nll;
    return nll;
  }

 private:
  FillJob(Gap gap, const Tokenizer& tokenizer) : tokenizer_(tokenizer), gap_(std::move(gap)) {
    prompt = gap_.prompt;
    first_new_bar = gap_.first;
    bars = gap_.last;
    keeps_one = true;
  }

  const Tokenizer& tokenizer_;
  const Gap gap_;
};

Result<std::unique_ptr<Job>> MakeJob(const Request& request, const Tokenizer& tokenizer, std::optional<double> bpm) {
  if (const auto* continued = std::get_if<ContinueRequest>(&request)) {
    return ContinueJob::Create(*continued, tokenizer);
  }
  if (const auto* filled = std::get_if<FillRequest>(&request)) {
    return FillJob::Create(*filled, tokenizer);
  }
  return std::unique_ptr<Job>(std::make_unique<NewJob>(std::get<NewRequest>(request), tokenizer, bpm));
}

/// A request that has passed every check.
struct Plan {
  std::unique_ptr<Job> job;
  GenerationOptions generation;
};

Result<Plan> MakePlan(const LoadedModel& model, const Request& request, const ComposeOptions& options) {
  const Tokenizer& tokenizer = *model.tokenizer;
  Plan plan;
  if (options.bpm && !std::holds_alternative<NewRequest>(request)) {
    return MakeError("bpm is {}, but a piece that is continued or rewritten keeps its own tempo", *options.bpm);
  }
  CONTINUO_ASSIGN(plan.job, MakeJob(request, tokenizer, options.bpm));
  GenerationOptions& generation = plan.generation;
  generation.bars = plan.job->bars;
  generation.count = options.count;
  generation.seed = options.seed;
  generation.batch = options.batch;
  generation.stop = options.stop;
  generation.sampling = options.sampling.value_or(model.sampling);
  generation.guards = options.guards;
  generation.retries = options.retries;
  if (options.bpm) {
    CONTINUO_ASSIGN(const TempoConstraint tempo, TempoConstraint::Create(*options.bpm, tokenizer));
    generation.constraints.push_back(std::make_shared<TempoConstraint>(tempo));
  }
  if (!options.chords.empty()) {
    CONTINUO_ASSIGN(const ChordConstraint chords,
                    ChordConstraint::Create(options.chords, tokenizer, plan.job->first_new_bar));
    generation.constraints.push_back(std::make_shared<ChordConstraint>(chords));
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
  explicit BarNotes(const Job& job) : job_(job) {
    ForEachNote(job.Whole(job.prompt), [&](const Key& key, const Note&, const Track&) { given_.insert(key); });
  }

  BarUpdate Update(size_t index, std::span<const TokenId> ids, size_t bars) {
    BarUpdate update{.index = index, .bars = bars, .notes = {}};
    std::map<Key, size_t>& reported = reported_[index];
    std::erase_if(reported, [bars](const auto& entry) { return entry.second >= bars; });  // the piece went back
    const Score score = job_.Whole(ids);
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
  using Key = std::tuple<Tick, Tick, uint8_t, uint8_t, uint8_t, bool>;

  template <typename Visit>
  static void ForEachNote(const Score& score, const Visit& visit) {
    for (const Track& track : score.tracks) {
      for (const Note& note : track.notes) {
        visit(Key(note.time, note.duration, note.pitch, note.velocity, track.program, track.is_drum), note, track);
      }
    }
  }

  const Job& job_;
  std::set<Key> given_;                               // the notes of the request's piece that stay
  std::map<size_t, std::map<Key, size_t>> reported_;  // by piece: a note, and the bars of its update
};

}  // namespace

Status CheckRequest(const Request& request, const Tokenizer& tokenizer) {
  const Result<std::unique_ptr<Job>> job = MakeJob(request, tokenizer, std::nullopt);
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
    sinks.on_bar = [&](size_t index, std::span<const TokenId> ids, size_t bars) {
      return on_bar(bar_notes->Update(index, ids, bars));
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
