// Holds training to what MidiTok learnt from the files of testdata/tokens/files
// (tools/make_trained_golden.py).

#include "continuo/token/train_tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "continuo/os/file.h"
#include "continuo/token/bpe_trainer.h"
#include "continuo/token/miditok_reader.h"
#include "continuo/token/tokenizer.h"

namespace continuo {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;  // the order of time signatures is that of their ids
using testing::ElementsAre;
using testing::HasSubstr;

const fs::path kTokens = fs::path(CONTINUO_SOURCE_DIR) / "testdata" / "tokens";

class TrainTokenizerTest : public testing::TestWithParam<std::string> {};

TEST_P(TrainTokenizerTest, LearnsMidiToksMerges) {
  const fs::path golden_path = kTokens / "trained" / (GetParam() + ".json");
  const auto golden = Tokenizer::LoadPlainOrTrained(golden_path.string()).value();
  TokenizerTrainer trainer = TokenizerTrainer::Create(golden->config(), 1'000'000).value();
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(kTokens / "files")) {
    files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  for (const fs::path& file : files) {
    if (const auto score = ReadScoreForTokens(file, golden->config()); score.ok()) {
      trainer.Add(trainer.WordsOf(*score));
    }
  }
  const std::string text = trainer.Train(golden->model_size()).value();
  const Json json = Json::parse(text);
  const Json wanted = Json::parse(ReadTextFile(golden_path).value());
  EXPECT_EQ(json["_vocab_base"], wanted["_vocab_base"]);
  EXPECT_EQ(json["_vocab_base_byte_to_token"], wanted["_vocab_base_byte_to_token"]);
  const Json model = Json::parse(json["_model"].get<std::string>());
  const Json wanted_model = Json::parse(wanted["_model"].get<std::string>());
  EXPECT_EQ(model["model"]["merges"], wanted_model["model"]["merges"]);
  EXPECT_EQ(model, wanted_model);
  EXPECT_TRUE(Tokenizer::FromPlainOrTrainedJson(text, "trained").ok());
}

INSTANTIATE_TEST_SUITE_P(Files, TrainTokenizerTest,
                         testing::Values("remi_bar-3.1.0", "remi_beat-3.1.0", "tsd_beat-3.1.0", "midilike_bar-3.1.0",
                                         "midilike_no-3.1.0", "programs_bar-3.1.0", "remi_bar-3.0.4",
                                         "midilike_no-3.0.4"),
                         [](const auto& test) {
                           std::string name = test.param;
                           std::replace_if(name.begin(), name.end(), [](char c) { return c == '-' || c == '.'; }, '_');
                           return name;
                         });

TEST(TrainTokenizerTest, WhatCannotBeTrainedIsNamed) {
  const TokenizerConfig config = *PresetConfig("remi", MidiTokRelease::k3_1_0);
  EXPECT_THAT(TokenizerTrainer::Create(*PresetConfig("remichord", MidiTokRelease::k3_1_0), 1000).error().message,
              HasSubstr("REMIChord cannot be trained"));
  TokenizerTrainer trainer = TokenizerTrainer::Create(config, 1000).value();
  EXPECT_THAT(trainer.Train(10).error().message, HasSubstr("size is 10"));
}

TEST(TrainTokenizerTest, OfTooManySongsEverySecondIsLeft) {
  TokenizerTrainer trainer = TokenizerTrainer::Create(*PresetConfig("remi", MidiTokRelease::k3_1_0), 100).value();
  for (int i = 0; i < 64; ++i) {
    trainer.Add({.tokens = std::vector<uint16_t>(10, 5), .ends = {10}});
  }
  EXPECT_EQ(trainer.songs(), 8u);
  EXPECT_EQ(trainer.tokens(), 80u);
}

}  // namespace
}  // namespace continuo
