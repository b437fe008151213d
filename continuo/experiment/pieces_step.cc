#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>

#include "continuo/compose/composer.h"
#include "continuo/compose/likelihood.h"
#include "continuo/core/hash.h"
#include "continuo/core/thread_pool.h"
#include "continuo/experiment/steps.h"
#include "continuo/metrics/piece_measures.h"
#include "continuo/metrics/set_distance.h"
#include "continuo/results/scape_bytes.h"
#include "continuo/score/excerpt.h"
#include "continuo/score/score_file.h"

namespace continuo {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

// Notes in a run for the distinctness of pieces among themselves; eval has the same.
constexpr size_t kDistinctRun = 8;
// Fewer pieces than this make no set to compare.
constexpr size_t kLeastForDistance = 3;
constexpr double kUndefined = std::numeric_limits<double>::quiet_NaN();

double SecondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// A piece as it is to be measured and kept.
struct Piece {
  std::string name;
  Score measured;
  Score kept;
  PieceMeasures measures;
  PieceRow result;
};

/// Measures pieces side by side. False where it was asked to stop.
bool MeasurePieces(const ExperimentContext& context, int64_t bars, std::vector<Piece>& pieces) {
  class Stopper : public Progress {
   public:
    explicit Stopper(const Progress& stop) : stop_(stop) {}
    bool ShouldStop() const override { return stop_.ShouldStop(); }

   private:
    const Progress& stop_;
  } stopper(context.stop);
  ThreadPool pool(context.threads);
  pool.ForEach(pieces.size(), [&](size_t i, size_t) {
    if (stopper.ShouldStop()) {
      return;
    }
    Piece& piece = pieces[i];
    Result<PieceMeasures> measures = MeasurePiece(
        piece.measured, {.bars = bars, .structure = context.spec.measure.structure, .scape = true}, stopper);
    if (!measures.ok()) {  // it is too long for its structure: minutes for a piece are not spent
      measures = MeasurePiece(piece.measured, {.bars = bars});
    }
    piece.measures = std::move(*measures);
  });
  if (stopper.ShouldStop()) {
    return false;
  }
  for (Piece& piece : pieces) {
    PieceRow& result = piece.result;
    result.name = piece.name;
    result.bars = piece.measures.metrics.bars;
    result.notes = piece.measures.metrics.notes;
    if (piece.measures.has_structure) {
      result.scape = PackScape(piece.measures.structure.scape);
    }
    for (const auto columns : {MetricColumns(), DescriptionColumns()}) {
      for (const MeasureColumn& column : columns) {
        result.metrics.emplace_back(column.name, column.value(piece.measures));
      }
    }
  }
  return true;
}

/// The metrics of the set: those of its pieces, and what only a set has.
void SummarizeSet(const std::vector<Piece>& pieces, SetOutcome& result) {
  const auto add = [&](const std::string& name, const std::vector<double>& values) {
    const Summary summary = Summarize(values);
    if (summary.count > 0) {
      result.metrics.emplace_back(name, summary);
    }
  };
  for (size_t metric = 0; metric < pieces.front().result.metrics.size(); ++metric) {
    std::vector<double> values;
    for (const Piece& piece : pieces) {
      values.push_back(piece.result.metrics[metric].second);
    }
    add(pieces.front().result.metrics[metric].first, values);
  }
  std::vector<double> copied;
  std::vector<double> nll;
  std::vector<NoteSteps> steps;
  for (const Piece& piece : pieces) {
    copied.push_back(piece.result.copied_notes ? static_cast<double>(*piece.result.copied_notes) : kUndefined);
    nll.push_back(piece.result.nll.token);
    steps.push_back(piece.measures.steps);
  }
  add("copied_notes", copied);
  add("nll_token", nll);
  add("distinct_runs", {DistinctRuns(steps, kDistinctRun)});
}

SetOutcome Collect(std::vector<Piece> pieces) {
  SetOutcome result;
  SummarizeSet(pieces, result);
  for (Piece& piece : pieces) {
    if (!piece.kept.tracks.empty()) {
      piece.result.midi = SerializeScore(piece.kept);
    }
    result.pieces.push_back(std::move(piece.result));
  }
  return result;
}

std::vector<Description> DescriptionsOf(const std::vector<Piece>& pieces) {
  std::vector<Description> descriptions;
  for (const Piece& piece : pieces) {
    descriptions.push_back(piece.measures.description);
  }
  return descriptions;
}

void TakeCopy(const CopyIndex& index, const std::vector<std::string>& names, Piece& piece) {
  const CopiedRun run = index.LongestIn(piece.measures.steps);
  piece.result.copied_notes = run.notes;
  if (run.notes > 0) {
    piece.result.copied_from = names[run.song];
  }
}

/// NLL of the first bars of validation songs, per token, note and bar, in the mean over songs.
Result<std::optional<std::vector<std::pair<std::string, Summary>>>> MeasureValidation(const ExperimentContext& context,
                                                                                      const RunCell& run,
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
    if (context.stop.ShouldStop()) {
      return std::optional<std::vector<std::pair<std::string, Summary>>>();
    }
    CONTINUO_ASSIGN(const Likelihood likelihood, MeasureLikelihood(*model.model, *model.tokenizer, ids, NoProgress()));
    const auto per = [total = likelihood.total()](size_t count) {
      return count > 0 ? total / static_cast<double>(count) : kUndefined;
    };
    per_token.push_back(per(ids.size()));
    per_note.push_back(per(likelihood.notes));
    per_bar.push_back(per(likelihood.bar_offsets.size()));
  }
  std::vector<std::pair<std::string, Summary>> summaries;
  if (!per_token.empty()) {
    summaries = {{"valid_nll_token", Summarize(per_token)},
                 {"valid_nll_note", Summarize(per_note)},
                 {"valid_nll_bar", Summarize(per_bar)}};
  }
  return std::optional(summaries);
}

/// The bars that fit into the model's context beside BOS: what is left of a piece where the window doesn't slide. Up to
/// there both ways write the same.
std::vector<TokenId> CutToContext(const LoadedModel& model, std::vector<TokenId> ids) {
  const auto room = model.model->context_length() - 1;
  if (ids.size() <= room) {
    return ids;
  }
  size_t end = 0;
  for (const size_t offset : model.tokenizer->BarOffsets(ids)) {
    end = offset <= room ? offset : end;
  }
  ids.resize(end > 0 ? end : room);
  return ids;
}

}  // namespace

std::vector<std::string> RealMusic::Names() const {
  const std::string& corpus = context_.plan.corpora.front().corpus;
  std::vector<std::pair<std::string, std::string>> ranked;
  for (const std::string& name : context_.inputs.corpora.at(corpus).files) {
    // Other songs than the first of those that a corpus draws by its names.
    ranked.emplace_back(Sha256Hex("real " + name), name);
  }
  std::sort(ranked.begin(), ranked.end());
  const auto count = static_cast<size_t>(context_.spec.real.songs);
  if (count > 0 && ranked.size() > count) {
    ranked.resize(count);
  }
  std::vector<std::string> names;
  for (auto& [hash, name] : ranked) {
    names.push_back(std::move(name));
  }
  return names;
}

namespace {

/// The first bars of songs; those that can't be read, or have no notes there, are left out.
std::vector<Piece> ReadFirstBars(const ExperimentContext& context, const fs::path& folder,
                                 const std::vector<std::string>& names, int64_t bars) {
  std::vector<std::optional<Score>> scores(names.size());
  ThreadPool pool(context.threads);
  pool.ForEach(names.size(), [&](size_t i, size_t) {
    const Result<Score> score = ReadScore(folder / names[i]);
    if (score.ok()) {
      scores[i] = bars > 0 ? ExcerptBars(*score, 0, static_cast<size_t>(bars)) : *score;
    }
  });
  std::vector<Piece> pieces;
  for (size_t i = 0; i < names.size(); ++i) {
    const bool has_notes = scores[i] && std::any_of(scores[i]->tracks.begin(), scores[i]->tracks.end(),
                                                    [](const Track& track) { return !track.notes.empty(); });
    if (has_notes) {
      Piece& piece = pieces.emplace_back();
      piece.name = names[i];
      piece.measured = std::move(*scores[i]);
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
    const std::vector<Piece> pieces =
        ReadFirstBars(context_, FirstCorpusFolder(context_), Names(), context_.spec.generate.bars);
    descriptions_.emplace();
    for (const Piece& piece : pieces) {
      descriptions_->push_back(Describe(piece.measured, context_.spec.generate.bars));
    }
  }
  return &*descriptions_;
}

Result<const RealMusic::TrainingSongs*> RealMusic::SongsOf(size_t corpus_cell) {
  const std::lock_guard lock(mutex_);
  const CorpusCell& cell = context_.plan.corpora[corpus_cell];
  auto found = songs_.find(cell.corpus);
  if (found == songs_.end()) {
    TrainingSongs songs;
    CONTINUO_ASSIGN(const Corpus corpus, Corpus::Open(context_.folder.corpus(cell)));
    std::vector<std::string> names;
    for (size_t i = 0; i < corpus.song_count(); ++i) {
      if (corpus.song(i).split == Split::kTrain) {
        names.emplace_back(corpus.song(i).name);
      }
    }
    std::vector<NoteSteps> steps;
    for (const Piece& piece :
         ReadFirstBars(context_, context_.inputs.Resolve(context_.spec.corpus(cell.corpus).folder), names, 0)) {
      steps.push_back(StepsOf(piece.measured));
      songs.names.push_back(piece.name);
    }
    CONTINUO_ASSIGN(songs.index, CopyIndex::Build(steps));
    found = songs_.emplace(cell.corpus, std::move(songs)).first;
  }
  return &found->second;
}

Result<std::optional<SetOutcome>> RealSetStep(const ExperimentContext& context, RealMusic& real) {
  const auto start = Clock::now();
  const int64_t bars = context.spec.generate.bars;
  std::vector<Piece> pieces = ReadFirstBars(context, FirstCorpusFolder(context), real.Names(), bars);
  if (pieces.empty()) {
    return MakeError("{}: no song has notes in its first {} bars", FirstCorpusFolder(context).string(), bars);
  }
  if (!MeasurePieces(context, bars, pieces)) {
    return std::optional<SetOutcome>();
  }
  if (context.spec.measure.copying) {
    CONTINUO_ASSIGN(const RealMusic::TrainingSongs* songs, real.SongsOf(0));
    for (Piece& piece : pieces) {  // a song of the training set would find itself
      if (std::find(songs->names.begin(), songs->names.end(), piece.name) == songs->names.end()) {
        TakeCopy(*songs->index, songs->names, piece);
      }
    }
  }
  for (Piece& piece : pieces) {
    piece.result.nll.token = piece.result.nll.note = piece.result.nll.bar = kUndefined;
  }
  SetOutcome result = Collect(std::move(pieces));
  result.seconds = SecondsSince(start);
  return std::optional(std::move(result));
}

Result<std::optional<SetOutcome>> PiecesStep(const ExperimentContext& context, RealMusic& real, const SetCell& cell) {
  const auto start = Clock::now();
  const RunCell& run = context.plan.runs[*cell.run];
  CONTINUO_ASSIGN(const LoadedModel model,
                  LoadModel(context.folder.checkpoint(run, cell.epoch),
                            {.threads = context.threads, .precision = context.spec.generate.precision}));
  const bool continues = cell.kind == SetKind::kContinuation;
  ComposeOptions options;
  options.count = static_cast<size_t>(cell.count);
  options.seed = static_cast<uint64_t>(cell.seed);
  options.sampling = context.spec.sampling(cell.setting).options;

  Request request = NewRequest{.bars = static_cast<size_t>(context.spec.generate.bars)};
  if (continues) {
    const auto named = std::find_if(context.spec.board.prompts.begin(), context.spec.board.prompts.end(),
                                    [&cell](const PromptSpec& spec) { return spec.name == cell.prompt; });
    const std::string file = context.inputs.Resolve(named->file).string();
    CONTINUO_ASSIGN(MidiPiece piece, MidiPiece::Read(file));
    request = ContinueRequest{.piece = std::move(piece),
                              .prompt_bars = static_cast<size_t>(context.spec.board.prompt_bars),
                              .bars = static_cast<size_t>(context.spec.board.bars)};
  }

  CONTINUO_ASSIGN(std::vector<WrittenPiece> written, Composer(model).Write(request, options, context.stop));
  if (written.size() < options.count) {
    return std::optional<SetOutcome>();
  }
  std::vector<Piece> pieces;
  for (WrittenPiece& made : written) {
    GeneratedPiece& generated = made.generated;
    Piece& piece = pieces.emplace_back();
    piece.name = fmt::format("piece-{:03}", made.index + 1);
    const double new_nll = generated.nll * static_cast<double>(generated.ids.size() - generated.prompt_length);
    if (continues) {
      piece.measured = made.new_bars->score();
      piece.kept = made.piece.score();
      piece.result.prompt_bars = context.spec.board.prompt_bars;
    } else {
      if (cell.window == "cut") {
        generated.ids = CutToContext(model, std::move(generated.ids));
      }
      const std::vector<std::vector<TokenId>> streams(1, generated.ids);
      piece.measured = model.tokenizer->Decode(streams);
      piece.kept = piece.measured;
    }
    piece.result.tokens = static_cast<int64_t>(generated.ids.size());
    piece.result.nll.token = generated.nll;
    piece.result.nll.note = new_nll;  // divided when notes and bars are counted
    piece.result.nll.bar = new_nll;
  }
  if (!MeasurePieces(context, continues ? 0 : context.spec.generate.bars, pieces)) {
    return std::optional<SetOutcome>();
  }
  const RealMusic::TrainingSongs* songs = nullptr;
  if (context.spec.measure.copying) {
    CONTINUO_ASSIGN(songs, real.SongsOf(run.corpus_cell));
  }
  for (Piece& piece : pieces) {
    piece.result.nll.note =
        *piece.result.notes > 0 ? piece.result.nll.note / static_cast<double>(*piece.result.notes) : kUndefined;
    piece.result.nll.bar =
        *piece.result.bars > 0 ? piece.result.nll.bar / static_cast<double>(*piece.result.bars) : kUndefined;
    *piece.result.bars += piece.result.prompt_bars;
    if (songs != nullptr) {
      TakeCopy(*songs->index, songs->names, piece);
    }
  }
  std::vector<SetDistance> distances;
  if (pieces.size() >= kLeastForDistance) {
    CONTINUO_ASSIGN(const std::vector<Description>* reference, real.Descriptions());
    Result<std::vector<SetDistance>> compared = CompareSets(DescriptionsOf(pieces), *reference);
    if (compared.ok()) {  // fails where a set is too small or empty, which its counts show
      distances = std::move(*compared);
    }
  }
  SetOutcome result = Collect(std::move(pieces));
  for (const SetDistance& distance : distances) {
    result.distances.push_back({std::string(distance.feature), distance.overlap, distance.divergence});
  }
  if (!continues) {
    CONTINUO_ASSIGN(auto known, context.results.CheckpointMetrics(run.id, cell.epoch, "valid_nll"));
    if (known.empty()) {
      CONTINUO_ASSIGN(auto measured, MeasureValidation(context, run, model));
      if (!measured) {
        return std::optional<SetOutcome>();
      }
      known = std::move(*measured);
      if (!known.empty()) {
        CONTINUO_TRY(PutCurveStep(context, run));  // up to the checkpoint's place in it
        CONTINUO_TRY(context.results.PutCheckpointNll(run.id, static_cast<double>(cell.epoch), known[1].second.mean,
                                                      known[2].second.mean));
      }
    }
    result.metrics.insert(result.metrics.end(), known.begin(), known.end());
  }
  result.seconds = SecondsSince(start);
  return std::optional(std::move(result));
}

}  // namespace continuo
