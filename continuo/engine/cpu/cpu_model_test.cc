#include "continuo/engine/cpu/cpu_model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>

#include "continuo/core/rng.h"
#include "continuo/model/quantize_model.h"
#include "continuo/os/temporary_folder_testing.h"

namespace continuo {
namespace {

namespace fs = std::filesystem;
const fs::path kModels = fs::path(CONTINUO_SOURCE_DIR) / "testdata" / "model";
constexpr const char* kModelNames[] = {"tied",    "untied", "llama", "llama3",   "linear",
                                       "mistral", "qwen2",  "qwen3", "gpt_neox", "gpt_neox_serial"};

std::unique_ptr<LanguageModel> Load(const std::string& name, size_t threads,
                                    NumberFormat precision = NumberFormat::kF32) {
  auto directory = ModelDirectory::Open(kModels / name);
  CONTINUO_CHECK(directory.ok());
  auto model = LoadCpuModel(*directory, {threads, precision});
  CONTINUO_CHECK(model.ok());
  return std::move(*model);
}

using Logits = std::vector<std::vector<float>>;

/// The logits after each id, with the ids given `step` at a time in slot `slot` of a session of
/// `slots`.
Logits LogitsOf(const LanguageModel& model, const std::vector<int32_t>& ids, size_t step, size_t slots = 1,
                size_t slot = 0) {
  const auto vocab_size = model.vocab_size();
  const auto session = model.NewSession(slots);
  Logits all;
  for (size_t at = 0; at < ids.size(); at += step) {
    const size_t count = std::min(step, ids.size() - at);
    std::vector<float> logits(vocab_size);
    session->Append(std::vector<DecodingSession::Input>{{slot, std::span(ids).subspan(at, count)}}, logits);
    all.push_back(std::move(logits));
  }
  EXPECT_EQ(session->length(slot), ids.size());
  return all;
}

class CpuModelTest : public ::testing::TestWithParam<std::tuple<const char*, NumberFormat>> {
 protected:
  std::string name() const { return std::get<0>(GetParam()); }
  std::unique_ptr<LanguageModel> Load(size_t threads) const {
    return continuo::Load(name(), threads, std::get<1>(GetParam()));
  }
};

TEST_P(CpuModelTest, LogitsAreTheSameBitsHoweverTheIdsAreSplit) {
  const auto model = Load(1);
  std::vector<int32_t> ids;
  for (size_t i = 0; i < model->context_length(); ++i) {
    ids.push_back(static_cast<int32_t>(i * 7 % model->vocab_size()));
  }
  const Logits one_by_one = LogitsOf(*model, ids, 1);
  for (const size_t step : {2U, 3U, 5U, 40U}) {
    const Logits split = LogitsOf(*model, ids, step);
    for (size_t i = 0; i < split.size(); ++i) {
      EXPECT_EQ(split[i], one_by_one[std::min((i + 1) * step, ids.size()) - 1]) << "step " << step;
    }
  }
}

TEST_P(CpuModelTest, LogitsAreTheSameBitsInAnyBatchAndOnAnyThreads) {
  const auto alone_model = Load(1);
  const auto vocab_size = alone_model->vocab_size();
  constexpr size_t kSlots = 20;
  constexpr size_t kLength = 9;
  std::vector<std::vector<int32_t>> ids(kSlots);
  Rng rng(1, 2);
  for (auto& list : ids) {
    for (size_t i = 0; i < kLength; ++i) {
      list.push_back(static_cast<int32_t>(rng.NextBelow(vocab_size)));
    }
  }
  for (const size_t threads : {1U, 2U, 3U}) {
    const auto model = Load(threads);
    const auto session = model->NewSession(kSlots);
    // A prompt in every second slot, then an id at a time in all.
    std::vector<size_t> done(kSlots, 0);
    std::vector<float> logits(kSlots * vocab_size);
    while (*std::min_element(done.begin(), done.end()) < kLength) {
      std::vector<DecodingSession::Input> inputs;
      for (size_t slot = 0; slot < kSlots; ++slot) {
        const size_t count = done[slot] == 0 && slot % 2 == 0 ? 5 : 1;
        if (done[slot] < kLength) {
          inputs.push_back({slot, std::span(ids[slot]).subspan(done[slot], count)});
          done[slot] += count;
        }
      }
      session->Append(inputs, std::span(logits).first(inputs.size() * vocab_size));
      for (size_t row = 0; row < inputs.size(); ++row) {
        const size_t slot = inputs[row].slot;
        const Logits alone =
            LogitsOf(*alone_model, {ids[slot].begin(), ids[slot].begin() + static_cast<std::ptrdiff_t>(done[slot])}, 1);
        const std::vector<float> got(logits.begin() + static_cast<std::ptrdiff_t>(row * vocab_size),
                                     logits.begin() + static_cast<std::ptrdiff_t>((row + 1) * vocab_size));
        EXPECT_EQ(got, alone.back()) << "threads " << threads << " slot " << slot << " length " << done[slot];
      }
    }
  }
}

TEST_P(CpuModelTest, ASlotThatIsCopiedOrCutShortGoesOnAsOneThatReadTheSame) {
  const auto model = Load(1);
  const auto session = model->NewSession(3);
  std::vector<int32_t> ids;
  for (size_t i = 0; i < std::min<size_t>(model->context_length(), 40); ++i) {
    ids.push_back(static_cast<int32_t>((7 * i + 3) % 11));
  }
  const auto append = [&](size_t slot, std::span<const int32_t> what) {
    std::vector<float> logits(model->vocab_size());
    session->Append(std::vector<DecodingSession::Input>{{slot, what}}, logits);
    return logits;
  };
  const std::span<const int32_t> all(ids);
  const std::vector<float> wanted = append(0, all);
  // Even and odd lengths: keys and values lie in pairs and in blocks.
  for (const size_t length : {size_t{1}, size_t{2}, ids.size() / 2, ids.size() - 2, ids.size() - 1}) {
    session->Truncate(0, length);
    EXPECT_EQ(session->length(0), length);
    append(1, all.first(3));
    session->Copy(0, 1);
    session->Copy(1, 1);
    EXPECT_EQ(session->length(1), length);
    EXPECT_EQ(append(1, all.subspan(length)), wanted) << length;
    append(0, std::vector<int32_t>{5});  // other ids follow in the slot that was copied
    session->Truncate(0, length);
    EXPECT_EQ(append(0, all.subspan(length)), wanted) << length;
    EXPECT_EQ(session->length(2), 0U);
    session->Reset(1);
  }
}

TEST_P(CpuModelTest, AResetSlotStartsAnew) {
  const auto model = Load(1);
  const auto vocab_size = model->vocab_size();
  const auto session = model->NewSession(2);
  const std::vector<int32_t> ids = {3, 1, 4, 1, 5};
  std::vector<float> first(vocab_size);
  std::vector<float> second(vocab_size);
  session->Append(std::vector<DecodingSession::Input>{{1, ids}}, first);
  session->Reset(1);
  EXPECT_EQ(session->length(1), 0U);
  session->Append(std::vector<DecodingSession::Input>{{1, ids}}, second);
  EXPECT_EQ(first, second);
}

INSTANTIATE_TEST_SUITE_P(Models, CpuModelTest,
                         ::testing::Combine(::testing::ValuesIn(kModelNames),
                                            ::testing::Values(NumberFormat::kF32, NumberFormat::kBf16,
                                                              NumberFormat::kInt8)),
                         [](const auto& param) {
                           return std::string(std::get<0>(param.param)) + "_" +
                                  std::string(ToString(std::get<1>(param.param)));
                         });

class GoldenTest : public ::testing::TestWithParam<const char*> {};

TEST_P(GoldenTest, GivesTheLogitsOfHuggingFace) {
  std::ifstream file(kModels / GetParam() / "logits.json");
  const auto golden = nlohmann::json::parse(file);
  const auto ids = golden["ids"].get<std::vector<int32_t>>();
  const auto model = Load(GetParam(), 1);
  const Logits logits = LogitsOf(*model, ids, 1);
  for (size_t i = 0; i < ids.size(); ++i) {
    for (size_t id = 0; id < logits[i].size(); ++id) {
      // Sums of up to 30 products of size 1 in another order, twice a layer: some 100 roundings of
      // 2^-24 at values up to 10, and the golden's six decimals.
      EXPECT_NEAR(logits[i][id], golden["logits"][i][id].get<float>(), 1e-4) << "position " << i << " id " << id;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Models, GoldenTest, ::testing::ValuesIn(kModelNames),
                         [](const auto& model) { return std::string(model.param); });

class StoredPrecisionTest : public ::testing::TestWithParam<const char*> {
 protected:
  /// The test model in other bits on disk.
  ModelDirectory Quantized(NumberFormat type) {
    const auto source = ModelDirectory::Open(kModels / GetParam());
    CONTINUO_CHECK(source.ok());
    CONTINUO_CHECK(QuantizeModel(*source, type, folder_.path() / "model").ok());
    auto directory = ModelDirectory::Open(folder_.path() / "model");
    CONTINUO_CHECK(directory.ok());
    return std::move(*directory);
  }
  const std::vector<int32_t> ids_ = {3, 1, 4, 1, 5, 9, 2, 6};
  TemporaryFolder folder_;
};

TEST_P(StoredPrecisionTest, ADirectoryIsComputedInWhatItIsStoredIn) {
  for (const NumberFormat precision : {NumberFormat::kBf16, NumberFormat::kInt8}) {
    std::unique_ptr<LanguageModel> stored;
    std::unique_ptr<LanguageModel> as_f32;
    {
      const ModelDirectory directory = Quantized(precision);
      stored = std::move(*LoadCpuModel(directory, {1}));
      as_f32 = std::move(*LoadCpuModel(directory, {1, NumberFormat::kF32}));
    }  // the weights outlive the directory
    const Logits logits = LogitsOf(*stored, ids_, 1);
    EXPECT_NE(logits, LogitsOf(*as_f32, ids_, 1));
    const auto again = ModelDirectory::Open(folder_.path() / "model");
    EXPECT_EQ(logits, LogitsOf(**LoadCpuModel(*again, {1, precision}), ids_, 1));
  }
}

TEST_P(StoredPrecisionTest, AnInt8DirectoryGivesWhatRoundingAtLoadGives) {
  // Embeddings and norms are bf16 on disk: so round first to bf16, then to int8, and compare from
  // there.
  ModelDirectory bf16 = Quantized(NumberFormat::kBf16);
  const Logits loaded = LogitsOf(**LoadCpuModel(bf16, {1, NumberFormat::kInt8}), ids_, 1);
  const fs::path second = folder_.path() / "second";
  ASSERT_TRUE(QuantizeModel(bf16, NumberFormat::kInt8, second).ok());
  const auto int8 = ModelDirectory::Open(second);
  ASSERT_TRUE(int8.ok()) << int8.error().message;
  EXPECT_EQ(LogitsOf(**LoadCpuModel(*int8, {1}), ids_, 1), loaded);
  // And what is int8 already stays as it is.
  const fs::path third = folder_.path() / "third";
  ASSERT_TRUE(QuantizeModel(*int8, NumberFormat::kInt8, third).ok());
  EXPECT_EQ(ModelDirectory::Open(third)->WeightsSha256(), int8->WeightsSha256());
}

INSTANTIATE_TEST_SUITE_P(Models, StoredPrecisionTest, ::testing::ValuesIn(kModelNames),
                         [](const auto& model) { return std::string(model.param); });

}  // namespace
}  // namespace continuo
