#include "continuo/model/model_directory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <fstream>
#include <limits>

#include "continuo/model/half.h"
#include "continuo/model/quantize_model.h"
#include "continuo/os/file.h"
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
    for (const Weight& weight : WeightTable(config_).weights()) {
      std::vector<float>& values = values_[weight.name];
      for (int64_t i = 0; i < weight.count(); ++i) {
        values.push_back(next += 0.25F);
      }
    }
  }

  ModelFiles Files() {
    ModelFiles files;
    files.config = config_;
    for (const Weight& weight : WeightTable(config_).weights()) {
      const std::vector<float>& values = values_[weight.name];
      files.weights.push_back({weight.name,
                               TensorType::kF32,
                               weight.shape,
                               {reinterpret_cast<const uint8_t*>(values.data()), values.size() * sizeof(float)}});
    }
    return files;
  }

  void Write(const ModelFiles& files) { ASSERT_TRUE(WriteModelDirectory(files, path()).ok()); }
  /// The same files in memory.
  static Result<ModelDirectory> OpenInMemory(const fs::path& directory) {
    std::map<std::string, std::vector<uint8_t>> files;
    for (const auto& entry : fs::directory_iterator(directory)) {
      files[entry.path().filename().string()] = ReadFile(entry.path()).value();
    }
    return ModelDirectory::FromFiles(std::move(files), directory.string());
  }
  /// The error of opening the directory, which is the same for its files in memory.
  std::string OpenError() {
    const auto model = ModelDirectory::Open(path());
    EXPECT_FALSE(model.ok());
    if (!model.ok() && fs::exists(path() / "config.json") && fs::exists(path() / "model.safetensors")) {
      const auto in_memory = OpenInMemory(path());
      EXPECT_FALSE(in_memory.ok());
      EXPECT_EQ(in_memory.ok() ? "" : in_memory.error().message, model.error().message);
    }
    return model.ok() ? "" : model.error().message;
  }
  fs::path path() const { return folder_.path() / "model"; }

  TemporaryFolder folder_;
  ModelConfig config_;
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

TEST_F(ModelDirectoryTest, MasksMayBeBooleans) {
  ModelFiles files = Files();
  const std::vector<uint8_t> mask(9, 1);
  files.weights.push_back({"transformer.h.0.attn.bias", TensorType::kBool, {1, 1, 3, 3}, mask});
  Write(files);
  EXPECT_TRUE(ModelDirectory::Open(path()).ok());
}

TEST_F(ModelDirectoryTest, TheTiedWeightsMayBeThoseOfTheHeadAlone) {
  ModelFiles files = Files();
  for (Tensor& tensor : files.weights) {
    if (tensor.name == "transformer.wte.weight") {
      tensor.name = "lm_head.weight";
    }
  }
  Write(files);
  const auto model = ModelDirectory::Open(path());
  ASSERT_TRUE(model.ok()) << model.error().message;
  EXPECT_EQ(*model->ReadWeight("transformer.wte.weight"), values_["transformer.wte.weight"]);
}

TEST_F(ModelDirectoryTest, TheTokenizerBesideTheWeightsNamesTheVocabulary) {
  ModelFiles files = Files();
  files.vocab_sha256.clear();
  Write(files);
  EXPECT_EQ(ModelDirectory::Open(path())->TokenizerSha256(), "");
  std::ofstream(path() / "tokenizer.json") << R"({"vocab_sha256": "def"})";
  EXPECT_EQ(ModelDirectory::Open(path())->TokenizerSha256(), "def");
  EXPECT_EQ(ModelDirectory::Open(path())->vocab_sha256(), "");
}

TEST_F(ModelDirectoryTest, OtherFormatsAreExplained) {
  Write(Files());
  fs::rename(path() / "model.safetensors", path() / "pytorch_model.bin");
  EXPECT_THAT(ModelDirectory::Open(path()).error().ToString(), HasSubstr("save_pretrained"));
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
  EXPECT_THAT(OpenError(), HasSubstr("holds 'transformer.h.7.ln_1.bias', which a GPT2LMHeadModel"));
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

TEST_F(ModelDirectoryTest, FilesInMemoryAreReadAsThoseOnDisk) {
  ModelFiles files = Files();
  files.texts["tokenizer.json"] = R"({"vocab_sha256": "def"})";
  files.vocab_sha256 = "abc";
  Write(files);
  const auto on_disk = ModelDirectory::Open(path());
  ASSERT_TRUE(on_disk.ok());
  const auto model = OpenInMemory(path());
  ASSERT_TRUE(model.ok()) << model.error().message;
  fs::remove_all(path());  // neither reads the files again
  EXPECT_EQ(model->config(), config_);
  EXPECT_EQ(model->path(), path());
  EXPECT_EQ(model->vocab_sha256(), "abc");
  EXPECT_EQ(model->TokenizerSha256(), "def");
  EXPECT_EQ(model->WeightsSha256(), on_disk->WeightsSha256());
  EXPECT_FALSE(model->ReadText("generation.json")->has_value());
  for (const auto& [name, values] : values_) {
    EXPECT_EQ(*model->ReadWeight(name), values) << name;
  }
}

TEST_F(ModelDirectoryTest, FilesMissingInMemoryAreNamed) {
  const auto error = [](std::map<std::string, std::vector<uint8_t>> files) {
    return ModelDirectory::FromFiles(std::move(files), "a model").error();
  };
  EXPECT_EQ(error({}).message, "a model/config.json: no such file");
  EXPECT_EQ(error({}).code, ErrorCode::kNotFound);
  Write(Files());
  EXPECT_EQ(error({{"config.json", ReadFile(path() / "config.json").value()}}).message,
            "a model/model.safetensors: no such file");
}

/// The same model with its matrices in 8 bits, to be spoiled.
class Int8DirectoryTest : public ModelDirectoryTest {
 protected:
  Int8DirectoryTest() {
    Write(Files());
    const auto model = ModelDirectory::Open(path());
    CONTINUO_CHECK(model.ok());
    CONTINUO_CHECK(QuantizeModel(*model, NumberFormat::kInt8, int8_path()).ok());
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
  EXPECT_EQ(model->stored_format(), NumberFormat::kInt8);
  for (const Weight* weight : model->table().matrices()) {
    const Weight& matrix = *weight;
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

TEST_F(Int8DirectoryTest, ValuesInMemoryOutliveTheDirectory) {
  const auto on_disk = ModelDirectory::Open(int8_path());
  ASSERT_TRUE(on_disk.ok());
  for (const Weight* matrix : on_disk->table().matrices()) {
    std::optional<ModelDirectory::Int8View> view;
    {
      const auto model = OpenInMemory(int8_path());
      ASSERT_TRUE(model.ok()) << model.error().message;
      view = model->FindInt8(*matrix).value();
    }
    ASSERT_TRUE(view) << matrix->name;
    const auto expected = on_disk->FindInt8(*matrix).value();
    EXPECT_THAT(view->values, ::testing::ElementsAreArray(expected->values)) << matrix->name;
    EXPECT_EQ(view->scales, expected->scales) << matrix->name;
  }
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
  EXPECT_THAT(OpenError(), HasSubstr("holds '" + expand_ + ".scales', which a GPT2LMHeadModel"));
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
    EXPECT_THAT(model->FindInt8(*model->table().FindName(expand_)).error().message, HasSubstr("at index 3"));
  }
}

TEST_F(ModelDirectoryTest, MissingFilesAreNamed) {
  EXPECT_THAT(OpenError(), HasSubstr("does not exist"));
  EXPECT_EQ(ModelDirectory::Open(path()).error().code, ErrorCode::kNotFound);
  Write(Files());
  EXPECT_THAT(ModelDirectory::Open(path() / "config.json").error().message, HasSubstr("is not a directory"));
  fs::remove(path() / "model.safetensors");
  EXPECT_THAT(OpenError(), HasSubstr("model.safetensors: cannot open"));
  fs::remove(path() / "config.json");
  EXPECT_THAT(OpenError(), HasSubstr("config.json: cannot open"));
}

TEST(ModelConfigTest, IsTheSameAfterJson) {
  ModelConfig config;
  config.vocab_size = 316;
  config.inner_width = 100;
  config.tied_head = false;
  const auto parsed = ParseModelConfig(ModelConfigToJson(config), "config.json");
  ASSERT_TRUE(parsed.ok()) << parsed.error().message;
  EXPECT_EQ(*parsed, config);
}

TEST(ModelConfigTest, RefusesByName) {
  const auto error = [](const std::string& json) {
    const auto config = ParseModelConfig(json, "config.json");
    return config.ok() ? std::string() : config.error().message;
  };
  const std::string sizes = R"("vocab_size": 5, "n_embd": 4, "n_layer": 1, "n_head": 2)";
  EXPECT_EQ(error("{" + sizes + "}"), "");
  EXPECT_EQ(error("{" + sizes + R"(, "activation_function": "gelu_fast"})"), "");
  EXPECT_EQ(error(R"({"vocab_size": 5, "hidden_size": 4, "num_hidden_layers": 1, "num_attention_heads": 2})"), "");
  EXPECT_THAT(error("[]"), HasSubstr("not a JSON object"));
  EXPECT_THAT(error("{\"n_embd\": 4}"), HasSubstr("has no vocab_size"));
  EXPECT_THAT(error("{" + sizes + R"(, "model_type": "phi3"})"), HasSubstr("model_type is \"phi3\""));
  EXPECT_THAT(error("{" + sizes + R"(, "activation_function": "relu"})"), HasSubstr("activation_function is \"relu\""));
  EXPECT_THAT(error("{" + sizes + R"(, "n_positions": 0})"), HasSubstr("n_positions is 0"));
  EXPECT_THAT(error("{" + sizes + R"(, "n_positions": "many"})"),
              HasSubstr("n_positions is string, expected a number"));
  EXPECT_THAT(error("{" + sizes + R"(, "n_positions": 99999999999})"),
              HasSubstr("n_positions is 99999999999, expected 1 to"));
  EXPECT_THAT(error(R"({"vocab_size": 5, "n_embd": 4, "n_layer": 1, "n_head": 3})"),
              HasSubstr("n_head, 3, doesn't divide"));
}

/// A Llama's config.json with one more setting.
std::string LlamaJson(const std::string& more) {
  return R"({"model_type": "llama", "vocab_size": 50, "hidden_size": 24, "num_hidden_layers": 2,
             "num_attention_heads": 4, "intermediate_size": 40, "max_position_embeddings": 32)" +
         (more.empty() ? "" : ", " + more) + "}";
}

TEST(LlamaConfigTest, HasTheDefaultsOfTransformers) {
  const auto config = ParseModelConfig(LlamaJson(""), "config.json");
  ASSERT_TRUE(config.ok()) << config.error().message;
  EXPECT_EQ(config->architecture, Architecture::kLlama);
  EXPECT_EQ(config->kv_heads(), 4);
  EXPECT_EQ(config->head_dim(), 6);
  EXPECT_EQ(config->feed_width(), 40);
  EXPECT_EQ(config->norm_epsilon, 1e-6);
  EXPECT_EQ(config->rope_theta, 10000);
  EXPECT_FALSE(config->tied_head);
}

TEST(LlamaConfigTest, IsTheSameAfterJson) {
  ModelConfig config;
  config.vocab_size = 50;
  config.width = 24;
  config.heads = 4;
  config.kv_head_count = 2;
  config.head_width = 10;
  config.inner_width = 40;
  config.rope_theta = 1234.5;
  for (const Architecture architecture : {Architecture::kLlama, Architecture::kMistral, Architecture::kQwen3}) {
    config.architecture = architecture;
    config.window = architecture == Architecture::kMistral ? 100 : 0;
    config.qkv_bias = config.attention_out_bias = architecture != Architecture::kMistral;
    config.feed_bias = architecture == Architecture::kLlama;
    for (const RopeScaling::Kind kind :
         {RopeScaling::Kind::kNone, RopeScaling::Kind::kLinear, RopeScaling::Kind::kLlama3}) {
      config.rope_scaling = kind == RopeScaling::Kind::kNone ? RopeScaling() : RopeScaling{kind, 2.5};
      if (kind == RopeScaling::Kind::kLlama3) {
        config.rope_scaling = {kind, 2.5, 1.5, 6, 77};
      }
      const auto parsed = ParseModelConfig(ModelConfigToJson(config), "config.json");
      ASSERT_TRUE(parsed.ok()) << parsed.error().message;
      EXPECT_EQ(*parsed, config) << ModelConfigToJson(config);
    }
  }
}

TEST(LlamaConfigTest, ReadsWhatReleaseFiveWrites) {
  const auto config = ParseModelConfig(
      LlamaJson(R"("rope_parameters": {"rope_type": "linear", "factor": 4.0, "rope_theta": 77.0})"), "config.json");
  ASSERT_TRUE(config.ok()) << config.error().message;
  EXPECT_EQ(config->rope_theta, 77);
  EXPECT_EQ(config->rope_scaling.kind, RopeScaling::Kind::kLinear);
  EXPECT_EQ(config->rope_scaling.factor, 4);
}

TEST(LlamaConfigTest, RefusesByName) {
  const auto error = [](const std::string& more) {
    const auto config = ParseModelConfig(LlamaJson(more), "config.json");
    return config.ok() ? std::string() : config.error().message;
  };
  EXPECT_EQ(error(""), "");
  EXPECT_THAT(error(R"("hidden_act": "gelu")"), HasSubstr("hidden_act is \"gelu\", which is not supported"));
  EXPECT_THAT(error(R"("rope_scaling": {"rope_type": "yarn", "factor": 2.0})"), HasSubstr("rope_type is \"yarn\""));
  EXPECT_THAT(error(R"("rope_scaling": {"type": "dynamic", "factor": 2.0})"), HasSubstr("rope_type is \"dynamic\""));
  EXPECT_THAT(error(R"("rope_scaling": {"rope_type": "linear"})"), HasSubstr("rope_scaling: has no factor"));
  EXPECT_THAT(error(R"("rope_scaling": {"rope_type": "llama3", "factor": 8})"), HasSubstr("has no low_freq_factor"));
  EXPECT_THAT(error(R"("rope_scaling": [1])"), HasSubstr("rope_scaling is array, expected an object"));
  EXPECT_THAT(error(R"("rope_theta": 0)"), HasSubstr("rope_theta is 0, expected 1 to"));
  EXPECT_THAT(error(R"("partial_rotary_factor": 0.5)"), HasSubstr("partial_rotary_factor is 0.5"));
  EXPECT_THAT(error(R"("num_key_value_heads": 3)"), HasSubstr("num_key_value_heads, 3, doesn't divide"));
  EXPECT_THAT(error(R"("num_key_value_heads": -1)"), HasSubstr("num_key_value_heads is negative"));
  EXPECT_THAT(error(R"("head_dim": 7)"), HasSubstr("head_dim is 7, expected an even number"));
  EXPECT_THAT(error(R"("head_dim": 1048576)"), HasSubstr("num_attention_heads x head_dim is 4194304"));
  EXPECT_THAT(error(R"("num_hidden_layers": 5000)"), HasSubstr("num_hidden_layers is 5000, expected 1 to 4096"));
  EXPECT_THAT(error(R"("quantization_config": {"bits": 4})"), HasSubstr("quantization_config is {"));
  EXPECT_THAT(error(R"("model_type": "qwen2", "num_key_value_heads": 4, "use_sliding_window": true)"),
              HasSubstr("use_sliding_window is true"));
  EXPECT_THAT(error(R"("model_type": "qwen3", "num_key_value_heads": 4)"), HasSubstr("has no head_dim"));
  EXPECT_THAT(error(R"("model_type": "mistral")"), HasSubstr("has no num_key_value_heads"));
}

/// A GPT-NeoX's config.json with one more setting.
std::string GptNeoXJson(const std::string& more) {
  return R"({"model_type": "gpt_neox", "vocab_size": 50, "hidden_size": 48, "num_hidden_layers": 2,
             "num_attention_heads": 2, "intermediate_size": 40, "max_position_embeddings": 32)" +
         (more.empty() ? "" : ", " + more) + "}";
}

TEST(GptNeoXConfigTest, HasTheDefaultsOfTransformers) {
  const auto config = ParseModelConfig(GptNeoXJson(""), "config.json");
  ASSERT_TRUE(config.ok()) << config.error().message;
  EXPECT_EQ(config->architecture, Architecture::kGptNeoX);
  EXPECT_EQ(config->head_dim(), 24);
  EXPECT_EQ(config->rotary_dim(), 6);
  EXPECT_EQ(config->rope_theta, 10000);
  EXPECT_EQ(config->norm_epsilon, 1e-5);
  EXPECT_TRUE(config->exact_gelu);
  EXPECT_TRUE(config->parallel_residual);
  EXPECT_TRUE(config->qkv_bias && config->attention_out_bias && config->feed_bias);
  EXPECT_FALSE(config->tied_head);
}

TEST(GptNeoXConfigTest, IsTheSameAfterJson) {
  for (int rotary = 2; rotary <= 48; rotary += 2) {
    ModelConfig config;
    config.architecture = Architecture::kGptNeoX;
    config.vocab_size = 50;
    config.width = 49 * 2;
    config.heads = 2;
    config.layers = 1;
    config.inner_width = 40;
    config.rope_theta = 1234.5;
    config.rotary_width = rotary;
    config.exact_gelu = rotary % 4 == 0;
    config.parallel_residual = rotary % 8 < 4;
    config.qkv_bias = config.attention_out_bias = rotary % 16 < 8;
    config.feed_bias = true;
    config.rope_scaling = {RopeScaling::Kind::kLinear, 2.5};
    const auto parsed = ParseModelConfig(ModelConfigToJson(config), "config.json");
    ASSERT_TRUE(parsed.ok()) << parsed.error().message;
    EXPECT_EQ(*parsed, config) << ModelConfigToJson(config);
  }
}

TEST(GptNeoXConfigTest, ReadsBothReleasesRotaryPositions) {
  const auto old = ParseModelConfig(GptNeoXJson(R"("rotary_pct": 0.5, "rotary_emb_base": 77)"), "config.json");
  const auto now = ParseModelConfig(
      GptNeoXJson(R"("rope_parameters": {"rope_type": "default", "rope_theta": 77, "partial_rotary_factor": 0.5})"),
      "config.json");
  ASSERT_TRUE(old.ok() && now.ok());
  EXPECT_EQ(*old, *now);
  EXPECT_EQ(old->rotary_dim(), 12);
  EXPECT_EQ(old->rope_theta, 77);
}

TEST(GptNeoXConfigTest, RefusesByName) {
  const auto error = [](const std::string& more) {
    const auto config = ParseModelConfig(GptNeoXJson(more), "config.json");
    return config.ok() ? std::string() : config.error().message;
  };
  EXPECT_THAT(error(R"("hidden_act": "relu")"), HasSubstr("hidden_act is \"relu\", which is not supported"));
  EXPECT_THAT(error(R"("rotary_pct": 0)"), HasSubstr("rotary_pct) is 0, expected more than 0"));
  EXPECT_THAT(error(R"("rotary_pct": 1.5)"), HasSubstr("rotary_pct) is 1.5"));
  EXPECT_THAT(error(R"("rotary_pct": 0.05)"), HasSubstr("leaves nothing of a head of width 24"));
  EXPECT_THAT(error(R"("rotary_pct": 0.3)"), HasSubstr("head_dim x partial_rotary_factor is 7, expected an even"));
  EXPECT_THAT(error(R"("rope_scaling": {"type": "yarn", "factor": 2.0})"), HasSubstr("rope_type is \"yarn\""));
  EXPECT_THAT(error(R"("num_attention_heads": 5)"), HasSubstr("num_attention_heads, 5, doesn't divide"));
  EXPECT_THAT(error(R"("layer_norm_eps": 0)"), HasSubstr("layer_norm_eps is 0"));
}

TEST(GptNeoXConfigTest, NamesItsWeights) {
  const auto config = ParseModelConfig(GptNeoXJson(""), "config.json");
  ASSERT_TRUE(config.ok()) << config.error().message;
  const WeightTable table(*config);
  EXPECT_EQ(table.FullName("layers.0.attention.bias"), "");
  EXPECT_EQ(table.FullName("gpt_neox.layers.0.attention.masked_bias"), "");
  EXPECT_EQ(table.FullName("gpt_neox.layers.0.attention.rotary_emb.inv_freq"), "");
  EXPECT_EQ(table.FullName("layers.0.attention.dense.bias"), "gpt_neox.layers.0.attention.dense.bias");
  EXPECT_EQ(table.FullName("embed_out.weight"), "embed_out.weight");
  EXPECT_EQ(table.Matrices(Product::kQkv, 1).at(0)->shape, (std::vector<int64_t>{144, 48}));
}

TEST(WeightTableTest, GroupsTheMatricesOfAProduct) {
  const auto config = ParseModelConfig(LlamaJson(R"("num_key_value_heads": 2, "attention_bias": true)"), "config.json");
  ASSERT_TRUE(config.ok()) << config.error().message;
  const WeightTable table(*config);
  const auto qkv = table.Matrices(Product::kQkv, 1);
  ASSERT_EQ(qkv.size(), 3u);
  EXPECT_EQ(qkv[0]->name, "model.layers.1.self_attn.q_proj.weight");
  EXPECT_EQ(qkv[1]->shape, (std::vector<int64_t>{12, 24}));
  EXPECT_EQ(qkv[2]->layout().outputs, 12u);
  EXPECT_EQ(table.FindBias(WeightRole::kKey, 0)->name, "model.layers.0.self_attn.k_proj.bias");
  EXPECT_EQ(table.FindBias(WeightRole::kUp, 0), nullptr);
  EXPECT_EQ(table.Find(WeightRole::kPositions), nullptr);
  EXPECT_EQ(table.matrices().back()->name, "lm_head.weight");
  EXPECT_EQ(table.FullName("layers.0.self_attn.rotary_emb.inv_freq"), "");
  EXPECT_EQ(table.FullName("norm.weight"), "model.norm.weight");
  // Embedding and head, two blocks of 2 x 24^2 + 2 x 24 x 12 + 3 x 24 x 40 weights, biases and
  // norms, and the last norm.
  EXPECT_EQ(table.parameter_count(),
            2 * 50 * 24 + 2 * (2 * 24 * 24 + 2 * 24 * 12 + 3 * 24 * 40 + 24 + 12 + 12 + 24 + 2 * 24) + 24);
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
