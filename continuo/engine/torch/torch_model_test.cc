#include "continuo/engine/torch/torch_model.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <new>
#include <nlohmann/json.hpp>
#include <string_view>

#include "continuo/core/check.h"
#include "continuo/engine/torch/device.h"

namespace continuo {
namespace {

namespace fs = std::filesystem;
using Ids = std::vector<int32_t>;

const fs::path kModels = fs::path(CONTINUO_SOURCE_DIR) / "testdata" / "model";

std::vector<std::string> Devices() {
  return ParseDevice("cuda", 0).ok() ? std::vector<std::string>{"cpu", "cuda"} : std::vector<std::string>{"cpu"};
}

/// On each device, models whose logits transformers has computed.
class TorchModelTest : public testing::TestWithParam<std::tuple<std::string, const char*>> {
 protected:
  std::unique_ptr<LanguageModel> Load(bool as_f32) const {
    const auto directory = ModelDirectory::Open(kModels / std::get<1>(GetParam()));
    CONTINUO_CHECK(directory.ok());
    auto model = LoadTorchModel(*directory, std::get<0>(GetParam()), as_f32);
    CONTINUO_CHECK(model.ok());
    return std::move(*model);
  }

  const nlohmann::json golden_ =
      nlohmann::json::parse(std::ifstream(kModels / std::get<1>(GetParam()) / "logits.json"));
  const Ids ids_ = golden_["ids"].get<Ids>();
};

INSTANTIATE_TEST_SUITE_P(Models, TorchModelTest,
                         testing::Combine(testing::ValuesIn(Devices()),
                                          testing::Values("tied", "untied", "llama", "llama3", "linear", "mistral",
                                                          "qwen2", "qwen3", "gpt_neox", "gpt_neox_serial")),
                         [](const auto& models) {
                           return std::get<0>(models.param) + "_" + std::get<1>(models.param);
                         });

TEST_P(TorchModelTest, GivesTheLogitsOfHuggingFaceHoweverTheIdsAreSplit) {
  const auto model = Load(true);
  const auto vocabulary = model->vocab_size();
  for (const size_t step : {size_t{1}, size_t{3}, ids_.size()}) {
    const auto session = model->NewSession(70);
    constexpr size_t kSlot = 66;
    for (size_t begin = 0; begin < ids_.size(); begin += step) {
      const size_t count = std::min(step, ids_.size() - begin);
      std::vector<float> logits(count * vocabulary);
      session->Append(std::vector<DecodingSession::Input>{{kSlot, std::span(ids_).subspan(begin, count), true}},
                      logits);
      for (size_t i = 0; i < logits.size(); ++i) {
        // As for the CPU engine: some 100 roundings of 2^-24 at values up to 10, and the golden's
        // six decimals.
        EXPECT_NEAR(logits[i], golden_["logits"][begin + i / vocabulary][i % vocabulary].get<float>(), 1e-4);
      }
    }
    EXPECT_EQ(session->length(kSlot), ids_.size());
  }
}

TEST_P(TorchModelTest, Bf16IsNear) {
  const auto model = Load(false);
  std::vector<float> logits(model->vocab_size());
  model->NewSession(1)->Append(std::vector<DecodingSession::Input>{{0, ids_}}, logits);
  double difference = 0;
  double size = 0;
  for (size_t i = 0; i < logits.size(); ++i) {
    const double wanted = golden_["logits"].back()[i].get<float>();
    difference += (logits[i] - wanted) * (logits[i] - wanted);
    size += wanted * wanted;
  }
  // A rounding is 0.4 %; those of some layers' inputs, weights and results add up like noise.
  EXPECT_LE(difference, 0.02 * 0.02 * size);
  EXPECT_GT(difference, 0);
}

// A piece is the same bits alone and among others, whose lengths differ, some at the end of their
// context.
TEST_P(TorchModelTest, ASlotsLogitsDoNotDependOnTheOthers) {
  const auto model = Load(false);
  const auto vocabulary = model->vocab_size();
  const auto context = model->context_length();
  constexpr size_t kSlots = 5;
  // What sequence `which` continues with when it has `length` ids: first some at once, then one
  // after the other.
  const auto next = [&](size_t which, size_t length) {
    Ids ids;
    for (const size_t end = length == 0 ? std::min(2 + 3 * which, context) : length + 1; length < end; ++length) {
      ids.push_back(static_cast<int32_t>((length * 7 + which * 5) % vocabulary));
    }
    return ids;
  };
  // All logits of the sequences `first` to `last`, side by side.
  const auto run = [&](size_t first, size_t last) {
    const auto session = model->NewSession(last - first + 1);
    std::vector<std::vector<float>> all(session->slots());
    for (;;) {
      std::vector<Ids> ids;
      std::vector<DecodingSession::Input> inputs;
      for (size_t slot = 0; slot < session->slots(); ++slot) {
        if (session->length(slot) < context) {
          ids.push_back(next(first + slot, session->length(slot)));
          inputs.push_back({slot, {}});
        }
      }
      if (inputs.empty()) {
        return all;
      }
      for (size_t i = 0; i < inputs.size(); ++i) {
        inputs[i].ids = ids[i];
      }
      std::vector<float> logits(inputs.size() * vocabulary);
      session->Append(inputs, logits);
      for (size_t i = 0; i < inputs.size(); ++i) {
        const auto from = logits.begin() + static_cast<ptrdiff_t>(i * vocabulary);
        all[inputs[i].slot].insert(all[inputs[i].slot].end(), from, from + static_cast<ptrdiff_t>(vocabulary));
      }
    }
  };
  const std::vector<std::vector<float>> together = run(0, kSlots - 1);
  for (size_t which = 0; which < kSlots; ++which) {
    EXPECT_EQ(run(which, which)[0], together[which]) << which;
  }
}

TEST_P(TorchModelTest, MoreThanAGpuHoldsIsBadAlloc) {
  // A CPU's memory has no such end. One model will do: the caches of the smallest might fit.
  if (std::get<0>(GetParam()) != "cpu" && std::get<1>(GetParam()) == std::string_view("tied")) {
    EXPECT_THROW((void)Load(true)->NewSession(size_t{1} << 26), std::bad_alloc);
  }
}

TEST_P(TorchModelTest, ASlotThatIsCopiedOrCutShortGoesOnAsOneThatReadTheSame) {
  const auto model = Load(true);
  const auto session = model->NewSession(3);
  const auto expect_last_logits = [&](size_t slot, std::span<const int32_t> ids) {
    std::vector<float> logits(model->vocab_size());
    session->Append(std::vector<DecodingSession::Input>{{slot, ids}}, logits);
    for (size_t i = 0; i < logits.size(); ++i) {
      // As above.
      EXPECT_NEAR(logits[i], golden_["logits"].back()[i].get<float>(), 1e-4) << session->length(slot);
    }
  };
  const std::span<const int32_t> all(ids_);
  expect_last_logits(0, all);
  for (const size_t length : {size_t{1}, all.size() / 2, all.size() - 1}) {
    session->Truncate(0, length);
    session->Copy(0, 1);
    EXPECT_EQ(session->length(1), length);
    expect_last_logits(1, all.subspan(length));
    session->Truncate(0, length);
    expect_last_logits(0, all.subspan(length));
  }
  EXPECT_EQ(session->length(2), 0U);
}

TEST_P(TorchModelTest, AResetSlotStartsAnew) {
  const auto model = Load(true);
  const auto session = model->NewSession(2);
  std::vector<float> first(model->vocab_size());
  std::vector<float> second = first;
  session->Append(std::vector<DecodingSession::Input>{{1, ids_}}, first);
  session->Reset(1);
  session->Append(std::vector<DecodingSession::Input>{{1, ids_}}, second);
  EXPECT_EQ(first, second);
}

}  // namespace
}  // namespace continuo
