// Holds the reading of MIDI files for tokens to what MidiTok and symusic made of the files of
// testdata/tokens/files (tools/make_token_file_golden.py).

#include "continuo/token/miditok_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "continuo/os/file.h"
#include "continuo/token/score_json_testing.h"
#include "continuo/token/tokenizer.h"

namespace continuo {
namespace {

using Json = nlohmann::json;

const std::filesystem::path kFiles = std::filesystem::path(CONTINUO_SOURCE_DIR) / "testdata" / "tokens" / "files";

class MidiTokReaderTest : public testing::TestWithParam<MidiTokRelease> {
 protected:
  static Json Golden(const std::string& stem) {
    const std::string name = stem + "-" + std::string(ToString(GetParam())) + ".json";
    return Json::parse(ReadTextFile(kFiles / name).value());
  }
};

TEST_P(MidiTokReaderTest, IdsOfFilesAreMidiToks) {
  std::map<std::string, std::unique_ptr<Tokenizer>> tokenizers;
  int compared = 0;
  const Json golden = Golden("ids");
  for (const auto& [name, by_preset] : golden.items()) {
    for (const auto& [preset, ids] : by_preset.items()) {
      std::unique_ptr<Tokenizer>& tokenizer = tokenizers[preset];
      if (!tokenizer) {
        tokenizer = Tokenizer::Load(preset, GetParam()).value();
      }
      const Result<Score> score = ReadScoreForTokens(kFiles / (name + ".mid"), tokenizer->config());
      ASSERT_TRUE(score.ok()) << score.error().ToString();
      const Streams ours = tokenizer->Encode(*score);
      const Streams theirs = ids.get<Streams>();
      ASSERT_EQ(ours.size(), theirs.size()) << name << ", " << preset;
      for (size_t i = 0; i < ours.size(); ++i) {
        EXPECT_EQ(TokenText(tokenizer->vocabulary(), ours[i]), TokenText(tokenizer->vocabulary(), theirs[i]))
            << name << ", " << preset;
      }
      ++compared;
    }
  }
  EXPECT_GE(compared, 250);
}

// 23 to 700 tempos, several at a tick, out of order: below 24 the sort is stable, above 128 it
// chooses its pivots in another way.
TEST_P(MidiTokReaderTest, TemposOfOneTickStandAsSymusicSortsThem) {
  TokenizerConfig config;
  config.release = GetParam();
  bool stable = true;
  const Json golden = Golden("tempos");
  for (const auto& [name, wanted] : golden.items()) {
    const Score score = ReadScoreForTokens(kFiles / (name + ".mid"), config).value();
    Json tempos = Json::array();
    for (const Tempo& tempo : score.tempos) {
      tempos.push_back({tempo.time, tempo.us_per_quarter});
    }
    EXPECT_EQ(tempos, wanted) << name;
    const Score in_order = ReadScore(kFiles / (name + ".mid")).value();
    stable = stable && score.tempos == in_order.tempos;
  }
  EXPECT_FALSE(stable) << "files that a stable sort puts in the same order show nothing";
}

TEST(ReadScoreForTokensTest, REMIChordReadsFilesAsEverythingElseDoes) {
  const TokenizerConfig config = PresetConfig("remichord", MidiTokRelease::k3_0_4).value();
  for (const char* name : {"first_pedal.mid", "notes_of_one_tick.mid", "program_of_note_end.mid"}) {
    EXPECT_EQ(ReadScoreForTokens(kFiles / name, config).value(), ReadScore(kFiles / name).value()) << name;
  }
}

TEST(ReadScoreForTokensTest, AFileThatIsNoneIsAnError) {
  const std::vector<uint8_t> bytes{'M', 'T', 'h', 'd'};
  const Result<ScoreAndWarnings> read = ParseScoreForTokens(bytes, "some.mid", TokenizerConfig{});
  ASSERT_FALSE(read.ok());
  EXPECT_THAT(read.error().ToString(), testing::HasSubstr("some.mid"));
}

INSTANTIATE_TEST_SUITE_P(Releases, MidiTokReaderTest, testing::Values(MidiTokRelease::k3_0_4, MidiTokRelease::k3_1_0),
                         [](const auto& test) { return test.param == MidiTokRelease::k3_0_4 ? "R304" : "R310"; });

}  // namespace
}  // namespace continuo
