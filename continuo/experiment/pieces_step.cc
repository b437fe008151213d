#include <algorithm>
#include <cmath>
#include <span>

#include "continuo/compose/composer.h"
#include "continuo/compose/likelihood.h"
#include "continuo/core/clock.h"
#include "continuo/core/hash.h"
#include "continuo/core/thread_pool.h"
#include "continuo/experiment/steps.h"
#include "continuo/metrics/piece_set.h"
#include "continuo/metrics/set_distance.h"
#include "continuo/metrics/two_sample.h"
#include "continuo/results/scape_bytes.h"
#include "continuo/score/excerpt.h"
#include "continuo/score/score_file.h"

namespace continuo {
namespace {

namespace fs = std::filesystem;
using NamedSummaries = std::vector<std::pair<std::string, Summary>>;

// Sets of fewer pieces are not compared with real music.
constexpr size_t kLeastForDistance = 3;
constexpr double kUndefined = std::numeric_limits<double>::quiet_NaN();

double Per(double total, size_t count) {
  return count > 0 ? total / static_cast<double>(count) : kUndefined;
}

/// The bars of new pieces that the two-sample test looks at.
int64_t FeatureBars(const ExperimentContext& context) {
  return std::min(context.spec.generate.bars, kMostFeatureBars);
}

/// Measures scores as the spec asks. Fails with CancelledError() on a stop.
Result<MeasuredSet> MeasureScores(const ExperimentContext& context, int64_t bars, std::span<const SetPiece> pieces,
                                  int64_t feature_bars = 0) {
  const SetOptions options = {.bars = bars,
                              .structure = context.spec.measure.structure,
                              .scape = true,
                              .feature_bars = feature_bars,
                              .skip_long_structure = true,
                              .threads = context.threads};
  CONTINUO_ASSIGN(MeasuredSet set, MeasureSet(pieces, options, NoProgress(), context.stop));
  if (!set.failures.empty()) {
    return set.failures.front();
  }
  return set;
}

/// A row for each piece of a set with what was measured of it.
std::vector<PieceRow> RowsOf(const MeasuredSet& set) {
  std::vector<PieceRow> rows;
  for (size_t i = 0; i < set.pieces.size(); ++i) {
    const PieceMeasures& measures = set.pieces[i];
    PieceRow& row = rows.emplace_back();
    row.name = set.names[i];
    row.bars = measures.metrics.bars;
    row.notes = measures.metrics.notes;
    if (measures.structure) {
      row.scape = PackScape(measures.structure->scape);
    }
    for (size_t metric = 0; metric < PieceMetrics().size(); ++metric) {
      row.metrics.emplace_back(PieceMetrics()[metric].name, measures.values[metric]);
    }
  }
  return rows;
}

/// The metrics of the set: those of its pieces, and those that only a set has. Metrics without any
/// value are left out.
NamedSummaries SummariesOf(const MeasuredSet& set, std::span<const PieceRow> rows) {
  NamedSummaries summaries;
  const auto add = [&summaries](std::string_view name, const Summary& summary) {
    if (summary.count > 0) {
      summaries.emplace_back(name, summary);
    }
  };
  const std::vector<Summary> of_pieces = set.Summaries();
  for (size_t metric = 0; metric < of_pieces.size(); ++metric) {
    add(PieceMetrics()[metric].name, of_pieces[metric]);
  }
  std::vector<double> copied;
  std::vector<double> nll;
  for (const PieceRow& row : rows) {
    copied.push_back(row.copied_notes ? static_cast<double>(*row.copied_notes) : kUndefined);
    nll.push_back(row.nll.token);
  }
  add("copied_notes", Summarize(copied));
  add("nll_token", Summarize(nll));
  const std::vector<double> of_set = set.SetValues();
  for (size_t metric = 0; metric < of_set.size(); ++metric) {
    add(MetricsOf(MetricGroup::kSet)[metric].name, Summarize(std::span(&of_set[metric], 1)));
  }
  return summaries;
}

void PutCopy(const CopiedRun& run, const SongIndex& songs, PieceRow& row) {
  row.copied_notes = run.notes;
  if (run.notes > 0) {
    row.copied_from = songs.names[run.song];
  }
}

/// NLL of the first bars of validation songs per token, note and bar, as means over songs. Empty if
/// there are no songs.
Result<NamedSummaries> MeasureValidation(const ExperimentContext& context, const RunCell& run,
                                         const LoadedModel& model) {
  CONTINUO_ASSIGN(const Corpus corpus, Corpus::Open(context.folder.corpus(context.plan.corpora[run.corpus_cell])));
  const ExperimentSpec::Measure& measure = context.spec.measure;
  std::vector<double> per_token;
  std::vector<double> per_note;
  std::vector<double> per_bar;
  for (size_t i = 0; i < corpus.song_count(); ++i) {
    const Corpus::Song song = corpus.song(i);
    if (song.split != Split::kValid) {
      continue;
    }
    if (measure.validation_songs > 0 && per_token.size() == static_cast<size_t>(measure.validation_songs)) {
      break;
    }
    const auto bars = static_cast<size_t>(measure.validation_bars);
    const size_t length = bars > 0 && song.bar_offsets.size() > bars ? song.bar_offsets[bars] : song.ids.size();
    const std::vector<TokenId> ids(song.ids.begin(), song.ids.begin() + static_cast<std::ptrdiff_t>(length));
    if (context.stop.stop_requested()) {
      return CancelledError();
    }
    CONTINUO_ASSIGN(const Likelihood likelihood, MeasureLikelihood(*model.model, *model.tokenizer, ids, NoProgress()));
    per_token.push_back(Per(likelihood.total(), ids.size()));
    per_note.push_back(Per(likelihood.total(), likelihood.notes));
    per_bar.push_back(Per(likelihood.total(), likelihood.bar_offsets.size()));
  }
  if (per_token.empty()) {
    return NamedSummaries();
  }
  return NamedSummaries{{"valid_nll_token", Summarize(per_token)},
                        {"valid_nll_note", Summarize(per_note)},
                        {"valid_nll_bar", Summarize(per_bar)}};
}

/// The NLLs of a checkpoint: those that another of its sets has found, else measured now and added
/// to the curve.
Result<NamedSummaries> ValidationOf(const ExperimentContext& context, const RunCell& run, int64_t epoch,
                                    const LoadedModel& model) {
  CONTINUO_ASSIGN(NamedSummaries known, context.results.CheckpointMetrics(run.id, epoch, "valid_nll"));
  if (!known.empty()) {
    return known;
  }
  CONTINUO_ASSIGN(NamedSummaries measured, MeasureValidation(context, run, model));
  if (!measured.empty()) {
    CONTINUO_TRY(PutCurveStep(context, run));  // so that it reaches the checkpoint's epoch
    CONTINUO_TRY(context.results.PutCheckpointNll(run.id, static_cast<double>(epoch), measured[1].second.mean,
                                                  measured[2].second.mean));
  }
  return measured;
}

/// The bars that fit into the model's context after BOS: the piece as it would be if the window did
/// not slide, which up to there writes the same.
std::vector<TokenId> CutToContext(const LoadedModel& model, std::vector<TokenId> ids) {
  const auto room = model.model->context_length() - 1;
  const std::vector<TokenId> read = model.tokenizer->ToModelIds(ids);
  if (read.size() <= room) {
    return ids;
  }
  size_t end = 0;
  for (const size_t offset : model.tokenizer->ModelBarOffsets(read)) {
    end = offset <= room ? offset : end;
  }
  return model.tokenizer->FromModelIds(std::span(read).first(end > 0 ? end : room));
}

/// How many ids a model reads of a stream of tokens.
size_t CountModelIds(const LoadedModel& model, std::span<const TokenId> ids) {
  return model.tokenizer->ToModelIds(ids).size();
}

}  // namespace

std::vector<std::string> RealMusic::Names() const {
  const std::string& corpus = context_.plan.corpora.front().corpus;
  std::vector<std::pair<std::string, std::string>> ranked;
  for (const std::string& name : context_.inputs.corpora.at(corpus).files) {
    // So that these are not the same songs as those that a corpus draws.
    ranked.emplace_back(Sha256Hex("real " + name), name);
  }
  std::sort(ranked.begin(), ranked.end());
  const auto count = static_cast<size_t>(context_.spec.real.songs);
  if (count > 0 && ranked.size() > count) {
    ranked.resize(count);
  }
  std::vector<std::string> names;
  names.reserve(ranked.size());
  for (auto& [hash, name] : ranked) {
    names.push_back(std::move(name));
  }
  return names;
}

namespace {

bool HasNotes(const Score& score) {
  return std::any_of(score.tracks.begin(), score.tracks.end(), [](const Track& track) { return !track.notes.empty(); });
}

/// The first bars of songs, without songs that cannot be read or have no notes there.
std::vector<SetPiece> ReadFirstBars(const ExperimentContext& context, const fs::path& folder,
                                    const std::vector<std::string>& names, int64_t bars) {
  std::vector<std::optional<Score>> scores(names.size());
  ThreadPool pool(context.threads);
  pool.ForEach(names.size(), [&](size_t i, size_t) {
    const Result<Score> score = ReadScore(folder / names[i]);
    if (score.ok()) {
      scores[i] = bars > 0 ? ExcerptBars(*score, 0, static_cast<size_t>(bars)) : *score;
    }
  });
  std::vector<SetPiece> pieces;
  for (size_t i = 0; i < names.size(); ++i) {
    if (scores[i] && HasNotes(*scores[i])) {
      pieces.push_back({names[i], std::move(*scores[i])});
    }
  }
  return pieces;
}

fs::path FirstCorpusFolder(const ExperimentContext& context) {
  return context.inputs.Resolve(context.spec.corpus(context.plan.corpora.front().corpus).folder);
}

}  // namespace

Result<const std::vector<Description>*> RealMusic::Descriptions() {
  const std::lock_guard lock(mutex_);
  if (!descriptions_) {
    const int64_t bars = context_.spec.generate.bars;
    descriptions_.emplace();
    for (const SetPiece& piece : ReadFirstBars(context_, FirstCorpusFolder(context_), Names(), bars)) {
      descriptions_->push_back(Describe(std::get<Score>(piece.music), bars));
    }
  }
  return &*descriptions_;
}

Result<const std::vector<BarFeatureValues>*> RealMusic::BarFeatures(const Tokenizer& tokenizer) {
  const std::lock_guard lock(mutex_);
  auto [found, is_new] = bar_features_.try_emplace(tokenizer.ToJson());
  if (is_new) {
    const std::vector<SetPiece> songs =
        ReadFirstBars(context_, FirstCorpusFolder(context_), Names(), context_.spec.generate.bars);
    const SetOptions options = {
        .bars = context_.spec.generate.bars,
        .feature_bars = FeatureBars(context_),
        .threads = context_.threads,
        .prepare = [&tokenizer](const Score& song) { return tokenizer.Decode(tokenizer.Encode(song)); }};
    Result<MeasuredSet> set = MeasureSet(songs, options, NoProgress(), context_.stop);
    if (!set.ok()) {
      bar_features_.erase(found);
      return set.error();
    }
    found->second = set->BarFeatures();
  }
  return &found->second;
}

Result<const SongIndex*> RealMusic::SongsOf(size_t corpus_cell) {
  const std::lock_guard lock(mutex_);
  const CorpusCell& cell = context_.plan.corpora[corpus_cell];
  auto found = songs_.find(cell.corpus);
  if (found == songs_.end()) {
    CONTINUO_ASSIGN(const Corpus corpus, Corpus::Open(context_.folder.corpus(cell)));
    const fs::path folder = context_.inputs.Resolve(context_.spec.corpus(cell.corpus).folder);
    std::vector<SetPiece> songs;
    for (size_t i = 0; i < corpus.song_count(); ++i) {
      if (corpus.song(i).split == Split::kTrain) {
        const std::string name(corpus.song(i).name);
        songs.push_back({name, folder / name});
      }
    }
    CONTINUO_ASSIGN(SongIndex index, IndexSongs(songs, context_.threads, NoProgress(), context_.stop));
    found = songs_.emplace(cell.corpus, std::move(index)).first;
  }
  return &found->second;
}

Result<SetOutcome> RealSetStep(const ExperimentContext& context, RealMusic& real) {
  const auto start = Clock::now();
  const int64_t bars = context.spec.generate.bars;
  const std::vector<SetPiece> pieces = ReadFirstBars(context, FirstCorpusFolder(context), real.Names(), bars);
  if (pieces.empty()) {
    return MakeError("{}: no song has notes in its first {} bars", FirstCorpusFolder(context).string(), bars);
  }
  CONTINUO_ASSIGN(const MeasuredSet set, MeasureScores(context, bars, pieces));
  SetOutcome outcome;
  outcome.pieces = RowsOf(set);
  if (context.spec.measure.copying) {
    CONTINUO_ASSIGN(const SongIndex* songs, real.SongsOf(0));
    const std::vector<CopiedRun> copies = set.FindCopies(songs->index);
    for (size_t i = 0; i < copies.size(); ++i) {
      // A song of the training set would find itself.
      if (std::find(songs->names.begin(), songs->names.end(), set.names[i]) == songs->names.end()) {
        PutCopy(copies[i], *songs, outcome.pieces[i]);
      }
    }
  }
  outcome.metrics = SummariesOf(set, outcome.pieces);
  outcome.seconds = SecondsSince(start);
  return outcome;
}

namespace {

/// A piece that a model wrote.
struct NewPiece {
  std::string name;
  Score measured;             // what is new
  std::vector<uint8_t> midi;  // the file, with the prompt
  int64_t prompt_bars = 0;
  int64_t tokens = 0;    // with the prompt's
  double nll_token = 0;  // of what is new, nats per token
  double nll_total = 0;  // of what is new, nats
};

/// What a set asks its model to write.
Result<Request> RequestOf(const ExperimentContext& context, const SetCell& cell) {
  if (cell.kind != SetKind::kContinuation) {
    return Request(NewRequest{.bars = static_cast<size_t>(context.spec.generate.bars)});
  }
  const ExperimentSpec::Continuations& continuations = context.spec.continuations;
  const auto prompt = std::find_if(continuations.prompts.begin(), continuations.prompts.end(),
                                   [&cell](const PromptSpec& spec) { return spec.name == cell.prompt; });
  CONTINUO_ASSIGN(MidiPiece piece, MidiPiece::Read(context.inputs.Resolve(prompt->file).string()));
  return Request(ContinueRequest{.piece = std::move(piece),
                                 .prompt_bars = static_cast<size_t>(continuations.prompt_bars),
                                 .bars = static_cast<size_t>(continuations.bars)});
}

/// Writes the pieces of a set. Fails with CancelledError() on a stop.
Result<std::vector<NewPiece>> WritePieces(const ExperimentContext& context, const SetCell& cell,
                                          const LoadedModel& model) {
  ComposeOptions options;
  options.stop = context.stop;
  options.count = static_cast<size_t>(cell.count);
  options.seed = static_cast<uint64_t>(cell.seed);
  options.sampling = context.spec.sampling(cell.setting).options;
  CONTINUO_ASSIGN(const Request request, RequestOf(context, cell));
  CONTINUO_ASSIGN(std::vector<WrittenPiece> written, Composer(model).Write(request, options));
  if (written.size() < options.count) {
    return CancelledError();
  }
  std::vector<NewPiece> pieces;
  for (WrittenPiece& made : written) {
    GeneratedPiece& generated = made.generated;
    NewPiece& piece = pieces.emplace_back();
    piece.name = fmt::format("piece-{:03}", made.index + 1);
    piece.nll_token = generated.nll;
    const size_t prompt_ids = CountModelIds(model, std::span(generated.ids).first(generated.prompt_length));
    piece.nll_total = generated.nll * static_cast<double>(CountModelIds(model, generated.ids) - prompt_ids);
    if (made.new_bars) {
      piece.measured = made.new_bars->score();
      piece.midi = made.piece.Bytes();
      piece.prompt_bars = context.spec.continuations.prompt_bars;
    } else {
      if (cell.window == Window::kCut) {
        generated.ids = CutToContext(model, std::move(generated.ids));
      }
      const std::vector<std::vector<TokenId>> streams(1, generated.ids);
      piece.measured = model.tokenizer->Decode(streams);
      if (!piece.measured.tracks.empty()) {
        piece.midi = SerializeScore(piece.measured);
      }
    }
    piece.tokens = static_cast<int64_t>(CountModelIds(model, generated.ids));
  }
  return pieces;
}

/// The rows of pieces that were written, without what other pieces or songs are needed for.
std::vector<PieceRow> RowsOf(const MeasuredSet& set, std::span<const NewPiece> pieces) {
  std::vector<PieceRow> rows = RowsOf(set);
  for (size_t i = 0; i < rows.size(); ++i) {
    const NewPiece& piece = pieces[i];
    PieceRow& row = rows[i];
    row.nll = {piece.nll_token, Per(piece.nll_total, static_cast<size_t>(*row.notes)),
               Per(piece.nll_total, static_cast<size_t>(*row.bars))};
    row.tokens = piece.tokens;
    row.prompt_bars = piece.prompt_bars;
    *row.bars += piece.prompt_bars;
    row.midi = piece.midi;
  }
  return rows;
}

/// Distances from real music. Empty for a set that is too small or has no notes, which its counts
/// show.
Result<std::vector<DistanceRow>> DistancesOf(const MeasuredSet& set, RealMusic& real) {
  std::vector<DistanceRow> rows;
  if (set.pieces.size() < kLeastForDistance) {
    return rows;
  }
  CONTINUO_ASSIGN(const std::vector<Description>* reference, real.Descriptions());
  const Result<std::vector<SetDistance>> distances = CompareSets(set.Descriptions(), *reference);
  if (distances.ok()) {
    for (const SetDistance& distance : *distances) {
      rows.push_back({std::string(distance.feature), distance.overlap, distance.divergence});
    }
  }
  return rows;
}

/// How well a classifier tells a set from real music. Empty for a set of too few pieces with notes,
/// or too few real songs.
Result<NamedSummaries> TwoSampleOf(const ExperimentContext& context, const MeasuredSet& set, const Tokenizer& tokenizer,
                                   RealMusic& real) {
  const std::vector<BarFeatureValues> features = set.BarFeatures();
  if (features.size() < kLeastForTwoSample) {
    return NamedSummaries();
  }
  CONTINUO_ASSIGN(const std::vector<BarFeatureValues>* reference, real.BarFeatures(tokenizer));
  const Result<TwoSample> test =
      CompareByClassifiers(features, *reference, {.threads = context.threads}, NoProgress(), context.stop);
  if (!test.ok()) {
    return test.error().code == ErrorCode::kCancelled ? Result<NamedSummaries>(test.error()) : NamedSummaries();
  }
  const auto summary = [&test](const Auc& auc) {
    return Summary{.count = static_cast<int64_t>(test->pieces), .mean = auc.value, .low = auc.low, .high = auc.high};
  };
  return NamedSummaries{{"auc", summary(test->forest)}, {"auc_without_form", summary(test->forest_without_form)}};
}

}  // namespace

Result<SetOutcome> PiecesStep(const ExperimentContext& context, RealMusic& real, const SetCell& cell) {
  const auto start = Clock::now();
  const RunCell& run = context.plan.runs[*cell.run];
  CONTINUO_ASSIGN(const LoadedModel model,
                  LoadModel(context.folder.checkpoint(run, cell.epoch),
                            {.threads = context.threads, .precision = context.spec.generate.precision}));
  CONTINUO_ASSIGN(const std::vector<NewPiece> pieces, WritePieces(context, cell, model));
  std::vector<SetPiece> measured;
  measured.reserve(pieces.size());
  for (const NewPiece& piece : pieces) {
    measured.push_back({piece.name, piece.measured});
  }
  // Of continuations all new bars are measured.
  const bool continues = cell.kind == SetKind::kContinuation;
  const int64_t bars = continues ? 0 : context.spec.generate.bars;
  const int64_t feature_bars = continues ? 0 : FeatureBars(context);
  CONTINUO_ASSIGN(const MeasuredSet set, MeasureScores(context, bars, measured, feature_bars));

  SetOutcome outcome;
  outcome.pieces = RowsOf(set, pieces);
  if (context.spec.measure.copying) {
    CONTINUO_ASSIGN(const SongIndex* songs, real.SongsOf(run.corpus_cell));
    const std::vector<CopiedRun> copies = set.FindCopies(songs->index);
    for (size_t i = 0; i < copies.size(); ++i) {
      PutCopy(copies[i], *songs, outcome.pieces[i]);
    }
  }
  outcome.metrics = SummariesOf(set, outcome.pieces);
  CONTINUO_ASSIGN(outcome.distances, DistancesOf(set, real));
  if (!continues) {
    CONTINUO_ASSIGN(const NamedSummaries two_sample, TwoSampleOf(context, set, *model.tokenizer, real));
    outcome.metrics.insert(outcome.metrics.end(), two_sample.begin(), two_sample.end());
    CONTINUO_ASSIGN(const NamedSummaries validation, ValidationOf(context, run, cell.epoch, model));
    outcome.metrics.insert(outcome.metrics.end(), validation.begin(), validation.end());
  }
  outcome.seconds = SecondsSince(start);
  return outcome;
}

}  // namespace continuo
