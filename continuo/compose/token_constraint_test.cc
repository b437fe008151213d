#include "continuo/compose/token_constraint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "continuo/compose/crowded_bar.h"
#include "continuo/compose/tempo_range.h"
#include "continuo/token/tokenizer.h"

namespace continuo {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::Not;

/// Forbids some ids from the `from`-th token on.
class ForbidFrom final : public TokenConstraint {
 public:
  ForbidFrom(std::vector<TokenId> ids, size_t from) : ids_(std::move(ids)), from_(from) {}
  void Restrict(std::span<uint8_t> allowed) const override {
    for (const TokenId id : ids_) {
      if (tokens_ >= from_) {
        allowed[static_cast<size_t>(id)] = 0;
      }
    }
  }
  void Advance(TokenId /*id*/) override { ++tokens_; }
  std::unique_ptr<TokenConstraint> Clone() const override { return std::make_unique<ForbidFrom>(*this); }

 private:
  std::vector<TokenId> ids_;
  size_t from_;
  size_t tokens_ = 0;
};

class ConstraintListTest : public ::testing::Test {
 protected:
  ConstraintListTest() : tokenizer_(std::move(*Tokenizer::Load("remi"))), list_(tokenizer_->NewGrammar()) {}

  const Vocabulary& vocabulary() const { return tokenizer_->vocabulary(); }
  TokenId Id(TokenType type, int32_t value = 0) const { return *vocabulary().id(type, value); }

  /// The types that a list allows next.
  std::set<TokenType> Types(ConstraintList& list) const {
    std::vector<uint8_t> allowed(vocabulary().size());
    list.Restrict(allowed);
    std::set<TokenType> types;
    for (size_t id = 0; id < allowed.size(); ++id) {
      if (allowed[id] != 0) {
        types.insert(vocabulary().info(static_cast<TokenId>(id)).type);
      }
    }
    return types;
  }
  bool Allows(ConstraintList& list, TokenId id) const {
    std::vector<uint8_t> allowed(vocabulary().size());
    list.Restrict(allowed);
    return allowed[static_cast<size_t>(id)] != 0;
  }

  std::unique_ptr<Tokenizer> tokenizer_;
  ConstraintList list_;
};

TEST_F(ConstraintListTest, WithoutOthersTheGrammarDecides) {
  EXPECT_THAT(Types(list_), ElementsAre(TokenType::kBar));
  EXPECT_FALSE(list_.Advance(Id(TokenType::kPitch, 60)));
  EXPECT_TRUE(list_.Advance(Id(TokenType::kBar)));
  EXPECT_EQ(list_.bars(), 1U);
  EXPECT_FALSE(list_.complete());
  EXPECT_THAT(Types(list_), ElementsAre(TokenType::kBar, TokenType::kPosition));
}

TEST_F(ConstraintListTest, EachConstraintNarrowsWhatThoseBeforeItAllow) {
  list_.Add(ForbidFrom({Id(TokenType::kPosition, 0)}, 0));
  list_.Add(ForbidFrom({Id(TokenType::kPosition, 1)}, 0));
  ASSERT_TRUE(list_.Advance(Id(TokenType::kBar)));
  EXPECT_FALSE(Allows(list_, Id(TokenType::kPosition, 0)));
  EXPECT_FALSE(Allows(list_, Id(TokenType::kPosition, 1)));
  EXPECT_TRUE(Allows(list_, Id(TokenType::kPosition, 2)));
}

TEST_F(ConstraintListTest, AConstraintThatLeavesNothingIsIgnoredAndTheNextOnesAreNot) {
  std::vector<TokenId> all;
  for (size_t id = 0; id < vocabulary().size(); ++id) {
    all.push_back(static_cast<TokenId>(id));
  }
  list_.Add(ForbidFrom(all, 0));
  list_.Add(ForbidFrom({Id(TokenType::kPosition, 0)}, 0));
  EXPECT_THAT(Types(list_), ElementsAre(TokenType::kBar));
  ASSERT_TRUE(list_.Advance(Id(TokenType::kBar)));
  EXPECT_TRUE(Allows(list_, Id(TokenType::kBar)));
  EXPECT_FALSE(Allows(list_, Id(TokenType::kPosition, 0)));
}

TEST_F(ConstraintListTest, ARejectedTokenMovesNoConstraintOn) {
  list_.Add(ForbidFrom({Id(TokenType::kPosition, 0)}, 2));
  ASSERT_TRUE(list_.Advance(Id(TokenType::kBar)));
  EXPECT_FALSE(list_.Advance(Id(TokenType::kVelocity, 63)));
  EXPECT_TRUE(Allows(list_, Id(TokenType::kPosition, 0)));
}

TEST_F(ConstraintListTest, ACloneHasTheSameStateAndGoesItsOwnWay) {
  list_.Add(ForbidFrom({Id(TokenType::kPosition, 0)}, 2));
  ASSERT_TRUE(list_.Advance(Id(TokenType::kBar)));
  ConstraintList clone = list_;
  EXPECT_EQ(clone.bars(), 1U);
  ASSERT_TRUE(clone.Advance(Id(TokenType::kBar)));
  EXPECT_EQ(clone.bars(), 2U);
  EXPECT_FALSE(Allows(clone, Id(TokenType::kPosition, 0)));
  EXPECT_EQ(list_.bars(), 1U);
  EXPECT_TRUE(Allows(list_, Id(TokenType::kPosition, 0)));
}

TEST_F(ConstraintListTest, ACrowdedBarHasNoNewNotesUntilTheNextBarBegins) {
  const TokenId pitch = Id(TokenType::kPitch, 60);
  const IdRange durations = vocabulary().range(TokenType::kDuration);
  list_.Add(CrowdedBarConstraint(vocabulary(), 6));
  const auto advance = [&](std::initializer_list<TokenId> ids) {
    for (const TokenId id : ids) {
      ASSERT_TRUE(list_.Advance(id)) << vocabulary().token(id);
    }
  };
  advance({Id(TokenType::kBar), Id(TokenType::kPosition, 0), pitch, Id(TokenType::kVelocity, 63), durations.first});
  EXPECT_TRUE(Allows(list_, Id(TokenType::kPitch, 62)));
  advance({Id(TokenType::kPitch, 62)});
  EXPECT_THAT(Types(list_), ElementsAre(TokenType::kVelocity));  // what has begun is completed
  advance({Id(TokenType::kVelocity, 63), durations.first});
  EXPECT_FALSE(Allows(list_, Id(TokenType::kPitch, 64)));
  EXPECT_TRUE(Allows(list_, Id(TokenType::kBar)));
  advance({Id(TokenType::kBar)});
  list_.BeginBar(1);
  advance({Id(TokenType::kPosition, 0)});
  EXPECT_TRUE(Allows(list_, pitch));
}

TEST_F(ConstraintListTest, ACrowdedBarTakesNoTempoInPlaceOfANote) {
  list_.Add(CrowdedBarConstraint(vocabulary(), 1));
  list_.Add(TempoRangeConstraint(vocabulary(), 1.0, 0.0));
  ASSERT_TRUE(list_.Advance(Id(TokenType::kBar)));
  ASSERT_TRUE(list_.Advance(Id(TokenType::kPosition, 0)));
  // After a position something must come.
  EXPECT_THAT(Types(list_), AllOf(Contains(TokenType::kPitch), Not(Contains(TokenType::kTempo))));
}

}  // namespace
}  // namespace continuo
