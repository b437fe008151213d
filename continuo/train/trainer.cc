#include "continuo/train/trainer.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "continuo/core/clock.h"
#include "continuo/os/file.h"
#include "continuo/run/event_file.h"
#include "continuo/run/run_directory.h"
#include "continuo/run/train_log.h"
#include "continuo/run/training_state.h"
#include "continuo/train/batch_queue.h"
#include "continuo/train/training_model.h"

namespace continuo {
namespace {

namespace fs = std::filesystem;

constexpr size_t kValidationTokens = 16384;  // a batch; without gradients there is room for more
constexpr double kRateSmoothing = 0.9;
/// A loss this many times that of guessing, or of the first update where that is higher, has
/// exploded.
constexpr double kExplosion = 2.0;

double WallSeconds() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

BlockSource MakeSource(const TrainData& data, const TrainSettings& settings, uint64_t context, bool valid) {
  BlockOptions blocks;
  blocks.context = context;
  blocks.mode = settings.blocks;
  blocks.seed = settings.seed;
  blocks.transpose = settings.augment_transpose && !valid;
  blocks.velocity = settings.augment_velocity && !valid;
  blocks.tempo = settings.augment_tempo && !valid;
  blocks.plan_dropout = valid ? 0 : settings.plan_dropout;
  blocks.gap_share = valid ? 0 : settings.gap_share;
  blocks.jitter = !valid;
  blocks.shuffle = !valid;
  blocks.each_target_once = valid;
  return BlockSource(valid ? data.valid : data.train, data.vocabulary, blocks);
}

uint64_t ContextOf(const TrainSettings& settings) {
  return static_cast<uint64_t>(settings.model.context_length);
}

/// The bars (of text: lines) that begin among the targets of a validation.
double CountValidationBars(const TrainData& data, const TrainSettings& settings) {
  size_t count = 0;
  for (const BlockSong& song : data.valid) {
    for (const uint32_t offset : song.bar_offsets) {
      count += settings.blocks == BlockMode::kAll || offset < ContextOf(settings);
    }
  }
  return static_cast<double>(count);
}

DataIdentity IdentityOf(const TrainData& data) {
  return {.vocab_sha256 = data.vocab_sha256,
          .songs = data.train.size() + data.valid.size(),
          .data_sha256 = data.sha256,
          .vocab_size = data.vocab_size};
}

class Run {
 public:
  Run(const TrainData& data, const TrainSettings& settings, const fs::path& folder, TrainObserver& observer,
      Communicator& ranks)
      : data_(data),
        settings_(settings),
        folder_(folder),
        observer_(observer),
        ranks_(ranks),
        identity_(RunIdentity(settings, IdentityOf(data))),
        model_(settings, ranks),
        source_(MakeSource(data, settings, ContextOf(settings), false)),
        valid_(MakeSource(data, settings, ContextOf(settings), true)) {
    if (settings.short_share > 0) {
      short_source_.emplace(MakeSource(data, settings, settings.short_context, false));
      state_.short_windows = true;
    }
  }

  Result<TrainReport> Go(bool resume);

 private:
  uint64_t RowsPerUpdate() const {
    const uint64_t rows = settings_.batch * settings_.grad_accum;
    return state_.short_windows ? rows * ContextOf(settings_) / settings_.short_context : rows;
  }
  const BlockSource& source() const { return state_.short_windows ? *short_source_ : source_; }
  uint64_t TotalSteps() const;
  double Progress() const;
  bool writes() const { return ranks_.rank() == 0; }
  bool StoppedEarly() const { return settings_.patience > 0 && state_.stale >= settings_.patience; }
  bool Done() const { return Progress() >= 1.0 || StoppedEarly(); }
  double Elapsed() const { return before_ + SecondsSince(start_); }  // by this rank's clock
  void Agree();
  TrainingModel::Cut CutOf(const Batch& batch);
  Status LogStep(const TrainObserver::StepInfo& info, double rate);
  Status Update();
  Status Save(const fs::path& name);
  Status Validate();
  Status Checkpoint();
  Status KeepEpoch();
  Status KeepPercents(double before);
  Status Keep(const std::string& name);
  Result<TrainState> Load(const fs::path& checkpoint);
  Status CheckIdentity(const fs::path& checkpoint) const;
  Status Resume();
  void NextEpoch();
  TrainReport Report(bool interrupted) const;

  const TrainData& data_;
  const TrainSettings& settings_;
  const fs::path folder_;
  TrainObserver& observer_;
  Communicator& ranks_;
  const std::string identity_;
  TrainingModel model_;
  BlockSource source_;
  BlockSource valid_;
  std::optional<BlockSource> short_source_;
  TrainState state_;
  std::optional<RunDirectory> directory_;  // of the rank that writes
  TrainLog log_;
  EventFile events_;
  std::unique_ptr<BatchQueue> queue_;
  uint64_t total_steps_ = 0;
  double before_ = 0;   // seconds that earlier sittings took
  double elapsed_ = 0;  // seconds in all, by rank 0's clock when the ranks last agreed
  bool stop_ = false;   // one of the ranks was asked to stop
  Clock::time_point start_ = Clock::now();
  Clock::time_point saved_ = Clock::now();
  double rate_ = 0;  // targets per second, smoothed
  double valid_nll_ = 0;
  uint64_t validated_step_ = UINT64_MAX;
};

uint64_t Run::TotalSteps() const {
  if (settings_.steps > 0) {
    return settings_.steps;
  }
  const uint64_t rows = settings_.batch * settings_.grad_accum;
  uint64_t total = 0;
  for (uint64_t epoch = 0; epoch < settings_.epochs; ++epoch) {
    total += (source_.EpochSize(epoch) + rows - 1) / rows;
  }
  return total;
}

double Run::Progress() const {
  if (settings_.minutes > 0) {
    return std::min(1.0, elapsed_ / (60.0 * settings_.minutes));
  }
  return static_cast<double>(state_.step) / static_cast<double>(total_steps_);
}

void Run::NextEpoch() {
  const BatchQueue::Share share{.part = static_cast<uint64_t>(ranks_.rank()),
                                .of = static_cast<uint64_t>(ranks_.size())};
  queue_ = std::make_unique<BatchQueue>(source(), state_.epoch, state_.block, RowsPerUpdate(), share);
}

/// Agrees on one clock and on whether to stop, so that all ranks take the same branches.
void Run::Agree() {
  std::array<double, 2> values = {writes() ? Elapsed() : 0.0, observer_.ShouldStop() ? 1.0 : 0.0};
  ranks_.Sum(values);
  elapsed_ = values[0];
  stop_ = values[1] > 0;
}

/// How this rank cuts its share of the batch of an update, and the targets of all ranks. Each rank
/// must call it.
TrainingModel::Cut Run::CutOf(const Batch& batch) {
  std::array<double, 1> targets = {static_cast<double>(batch.target_count)};
  ranks_.Sum(targets);
  const uint64_t parts = settings_.grad_accum * static_cast<uint64_t>(ranks_.size());
  return {.rows = (RowsPerUpdate() + parts - 1) / parts,
          .first = static_cast<size_t>(ranks_.rank()) * settings_.grad_accum,
          .step = state_.step,
          .targets = static_cast<size_t>(targets[0])};
}

Status Run::Update() {
  const auto began = Clock::now();
  const double progress = Progress();
  // Bound by time, the clock stands for the step.
  constexpr double kClockSteps = 1e6;
  const ScheduleValue value =
      settings_.minutes > 0
          ? ScheduleAt(settings_.schedule, progress * (kClockSteps - 1), kClockSteps)
          : ScheduleAt(settings_.schedule, static_cast<double>(state_.step), static_cast<double>(total_steps_));

  const uint64_t blocks = queue_->next_blocks();
  const Batch batch = queue_->Take();
  const TrainingModel::Cut cut = CutOf(batch);
  const auto targets = static_cast<double>(cut.targets);
  std::array<double, 1> nll = {model_.AccumulateGradients(batch, cut)};
  ranks_.Sum(nll);
  const double norm = model_.GradientNorm();
  const double loss = nll[0] / targets;
  if (state_.step == 0) {
    state_.first_loss = loss;
  }
  const double guessing = std::log(static_cast<double>(settings_.model.vocab_size));
  if (!std::isfinite(norm) || !(loss <= kExplosion * std::max(guessing, state_.first_loss))) {
    return Error{fmt::format("{}: step {}: loss {}, gradient norm {}: training has diverged", folder_.string(),
                             state_.step + 1, loss, norm),
                 "the last checkpoint is kept; try a lower --lr"};
  }
  model_.Update(norm, value);

  ++state_.step;
  state_.block += blocks;
  state_.tokens += cut.targets;
  const double now_rate = targets / SecondsSince(began);
  rate_ = rate_ > 0 ? kRateSmoothing * rate_ + (1 - kRateSmoothing) * now_rate : now_rate;
  state_.seconds = Elapsed();

  TrainObserver::StepInfo info;
  info.step = state_.step;
  info.epoch = state_.epoch;
  info.progress = Progress();
  info.loss = loss;
  info.lr = value.lr;
  info.gradient_norm = norm;
  info.tokens_per_second = rate_;
  info.seconds_left = settings_.minutes > 0
                          ? std::max(0.0, 60.0 * settings_.minutes - state_.seconds)
                          : static_cast<double>(total_steps_ - std::min(total_steps_, state_.step)) * targets / rate_;
  observer_.OnStep(info);
  return LogStep(info, now_rate);
}

Status Run::LogStep(const TrainObserver::StepInfo& info, double rate) {
  if (!writes()) {
    return {};
  }
  CONTINUO_TRY(events_.Write(
      WallSeconds(), info.step,
      {{"loss", info.loss}, {"lr", info.lr}, {"gradient_norm", info.gradient_norm}, {"tokens_per_second", rate}}));
  return log_.Write(UpdateRecord{.step = info.step,
                                 .epoch = info.epoch,
                                 .tokens = state_.tokens,
                                 .seconds = state_.seconds,
                                 .progress = info.progress,
                                 .loss = info.loss,
                                 .lr = info.lr,
                                 .gradient_norm = info.gradient_norm,
                                 .tokens_per_second = rate});
}

Status Run::Validate() {
  if (valid_.song_count() == 0 || validated_step_ == state_.step) {
    return {};
  }
  const std::vector<Block> blocks = valid_.Epoch(0);
  const size_t rows = std::max<size_t>(1, kValidationTokens / valid_.options().context);
  std::array<double, 3> sums = {};  // NLL, targets, notes
  model_.SwapAverage();
  for (size_t i = 0, turn = 0; i < blocks.size(); i += rows, ++turn) {
    if (turn % static_cast<size_t>(ranks_.size()) != static_cast<size_t>(ranks_.rank())) {
      continue;
    }
    const Batch batch = valid_.Lay(std::span(blocks).subspan(i, std::min(rows, blocks.size() - i)));
    sums[0] += model_.EvaluateNll(batch);
    sums[1] += static_cast<double>(batch.target_count);
    for (const int64_t target : batch.targets) {
      sums[2] += target >= 0 && !data_.begins_note.empty() ? data_.begins_note[static_cast<size_t>(target)] : 0;
    }
  }
  ranks_.Sum(sums);
  const auto mean_over = [&](double count) { return count > 0 ? sums[0] / count : 0.0; };
  valid_nll_ = mean_over(sums[1]);
  validated_step_ = state_.step;
  const bool best = state_.best_nll == 0 || valid_nll_ < state_.best_nll;
  state_.stale = best ? 0 : state_.stale + 1;
  if (best) {
    state_.best_nll = valid_nll_;
    state_.best_step = state_.step;
    CONTINUO_TRY(Save("best"));
  }
  model_.SwapAverage();
  const TrainObserver::ValidationInfo info = {.step = state_.step,
                                              .nll_per_token = valid_nll_,
                                              .nll_per_note = mean_over(sums[2]),
                                              .nll_per_bar = mean_over(CountValidationBars(data_, settings_)),
                                              .best = best};
  observer_.OnValidation(info);
  if (!writes()) {
    return {};
  }
  CONTINUO_TRY(events_.Write(WallSeconds(), state_.step, {{"valid_nll/token", info.nll_per_token}}));
  if (info.nll_per_note > 0) {
    CONTINUO_TRY(events_.Write(WallSeconds(), state_.step, {{"valid_nll/note", info.nll_per_note}}));
  }
  if (info.nll_per_bar > 0) {
    CONTINUO_TRY(events_.Write(WallSeconds(), state_.step, {{"valid_nll/bar", info.nll_per_bar}}));
  }
  return log_.Write(ValidationRecord{.step = state_.step,
                                     .epoch = state_.epoch,
                                     .tokens = state_.tokens,
                                     .seconds = elapsed_,
                                     .nll_per_token = info.nll_per_token,
                                     .nll_per_note = info.nll_per_note,
                                     .nll_per_bar = info.nll_per_bar,
                                     .valid_tokens = static_cast<uint64_t>(sums[1])});
}

Status Run::Save(const fs::path& name) {
  return writes() ? model_.SaveModel(data_, settings_.export_bf16, folder_ / name) : Status();
}

Status Run::Checkpoint() {
  state_.seconds = elapsed_;
  saved_ = Clock::now();
  if (!writes()) {
    return {};
  }
  CONTINUO_TRY(model_.SaveCheckpoint({identity_, state_}, data_, directory_->CheckpointPath(state_.step)));
  return directory_->Publish(state_.step, settings_.keep);
}

/// Saves the model as it is now, under a name of its own.
Status Run::Keep(const std::string& name) {
  model_.SwapAverage();
  const Status saved = Save(name);
  model_.SwapAverage();
  return saved;
}

Status Run::KeepEpoch() {
  const std::vector<uint64_t>& kept = settings_.keep_epochs;
  const bool keeps = std::find(kept.begin(), kept.end(), state_.epoch) != kept.end();
  return keeps ? Keep(fmt::format("epoch-{}", state_.epoch)) : Status();
}

/// Keeps the model for each share of the run that the latest update has reached. `before` is the
/// progress before it.
Status Run::KeepPercents(double before) {
  for (const uint64_t percent : settings_.keep_percents) {
    const double share = static_cast<double>(percent) / 100.0;
    if (before < share && Progress() >= share) {
      CONTINUO_TRY(Keep(fmt::format("percent-{}", percent)));
    }
  }
  return {};
}

/// The state of a checkpoint, with its weights and moments in the model. Fails if it cannot be
/// read.
Result<TrainState> Run::Load(const fs::path& checkpoint) {
  CONTINUO_ASSIGN(const TrainingFile training, ReadTrainingFile(checkpoint));
  CONTINUO_TRY(model_.LoadCheckpoint(checkpoint, training.state.step));
  return training.state;
}

/// Fails if a checkpoint, as far as it can be read, is one of other settings.
Status Run::CheckIdentity(const fs::path& checkpoint) const {
  const auto training = ReadTrainingFile(checkpoint);
  const std::string difference = training.ok() ? FirstDifference(training->identity, identity_) : std::string();
  if (!difference.empty()) {
    return Error{fmt::format("{}: cannot resume with other settings: {}", checkpoint.string(), difference),
                 "use the same flags, or another output directory"};
  }
  return {};
}

/// Continues from the newest checkpoint that can be read. All ranks see the same files and so take
/// the same one.
Status Run::Resume() {
  std::optional<Error> first_error;
  for (const fs::path& checkpoint : Checkpoints(folder_)) {
    CONTINUO_TRY(CheckIdentity(checkpoint));
    auto loaded = Load(checkpoint);
    if (!loaded.ok()) {
      if (writes()) {
        observer_.OnNote(loaded.error().ToString());
      }
      first_error = first_error ? first_error : loaded.error();
      continue;
    }
    state_ = *loaded;
    before_ = state_.seconds;
    ranks_.Barrier();  // all have read before anything is moved
    if (!writes()) {
      return {};
    }
    if (first_error) {
      observer_.OnNote(fmt::format("resuming from the checkpoint before, of step {}", state_.step));
    }
    return directory_->Adopt(checkpoint);
  }
  if (first_error) {
    return *first_error;
  }
  observer_.OnNote(fmt::format("{}: ended before its first checkpoint; starting again", folder_.string()));
  return {};
}

TrainReport Run::Report(bool interrupted) const {
  return {.steps = state_.step,
          .tokens = state_.tokens,
          .seconds = elapsed_,
          .valid_nll = valid_nll_,
          .best_nll = state_.best_nll,
          .interrupted = interrupted,
          .stopped_early = StoppedEarly()};
}

Result<TrainReport> Run::Go(bool resume) {
  if (resume && !RunHasBegun(folder_)) {
    return Error{fmt::format("{}: there is no checkpoint to resume from", folder_.string()),
                 "start a new run without --resume"};
  }
  ranks_.Barrier();
  if (writes()) {
    CONTINUO_ASSIGN(RunDirectory directory, RunDirectory::Open(folder_));
    directory_.emplace(std::move(directory));
  }
  ranks_.Barrier();
  if (resume) {
    CONTINUO_TRY(Resume());
  }
  if (state_.step == 0 && !settings_.init_from.empty()) {
    CONTINUO_ASSIGN(const std::string taken, model_.LoadWeights(settings_.init_from, data_.vocab_sha256));
    if (writes()) {
      observer_.OnNote(taken);
    }
  }
  if (source_.song_count() == 0) {
    return MakeError("there is nothing to train on");
  }
  if (writes()) {
    if (valid_.song_count() == 0) {
      observer_.OnNote("no song is held out for validation; best will be the last model");
    }
    CONTINUO_ASSIGN(log_, TrainLog::Open(folder_ / "train.jsonl", state_.step));
    CONTINUO_ASSIGN(events_, EventFile::Create(folder_, WallSeconds(), state_.step));
  }
  start_ = Clock::now();
  saved_ = start_;
  if (settings_.minutes <= 0) {
    total_steps_ = TotalSteps();
  }
  NextEpoch();
  for (Agree(); !Done(); Agree()) {
    if (state_.short_windows && Progress() >= settings_.short_share) {
      state_.short_windows = false;
      ++state_.epoch;
      state_.block = 0;
      NextEpoch();
    }
    const double before = Progress();
    CONTINUO_TRY(Update());
    Agree();
    CONTINUO_TRY(KeepPercents(before));  // before any checkpoint that follows the update
    const bool epoch_ends = queue_->done();
    if (epoch_ends) {
      ++state_.epoch;
      state_.block = 0;
      CONTINUO_TRY(KeepEpoch());  // before the checkpoint that follows the epoch
      NextEpoch();
    }
    const bool validate = settings_.valid_every > 0 ? state_.step % settings_.valid_every == 0 : epoch_ends;
    if (validate && Progress() < 1.0) {
      CONTINUO_TRY(Validate());
    }
    if (stop_) {
      CONTINUO_TRY(Checkpoint());
      return Report(/*interrupted=*/true);
    }
    if (validate || SecondsSince(saved_) > 60.0 * settings_.checkpoint_minutes) {
      CONTINUO_TRY(Checkpoint());
    }
  }
  // The model first, so that a run limited by minutes has it on time, however long validation
  // takes.
  model_.SwapAverage();
  CONTINUO_TRY(Save("final"));
  if (valid_.song_count() == 0) {
    CONTINUO_TRY(Save("best"));
  }
  model_.SwapAverage();
  CONTINUO_TRY(Validate());
  Agree();
  CONTINUO_TRY(Checkpoint());
  return Report(/*interrupted=*/false);
}

/// The precision of a run: as chosen, of a resumed run its own, else what the device is faster in.
/// Ranks, whose machines may differ, agree on bf16 only if it is the choice of all.
Result<PrecisionChoice> AgreeOnPrecision(const TrainSettings& settings, const fs::path& run, bool resume,
                                         Communicator& ranks) {
  const auto saved = resume && settings.precision == PrecisionChoice::kAuto ? SavedPrecision(run) : std::nullopt;
  CONTINUO_ASSIGN(const PrecisionChoice own, PrecisionOn(saved.value_or(settings.precision), settings.device));
  std::array<double, 1> in_bf16 = {own == PrecisionChoice::kBf16 ? 1.0 : 0.0};
  ranks.Sum(in_bf16);
  return in_bf16[0] == static_cast<double>(ranks.size()) ? PrecisionChoice::kBf16 : PrecisionChoice::kF32;
}

}  // namespace

Result<TrainReport> Train(const TrainData& data, const TrainSettings& requested, const fs::path& run, bool resume,
                          TrainObserver& observer, Communicator& ranks) {
  CONTINUO_TRY(Check(requested));
  TrainSettings settings = requested;
  settings.model.vocab_size = static_cast<int64_t>(data.vocab_size);
  CONTINUO_TRY(PrepareLibTorch(settings.device, settings.threads));
  CONTINUO_ASSIGN(settings.precision, AgreeOnPrecision(settings, run, resume, ranks));
  try {
    return Run(data, settings, run, observer, ranks).Go(resume);
  } catch (const std::exception& error) {
    return MakeError("{}: LibTorch: {}", run.string(), std::string_view(error.what()).substr(0, 400));
  }
}

Result<TrainReport> Train(const TrainData& data, const TrainSettings& settings, const fs::path& run, bool resume,
                          TrainObserver& observer) {
  OneProcess alone;
  return Train(data, settings, run, resume, observer, alone);
}

Result<TrainReport> Train(const Corpus& corpus, const TrainSettings& settings, const fs::path& run, bool resume,
                          TrainObserver& observer) {
  CONTINUO_ASSIGN(const TrainData data, MusicData(corpus, settings));
  return Train(data, settings, run, resume, observer);
}

}  // namespace continuo
