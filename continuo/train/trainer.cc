#include "continuo/train/trainer.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "continuo/core/file.h"
#include "continuo/core/rng.h"
#include "continuo/core/thread_pool.h"
#include "continuo/train/batch_queue.h"
#include "continuo/train/checkpoint.h"
#include "continuo/train/train_log.h"

namespace continuo {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr size_t kValidationTokens = 16384;  // a batch; without gradients there is room for more
constexpr double kRateSmoothing = 0.9;

double SecondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

at::Tensor AsTensor(const std::vector<int64_t>& values, size_t rows) {
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
  if (options.short_share > 0 &&
      (options.short_context == 0 || options.short_context > static_cast<size_t>(options.model.context_length))) {
    return MakeError("short-context is {}, expected 1 to the context of {}", options.short_context,
                     options.model.context_length);
  }
  return {};
}

/// All that decides the weights that come out, for --resume to compare.
std::string SettingsJson(const TrainOptions& o, const Corpus& corpus) {
  const nlohmann::ordered_json settings = {
      {"vocab_sha256", corpus.tokenizer().vocabulary_sha256()},
      {"songs", corpus.song_count()},
      {"vocab_size", o.model.vocab_size},
      {"context", o.model.context_length},
      {"width", o.model.width},
      {"layers", o.model.layers},
      {"heads", o.model.heads},
      {"dropout", o.model.dropout},
      {"precision", o.precision == TrainPrecision::kBf16 ? "bf16" : "f32"},
      {"blocks", ToString(o.blocks)},
      {"augment_transpose", o.augment_transpose},
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

BlockSource MakeSource(const Corpus& corpus, const BlockVocabulary& vocabulary, const TrainOptions& options,
                       size_t context, bool valid) {
  BlockOptions blocks;
  blocks.context = context;
  blocks.mode = options.blocks;
  blocks.seed = options.seed;
  blocks.transpose = options.augment_transpose && !valid;
  blocks.jitter = !valid;
  blocks.shuffle = !valid;
  blocks.each_target_once = valid;
  return BlockSource(SongsOf(corpus, valid), vocabulary, blocks);
}

class Run {
 public:
  Run(const Corpus& corpus, const TrainOptions& options, const BlockVocabulary& vocabulary, const fs::path& folder,
      TrainObserver& observer)
      : corpus_(corpus),
        options_(options),
        folder_(folder),
        observer_(observer),
        settings_(SettingsJson(options, corpus)),
        model_(options.model, options.precision, options.seed),
        optimizer_(model_, options.optimizer),
        source_(MakeSource(corpus, vocabulary, options, static_cast<size_t>(options.model.context_length), false)),
        valid_(MakeSource(corpus, vocabulary, options, static_cast<size_t>(options.model.context_length), true)) {
    if (options.short_share > 0) {
      short_source_.emplace(MakeSource(corpus, vocabulary, options, options.short_context, false));
      state_.short_windows = true;
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
  double Elapsed() const { return before_ + SecondsSince(start_); }
  Status Update();
  Status Validate();
  Status Checkpoint();
  Status KeepEpoch();
  void NextEpoch();
  TrainReport Report(bool interrupted) const;

  const Corpus& corpus_;
  const TrainOptions& options_;
  const fs::path folder_;
  TrainObserver& observer_;
  const std::string settings_;
  Gpt2 model_;
  Optimizer optimizer_;
  BlockSource source_;
  BlockSource valid_;
  std::optional<BlockSource> short_source_;
  TrainState state_;
  TrainLog log_;
  std::unique_ptr<BatchQueue> queue_;
  uint64_t total_steps_ = 0;
  double before_ = 0;  // seconds that earlier sittings took
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
    return std::min(1.0, Elapsed() / (60.0 * options_.minutes));
  }
  return static_cast<double>(state_.step) / static_cast<double>(total_steps_);
}

void Run::NextEpoch() {
  queue_ = std::make_unique<BatchQueue>(source(), state_.epoch, state_.block, RowsPerUpdate());
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

  const Batch batch = queue_->Take();
  const size_t micro_rows = (RowsPerUpdate() + options_.grad_accum - 1) / options_.grad_accum;
  model_.ZeroGradients();
  double nll = 0;
  const at::Tensor ids = AsTensor(batch.ids, batch.rows);
  const at::Tensor targets = AsTensor(batch.targets, batch.rows);
  for (size_t row = 0, micro = 0; row < batch.rows; row += micro_rows, ++micro) {
    const auto rows = static_cast<int64_t>(std::min(micro_rows, batch.rows - row));
    const uint64_t draw = DrawFor(options_.seed, state_.step, micro);
    const auto slack = static_cast<uint64_t>(options_.model.context_length) - batch.context;
    model_.set_first_position(static_cast<int64_t>(draw % (slack + 1)));
    nll += model_.AccumulateGradients(ids.narrow(0, static_cast<int64_t>(row), rows),
                                      targets.narrow(0, static_cast<int64_t>(row), rows),
                                      1.0 / static_cast<double>(batch.target_count), draw);
  }
  model_.set_first_position(0);
  const double norm = GradientNorm(model_.parameters());
  const double loss = nll / static_cast<double>(batch.target_count);
  if (!std::isfinite(loss) || !std::isfinite(norm)) {
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
  state_.block += batch.rows;
  state_.tokens += batch.target_count;
  state_.seconds = Elapsed();
  const double now_rate = static_cast<double>(batch.target_count) / SecondsSince(began);
  rate_ = rate_ > 0 ? kRateSmoothing * rate_ + (1 - kRateSmoothing) * now_rate : now_rate;

  TrainObserver::StepInfo info;
  info.step = state_.step;
  info.epoch = state_.epoch;
  info.progress = Progress();
  info.loss = loss;
  info.lr = value.lr;
  info.gradient_norm = norm;
  info.tokens_per_second = rate_;
  info.seconds_left = options_.minutes > 0 ? std::max(0.0, 60.0 * options_.minutes - Elapsed())
                                           : static_cast<double>(total_steps_ - std::min(total_steps_, state_.step)) *
                                                 static_cast<double>(batch.target_count) / rate_;
  observer_.OnStep(info);
  return log_.Write({{"step", state_.step},
                     {"epoch", state_.epoch},
                     {"tokens", state_.tokens},
                     {"seconds", state_.seconds},
                     {"progress", info.progress},
                     {"loss", loss},
                     {"lr", value.lr},
                     {"gradient_norm", norm},
                     {"tokens_per_second", now_rate}});
}

Status Run::Validate() {
  if (valid_.song_count() == 0 || validated_step_ == state_.step) {
    return {};
  }
  const std::vector<Block> blocks = valid_.Epoch(0);
  const size_t rows = std::max<size_t>(1, kValidationTokens / valid_.options().context);
  double nll = 0;
  size_t count = 0;
  for (size_t i = 0; i < blocks.size(); i += rows) {
    const Batch batch = valid_.Lay(std::span(blocks).subspan(i, std::min(rows, blocks.size() - i)));
    nll += model_.EvaluateNll(AsTensor(batch.ids, batch.rows), AsTensor(batch.targets, batch.rows));
    count += batch.target_count;
  }
  valid_nll_ = nll / static_cast<double>(count);
  validated_step_ = state_.step;
  const bool best = state_.best_nll == 0 || valid_nll_ < state_.best_nll;
  if (best) {
    state_.best_nll = valid_nll_;
    state_.best_step = state_.step;
    CONTINUO_TRY(SaveModel(model_, corpus_.tokenizer(), options_.export_bf16, folder_ / "best"));
  }
  observer_.OnValidation(state_.step, valid_nll_, best);
  return log_.Write({{"step", state_.step},
                     {"epoch", state_.epoch},
                     {"tokens", state_.tokens},
                     {"seconds", Elapsed()},
                     {"valid_nll", valid_nll_},
                     {"valid_tokens", count}});
}

Status Run::Checkpoint() {
  state_.seconds = Elapsed();
  saved_ = Clock::now();
  return SaveCheckpoint(model_, optimizer_, state_, corpus_.tokenizer(), settings_, folder_ / "latest");
}

Status Run::KeepEpoch() {
  const std::vector<uint64_t>& kept = options_.keep_epochs;
  if (std::find(kept.begin(), kept.end(), state_.epoch) == kept.end()) {
    return {};
  }
  return SaveModel(model_, corpus_.tokenizer(), options_.export_bf16, folder_ / fmt::format("epoch-{}", state_.epoch));
}

TrainReport Run::Report(bool interrupted) const {
  return {.steps = state_.step,
          .tokens = state_.tokens,
          .seconds = Elapsed(),
          .valid_nll = valid_nll_,
          .best_nll = state_.best_nll,
          .interrupted = interrupted};
}

Result<TrainReport> Run::Go(bool resume) {
  if (!resume && !options_.init_from.empty()) {
    CONTINUO_TRY(LoadWeights(options_.init_from, corpus_.tokenizer().vocabulary_sha256(), model_));
  }
  if (resume) {
    if (!fs::exists(folder_ / "latest")) {
      return Error{fmt::format("{}: there is no checkpoint to go on from", (folder_ / "latest").string()),
                   "leave out --resume to begin"};
    }
    CONTINUO_ASSIGN(state_, LoadCheckpoint(folder_ / "latest", settings_, model_, optimizer_));
    before_ = state_.seconds;
  }
  if (source_.song_count() == 0) {
    return MakeError("the corpus has no songs to train on");
  }
  CONTINUO_ASSIGN(log_, TrainLog::Open(folder_ / "train.jsonl", state_.step));
  start_ = Clock::now();
  saved_ = start_;
  if (options_.minutes <= 0) {
    total_steps_ = TotalSteps();
  }
  NextEpoch();
  while (Progress() < 1.0) {
    if (state_.short_windows && Progress() >= options_.short_share) {
      state_.short_windows = false;
      ++state_.epoch;
      state_.block = 0;
      NextEpoch();
    }
    CONTINUO_TRY(Update());
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
    if (observer_.ShouldStop()) {
      CONTINUO_TRY(Checkpoint());
      return Report(true);
    }
    if (validate || SecondsSince(saved_) > 60.0 * options_.checkpoint_minutes) {
      CONTINUO_TRY(Checkpoint());
    }
  }
  // The model first: a run by the clock has it on time, however long validation takes.
  CONTINUO_TRY(SaveModel(model_, corpus_.tokenizer(), options_.export_bf16, folder_ / "final"));
  CONTINUO_TRY(Validate());
  CONTINUO_TRY(Checkpoint());
  return Report(false);
}

}  // namespace

Result<TrainReport> Train(const Corpus& corpus, const TrainOptions& requested, const fs::path& run, bool resume,
                          TrainObserver& observer) {
  TrainOptions options = requested;
  options.model.vocab_size = static_cast<int64_t>(corpus.tokenizer().vocabulary().size());
  CONTINUO_TRY(CheckOptions(options));
  CONTINUO_ASSIGN(const BlockVocabulary vocabulary, BlockVocabulary::Of(corpus.tokenizer(), options.augment_transpose));
  CONTINUO_TRY(MakeWritableDirectory(run));
  at::set_num_threads(static_cast<int>(options.threads > 0 ? options.threads : AvailableCores()));
  try {
    return Run(corpus, options, vocabulary, run, observer).Go(resume);
  } catch (const std::exception& error) {
    return MakeError("{}: LibTorch: {}", run.string(), std::string_view(error.what()).substr(0, 400));
  }
}

}  // namespace continuo
