// Holds trained tokenizers to what MidiTok made of the files of testdata/tokens/files with those of
// testdata/tokens/trained (tools/make_trained_golden.py).

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>

#include "continuo/os/file.h"
#include "continuo/os/temporary_folder_testing.h"
#include "continuo/token/miditok_reader.h"
#include "continuo/token/score_json_testing.h"
#include "continuo/token/tokenizer.h"

namespace continuo {
namespace {

using Json = nlohmann::json;
using OrderedJson = nlohmann::ordered_json;  // the order of time signatures is that of their ids
using testing::HasSubstr;

const std::filesystem::path kTokens = std::filesystem::path(CONTINUO_SOURCE_DIR) / "testdata" / "tokens";

class TrainedVocabularyTest : public testing::TestWithParam<MidiTokRelease> {
 protected:
  static std::filesystem::path File(const std::string& name) {
    return kTokens / "trained" / (name + "-" + std::string(ToString(GetParam())) + ".json");
  }
};

TEST_P(TrainedVocabularyTest, IdsAreMidiToksAndDecodeAsTheBaseTokensDo) {
  int compared = 0;
  size_t merged = 0;
  size_t plain = 0;
  const Json golden = Json::parse(ReadTextFile(File("ids")).value());
  for (const auto& [name, by_file] : golden.items()) {
    const auto tokenizer = Tokenizer::LoadPlainOrTrained(File(name).string());
    ASSERT_TRUE(tokenizer.ok()) << tokenizer.error().ToString();
    ASSERT_NE((*tokenizer)->trained(), nullptr);
    EXPECT_EQ((*tokenizer)->config().release, GetParam());
    // WordPiece has one unknown token for a word that is too long, which loses it.
    const bool may_lose = name == "wordpiece_no";
    for (const auto& [file, ids] : by_file.items()) {
      const Score score = ReadScoreForTokens(kTokens / "files" / (file + ".mid"), (*tokenizer)->config()).value();
      const Streams streams = (*tokenizer)->EncodeForModel(score);
      EXPECT_EQ(streams, ids.get<Streams>()) << name << ", " << file;
      const Streams base_streams = (*tokenizer)->Encode(score);
      const bool lost = std::any_of(streams.begin(), streams.end(), [&](const std::vector<TokenId>& stream) {
        return may_lose && std::find(stream.begin(), stream.end(), 0) != stream.end();
      });
      if (!lost) {
        EXPECT_EQ((*tokenizer)->DecodeFromModel(streams), (*tokenizer)->Decode(base_streams)) << name << ", " << file;
      }
      for (size_t i = 0; i < streams.size(); ++i) {
        merged += streams[i].size();
        plain += base_streams[i].size();
      }
      ++compared;
    }
  }
  EXPECT_GE(compared, 200);
  EXPECT_LT(merged, plain);
}

TEST_P(TrainedVocabularyTest, AnIdIsNamedByItsBaseTokens) {
  const auto tokenizer = Tokenizer::LoadPlainOrTrained(File("remi_bar").string(), GetParam()).value();
  const size_t base = tokenizer->vocabulary().size();
  EXPECT_EQ(tokenizer->model_size(), base + 60);
  EXPECT_EQ(tokenizer->ModelToken(0), "PAD_None");
  std::set<std::string> names;
  for (size_t id = 0; id < tokenizer->model_size(); ++id) {
    names.insert(tokenizer->ModelToken(static_cast<TokenId>(id)));
  }
  // 3.0.4 leaves base tokens out that its files did not have.
  for (const std::string& token : tokenizer->vocabulary().tokens()) {
    EXPECT_TRUE(names.contains(token) || GetParam() == MidiTokRelease::k3_0_4) << token;
  }
  EXPECT_TRUE(names.contains("+")) << "the mark that begins a bar";
}

TEST_P(TrainedVocabularyTest, IdsBeyondTheVocabularyArePassedOver) {
  const auto tokenizer = Tokenizer::LoadPlainOrTrained(File("midilike_no").string(), GetParam()).value();
  const auto size = static_cast<TokenId>(tokenizer->model_size());
  EXPECT_EQ(tokenizer->DecodeFromModel(Streams{{size - 1, size, -5, INT32_MAX}}),
            tokenizer->DecodeFromModel(Streams{{size - 1}}));
}

TEST_P(TrainedVocabularyTest, AnUntrainedFileHasNone) {
  const TemporaryFolder folder;
  const std::filesystem::path path = folder.path() / "tokenizer.json";
  ASSERT_TRUE(WriteFileAtomically(path, std::string_view(R"({"tokenization": "REMI"})")).ok());
  EXPECT_EQ(Tokenizer::LoadPlainOrTrained(path.string(), GetParam()).value()->trained(), nullptr);
  EXPECT_FALSE(Tokenizer::Load(File("remi_bar").string()).ok()) << "base ids would pass for the model's";
}

TEST_P(TrainedVocabularyTest, AFaultIsNamed) {
  const TemporaryFolder folder;
  const std::filesystem::path path = folder.path() / "tokenizer.json";
  const OrderedJson good = OrderedJson::parse(ReadTextFile(File("tsd_beat")).value());
  const OrderedJson model = OrderedJson::parse(good["_model"].get<std::string>());
  const auto error_of = [&](const OrderedJson& file) {
    EXPECT_TRUE(WriteFileAtomically(path, std::string_view(file.dump())).ok());
    const auto loaded = Tokenizer::LoadPlainOrTrained(path.string(), GetParam());
    return loaded.ok() ? std::string("none") : loaded.error().ToString();
  };
  const auto error_of_model = [&](const char* pointer, const OrderedJson& value) {
    OrderedJson changed = model;
    changed[OrderedJson::json_pointer(pointer)] = value;
    OrderedJson file = good;
    file["_model"] = changed.dump();
    return error_of(file);
  };
  EXPECT_EQ(error_of(good), "none");
  EXPECT_THAT(error_of_model("/model/type", "WordLevel"), HasSubstr("_model.model.type is \"WordLevel\""));
  EXPECT_THAT(error_of_model("/model/dropout", 0.1), HasSubstr("_model.model.dropout is 0.1"));
  EXPECT_THAT(error_of_model("/model/merges/0", "% no-such"), HasSubstr("_model.model.merges[0]"));
  EXPECT_THAT(error_of_model("/model/merges", 5), HasSubstr("_model.model.merges is number"));
  EXPECT_THAT(error_of_model("/model/vocab/!", 100000), HasSubstr("100000"));
  EXPECT_THAT(error_of_model("/model/vocab/!", 1), HasSubstr("of its own"));
  EXPECT_THAT(error_of_model("/pre_tokenizer/prepend_scheme", "never"), HasSubstr("pre_tokenizer"));
  EXPECT_THAT(error_of_model("/normalizer", OrderedJson::object()), HasSubstr("normalizer"));
  for (const char* text : {"", "{", "[]", "{}", "5", R"({"model": 5})"}) {
    OrderedJson file = good;
    file["_model"] = text;
    if (*text != '\0') {
      EXPECT_THAT(error_of(file), HasSubstr("_model")) << text;
    }
  }
  OrderedJson file = good;
  file["_vocab_base"]["Strange_1"] = 5;
  EXPECT_THAT(error_of(file), HasSubstr("_vocab_base has"));
  file = good;
  file["_vocab_base"]["PAD_None"] = 5;
  EXPECT_THAT(error_of(file), HasSubstr("PAD_None"));
  file = good;
  file["_vocab_base_byte_to_token"]["!!"] = "PAD_None";
  EXPECT_THAT(error_of(file), HasSubstr("one character of its own"));
  file = good;
  file["config"]["encode_ids_split"] = "phrase";
  EXPECT_THAT(error_of(file), HasSubstr("phrase"));
}

INSTANTIATE_TEST_SUITE_P(Releases, TrainedVocabularyTest,
                         testing::Values(MidiTokRelease::k3_0_4, MidiTokRelease::k3_1_0),
                         [](const auto& test) { return test.param == MidiTokRelease::k3_0_4 ? "R304" : "R310"; });

}  // namespace
}  // namespace continuo
