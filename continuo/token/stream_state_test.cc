#include "continuo/token/stream_state.h"

#include <gtest/gtest.h>

#include "continuo/token/score_json_testing.h"
#include "continuo/token/tokenizer.h"

namespace continuo {
namespace {

StreamState After(const Tokenizer& tokenizer, const std::string& tokens) {
  StreamState state = tokenizer.NewState();
  for (const TokenId id : IdsOf(tokenizer.vocabulary(), tokens)) {
    state.Advance(id);
  }
  return state;
}

TEST(StreamState, CountsBarsAndPositions) {
  const auto remi = Tokenizer::Load("remi").value();
  EXPECT_EQ(After(*remi, "").bar(), -1);
  const StreamState state = After(*remi,
                                  "Bar_None Position_0 Tempo_121.29 Pitch_60 Velocity_63 Duration_1.0.8 Bar_None "
                                  "Position_12");
  EXPECT_EQ(state.bar(), 1);
  EXPECT_EQ(state.tick_at_bar(), 4 * state.ticks_per_quarter());
  EXPECT_EQ(state.tick(), 4 * state.ticks_per_quarter() + 12 * state.ticks_per_quarter() / 8);
  EXPECT_EQ(remi->vocabulary().token(state.tempo()), "Tempo_121.29");
}

TEST(StreamState, CountsTimeInTheRunningSignature) {
  const auto tsd = Tokenizer::Load("tsd_default").value();
  const StreamState state = After(*tsd, "TimeSig_3/4 TimeShift_4.0.4 Pitch_60 Velocity_63 Duration_1.0.8");
  EXPECT_EQ(state.bar(), 1);
  EXPECT_EQ(state.tick(), 4 * state.ticks_per_quarter());
  EXPECT_EQ(state.tick_at_bar(), 3 * state.ticks_per_quarter());
}

TEST(StreamState, KnowsWhatSounds) {
  const auto midilike = Tokenizer::Load("midilike").value();
  const StreamState state =
      After(*midilike, "NoteOn_60 Velocity_63 NoteOn_64 Velocity_71 TimeShift_1.0.8 NoteOff_60 NoteOn_67");
  ASSERT_EQ(state.sounding().size(), 2U);
  EXPECT_EQ(state.sounding()[0].pitch, 64);
  EXPECT_EQ(midilike->vocabulary().token(state.sounding()[0].velocity_id), "Velocity_71");
  EXPECT_EQ(state.sounding()[0].onset, 0);
  EXPECT_EQ(state.sounding()[1].pitch, 67);
  EXPECT_EQ(state.sounding()[1].velocity_id, kNoToken);
}

TEST(StreamState, PassesOverIdsThatMeanNothing) {
  const auto remi = Tokenizer::Load("remi").value();
  StreamState state = After(*remi, "Bar_None Position_4");
  const int32_t tick = state.tick();
  for (const TokenId id : {-1, 1'000'000, 0}) {
    state.Advance(id);
  }
  EXPECT_EQ(state.tick(), tick);
  EXPECT_EQ(state.bar(), 0);
}

}  // namespace
}  // namespace continuo
