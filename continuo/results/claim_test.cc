#include "continuo/results/claim.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace continuo {
namespace {

using testing::HasSubstr;

TEST(Claims, ComeBackAsTheyWereStored) {
  Claim claim;
  claim.text = "GS \"rises\"";
  claim.kind = SetKind::kContinuation;
  claim.axis = "checkpoint";
  claim.value = {"30"};
  claim.against = {"10", "20"};
  claim.metrics = {"GS"};
  claim.sense = ClaimSense::kHigher;
  claim.relative = true;
  claim.least = 0.14;
  claim.most = 0.42;
  claim.where = {{"model", {"one"}}};
  Claim open = claim;
  open.most = std::numeric_limits<double>::infinity();
  const std::vector<Claim> back = ClaimsFromJson(ClaimsToJson({claim, open})).value();
  ASSERT_EQ(back.size(), 2U);
  EXPECT_EQ(ClaimsToJson(back), ClaimsToJson({claim, open}));
  EXPECT_EQ(back[0].text, claim.text);
  EXPECT_EQ(back[0].against, claim.against);
  EXPECT_EQ(back[0].sense, ClaimSense::kHigher);
  EXPECT_EQ(back[0].most, 0.42);
  EXPECT_EQ(back[1].most, open.most);
  EXPECT_EQ(back[1].where, claim.where);
}

TEST(Claims, TextThatIsNoListOfClaimsIsRefused) {
  for (const char* text : {"", "{}", "[1]", "[{}]", R"([{"text": 1}])"}) {
    EXPECT_FALSE(ClaimsFromJson(text).ok()) << text;
  }
  std::string wrong = ClaimsToJson({Claim{.text = "a", .axis = "model"}});
  EXPECT_TRUE(ClaimsFromJson(wrong).ok());
  wrong.replace(wrong.find("better"), 6, "bitter");
  EXPECT_THAT(ClaimsFromJson(wrong).error().message, HasSubstr("'bitter' is not a sense"));
}

}  // namespace
}  // namespace continuo
