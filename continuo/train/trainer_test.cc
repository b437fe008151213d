#include "continuo/train/trainer.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "continuo/core/check.h"
#include "continuo/model/model_directory.h"
#include "continuo/os/file.h"
#include "continuo/os/temporary_folder_testing.h"
#include "continuo/run/run_directory.h"
#include "continuo/score/score_file.h"
#include "continuo/train/checkpoint.h"

namespace continuo {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

/// A scale up and down, in one of several keys: soon learnt.
Score Scale(int key, int length) {
  Score score;
  score.tracks.emplace_back();
  for (int i = 0; i < length; ++i) {
    Note note;
    note.time = 240 * i;
    note.duration = 240;
    note.pitch = static_cast<uint8_t>(48 + key + (i / 8 % 2 == 0 ? i % 8 : 8 - i % 8));
    score.tracks[0].notes.push_back(note);
  }
  return score;
}

/// Stops after an update, and keeps what is reported to it.
class Watcher : public TrainObserver {
 public:
  explicit Watcher(uint64_t stop_after = UINT64_MAX) : stop_after_(stop_after) {}
  void OnStep(const StepInfo& info) override {
    step_ = info.step;
    losses.push_back(info.loss);
  }
  void OnValidation(const ValidationInfo& info) override { validations.push_back(info); }
  void OnNote(std::string_view note) override { notes += std::string(note) + "\n"; }
  bool ShouldStop() const override { return step_ == stop_after_; }
  std::vector<double> losses;
  std::vector<ValidationInfo> validations;
  std::string notes;

 private:
  const uint64_t stop_after_;
  uint64_t step_ = 0;
};

class TrainerTest : public testing::Test {
 protected:
  TrainerTest() : corpus_(BuildSmallCorpus()) {
    settings_.model.layers = 2;
    settings_.model.heads = 2;
    settings_.model.width = 32;
    settings_.model.context_length = 64;
    settings_.batch = 4;
    settings_.steps = 12;
    settings_.schedule.max_lr = 1e-3;
    settings_.threads = 1;
    settings_.precision = PrecisionChoice::kBf16;
  }

  Result<TrainReport> Run(const std::string& name, Watcher watcher = Watcher(), bool resume = false) {
    return Train(corpus_, settings_, folder_.path() / name, resume, watcher);
  }
  std::string Weights(const std::string& name) const {
    return ReadTextFile(folder_.path() / name / "final" / "model.safetensors").value();
  }

  TemporaryFolder folder_;
  Corpus corpus_;
  TrainSettings settings_;

 private:
  Corpus BuildSmallCorpus() const {
    const fs::path midi = folder_.path() / "midi";
    fs::create_directories(midi);
    for (int i = 0; i < 16; ++i) {
      CONTINUO_CHECK(WriteScore(Scale(i % 12, 40 + 8 * i), midi / (std::to_string(i) + ".mid")).ok());
    }
    const auto tokenizer = Tokenizer::Load("remi").value();
    const auto report =
        BuildCorpus(midi, *tokenizer, folder_.path() / "corpus", {.valid_fraction = 0.2, .threads = 1}, NoProgress());
    CONTINUO_CHECK(report.ok() && report->tokens[0] > 0 && report->tokens[1] > 0);
    return Corpus::Open(folder_.path() / "corpus").value();
  }
};

TEST_F(TrainerTest, LossFallsFromUniformAndAModelIsLeft) {
  settings_.steps = 60;
  settings_.schedule.max_lr = 3e-3;
  settings_.model.dropout = 0;
  Watcher watcher;
  const auto report = Train(corpus_, settings_, folder_.path() / "run", false, watcher);
  ASSERT_TRUE(report.ok()) << report.error().ToString();
  ASSERT_EQ(watcher.losses.size(), 60u);
  EXPECT_NEAR(watcher.losses.front(), std::log(static_cast<double>(corpus_.tokenizer().vocabulary().size())), 0.3);
  EXPECT_LT(watcher.losses.back(), 0.5 * watcher.losses.front());
  EXPECT_LT(report->valid_nll, 0.6 * watcher.losses.front());
  for (const char* name : {"final", "best", "latest"}) {
    const auto model = ModelDirectory::Open(folder_.path() / "run" / name);
    ASSERT_TRUE(model.ok()) << model.error().ToString();
    EXPECT_EQ(model->config().width, 32);
    EXPECT_EQ(model->vocab_sha256(), corpus_.tokenizer().vocabulary_sha256());
    const auto tokenizer = Tokenizer::Load((folder_.path() / "run" / name / "tokenizer.json").string());
    ASSERT_TRUE(tokenizer.ok()) << tokenizer.error().ToString();
  }
}

TEST_F(TrainerTest, ALlamaLearnsAndLeavesADirectoryOfItsKind) {
  settings_.model.architecture = Architecture::kLlama;
  settings_.model.kv_head_count = 1;
  settings_.steps = 60;
  settings_.schedule.max_lr = 3e-3;
  settings_.model.dropout = 0;
  Watcher watcher;
  const auto report = Train(corpus_, settings_, folder_.path() / "run", false, watcher);
  ASSERT_TRUE(report.ok()) << report.error().ToString();
  EXPECT_NEAR(watcher.losses.front(), std::log(static_cast<double>(corpus_.tokenizer().vocabulary().size())), 0.3);
  EXPECT_LT(report->valid_nll, 0.6 * watcher.losses.front());
  const auto model = ModelDirectory::Open(folder_.path() / "run" / "final");
  ASSERT_TRUE(model.ok()) << model.error().ToString();
  EXPECT_EQ(model->config().architecture, Architecture::kLlama);
  EXPECT_EQ(model->config().kv_heads(), 1);
  // It is what another run begins with, whatever its context; but not one of another kind.
  settings_.init_from = (folder_.path() / "run" / "final").string();
  settings_.steps = 1;
  settings_.model.context_length = 80;
  ASSERT_TRUE(Run("longer").ok());
  settings_.model.architecture = Architecture::kGpt2;
  settings_.model.kv_head_count = 0;
  const auto other = Run("other");
  ASSERT_FALSE(other.ok());
  EXPECT_THAT(other.error().ToString(), HasSubstr("--architecture llama --kv-heads 1 --feed-width 128"));
}

TEST_F(TrainerTest, TheLastModelIsTheBestWhereNoSongIsHeldOut) {
  TrainData data = MusicData(corpus_).value();
  data.valid.clear();
  settings_.steps = 3;
  Watcher watcher;
  ASSERT_TRUE(Train(data, settings_, folder_.path() / "run", false, watcher).ok());
  const auto weights = [&](const char* name) {
    return ReadTextFile(folder_.path() / "run" / name / "model.safetensors").value();
  };
  EXPECT_EQ(weights("best"), weights("final"));
  EXPECT_THAT(watcher.notes, HasSubstr("no song is held out"));
}

TEST_F(TrainerTest, MuonLearnsToo) {
  settings_.steps = 60;
  settings_.schedule.max_lr = 3e-3;
  settings_.optimizer.kind = OptimizerKind::kMuon;
  Watcher watcher;
  ASSERT_TRUE(Train(corpus_, settings_, folder_.path() / "run", false, watcher).ok());
  EXPECT_LT(watcher.losses.back(), 0.5 * watcher.losses.front());
}

struct ResumeCase {
  PrecisionChoice precision;
  size_t threads;
  OptimizerKind optimizer;
  uint64_t stop_after;
  Architecture architecture = Architecture::kGpt2;
};

class ResumeTest : public TrainerTest, public testing::WithParamInterface<ResumeCase> {};

TEST_P(ResumeTest, AnInterruptedRunEndsWithTheSameBytes) {
  settings_.precision = GetParam().precision;
  settings_.threads = GetParam().threads;
  settings_.optimizer.kind = GetParam().optimizer;
  settings_.model.architecture = GetParam().architecture;
  settings_.augment_transpose = true;
  settings_.grad_accum = 2;
  settings_.short_share = 0.5;
  settings_.short_context = 32;
  settings_.valid_every = 5;
  ASSERT_TRUE(Run("whole").ok());
  const auto stopped = Run("parts", Watcher(GetParam().stop_after));
  ASSERT_TRUE(stopped.ok()) << stopped.error().ToString();
  EXPECT_TRUE(stopped->interrupted);
  EXPECT_FALSE(fs::exists(folder_.path() / "parts" / "final"));
  const auto resumed = Run("parts", Watcher(), /*resume=*/true);
  ASSERT_TRUE(resumed.ok()) << resumed.error().ToString();
  EXPECT_EQ(resumed->steps, 12u);
  EXPECT_TRUE(Weights("parts") == Weights("whole"));
}

INSTANTIATE_TEST_SUITE_P(
    All, ResumeTest,
    testing::Values(ResumeCase{PrecisionChoice::kF32, 1, OptimizerKind::kAdamW, 3},
                    ResumeCase{PrecisionChoice::kF32, 2, OptimizerKind::kAdamW, 8},
                    ResumeCase{PrecisionChoice::kBf16, 1, OptimizerKind::kAdamW, 8},
                    ResumeCase{PrecisionChoice::kBf16, 2, OptimizerKind::kMuon, 5},
                    ResumeCase{PrecisionChoice::kBf16, 2, OptimizerKind::kAdamW, 12},
                    ResumeCase{PrecisionChoice::kBf16, 2, OptimizerKind::kMuon, 5, Architecture::kLlama},
                    ResumeCase{PrecisionChoice::kF32, 1, OptimizerKind::kAdamW, 8, Architecture::kLlama}));

TEST_F(TrainerTest, TheSameSeedGivesTheSameBytesAndAnotherGivesOthers) {
  settings_.steps = 3;
  ASSERT_TRUE(Run("a").ok());
  ASSERT_TRUE(Run("b").ok());
  settings_.seed = 2;
  ASSERT_TRUE(Run("c").ok());
  EXPECT_TRUE(Weights("a") == Weights("b"));
  EXPECT_FALSE(Weights("a") == Weights("c"));
}

TEST_F(TrainerTest, EpochsCountTheirSteps) {
  settings_.steps = 0;
  settings_.epochs = 2;
  settings_.blocks = BlockMode::kFirst;
  Watcher watcher;
  const auto report = Train(corpus_, settings_, folder_.path() / "run", false, watcher);
  ASSERT_TRUE(report.ok()) << report.error().ToString();
  size_t songs = 0;
  for (size_t i = 0; i < corpus_.song_count(); ++i) {
    songs += corpus_.song(i).split == Split::kTrain;
  }
  EXPECT_EQ(report->steps, 2 * ((songs + 3) / 4));
}

TEST_F(TrainerTest, AWeightMakesEpochsLongerAndIsPartOfARunsData) {
  const auto weighted = [&](double weight) {
    const std::vector<CorpusSource> sources = {{folder_.path() / "midi", weight}};
    const auto tokenizer = Tokenizer::Load("remi").value();
    const fs::path target = folder_.path() / fmt::format("corpus-{}", weight);
    CONTINUO_CHECK(BuildCorpus(sources, *tokenizer, target, {.valid_fraction = 0.2, .threads = 1}, NoProgress()).ok());
    return Corpus::Open(target).value();
  };
  const Corpus plain = weighted(1);
  const Corpus twice = weighted(2);
  const Corpus half = weighted(0.5);
  EXPECT_EQ(MusicData(plain)->sha256, MusicData(corpus_)->sha256);
  EXPECT_NE(MusicData(twice)->sha256, MusicData(plain)->sha256);
  EXPECT_NE(MusicData(half)->sha256, MusicData(plain)->sha256);
  EXPECT_EQ(MusicData(twice)->valid.size(), MusicData(plain)->valid.size());
  const auto steps = [&](const Corpus& corpus, const char* name) {
    Watcher watcher;
    settings_.steps = 0;
    settings_.epochs = 2;
    settings_.batch = 1;
    settings_.blocks = BlockMode::kFirst;
    const auto report = Train(corpus, settings_, folder_.path() / name, false, watcher);
    CONTINUO_CHECK(report.ok());
    return watcher.losses.size();
  };
  const size_t songs = MusicData(plain)->train.size();
  EXPECT_EQ(steps(plain, "plain"), 2 * songs);
  EXPECT_EQ(steps(twice, "twice"), 4 * songs);
  EXPECT_EQ(steps(half, "half"), songs);  // in two epochs each song once
}

TEST_F(TrainerTest, NamedEpochsAreKeptAndTheLastIsTheFinalModel) {
  settings_.steps = 0;
  settings_.epochs = 3;
  settings_.keep_epochs = {1, 3};
  ASSERT_TRUE(Run("kept").ok());
  const auto bytes = [this](const char* model) {
    return ReadTextFile(folder_.path() / "kept" / model / "model.safetensors").value();
  };
  EXPECT_EQ(bytes("epoch-3"), bytes("final"));
  EXPECT_NE(bytes("epoch-1"), bytes("epoch-3"));
  EXPECT_FALSE(fs::exists(folder_.path() / "kept" / "epoch-2"));
}

TEST_F(TrainerTest, SharesOfARunMeasuredInStepsAreKept) {
  settings_.keep_percents = {10, 50, 99, 100};  // of 12 updates: after 2, 6, 12 and 12
  ASSERT_TRUE(Run("whole").ok());
  const auto bytes = [&](const std::string& run, const std::string& name) {
    return ReadTextFile(folder_.path() / run / name / "model.safetensors").value();
  };
  EXPECT_EQ(bytes("whole", "percent-100"), bytes("whole", "final"));
  EXPECT_EQ(bytes("whole", "percent-99"), bytes("whole", "final"));
  EXPECT_NE(bytes("whole", "percent-10"), bytes("whole", "percent-50"));

  ASSERT_TRUE(Run("parts", Watcher(4)).value().interrupted);
  EXPECT_TRUE(fs::exists(folder_.path() / "parts" / "percent-10"));
  EXPECT_FALSE(fs::exists(folder_.path() / "parts" / "percent-50"));
  ASSERT_TRUE(Run("parts", Watcher(), /*resume=*/true).ok());
  for (const char* name : {"percent-10", "percent-50", "percent-100"}) {
    EXPECT_EQ(bytes("parts", name), bytes("whole", name)) << name;
  }

  // The model of 50 % is that which a watcher stopped after 6 updates leaves as its checkpoint.
  settings_.keep_percents = {};
  ASSERT_TRUE(Run("half", Watcher(6)).value().interrupted);
  EXPECT_EQ(bytes("half", "latest"), bytes("whole", "percent-50"));
}

TEST_F(TrainerTest, ValidationCountsEachNoteAndEachBarOnce) {
  settings_.steps = 1;
  Watcher watcher;
  ASSERT_TRUE(Train(corpus_, settings_, folder_.path() / "run", false, watcher).ok());
  ASSERT_EQ(watcher.validations.size(), 1u);
  const TrainObserver::ValidationInfo& info = watcher.validations[0];
  size_t tokens = 0, notes = 0, bars = 0;
  for (size_t i = 0; i < corpus_.song_count(); ++i) {
    const Corpus::Song song = corpus_.song(i);
    if (song.split == Split::kValid) {
      tokens += song.ids.size() + 1;  // EOS
      for (const uint16_t id : song.ids) {
        notes += corpus_.tokenizer().vocabulary().token(id).starts_with("Pitch_");
        bars += corpus_.tokenizer().vocabulary().token(id).starts_with("Bar_");
      }
    }
  }
  ASSERT_GT(notes, 0u);
  EXPECT_NEAR(info.nll_per_note * static_cast<double>(notes), info.nll_per_token * static_cast<double>(tokens), 1e-6);
  EXPECT_NEAR(info.nll_per_bar * static_cast<double>(bars), info.nll_per_token * static_cast<double>(tokens), 1e-6);
}

TEST_F(TrainerTest, MicroBatchesGiveTheUpdatesOfOneBatch) {
  settings_.model.dropout = 0;
  settings_.precision = PrecisionChoice::kF32;
  settings_.steps = 6;
  Watcher whole, parts;
  ASSERT_TRUE(Train(corpus_, settings_, folder_.path() / "whole", false, whole).ok());
  settings_.batch = 2;
  settings_.grad_accum = 2;
  ASSERT_TRUE(Train(corpus_, settings_, folder_.path() / "parts", false, parts).ok());
  ASSERT_EQ(whole.losses.size(), parts.losses.size());
  for (size_t i = 0; i < whole.losses.size(); ++i) {
    EXPECT_NEAR(whole.losses[i], parts.losses[i], 1e-4 * whole.losses[i]) << i;
  }
}

TEST_F(TrainerTest, ARunThatLearnsNoMoreEndsEarly) {
  settings_.steps = 100;
  settings_.valid_every = 2;
  settings_.patience = 2;
  settings_.schedule = {.kind = ScheduleKind::kConstant, .max_lr = 0.3, .warmup = 0};
  const auto report = Run("run");
  ASSERT_TRUE(report.ok()) << report.error().ToString();
  EXPECT_TRUE(report->stopped_early);
  EXPECT_LT(report->steps, 100u);
  EXPECT_TRUE(fs::exists(folder_.path() / "run" / "final"));
}

TEST_F(TrainerTest, WithAnAverageTheModelsAreTheAverages) {
  settings_.optimizer.average_decay = 0.9;
  ASSERT_TRUE(Run("average").ok());
  settings_.optimizer.average_decay = 0;
  ASSERT_TRUE(Run("plain").ok());
  EXPECT_NE(Weights("average"), Weights("plain"));
  // What is trained on is the weights themselves.
  const auto latest = [this](const char* name) {
    return ReadTextFile(folder_.path() / name / "latest" / "model.safetensors").value();
  };
  EXPECT_EQ(latest("average"), latest("plain"));
}

TEST_F(TrainerTest, TheNewestCheckpointsAreKept) {
  settings_.valid_every = 3;
  settings_.keep = 2;
  ASSERT_TRUE(Run("run").ok());
  std::vector<std::string> names;
  for (const fs::path& checkpoint : Checkpoints(folder_.path() / "run")) {
    names.push_back(checkpoint.filename().string());
  }
  EXPECT_THAT(names, ElementsAre("step-000000012", "step-000000009"));
  EXPECT_EQ(fs::read_symlink(folder_.path() / "run" / "latest"), "checkpoints/step-000000012");
}

TEST_F(TrainerTest, ADamagedCheckpointGivesWayToTheOneBefore) {
  settings_.valid_every = 3;
  ASSERT_TRUE(Run("whole").ok());
  ASSERT_TRUE(Run("run", Watcher(8)).ok());
  const fs::path latest = folder_.path() / "run" / "checkpoints" / "step-000000008";
  fs::resize_file(latest / "optimizer.safetensors", 1000);
  Watcher watcher;
  const auto report = Train(corpus_, settings_, folder_.path() / "run", true, watcher);
  ASSERT_TRUE(report.ok()) << report.error().ToString();
  EXPECT_THAT(watcher.notes, HasSubstr("optimizer.safetensors"));
  EXPECT_THAT(watcher.notes, HasSubstr("the checkpoint before, of step 6"));
  EXPECT_EQ(watcher.losses.size(), 6u);
  EXPECT_TRUE(fs::exists(latest.string() + ".damaged"));
  EXPECT_TRUE(Weights("run") == Weights("whole"));
}

TEST_F(TrainerTest, TwoTrainingsCannotShareADirectory) {
  settings_.steps = 2;
  {
    const auto holder = RunDirectory::Open(folder_.path() / "run");
    ASSERT_TRUE(holder.ok()) << holder.error().ToString();
    const auto report = Run("run");
    ASSERT_FALSE(report.ok());
    EXPECT_THAT(report.error().ToString(), HasSubstr("another training (process " + std::to_string(::getpid()) + ")"));
  }
  EXPECT_TRUE(Run("run").ok());
}

TEST_F(TrainerTest, WhatAKilledProcessLeftIsRemoved) {
  const fs::path folder = folder_.path() / "run" / "checkpoints";
  fs::create_directories(folder / ".step-000000003.77.0.tmp");
  std::ofstream(folder_.path() / "run" / ".train.jsonl.77.0.tmp") << "x";
  ASSERT_TRUE(RunDirectory::Open(folder_.path() / "run").ok());
  EXPECT_TRUE(fs::is_empty(folder));
  EXPECT_FALSE(fs::exists(folder_.path() / "run" / ".train.jsonl.77.0.tmp"));
}

TEST_F(TrainerTest, ARunThatWasKilledBeforeItsFirstCheckpointBeginsAnew) {
  ASSERT_TRUE(Run("whole").ok());
  (void)RunDirectory::Open(folder_.path() / "run");
  Watcher watcher;
  const auto report = Train(corpus_, settings_, folder_.path() / "run", true, watcher);
  ASSERT_TRUE(report.ok()) << report.error().ToString();
  EXPECT_THAT(watcher.notes, HasSubstr("starting again"));
  EXPECT_TRUE(Weights("run") == Weights("whole"));
}

TEST_F(TrainerTest, ARunByTheClockEndsOnTime) {
  settings_.steps = 0;
  settings_.minutes = 0.03;
  const auto report = Run("run");
  ASSERT_TRUE(report.ok()) << report.error().ToString();
  EXPECT_GE(report->seconds, 1.8);
  EXPECT_GT(report->steps, 0u);
  std::ifstream log(folder_.path() / "run" / "train.jsonl");
  double lr = 1;
  for (std::string line; std::getline(log, line);) {
    lr = nlohmann::json::parse(line).value("lr", lr);
  }
  EXPECT_LT(lr, 0.5 * settings_.schedule.max_lr);
}

TEST_F(TrainerTest, OtherSettingsAreRefusedByName) {
  ASSERT_TRUE(Run("run", Watcher(2)).ok());
  const TrainSettings before = settings_;
  const auto refused = [&](auto change, const char* name) {
    settings_ = before;
    change(settings_);
    const auto resumed = Run("run", Watcher(), true);
    ASSERT_FALSE(resumed.ok()) << name;
    EXPECT_THAT(resumed.error().message, HasSubstr(name));
  };
  refused([](TrainSettings& o) { o.model.width = 64; }, "width was 32, is now 64");
  refused([](TrainSettings& o) { o.batch = 5; }, "batch was 4, is now 5");
  refused([](TrainSettings& o) { o.seed = 9; }, "seed");
  refused([](TrainSettings& o) { o.schedule.max_lr = 1; }, "lr");
  settings_ = before;
  TrainData data = MusicData(corpus_).value();
  const auto refused_data = [&](const char* name) {
    Watcher watcher;
    const auto resumed = Train(data, settings_, folder_.path() / "run", true, watcher);
    ASSERT_FALSE(resumed.ok()) << name;
    EXPECT_THAT(resumed.error().message, HasSubstr(name));
  };
  data.sha256 = "other";
  refused_data("data_sha256");
  data.vocab_sha256 = "other";
  refused_data("vocab_sha256");
}

TEST_F(TrainerTest, ThereMustBeSomethingToGoOnFrom) {
  const auto report = Run("none", Watcher(), true);
  ASSERT_FALSE(report.ok());
  EXPECT_THAT(report.error().ToString(), HasSubstr("no checkpoint"));
}

TEST_F(TrainerTest, ADamagedCheckpointIsRefused) {
  ASSERT_TRUE(Run("run", Watcher(2)).ok());
  const fs::path latest = folder_.path() / "run" / "latest";
  for (const char* file : {"model.safetensors", "optimizer.safetensors", "training.json"}) {
    const std::string bytes = ReadTextFile(latest / file).value();
    for (const size_t length : {size_t{0}, size_t{20}, bytes.size() / 2, bytes.size() - 3}) {
      std::ofstream(latest / file, std::ios::binary) << bytes.substr(0, length);
      const auto resumed = Run("run", Watcher(), true);
      ASSERT_FALSE(resumed.ok()) << file << " " << length;
      EXPECT_THAT(resumed.error().message, HasSubstr(file));
    }
    std::ofstream(latest / file, std::ios::binary) << bytes;
  }
  EXPECT_TRUE(Run("run", Watcher(), true).ok());
}

TEST_F(TrainerTest, ARunThatDivergesStopsAndKeepsItsCheckpoint) {
  settings_.steps = 50;
  settings_.clip = 0;
  settings_.precision = PrecisionChoice::kF32;
  ASSERT_TRUE(Run("run", Watcher(2)).ok());
  const std::string kept = ReadTextFile(folder_.path() / "run" / "latest" / "training.json").value();
  settings_.schedule.max_lr = 1e3;
  settings_.schedule.warmup = 0;
  const auto report = Run("other");
  ASSERT_FALSE(report.ok());
  EXPECT_THAT(report.error().message, HasSubstr("diverged"));
  EXPECT_THAT(report.error().message, testing::ContainsRegex("step [0-9]+: loss"));
  EXPECT_FALSE(fs::exists(folder_.path() / "other" / "final"));
  EXPECT_EQ(ReadTextFile(folder_.path() / "run" / "latest" / "training.json").value(), kept);
}

TEST_F(TrainerTest, ARunBeginsWithTheWeightsNamed) {
  settings_.steps = 20;
  settings_.schedule.max_lr = 3e-3;
  ASSERT_TRUE(Run("first").ok());
  settings_.init_from = (folder_.path() / "first" / "final").string();
  settings_.steps = 1;
  Watcher watcher;
  ASSERT_TRUE(Train(corpus_, settings_, folder_.path() / "second", false, watcher).ok());
  EXPECT_LT(watcher.losses[0], 4.5);  // random weights: log(316) = 5.76
  settings_.model.layers = 3;
  const auto other = Run("third");
  ASSERT_FALSE(other.ok());
  EXPECT_THAT(other.error().ToString(), HasSubstr("--layers 2"));
}

TEST_F(TrainerTest, ALossFarAboveGuessingEndsTheRunBeforeItIsInfinite) {
  settings_.steps = 200;
  settings_.clip = 0;
  settings_.schedule = {.kind = ScheduleKind::kConstant, .max_lr = 3, .warmup = 0};
  const auto report = Run("run");
  ASSERT_FALSE(report.ok());
  EXPECT_THAT(report.error().message, testing::ContainsRegex("step [0-9]+: loss [0-9]+"));
}

TEST_F(TrainerTest, ATextModelLendsItsBlocksAndTheSpreadOfItsEmbeddings) {
  // A model whose file names no vocabulary is one of text.
  TrainData text = MusicData(corpus_).value();
  text.vocab_sha256 = "";
  settings_.steps = 20;
  Watcher first;
  ASSERT_TRUE(Train(text, settings_, folder_.path() / "text", false, first).ok());
  const fs::path source = folder_.path() / "text" / "final";
  ModelConfig config = settings_.model;
  config.vocab_size = 20000;
  config.context_length = 48;
  Transformer model(config, NumberFormat::kF32, 5);
  const auto taken = LoadWeights(source, "music", 1, model);
  ASSERT_TRUE(taken.ok()) << taken.error().ToString();
  EXPECT_THAT(*taken, HasSubstr("took 2 blocks, the final norm and 48 of 64 positions"));
  const auto opened = ModelDirectory::Open(source).value();
  for (const Parameter& parameter : model.parameters()) {
    const std::vector<float> old = opened.ReadWeight(parameter.name).value();
    const float* now = parameter.master.data_ptr<float>();
    if (parameter.name != "transformer.wte.weight") {
      for (int64_t i = 0; i < parameter.master.numel(); ++i) {
        ASSERT_EQ(now[i], old[static_cast<size_t>(i)]) << parameter.name;
      }
      continue;
    }
    const at::Tensor before = at::from_blob(
        const_cast<float*>(old.data()), {static_cast<int64_t>(old.size()) / config.width, config.width}, at::kFloat);
    // Of 20,000 draws the mean is off by deviation / 141, the deviation by its 200th; five times
    // that.
    const at::Tensor deviation = before.std(0, false);
    EXPECT_TRUE(((parameter.master.mean(0) - before.mean(0)).abs() < 0.035 * deviation).all().item<bool>());
    EXPECT_TRUE(((parameter.master.std(0, false) - deviation).abs() < 0.025 * deviation).all().item<bool>());
  }
  // A model of other music is refused.
  ASSERT_TRUE(Run("music").ok());
  Transformer other(settings_.model, NumberFormat::kF32, 5);
  EXPECT_FALSE(LoadWeights(folder_.path() / "music" / "final", "other", 1, other).ok());
}

TEST_F(TrainerTest, APaddedVocabularyLendsTheRowsOfItsTokens) {
  TrainData data = MusicData(corpus_).value();
  data.vocab_sha256 = "";  // as other programs save weights
  data.texts["tokenizer.json"] = R"({"vocab_sha256": "music"})";
  ModelConfig config = settings_.model;
  config.vocab_size = 24;
  const Transformer padded(config, NumberFormat::kF32, 1);
  const fs::path source = folder_.path() / "padded";
  ASSERT_TRUE(SaveModel(padded, data, false, source).ok());
  config.vocab_size = 20;
  Transformer model(config, NumberFormat::kF32, 2);
  const auto taken = LoadWeights(source, "music", 1, model);
  ASSERT_TRUE(taken.ok()) << taken.error().ToString();
  EXPECT_THAT(*taken, HasSubstr("took all weights"));
  for (size_t i = 0; i < model.parameters().size(); ++i) {
    const at::Tensor& master = model.parameters()[i].master;
    EXPECT_TRUE(master.equal(padded.parameters()[i].master.narrow(0, 0, master.size(0)))) << i;
  }
  config.vocab_size = 28;  // tokens that the file has no rows for
  Transformer larger(config, NumberFormat::kF32, 2);
  EXPECT_FALSE(LoadWeights(source, "music", 1, larger).ok());
}

TEST_F(TrainerTest, AFolderThatCannotBeWrittenIsAnError) {
  std::ofstream(folder_.path() / "file") << "x";
  EXPECT_FALSE(Run("file/run").ok());
}

}  // namespace
}  // namespace continuo
