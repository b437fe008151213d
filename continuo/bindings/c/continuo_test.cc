#include "continuo/bindings/c/continuo.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "continuo/compose/composer.h"
#include "continuo/model/random_model_testing.h"
#include "continuo/os/temporary_folder_testing.h"

// What continuo_c_test.c does not: that the C interface writes what the Composer writes, and every
// error.
namespace {

using ::testing::HasSubstr;

using Bytes = std::vector<uint8_t>;
using Pieces = std::unique_ptr<continuo_pieces, decltype(&continuo_free_pieces)>;

const std::string kModel = CONTINUO_SOURCE_DIR "/models/pop-piano";
const std::string kPrompt = CONTINUO_SOURCE_DIR "/examples/prompt.mid";

class CTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { model_ = continuo_load(kModel.c_str(), 1); }
  static void TearDownTestSuite() { continuo_free_model(model_); }

  void SetUp() override {
    ASSERT_NE(model_, nullptr) << continuo_error();
    options_ = continuo_new_options(model_);
    ASSERT_NE(options_, nullptr) << continuo_error();
    prompt_ = continuo::MidiPiece::Read(kPrompt)->Bytes();
  }
  void TearDown() override { continuo_free_options(options_); }

  void Set(const char* name, uint64_t value) { EXPECT_EQ(continuo_set_integer(options_, name, value), 0); }

  /// The pieces' bytes, and that none is missing.
  static std::vector<Bytes> Midi(const Pieces& pieces, size_t count) {
    EXPECT_EQ(continuo_piece_count(pieces.get()), count) << continuo_error();
    std::vector<Bytes> all;
    for (size_t i = 0; i < continuo_piece_count(pieces.get()); ++i) {
      size_t size = 0;
      const uint8_t* bytes = continuo_midi(pieces.get(), i, &size);
      all.emplace_back(bytes, bytes + size);
    }
    return all;
  }
  Pieces Generate(size_t bars) { return {continuo_generate(model_, bars, options_), continuo_free_pieces}; }
  Pieces Continue(size_t prompt_bars, size_t bars) {
    return {continuo_continue(model_, prompt_.data(), prompt_.size(), prompt_bars, bars, options_),
            continuo_free_pieces};
  }
  Pieces Fill(size_t first, size_t last) {
    return {continuo_fill(model_, prompt_.data(), prompt_.size(), first, last, options_), continuo_free_pieces};
  }

  static continuo_model* model_;
  continuo_options* options_ = nullptr;
  Bytes prompt_;
};
continuo_model* CTest::model_ = nullptr;

TEST_F(CTest, WritesTheBytesOfTheComposer) {
  const continuo::LoadedModel model = std::move(*continuo::LoadModel(kModel, {.threads = 1}));
  const continuo::Composer composer(model);
  const continuo::MidiPiece song = *continuo::MidiPiece::Parse(prompt_);
  const auto bytes = [&](const continuo::Request& request, const continuo::ComposeOptions& options) {
    std::vector<Bytes> all;
    const std::vector<continuo::WrittenPiece> pieces = composer.Write(request, options).value();
    for (const continuo::WrittenPiece& written : pieces) {
      all.push_back(written.piece.Bytes());
    }
    return all;
  };
  Set("seed", 5);
  Set("count", 3);
  EXPECT_EQ(Midi(Generate(2), 3), bytes(continuo::NewRequest{.bars = 2}, {.count = 3, .seed = 5}));
  EXPECT_EQ(Midi(Continue(4, 2), 3),
            bytes(continuo::ContinueRequest{.piece = song, .prompt_bars = 4, .bars = 2}, {.count = 3, .seed = 5}));
  Set("keep", 2);
  EXPECT_EQ(Midi(Fill(3, 4), 2),
            bytes(continuo::FillRequest{.piece = song, .first = 2, .last = 4}, {.count = 3, .keep = 2, .seed = 5}));
  EXPECT_EQ(continuo_set_number(options_, "temperature", 0), 0);
  EXPECT_EQ(continuo_set_number(options_, "bpm", 77), 0);
  auto greedy = model.sampling;
  greedy.temperature = 0;
  EXPECT_EQ(Midi(Generate(1), 2),
            bytes(continuo::NewRequest{.bars = 1}, {.count = 3, .keep = 2, .seed = 5, .sampling = greedy, .bpm = 77}));
}

TEST_F(CTest, EverySamplingFieldIsAnOption) {
  for (const continuo::SamplingField& field : continuo::SamplingFields()) {
    const std::string name(field.name);
    EXPECT_EQ(continuo_set_number(options_, name.c_str(), 1), 0) << continuo_error();
    EXPECT_NE(continuo_set_number(options_, name.c_str(), -1), 0) << name;
    EXPECT_NE(continuo_set_number(options_, name.c_str(), NAN), 0) << name;
  }
}

TEST_F(CTest, ABarCallbackCanStop) {
  size_t bars = 0;
  const auto stop = [](void* user, size_t, size_t, const continuo_note*, size_t) {
    return ++*static_cast<size_t*>(user) == 2 ? 1 : 0;
  };
  Set("count", 10);
  Set("batch", 1);
  continuo_on_bar(options_, stop, &bars);
  const Pieces pieces = Generate(2);
  EXPECT_EQ(Midi(pieces, 1).size(), 1U);
  EXPECT_EQ(continuo_was_stopped(pieces.get()), 1);
  EXPECT_EQ(bars, 2U);
}

TEST_F(CTest, GuardsAndRetriesAreOptions) {
  Set("notes_at_once", 0);  // every bar with a note is stuck
  const Pieces stuck = Generate(2);
  Midi(stuck, 1);
  EXPECT_GT(continuo_piece_stuck_bars(stuck.get(), 0), 0U);
  EXPECT_EQ(continuo_piece_retries(stuck.get(), 0), 0U);
  Set("retries", 3);
  const Pieces retried = Generate(2);
  Midi(retried, 1);
  EXPECT_EQ(continuo_piece_retries(retried.get(), 0), 3U);
}

TEST_F(CTest, EveryErrorSaysWhy) {
  const auto error = [](bool failed) {
    EXPECT_TRUE(failed);
    return std::string(continuo_error());
  };
  EXPECT_THAT(error(continuo_load(nullptr, 1) == nullptr), HasSubstr("directory is NULL"));
  EXPECT_THAT(error(continuo_generate(nullptr, 2, options_) == nullptr), HasSubstr("model is NULL"));
  EXPECT_THAT(error(continuo_continue(model_, nullptr, 0, 1, 1, options_) == nullptr), HasSubstr("midi is NULL"));
  EXPECT_THAT(error(continuo_new_options(nullptr) == nullptr), HasSubstr("model is NULL"));
  EXPECT_THAT(error(continuo_set_number(options_, "topk", 1) != 0), HasSubstr("no number option 'topk'"));
  EXPECT_THAT(error(continuo_set_integer(options_, "top_k", 1) != 0), HasSubstr("no integer option 'top_k'"));
  EXPECT_THAT(error(continuo_set_text(options_, "key", "C") != 0), HasSubstr("no text option 'key'"));
  EXPECT_THAT(error(continuo_set_text(options_, "chords", nullptr) != 0), HasSubstr("value is NULL"));
  EXPECT_THAT(error(continuo_set_number(nullptr, "top_p", 1) != 0), HasSubstr("options is NULL"));
  EXPECT_THAT(error(continuo_set_number(options_, "bpm", -4) != 0), HasSubstr("bpm is -4"));
  EXPECT_THAT(error(Generate(0) == nullptr), HasSubstr("bars is 0"));
  EXPECT_THAT(error(Fill(0, 2) == nullptr), HasSubstr("bars 0 to 2"));
  EXPECT_THAT(error(Fill(3, 2) == nullptr), HasSubstr("bars 3 to 2"));
  EXPECT_THAT(error(Fill(3, 90) == nullptr), HasSubstr("bars 3 to 90 are not among its 8"));
  prompt_ = {1, 2, 3};
  EXPECT_THAT(error(Continue(1, 1) == nullptr), HasSubstr("the MIDI file"));
  EXPECT_THAT(error(continuo_set_text(options_, "form", "A4 ?") != 0), HasSubstr("'?' at byte 4"));
  EXPECT_THAT(error(continuo_set_text(options_, "scale", "A miner") != 0), HasSubstr("'A miner'"));
  EXPECT_EQ(continuo_set_text(options_, "grid", "12"), 0);
  EXPECT_THAT(error(Generate(1) == nullptr), HasSubstr("grid is 12"));
  EXPECT_EQ(continuo_set_text(options_, "grid", ""), 0);
  EXPECT_EQ(continuo_set_integer(options_, "keep_top", 1), 0);
  EXPECT_THAT(error(Generate(1) == nullptr), HasSubstr("keep_top"));
  EXPECT_EQ(continuo_set_integer(options_, "keep_top", 0), 0);
  EXPECT_EQ(Midi(Generate(1), 1).size(), 1U);
  EXPECT_STREQ(continuo_error(), "");
}

TEST(CPlainModelTest, RefusesWhatItsTokensDoNotHave) {
  const continuo::TemporaryFolder folder;
  const auto tokenizer = continuo::Tokenizer::Load("remi").value();
  continuo::WriteRandomModel(continuo::SmallModel(continuo::Architecture::kGpt2, tokenizer->model_size(), 128),
                             tokenizer->ToJson(), folder.path() / "model");
  const std::unique_ptr<continuo_model, decltype(&continuo_free_model)> model(
      continuo_load((folder.path() / "model").c_str(), 1), continuo_free_model);
  ASSERT_NE(model, nullptr) << continuo_error();
  const auto error = [&](const char* option, const char* value) {
    const std::unique_ptr<continuo_options, decltype(&continuo_free_options)> options(continuo_new_options(model.get()),
                                                                                      continuo_free_options);
    EXPECT_EQ(continuo_set_text(options.get(), option, value), 0);
    EXPECT_EQ(continuo_generate(model.get(), 1, options.get()), nullptr);
    return std::string(continuo_error());
  };
  EXPECT_THAT(error("chords", "C"), HasSubstr("remichord"));
  EXPECT_THAT(error("density", "5"), HasSubstr("remiplan"));
}

}  // namespace
