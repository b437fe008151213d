#include "continuo/compose/tempo_constraint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "continuo/compose/composer.h"
#include "continuo/compose/fake_model_testing.h"

namespace continuo {
namespace {

using ::testing::HasSubstr;

class TempoConstraintTest : public ::testing::TestWithParam<const char*> {};

TEST_P(TempoConstraintTest, TheFileHasTheTempoAskedForAndTheIdsTheNearest) {
  const LoadedModel model = LoadFakeModel(GetParam(), 256);
  const auto pieces = Composer(model).Write(NewRequest{.bars = 4}, {.bpm = 96});
  ASSERT_TRUE(pieces.ok()) << pieces.error().ToString();
  EXPECT_EQ(pieces->front().piece.score().tempos, (std::vector<Tempo>{{.time = 0, .us_per_quarter = 625000}}));
  const Score as_ids = model.tokenizer->Decode(std::vector<std::vector<TokenId>>(1, pieces->front().generated.ids));
  ASSERT_EQ(as_ids.tempos.size(), 1U);
  EXPECT_EQ(as_ids.tempos[0].time, 0);
  EXPECT_NEAR(as_ids.tempos[0].qpm(), 96, 4);  // half a step of 32 tempos from 40 to 250
}

INSTANTIATE_TEST_SUITE_P(Kinds, TempoConstraintTest, ::testing::Values("remi", "remichord"),
                         [](const auto& kind) { return std::string(kind.param); });

TEST(TempoConstraint, NeedsATempoThatTheTokenizerHas) {
  const auto error = [](const char* preset, double bpm) {
    const std::unique_ptr<Tokenizer> tokenizer = std::move(*Tokenizer::Load(preset));
    return TempoConstraint::Create(bpm, *tokenizer).error().message;
  };
  EXPECT_THAT(error("midilike", 96), HasSubstr("have no tempo to ask for"));
  EXPECT_THAT(error("remi", 39), HasSubstr("bpm is 39, expected 40 to 250"));
  EXPECT_THAT(error("remi", 400), HasSubstr("bpm is 400"));
  EXPECT_THAT(error("remi", NAN), HasSubstr("bpm is nan"));
}

}  // namespace
}  // namespace continuo
