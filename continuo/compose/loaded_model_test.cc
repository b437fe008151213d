#include "continuo/compose/loaded_model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "continuo/os/temporary_folder_testing.h"

namespace continuo {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

/// A copy of the model that ships whose files a test may replace.
class LoadedModelTest : public ::testing::Test {
 protected:
  LoadedModelTest() {
    for (const auto& entry : fs::directory_iterator(CONTINUO_SOURCE_DIR "/models/pop-piano")) {
      fs::create_symlink(entry.path(), File(entry.path().filename().string()));
    }
  }

  fs::path File(const std::string& name) const { return folder_.path() / name; }
  void Replace(const std::string& name, const std::string& text) {
    fs::remove(File(name));
    std::ofstream(File(name)) << text;
  }
  std::string Error() const { return LoadModel(folder_.path(), {.threads = 1}).error().ToString(); }

  TemporaryFolder folder_;
};

TEST_F(LoadedModelTest, GenerationJsonSetsTheSamplingThatItNames) {
  Replace("generation.json", R"({"top_k": 40, "min_p": 0.05})");
  const Result<LoadedModel> loaded = LoadModel(folder_.path(), {.threads = 1});
  ASSERT_TRUE(loaded.ok()) << loaded.error().ToString();
  SamplingOptions wanted = kStudySampling;
  wanted.top_k = 40;
  wanted.min_p = 0.05;
  EXPECT_EQ(loaded->sampling, wanted);
  EXPECT_EQ(loaded->directory, folder_.path());
  fs::remove(File("generation.json"));
  EXPECT_EQ(LoadModel(folder_.path(), {.threads = 1})->sampling, kStudySampling);
}

TEST_F(LoadedModelTest, GenerationJsonSaysWhetherAModelReadsBothSidesOfAGap) {
  EXPECT_FALSE(LoadModel(folder_.path(), {.threads = 1})->reads_both_sides);
  Replace("generation.json", R"({"both_sides": true})");
  EXPECT_TRUE(LoadModel(folder_.path(), {.threads = 1})->reads_both_sides);
  Replace("generation.json", R"({"both_sides": 1})");
  EXPECT_THAT(Error(), HasSubstr("generation.json: both_sides is number, expected true or false"));
}

TEST_F(LoadedModelTest, ErrorsOfGenerationJsonNameTheFileAndTheKey) {
  const auto error = [this](const std::string& text) {
    Replace("generation.json", text);
    return Error();
  };
  EXPECT_THAT(error("[]"), HasSubstr("generation.json: is not a JSON object"));
  EXPECT_THAT(error(R"({"top_q": 1})"), HasSubstr("generation.json: unknown key 'top_q'"));
  EXPECT_THAT(error(R"({"top_p": "1"})"), HasSubstr("generation.json: top_p is string, expected a number"));
  EXPECT_THAT(error(R"({"top_p": 1.5})"), HasSubstr("generation.json: top-p is 1.5, expected more than 0"));
  EXPECT_THAT(error(R"({"top_k": 1.5})"), HasSubstr("generation.json: top-k is 1.5, expected a whole number"));
  EXPECT_THAT(error(R"({"precision": "f16"})"), HasSubstr(R"(generation.json: precision is "f16")"));
}

TEST_F(LoadedModelTest, TheDiscriminatorMayBeMissingButNotDamaged) {
  EXPECT_NE(LoadModel(folder_.path(), {.threads = 1})->discriminator, nullptr);
  Replace("discriminator.json", "{}");
  EXPECT_THAT(Error(), HasSubstr("discriminator.json: is not a JSON object with features and regressions"));
  fs::remove(File("discriminator.json"));
  EXPECT_EQ(LoadModel(folder_.path(), {.threads = 1})->discriminator, nullptr);
}

TEST_F(LoadedModelTest, TheTokenizerMustBeTheModelsOwn) {
  Replace("tokenizer.json", (*Tokenizer::Load("midilike"))->ToJson());
  EXPECT_THAT(Error(), HasSubstr("tokenizer.json: has "));
  fs::remove(File("tokenizer.json"));
  EXPECT_THAT(Error(), HasSubstr("tokenizer.json: no such file"));
}

TEST_F(LoadedModelTest, ATokenizerMayLieElsewhere) {
  const fs::path elsewhere = folder_.path() / "mine.json";
  fs::rename(File("tokenizer.json"), elsewhere);
  const auto error = [&] {
    const auto directory = ModelDirectory::Open(folder_.path(), elsewhere);
    const auto loaded = LoadModel(*directory, CpuModelOptions{.threads = 1});
    return loaded.ok() ? std::string("none") : loaded.error().ToString();
  };
  EXPECT_EQ(error(), "none");
  Replace("tokenizer.json", "no tokenizer");
  EXPECT_EQ(error(), "none");
  Replace("mine.json", (*Tokenizer::Load("midilike"))->ToJson());
  EXPECT_THAT(error(), HasSubstr("mine.json: has "));
}

}  // namespace
}  // namespace continuo
