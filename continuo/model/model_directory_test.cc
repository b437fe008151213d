#include "continuo/model/model_directory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "continuo/model/half.h"
#include "continuo/model/quantize_model.h"
#include "continuo/os/temporary_folder_testing.h"

namespace continuo {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

/// A tiny GPT-2 whose weights count up.
class ModelDirectoryTest : public ::testing::Test {
 protected:
  ModelDirectoryTest() {
    config_.vocab_size = 5;
    config_.context_length = 3;
    config_.width = 4;
    config_.heads = 2;
    config_.layers = 2;
    float next = 0.0F;
    for (const WeightShape& weight : Gpt2WeightShapes(config_)) {
      int64_t count = 1;
      for (const int64_t extent : weight.shape) {
        count *= extent;
      }
      std::vector<float>& values = values_[weight.name];
      for (int64_t i = 0; i < count; ++i) {
        values.push_back(next += 0.25F);
      }
    }
  }

  ModelFiles Files() {
    ModelFiles files;
    files.config = config_;
    for (const WeightShape& weight : Gpt2WeightShapes(config_)) {
      const std::vector<float>& values = values_[weight.name];
      files.weights.push_back({weight.name,
                               TensorType::kF32,
                               weight.shape,
                               {reinterpret_cast<const uint8_t*>(values.data()), values.size() * sizeof(float)}});
    }
    return files;
  }

  void Write(const ModelFiles& files) { ASSERT_TRUE(WriteModelDirectory(files, path()).ok()); }
  std::string OpenError() {
    const auto model = ModelDirectory::Open(path());
    EXPECT_FALSE(model.ok());
    return model.ok() ? "" : model.error().message;
  }
  fs::path path() const { return folder_.path() / "model"; }

  TemporaryFolder folder_;
  Gpt2Config config_;
  std::map<std::string, std::vector<float>> values_;
};

TEST_F(ModelDirectoryTest, WhatIsWrittenIsRead) {
  ModelFiles files = Files();
  files.texts["tokenizer.json"] = "{}";
  files.vocab_sha256 = "abc";
  Write(files);
  const auto model = ModelDirectory::Open(path());
  ASSERT_TRUE(model.ok()) << model.error().message;
  EXPECT_EQ(model->config(), config_);
  EXPECT_EQ(model->vocab_sha256(), "abc");
  EXPECT_EQ(**model->ReadText("tokenizer.json"), "{}");
  EXPECT_FALSE(model->ReadText("generation.json")->has_value());
  for (const auto& [name, values] : values_) {
    EXPECT_EQ(*model->ReadWeight(name), values) << name;
  }
}

TEST_F(ModelDirectoryTest, NamesMayLackThePrefixAndHoldOldMasks) {
  ModelFiles files = Files();
  for (Tensor& tensor : files.weights) {
    tensor.name = tensor.name.substr(std::string_view("transformer.").size());
  }
  const std::vector<uint8_t> mask(9, 1);
  files.weights.push_back({"h.0.attn.bias", TensorType::kU8, {1, 1, 3, 3}, mask});
  Write(files);
  const auto model = ModelDirectory::Open(path());
  ASSERT_TRUE(model.ok()) << model.error().message;
  EXPECT_EQ(*model->ReadWeight("transformer.wpe.weight"), values_["transformer.wpe.weight"]);
}

TEST_F(ModelDirectoryTest, WeightsMayLieInSeveralFiles) {
  const ModelFiles files = Files();
  Write(files);
  fs::remove(path() / "model.safetensors");
  const std::span<const Tensor> all = files.weights;
  const std::vector<uint8_t> first = SerializeSafetensors(all.first(10));
  const std::vector<uint8_t> second = SerializeSafetensors(all.subspan(10));
  ASSERT_TRUE(WriteFileAtomically(path() / "one.safetensors", first).ok());
  ASSERT_TRUE(WriteFileAtomically(path() / "two.safetensors", second).ok());
  const fs::path index = path() / "model.safetensors.index.json";
  ASSERT_TRUE(WriteFileAtomically(index, R"({"weight_map": {"a": "one.safetensors", "b": "two.safetensors"}})").ok());
  const auto model = ModelDirectory::Open(path());
  ASSERT_TRUE(model.ok()) << model.error().message;
  EXPECT_EQ(*model->ReadWeight("transformer.ln_f.bias"), values_["transformer.ln_f.bias"]);

  ASSERT_TRUE(WriteFileAtomically(path() / "two.safetensors", first).ok());
  EXPECT_THAT(OpenError(), HasSubstr("which"));
  ASSERT_TRUE(WriteFileAtomically(index, R"({"weight_map": {"a": "../one.safetensors"}})").ok());
  EXPECT_THAT(OpenError(), HasSubstr("not the name of a file in this directory"));
}

TEST_F(ModelDirectoryTest, AMissingMisshapenOrForeignWeightIsNamed) {
  ModelFiles files = Files();
  files.weights.pop_back();
  Write(files);
  EXPECT_THAT(OpenError(), HasSubstr("has no tensor 'transformer.ln_f.bias'"));

  files = Files();
  files.weights[0].shape = {4, 5};
  Write(files);
  EXPECT_THAT(OpenError(),
              HasSubstr("tensor 'transformer.wte.weight' is F32 [4, 5], expected F32, F16 or BF16 [5, 4]"));

  files = Files();
  files.weights.push_back(files.weights.back());
  files.weights.back().name = "transformer.h.7.ln_1.bias";
  Write(files);
  EXPECT_THAT(OpenError(), HasSubstr("holds 'transformer.h.7.ln_1.bias', which a GPT-2"));
}

TEST_F(ModelDirectoryTest, AWeightThatIsNoNumberIsNamedWithItsIndex) {
  values_["transformer.wpe.weight"][7] = std::numeric_limits<float>::quiet_NaN();
  values_["transformer.ln_f.bias"][0] = -std::numeric_limits<float>::infinity();
  Write(Files());
  const auto model = ModelDirectory::Open(path());
  ASSERT_TRUE(model.ok());
  EXPECT_THAT(model->ReadWeight("transformer.wpe.weight").error().message,
              HasSubstr("'transformer.wpe.weight' holds NaN at index 7"));
  EXPECT_THAT(model->ReadWeight("transformer.ln_f.bias").error().message, HasSubstr("infinity at index 0"));
}

/// The same model with its matrices in 8 bits, to be spoiled.
class Int8DirectoryTest : public ModelDirectoryTest {
 protected:
  Int8DirectoryTest() {
    Write(Files());
    const auto model = ModelDirectory::Open(path());
    CONTINUO_CHECK(model.ok());
    CONTINUO_CHECK(QuantizeModel(*model, TensorType::kU8, int8_path()).ok());
    const auto bytes = ReadFile(int8_path() / "model.safetensors");
    CONTINUO_CHECK(bytes.ok());
    bytes_ = *bytes;
    files_.config = config_;
    files_.weights = ParseSafetensors(bytes_, "x")->tensors;
  }
  fs::path int8_path() const { return folder_.path() / "int8"; }
  Tensor& Find(const std::string& name) {
    return *std::find_if(files_.weights.begin(), files_.weights.end(), [&](const Tensor& t) { return t.name == name; });
  }
  std::vector<uint8_t> bytes_;
  ModelFiles files_;
  const std::string expand_ = "transformer.h.1.mlp.c_fc.weight";
};

TEST_F(Int8DirectoryTest, HoldsMatricesInEightBitsOnCacheLines) {
  const auto model = ModelDirectory::Open(int8_path());
  ASSERT_TRUE(model.ok()) << model.error().message;
  EXPECT_EQ(model->matrix_type(), TensorType::kU8);
  for (const MatrixShape& matrix : Gpt2Matrices(config_)) {
    const auto view = model->FindInt8(matrix);
    ASSERT_TRUE(view.ok() && *view) << matrix.name;
    EXPECT_EQ(reinterpret_cast<uintptr_t>((*view)->values.data()) % 64, 0U);
    const bool head = matrix.name == "lm_head.weight";
    const std::vector<float>& exact = values_[head ? "transformer.wte.weight" : matrix.name];
    const std::vector<float> rounded = *model->ReadWeight(matrix.name);
    ASSERT_EQ(rounded.size(), exact.size());
    const float largest = *std::max_element(exact.begin(), exact.end());
    for (size_t i = 0; i < exact.size(); ++i) {
      EXPECT_NEAR(rounded[i], exact[i], largest / 127.0F * 0.51F) << matrix.name;
    }
  }
  EXPECT_EQ(model->ReadWeight("transformer.wpe.weight")->front(), values_["transformer.wpe.weight"].front());
}

TEST_F(Int8DirectoryTest, MisshapenValuesAndScalesAreNamed) {
  const Tensor values = Find(expand_);
  Find(expand_).shape = {1, 1, 16, 4, 32};
  Write(files_);
  EXPECT_THAT(OpenError(), HasSubstr("'" + expand_ + "' is U8 [1, 1, 16, 4, 32], expected U8 [1, 1, 16, 32, 4]"));

  Find(expand_) = values;
  Tensor& scales = Find(expand_ + ".scales");
  const Tensor right = scales;
  scales.type = TensorType::kF16;
  Write(files_);
  EXPECT_THAT(OpenError(), HasSubstr(".scales' is F16 [1, 1, 32], expected BF16 [1, 1, 32]"));

  scales = right;
  scales.name = expand_ + ".scale";
  Write(files_);
  EXPECT_THAT(OpenError(), HasSubstr("has no tensor '" + expand_ + ".scales'"));
}

TEST_F(Int8DirectoryTest, ScalesWithoutValuesAreForeign) {
  const std::vector<uint8_t> bytes(16 * 4 * 2);
  Tensor& values = Find(expand_);
  values = {expand_, TensorType::kBf16, {4, 16}, bytes};
  Write(files_);
  EXPECT_THAT(OpenError(), HasSubstr("holds '" + expand_ + ".scales', which a GPT-2"));
}

TEST_F(Int8DirectoryTest, AScaleThatIsNoNumberIsNamed) {
  for (const uint16_t bits : {0x7f80, 0xff80, 0x7fc0}) {
    std::vector<uint8_t> bytes(64);
    std::memcpy(bytes.data() + 6, &bits, 2);
    Find(expand_ + ".scales").bytes = bytes;
    Write(files_);
    const auto model = ModelDirectory::Open(path());
    ASSERT_TRUE(model.ok()) << model.error().message;
    EXPECT_THAT(model->ReadWeight(expand_).error().message, HasSubstr(expand_ + ".scales' holds"));
    EXPECT_THAT(model->FindInt8({expand_, {4, 16}, false}).error().message, HasSubstr("at index 3"));
  }
}

TEST_F(ModelDirectoryTest, MissingFilesAreNamed) {
  EXPECT_THAT(OpenError(), HasSubstr("is not a directory"));
  Write(Files());
  fs::remove(path() / "model.safetensors");
  EXPECT_THAT(OpenError(), HasSubstr("model.safetensors: cannot open"));
  fs::remove(path() / "config.json");
  EXPECT_THAT(OpenError(), HasSubstr("config.json: cannot open"));
}

TEST(Gpt2ConfigTest, IsTheSameAfterJson) {
  Gpt2Config config;
  config.vocab_size = 316;
  config.inner_width = 100;
  config.tied_head = false;
  const auto parsed = ParseGpt2Config(Gpt2ConfigToJson(config), "config.json");
  ASSERT_TRUE(parsed.ok()) << parsed.error().message;
  EXPECT_EQ(*parsed, config);
}

TEST(Gpt2ConfigTest, RefusesByName) {
  const auto error = [](const std::string& json) {
    const auto config = ParseGpt2Config(json, "config.json");
    return config.ok() ? std::string() : config.error().message;
  };
  const std::string sizes = R"("vocab_size": 5, "n_embd": 4, "n_layer": 1, "n_head": 2)";
  EXPECT_EQ(error("{" + sizes + "}"), "");
  EXPECT_THAT(error("[]"), HasSubstr("not a JSON object"));
  EXPECT_THAT(error("{\"n_embd\": 4}"), HasSubstr("has no vocab_size"));
  EXPECT_THAT(error("{" + sizes + R"(, "model_type": "llama"})"), HasSubstr("model_type is \"llama\""));
  EXPECT_THAT(error("{" + sizes + R"(, "activation_function": "relu"})"), HasSubstr("activation_function is \"relu\""));
  EXPECT_THAT(error("{" + sizes + R"(, "n_positions": 0})"), HasSubstr("n_positions is 0"));
  EXPECT_THAT(error("{" + sizes + R"(, "n_positions": "many"})"),
              HasSubstr("n_positions is string, expected a number"));
  EXPECT_THAT(error("{" + sizes + R"(, "n_positions": 99999999999})"),
              HasSubstr("n_positions is 99999999999, expected 1 to"));
  EXPECT_THAT(error(R"({"vocab_size": 5, "n_embd": 4, "n_layer": 1, "n_head": 3})"),
              HasSubstr("n_head, 3, doesn't divide"));
}

TEST(HalfPrecision, EveryBf16AndF16SurvivesFloat) {
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    const float wide = Bf16ToFloat(static_cast<uint16_t>(bits));
    if (std::isnan(wide)) {
      EXPECT_TRUE(std::isnan(Bf16ToFloat(FloatToBf16(wide))));
    } else {
      EXPECT_EQ(FloatToBf16(wide), bits);
    }
  }
  EXPECT_EQ(F16ToFloat(0x3c00), 1.0F);
  EXPECT_EQ(F16ToFloat(0xc000), -2.0F);
  EXPECT_EQ(F16ToFloat(0x7bff), 65504.0F);
  EXPECT_EQ(F16ToFloat(0x0001), std::ldexp(1.0F, -24));
  EXPECT_EQ(F16ToFloat(0x7c00), std::numeric_limits<float>::infinity());
  EXPECT_TRUE(std::isnan(F16ToFloat(0x7e00)));
}

TEST(HalfPrecision, RoundsToTheNearestBf16HalvesToEven) {
  EXPECT_EQ(FloatToBf16(std::bit_cast<float>(0x3f808000U)), 0x3f80);  // half way, even below
  EXPECT_EQ(FloatToBf16(std::bit_cast<float>(0x3f818000U)), 0x3f82);  // half way, even above
  EXPECT_EQ(FloatToBf16(std::bit_cast<float>(0x3f808001U)), 0x3f81);
}

}  // namespace
}  // namespace continuo
