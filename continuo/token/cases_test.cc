// Holds the tokenizers to what MidiTok made of random configurations and scores: see
// testdata/tokens.

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "continuo/os/file.h"
#include "continuo/os/temporary_folder_testing.h"
#include "continuo/token/score_json_testing.h"
#include "continuo/token/tokenizer.h"
#include "continuo/token/tokenizer_json.h"

namespace continuo {
namespace {

using Json = nlohmann::ordered_json;

std::unique_ptr<Tokenizer> TokenizerOf(const Json& file) {
  const Result<TokenizerJson> json = ParseTokenizerJson(file.dump(), "the case", MidiTokRelease::k3_1_0);
  EXPECT_TRUE(json.ok()) << json.error().ToString();
  Result<std::unique_ptr<Tokenizer>> tokenizer = Tokenizer::Create(json->config);
  EXPECT_TRUE(tokenizer.ok()) << tokenizer.error().ToString();
  return std::move(tokenizer).value();
}

void CheckCase(const Json& item) {
  const std::unique_ptr<Tokenizer> tokenizer = TokenizerOf(item["tokenizer"]);
  ASSERT_EQ(tokenizer->vocabulary_sha256(), item["vocab_sha256"].get<std::string>());
  const std::unique_ptr<Tokenizer> saved = TokenizerOf(Json::parse(tokenizer->ToJson()));
  EXPECT_EQ(saved->vocabulary_sha256(), tokenizer->vocabulary_sha256());

  const auto tracks = tokenizer->Encode(ScoreFromJson(nlohmann::json::parse(item["score"].dump())));
  if (item["ids"].is_null()) {
    return;  // MidiTok fails on it; we must only not do so
  }
  ASSERT_EQ(tracks, item["ids"].get<std::vector<std::vector<TokenId>>>());
  for (const auto& decode : item["decodes"]) {
    const auto ids = decode["ids"].get<std::vector<std::vector<TokenId>>>();
    const nlohmann::json score = ScoreJson(tokenizer->Decode(ids));
    if (!decode["score"].is_null()) {
      ASSERT_EQ(score, WithoutNegatives(nlohmann::json::parse(decode["score"].dump())));
    }
  }
}

void CheckFile(const std::filesystem::path& path, size_t at_least) {
  const Json cases = Json::parse(ReadTextFile(path).value());
  ASSERT_GE(cases.size(), at_least);
  for (size_t i = 0; i < cases.size(); ++i) {
    SCOPED_TRACE("case " + std::to_string(i) + " of " + path.filename().string());
    CheckCase(cases[i]);
    if (testing::Test::HasFatalFailure()) {
      return;
    }
  }
}

const std::filesystem::path kTestData = std::filesystem::path(CONTINUO_SOURCE_DIR) / "testdata" / "tokens";

TEST(MidiTokCasesTest, RandomConfigurationsAreTokenizedLike310) {
  CheckFile(kTestData / "cases-3.1.0.json", 40);
}
TEST(MidiTokCasesTest, StructuredAndBeatAreTokenizedLike310) {
  CheckFile(kTestData / "cases-structured-beat-3.1.0.json", 40);
}
TEST(MidiTokCasesTest, PerTokAndMmmAreTokenizedLike310) {
  CheckFile(kTestData / "cases-pertok-mmm-3.1.0.json", 40);
}
TEST(MidiTokCasesTest, RandomConfigurationsAreTokenizedLike304) {
  CheckFile(kTestData / "cases-3.0.4.json", 40);
}

// Against MidiTok itself, with cases that no one has seen. CONTINUO_MIDITOK_PYTHON names a Python
// that has one of the two releases.
class MidiTokPeerTest : public testing::Test {
 protected:
  void SetUp() override {
    python_ = std::getenv("CONTINUO_MIDITOK_PYTHON");
    if (python_ == nullptr) {
      GTEST_SKIP() << "set CONTINUO_MIDITOK_PYTHON to a Python with miditok 3.0.4 or 3.1.0";
    }
  }

  const char* python_ = nullptr;
};

TEST_F(MidiTokPeerTest, NewRandomCasesAgree) {
  const TemporaryFolder folder;
  const std::filesystem::path file = folder.path() / "cases.json";
  const std::string command = std::string(python_) + " " + (kTestData / "make_cases.py").string() + " --seed " +
                              std::to_string(std::time(nullptr)) + " --count 200 " + file.string();
  ASSERT_EQ(std::system(command.c_str()), 0);
  CheckFile(file, 200);
}

TEST_F(MidiTokPeerTest, MidiTokLoadsWhatWeSave) {
  const TemporaryFolder folder;
  const std::filesystem::path script = folder.path() / "load.py";
  const std::filesystem::path json = folder.path() / "tokenizer.json";
  ASSERT_TRUE(WriteFileAtomically(script, std::string_view(R"(
import hashlib, json, sys, warnings
import miditok
warnings.filterwarnings("ignore")
path = sys.argv[1]
kind = json.load(open(path))["tokenization"]
vocab = getattr(miditok, kind)(params=path).vocab
lines = "".join(t + "\n" for t, _ in sorted(vocab.items(), key=lambda kv: kv[1]))
sys.exit(hashlib.sha256(lines.encode()).hexdigest() != json.load(open(path))["vocab_sha256"])
)"))
                  .ok());
  const std::string version_command =
      std::string(python_) + " -c 'import sys, importlib.metadata as m; sys.exit(m.version(\"miditok\") != \"3.0.4\")'";
  const MidiTokRelease release =
      std::system(version_command.c_str()) == 0 ? MidiTokRelease::k3_0_4 : MidiTokRelease::k3_1_0;
  for (const std::string& preset : PresetNames()) {
    if (preset == "remichord" || preset == "remiplan" || !PresetConfig(preset, release)) {
      continue;  // not MidiTok's, or not of this release
    }
    const auto tokenizer = Tokenizer::Load(preset, release).value();
    ASSERT_TRUE(WriteFileAtomically(json, std::string_view(tokenizer->ToJson())).ok());
    const std::string command = std::string(python_) + " " + script.string() + " " + json.string();
    EXPECT_EQ(std::system(command.c_str()), 0) << preset;
  }
}

}  // namespace
}  // namespace continuo
