#include "continuo/run/training_state.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "continuo/os/file.h"
#include "continuo/os/temporary_folder_testing.h"
#include "continuo/run/setting.h"

namespace continuo {
namespace {

using testing::HasSubstr;
using Json = nlohmann::ordered_json;
namespace fs = std::filesystem;

const DataIdentity kData = {.vocab_sha256 = "v", .songs = 3, .data_sha256 = "d", .vocab_size = 316};

/// training.json as version 1 wrote it, with settings that version 2 names differently.
constexpr const char* kVersion1 = R"({
  "format": "continuo-training",
  "version": 1,
  "settings": {
    "vocab_sha256": "v", "songs": 3, "data_sha256": "d", "vocab_size": 316,
    "context": 1024, "width": 768, "layers": 12, "heads": 12, "dropout": 0.1, "precision": "f32", "blocks": "all",
    "augment_transpose": true, "augment_velocity": true, "augment_tempo": true,
    "batch": 8, "grad_accum": 1, "optimizer": "adamw", "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-08,
    "weight_decay": 1e-05, "decay_matrices_only": false, "schedule": "onecycle", "lr": 0.0004, "warmup": 0.3,
    "div_factor": 25.0, "final_div_factor": 10000.0, "cycle_momentum": false, "average_decay": 0.5,
    "label_smoothing": 0.0, "patience": 0, "clip": 1.0, "seed": 1, "minutes": 0.0, "steps": 0, "epochs": 100,
    "short_share": 0.0, "short_context": 512
  },
  "state": {
    "step": 40, "epoch": 1, "block": 16, "short_windows": false, "tokens": 30315, "seconds": 1.5,
    "best_nll": 5.5, "best_step": 20, "stale": 1, "first_loss": 5.75
  }
}
)";

/// The settings that kVersion1 states.
TrainSettings SettingsOfVersion1() {
  TrainSettings settings;
  settings.precision = PrecisionChoice::kF32;
  settings.augment_transpose = settings.augment_velocity = settings.augment_tempo = true;
  settings.schedule.cycle_momentum = false;
  settings.optimizer.average_decay = 0.5;
  return settings;
}

class TrainingFileTest : public testing::Test {
 protected:
  void Write(std::string_view text) { std::ofstream(folder_.path() / "training.json") << text; }
  TemporaryFolder folder_;
};

TEST_F(TrainingFileTest, WhatIsWrittenIsReadBack) {
  const TrainState state = {.step = 800,
                            .epoch = 2,
                            .block = 6400,
                            .short_windows = true,
                            .tokens = 3276800,
                            .seconds = 812.5,
                            .best_nll = 2.25,
                            .best_step = 700,
                            .stale = 3,
                            .first_loss = 5.75};
  const std::string identity = RunIdentity({}, kData);
  ASSERT_TRUE(WriteTrainingFile(folder_.path(), {identity, state}).ok());
  const TrainingFile read = ReadTrainingFile(folder_.path()).value();
  EXPECT_EQ(read.identity, identity);
  EXPECT_EQ(read.state.step, state.step);
  EXPECT_EQ(read.state.epoch, state.epoch);
  EXPECT_EQ(read.state.block, state.block);
  EXPECT_EQ(read.state.short_windows, state.short_windows);
  EXPECT_EQ(read.state.tokens, state.tokens);
  EXPECT_EQ(read.state.seconds, state.seconds);
  EXPECT_EQ(read.state.best_nll, state.best_nll);
  EXPECT_EQ(read.state.best_step, state.best_step);
  EXPECT_EQ(read.state.stale, state.stale);
  EXPECT_EQ(read.state.first_loss, state.first_loss);
}

TEST_F(TrainingFileTest, Version1IsReadAndItsSettingsAreTranslated) {
  Write(kVersion1);
  const auto read = ReadTrainingFile(folder_.path());
  ASSERT_TRUE(read.ok()) << read.error().ToString();
  EXPECT_EQ(FirstDifference(read->identity, RunIdentity(SettingsOfVersion1(), kData)), "");
  EXPECT_EQ(read->state.step, 40U);
  EXPECT_EQ(read->state.stale, 1U);
  TrainSettings other = SettingsOfVersion1();
  other.schedule.cycle_momentum = true;
  EXPECT_EQ(FirstDifference(read->identity, RunIdentity(other, kData)), "--no-cycle-momentum was true, is now false");
  other = SettingsOfVersion1();
  other.optimizer.average_decay = 0;
  EXPECT_EQ(FirstDifference(read->identity, RunIdentity(other, kData)), "--ema was 0.5, is now 0.0");
  other = SettingsOfVersion1();
  other.augment_tempo = false;
  EXPECT_EQ(FirstDifference(read->identity, RunIdentity(other, kData)), "--augment-tempo was true, is now false");
}

TEST_F(TrainingFileTest, AFileThatIsCutOrOfAnotherVersionIsAnErrorThatNamesIt) {
  const std::string whole = kVersion1;
  for (const size_t length : {size_t{0}, size_t{20}, whole.size() / 2, whole.size() - 3}) {
    Write(whole.substr(0, length));
    const auto read = ReadTrainingFile(folder_.path());
    ASSERT_FALSE(read.ok()) << length;
    EXPECT_THAT(read.error().message, HasSubstr("training.json"));
  }
  std::string newer = whole;
  newer.replace(newer.find("\"version\": 1"), 12, "\"version\": 3");
  Write(newer);
  EXPECT_FALSE(ReadTrainingFile(folder_.path()).ok());
}

TEST_F(TrainingFileTest, AStateThatLacksANumberIsAnError) {
  for (const char* key : {"step", "epoch", "block", "short_windows", "tokens", "seconds", "best_nll", "best_step"}) {
    Json training = Json::parse(kVersion1);
    training["state"].erase(key);
    Write(training.dump());
    EXPECT_FALSE(ReadTrainingFile(folder_.path()).ok()) << key;
    training["state"][key] = -1;
    Write(training.dump());
    EXPECT_FALSE(ReadTrainingFile(folder_.path()).ok()) << key;
  }
}

TEST(RunIdentity, HasEverySettingThatDecidesTheWeightsAndNoOther) {
  const Json identity = Json::parse(RunIdentity({}, kData));
  for (const TrainSetting& row : TrainSettingTable()) {
    EXPECT_EQ(identity.contains(row.key), row.effect == TrainSetting::Effect::kWeights) << row.key;
  }
}

TEST(FirstDifference, NamesTheFlagAndBothValues) {
  TrainSettings settings;
  const std::string saved = RunIdentity(settings, kData);
  EXPECT_EQ(FirstDifference(saved, saved), "");
  settings.model.width = 64;
  EXPECT_EQ(FirstDifference(saved, RunIdentity(settings, kData)), "--width was 768, is now 64");
  DataIdentity data = kData;
  data.data_sha256 = "other";
  EXPECT_EQ(FirstDifference(saved, RunIdentity({}, data)), "data_sha256 was \"d\", is now \"other\"");
}

TEST(FirstDifference, TakesASettingThatACheckpointDoesNotHaveForItsDefault) {
  TrainSettings settings;
  Json older = Json::parse(RunIdentity(settings, kData));
  older.erase("label_smoothing");
  older.erase("short_context");
  const std::string saved = older.dump();
  EXPECT_EQ(FirstDifference(saved, RunIdentity(settings, kData)), "");
  settings.label_smoothing = 0.5;
  EXPECT_EQ(FirstDifference(saved, RunIdentity(settings, kData)), "--label-smoothing was 0.0, is now 0.5");
}

TEST(SavedPrecision, IsThatOfTheNewestCheckpointThatCanBeRead) {
  const TemporaryFolder folder;
  EXPECT_EQ(SavedPrecision(folder.path()), std::nullopt);
  const auto write = [&](const char* name, PrecisionChoice precision) {
    const fs::path checkpoint = folder.path() / "checkpoints" / name;
    fs::create_directories(checkpoint);
    TrainSettings settings;
    settings.precision = precision;
    ASSERT_TRUE(WriteTrainingFile(checkpoint, {RunIdentity(settings, kData), {}}).ok());
  };
  write("step-000000010", PrecisionChoice::kF32);
  write("step-000000020", PrecisionChoice::kBf16);
  EXPECT_EQ(SavedPrecision(folder.path()), PrecisionChoice::kBf16);
  fs::resize_file(folder.path() / "checkpoints" / "step-000000020" / "training.json", 10);
  EXPECT_EQ(SavedPrecision(folder.path()), PrecisionChoice::kF32);
}

}  // namespace
}  // namespace continuo
