#include "continuo/train/trainer.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "continuo/core/rng.h"
#include "continuo/core/thread_pool.h"
#include "continuo/os/file.h"
#include "continuo/os/machine.h"
#include "continuo/train/batch_queue.h"
#include "continuo/train/checkpoint.h"
#include "continuo/train/device.h"
#include "continuo/run/event_file.h"
#include "continuo/train/gradient_buckets.h"
#include "continuo/run/run_directory.h"
#include "continuo/run/train_log.h"

namespace continuo {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr size_t kValidationTokens = 16384;  // a batch; without gradients there is room for more
constexpr double kRateSmoothing = 0.9;
/// A loss this many times that of guessing, or of the first update where that is higher, has exploded.
constexpr double kExplosion = 2.0;

double SecondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

double WallSeconds() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

/// [rows, ...], or [0, 0]. Refers to the values.
at::Tensor AsTensor(const std::vector<int64_t>& values, size_t rows) {
  if (rows == 0) {
    return at::empty({0, 0}, at::kLong);
  }
  return at::from_blob(const_cast<int64_t*>(values.data()),
                       {static_cast<int64_t>(rows), static_cast<int64_t>(values.size() / rows)}, at::kLong);
}

/// A number for (seed, step, micro-batch) that no other has.
uint64_t DrawFor(uint64_t seed, uint64_t step, uint64_t micro) {
  constexpr uint64_t kDropoutStream = uint64_t{4} << 56;
  return Rng(seed, kDropoutStream | micro << 48 | step).NextU64();
}

Status CheckOptions(const TrainOptions& options) {
  CONTINUO_TRY(CheckGpt2Config(options.model));
  if (options.batch == 0 || options.grad_accum == 0) {
    return MakeError("batch is {} and grad-accum {}; each must be at least 1", options.batch, options.grad_accum);
  }
  if (!(options.label_smoothing >= 0 && options.label_smoothing < 1) ||
      !(options.optimizer.average_decay >= 0 && options.optimizer.average_decay < 1)) {
    return MakeError("label-smoothing is {} and ema {}; each must be at least 0 and below 1", options.label_smoothing,
                     options.optimizer.average_decay);
  }
  if (options.short_share > 0 &&
      (options.short_context == 0 || options.short_context > static_cast<size_t>(options.model.context_length))) {
    return MakeError("short-context is {}, expected 1 to the context of {}", options.short_context,
                     options.model.context_length);
  }
  return {};
}

/// All that decides the weights that come out, for --resume to compare.
std::string SettingsJson(const TrainOptions& o, const TrainData& data) {
  const nlohmann::ordered_json settings = {
      {"vocab_sha256", data.vocab_sha256},
      {"songs", data.train.size() + data.valid.size()},
      {"data_sha256", data.sha256},
      {"vocab_size", o.model.vocab_size},
      {"context", o.model.context_length},
      {"width", o.model.width},
      {"layers", o.model.layers},
      {"heads", o.model.heads},
      {"dropout", o.model.dropout},
      {"precision", o.precision == TrainPrecision::kBf16 ? "bf16" : "f32"},
      {"blocks", ToString(o.blocks)},
      {"augment_transpose", o.augment_transpose},
      {"augment_velocity", o.augment_velocity},
      {"augment_tempo", o.augment_tempo},
      {"batch", o.batch},
      {"grad_accum", o.grad_accum},
      {"optimizer", ToString(o.optimizer.kind)},
      {"beta1", o.optimizer.beta1},
      {"beta2", o.optimizer.beta2},
      {"epsilon", o.optimizer.epsilon},
      {"weight_decay", o.optimizer.weight_decay},
      {"decay_matrices_only", o.optimizer.decay_matrices_only},
      {"schedule", ToString(o.schedule.kind)},
      {"lr", o.schedule.max_lr},
      {"warmup", o.schedule.warmup},
      {"div_factor", o.schedule.div_factor},
      {"final_div_factor", o.schedule.final_div_factor},
      {"cycle_momentum", o.schedule.cycle_momentum},
      {"average_decay", o.optimizer.average_decay},
      {"label_smoothing", o.label_smoothing},
      {"patience", o.patience},
      {"clip", o.clip},
      {"seed", o.seed},
      {"minutes", o.minutes},
      {"steps", o.steps},
      {"epochs", o.epochs},
      {"short_share", o.short_share},
      {"short_context", o.short_context},
  };
  return settings.dump();
}

BlockSource MakeSource(const TrainData& data, const TrainOptions& options, size_t context, bool valid) {
  BlockOptions blocks;
  blocks.context = context;
  blocks.mode = options.blocks;
  blocks.seed = options.seed;
  blocks.transpose = options.augment_transpose && !valid;
  blocks.velocity = options.augment_velocity && !valid;
  blocks.tempo = options.augment_tempo && !valid;
  blocks.jitter = !valid;
  blocks.shuffle = !valid;
  blocks.each_target_once = valid;
  return BlockSource(valid ? data.valid : data.train, data.vocabulary, blocks);
}

/// The bars (of text: lines) that begin among the targets of a validation.
double CountValidationBars(const TrainData& data, const TrainOptions& options) {
  size_t count = 0;
  for (const BlockSong& song : data.valid) {
    for (const uint32_t offset : song.bar_offsets) {
      count += options.blocks == BlockMode::kAll || offset < static_cast<size_t>(options.model.context_length);
    }
  }
  return static_cast<double>(count);
}

class Run {
 public:
  Run(const TrainData& data, const TrainOptions& options, const fs::path& folder, TrainObserver& observer,
      Communicator& ranks)
      : data_(data),
        options_(options),
        folder_(folder),
        observer_(observer),
        ranks_(ranks),
        settings_(SettingsJson(options, data)),
        model_(options.model, options.precision, options.seed, LayersFor(options.device)),
        optimizer_(model_, options.optimizer),
        source_(MakeSource(data, options, static_cast<size_t>(options.model.context_length), false)),
        valid_(MakeSource(data, options, static_cast<size_t>(options.model.context_length), true)) {
    if (options.short_share > 0) {
      short_source_.emplace(MakeSource(data, options, options.short_context, false));
      state_.short_windows = true;
    }
    model_.set_label_smoothing(options.label_smoothing);
    if (ranks.size() > 1) {
      buckets_.emplace(model_, ranks);
    }
  }

  Result<TrainReport> Go(bool resume);

 private:
  uint64_t RowsPerUpdate() const {
    const uint64_t rows = options_.batch * options_.grad_accum;
    return state_.short_windows ? rows * static_cast<uint64_t>(options_.model.context_length) / options_.short_context
                                : rows;
  }
  const BlockSource& source() const { return state_.short_windows ? *short_source_ : source_; }
  uint64_t TotalSteps() const;
  double Progress() const;
  bool writes() const { return ranks_.rank() == 0; }
  bool StoppedEarly() const { return options_.patience > 0 && state_.stale >= options_.patience; }
  bool Done() const { return Progress() >= 1.0 || StoppedEarly(); }
  double Elapsed() const { return before_ + SecondsSince(start_); }  // by this rank's clock
  void Agree();
  double AccumulateGradients(const Batch& batch, size_t target_count);
  Status LogStep(const TrainObserver::StepInfo& info, double rate);
  Status Update();
  Status Save(const fs::path& name);
  Status Validate();
  Status Checkpoint();
  Status KeepEpoch();
  Status Resume();
  void NextEpoch();
  TrainReport Report(bool interrupted) const;

  const TrainData& data_;
  const TrainOptions& options_;
  const fs::path folder_;
  TrainObserver& observer_;
  Communicator& ranks_;
  const std::string settings_;
  Gpt2 model_;
  Optimizer optimizer_;
  BlockSource source_;
  BlockSource valid_;
  std::optional<BlockSource> short_source_;
  TrainState state_;
  std::optional<GradientBuckets> buckets_;
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
  if (options_.steps > 0) {
    return options_.steps;
  }
  const uint64_t rows = options_.batch * options_.grad_accum;
  uint64_t total = 0;
  for (uint64_t epoch = 0; epoch < options_.epochs; ++epoch) {
    total += (source_.EpochSize(epoch) + rows - 1) / rows;
  }
  return total;
}

double Run::Progress() const {
  if (options_.minutes > 0) {
    return std::min(1.0, elapsed_ / (60.0 * options_.minutes));
  }
  return static_cast<double>(state_.step) / static_cast<double>(total_steps_);
}

void Run::NextEpoch() {
  const BatchQueue::Share share{.part = static_cast<uint64_t>(ranks_.rank()),
                                .of = static_cast<uint64_t>(ranks_.size())};
  queue_ = std::make_unique<BatchQueue>(source(), state_.epoch, state_.block, RowsPerUpdate(), share);
}

/// One clock and one wish to stop for all ranks, so that all take the same way.
void Run::Agree() {
  std::array<double, 2> values = {writes() ? Elapsed() : 0.0, observer_.ShouldStop() ? 1.0 : 0.0};
  ranks_.Sum(values);
  elapsed_ = values[0];
  stop_ = values[1] > 0;
}

/// The gradients of the loss over all ranks' `target_count` targets, and the NLL of this rank's.
double Run::AccumulateGradients(const Batch& batch, size_t target_count) {
  const size_t parts = options_.grad_accum * static_cast<size_t>(ranks_.size());
  const size_t micro_rows = (RowsPerUpdate() + parts - 1) / parts;
  const size_t first_micro = static_cast<size_t>(ranks_.rank()) * options_.grad_accum;
  const at::Tensor ids = AsTensor(batch.ids, batch.rows);
  const at::Tensor targets = AsTensor(batch.targets, batch.rows);
  const auto slack = static_cast<uint64_t>(options_.model.context_length) - batch.context;
  model_.ZeroGradients();
  double nll = 0;
  for (size_t row = 0, micro = first_micro; row < batch.rows; row += micro_rows, ++micro) {
    const auto rows = static_cast<int64_t>(std::min(micro_rows, batch.rows - row));
    const uint64_t draw = DrawFor(options_.seed, state_.step, micro);
    model_.set_first_position(static_cast<int64_t>(draw % (slack + 1)));
    if (buckets_ && row + micro_rows >= batch.rows) {
      buckets_->Begin();
      model_.set_gradient_observer([this](size_t parameter) { buckets_->OnGradient(parameter); });
    }
    nll += model_.AccumulateGradients(ids.narrow(0, static_cast<int64_t>(row), rows),
                                      targets.narrow(0, static_cast<int64_t>(row), rows),
                                      1.0 / static_cast<double>(target_count), draw);
  }
  model_.set_first_position(0);
  if (buckets_) {
    model_.set_gradient_observer(nullptr);
    if (batch.rows == 0) {
      buckets_->Begin();
    }
    buckets_->Finish();
  }
  return nll;
}

Status Run::Update() {
  const auto began = Clock::now();
  const double progress = Progress();
  // Bound by time, the clock stands for the step.
  constexpr double kClockSteps = 1e6;
  const ScheduleValue value =
      options_.minutes > 0
          ? ScheduleAt(options_.schedule, progress * (kClockSteps - 1), kClockSteps)
          : ScheduleAt(options_.schedule, static_cast<double>(state_.step), static_cast<double>(total_steps_));

  const uint64_t blocks = queue_->next_blocks();
  const Batch batch = queue_->Take();
  std::array<double, 1> target_count = {static_cast<double>(batch.target_count)};
  ranks_.Sum(target_count);
  const auto targets = static_cast<size_t>(target_count[0]);
  std::array<double, 1> nll = {AccumulateGradients(batch, targets)};
  ranks_.Sum(nll);
  const double norm = GradientNorm(model_.parameters());
  const double loss = nll[0] / static_cast<double>(targets);
  if (state_.step == 0) {
    state_.first_loss = loss;
  }
  const double guessing = std::log(static_cast<double>(options_.model.vocab_size));
  if (!std::isfinite(norm) || !(loss <= kExplosion * std::max(guessing, state_.first_loss))) {
    return Error{fmt::format("{}: step {}: loss {}, gradient norm {}: training has diverged", folder_.string(),
                             state_.step + 1, loss, norm),
                 "the last checkpoint is kept; try a lower --lr"};
  }
  if (options_.clip > 0) {
    ClipGradients(model_.parameters(), norm, options_.clip);
  }
  optimizer_.Step(value.lr, value.beta1);
  model_.RefreshCompute();

  ++state_.step;
  state_.block += blocks;
  state_.tokens += targets;
  const double now_rate = static_cast<double>(targets) / SecondsSince(began);
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
  info.seconds_left = options_.minutes > 0 ? std::max(0.0, 60.0 * options_.minutes - state_.seconds)
                                           : static_cast<double>(total_steps_ - std::min(total_steps_, state_.step)) *
                                                 static_cast<double>(targets) / rate_;
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
  optimizer_.SwapAverage();
  for (size_t i = 0, turn = 0; i < blocks.size(); i += rows, ++turn) {
    if (turn % static_cast<size_t>(ranks_.size()) != static_cast<size_t>(ranks_.rank())) {
      continue;
    }
    const Batch batch = valid_.Lay(std::span(blocks).subspan(i, std::min(rows, blocks.size() - i)));
    sums[0] += model_.EvaluateNll(AsTensor(batch.ids, batch.rows), AsTensor(batch.targets, batch.rows));
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
  optimizer_.SwapAverage();
  const TrainObserver::ValidationInfo info = {.step = state_.step,
                                              .nll_per_token = valid_nll_,
                                              .nll_per_note = mean_over(sums[2]),
                                              .nll_per_bar = mean_over(CountValidationBars(data_, options_)),
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
  return writes() ? SaveModel(model_, data_, options_.export_bf16, folder_ / name) : Status();
}

Status Run::Checkpoint() {
  state_.seconds = elapsed_;
  saved_ = Clock::now();
  if (!writes()) {
    return {};
  }
  CONTINUO_TRY(SaveCheckpoint(model_, optimizer_, state_, data_, settings_, directory_->CheckpointPath(state_.step)));
  return directory_->Publish(state_.step, options_.keep);
}

Status Run::KeepEpoch() {
  const std::vector<uint64_t>& kept = options_.keep_epochs;
  if (std::find(kept.begin(), kept.end(), state_.epoch) == kept.end()) {
    return {};
  }
  optimizer_.SwapAverage();
  const Status saved = Save(fmt::format("epoch-{}", state_.epoch));
  optimizer_.SwapAverage();
  return saved;
}

/// Goes on from the newest checkpoint that can be read. All ranks see the same files and so take the same one.
Status Run::Resume() {
  const std::vector<fs::path> checkpoints = Checkpoints(folder_);
  std::optional<Error> first_error;
  for (const fs::path& checkpoint : checkpoints) {
    const auto difference = SettingsDifference(checkpoint, settings_);
    auto loaded = LoadCheckpoint(checkpoint, settings_, model_, optimizer_);
    if (!loaded.ok() && difference.ok() && !difference->empty()) {
      return std::move(loaded).error();
    }
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
      observer_.OnNote(fmt::format("going on from the checkpoint before, of step {}", state_.step));
    }
    return directory_->Adopt(checkpoint);
  }
  if (first_error) {
    return *first_error;
  }
  observer_.OnNote(fmt::format("{}: was ended before its first checkpoint; beginning anew", folder_.string()));
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
    return Error{fmt::format("{}: there is no checkpoint to go on from", folder_.string()),
                 "leave out --resume to begin"};
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
  if (state_.step == 0 && !options_.init_from.empty()) {
    CONTINUO_ASSIGN(const std::string taken,
                    LoadWeights(options_.init_from, data_.vocab_sha256, options_.seed, model_));
    if (writes()) {
      observer_.OnNote(taken);
    }
  }
  if (source_.song_count() == 0) {
    return MakeError("there is nothing to train on");
  }
  if (writes()) {
    if (valid_.song_count() == 0) {
      observer_.OnNote("nothing is held out for validation; best will be the last model");
    }
    CONTINUO_ASSIGN(log_, TrainLog::Open(folder_ / "train.jsonl", state_.step));
    CONTINUO_ASSIGN(events_, EventFile::Create(folder_, WallSeconds(), state_.step));
  }
  start_ = Clock::now();
  saved_ = start_;
  if (options_.minutes <= 0) {
    total_steps_ = TotalSteps();
  }
  NextEpoch();
  for (Agree(); !Done(); Agree()) {
    if (state_.short_windows && Progress() >= options_.short_share) {
      state_.short_windows = false;
      ++state_.epoch;
      state_.block = 0;
      NextEpoch();
    }
    CONTINUO_TRY(Update());
    Agree();
    const bool epoch_ends = queue_->done();
    if (epoch_ends) {
      ++state_.epoch;
      state_.block = 0;
      CONTINUO_TRY(KeepEpoch());  // before the checkpoint that has the epoch behind it
      NextEpoch();
    }
    const bool validate = options_.valid_every > 0 ? state_.step % options_.valid_every == 0 : epoch_ends;
    if (validate && Progress() < 1.0) {
      CONTINUO_TRY(Validate());
    }
    if (stop_) {
      CONTINUO_TRY(Checkpoint());
      return Report(true);
    }
    if (validate || SecondsSince(saved_) > 60.0 * options_.checkpoint_minutes) {
      CONTINUO_TRY(Checkpoint());
    }
  }
  // The model first: a run by the clock has it on time, however long validation takes.
  optimizer_.SwapAverage();
  CONTINUO_TRY(Save("final"));
  if (valid_.song_count() == 0) {
    CONTINUO_TRY(Save("best"));  // for all that asks for the best
  }
  optimizer_.SwapAverage();
  CONTINUO_TRY(Validate());
  Agree();
  CONTINUO_TRY(Checkpoint());
  return Report(false);
}

}  // namespace

Result<TrainReport> Train(const TrainData& data, const TrainOptions& requested, const fs::path& run, bool resume,
                          TrainObserver& observer, Communicator& ranks) {
  TrainOptions options = requested;
  options.model.vocab_size = static_cast<int64_t>(data.vocab_size);
  CONTINUO_TRY(CheckOptions(options));
  at::set_num_threads(static_cast<int>(ThreadCount(options.threads)));
  MakeDeterministic(options.device);
  try {
    return Run(data, options, run, observer, ranks).Go(resume);
  } catch (const std::exception& error) {
    return MakeError("{}: LibTorch: {}", run.string(), std::string_view(error.what()).substr(0, 400));
  }
}

Result<TrainReport> Train(const TrainData& data, const TrainOptions& options, const fs::path& run, bool resume,
                          TrainObserver& observer) {
  OneProcess alone;
  return Train(data, options, run, resume, observer, alone);
}

Result<TrainReport> Train(const Corpus& corpus, const TrainOptions& options, const fs::path& run, bool resume,
                          TrainObserver& observer) {
  CONTINUO_ASSIGN(const TrainData data, MusicData(corpus));
  return Train(data, options, run, resume, observer);
}

}  // namespace continuo
