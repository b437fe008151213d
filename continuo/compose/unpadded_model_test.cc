#include "continuo/compose/unpadded_model.h"

#include <gtest/gtest.h>

#include <vector>

namespace continuo {
namespace {

/// A model of 5 ids whose logit of an id is 10 times the last id plus its own.
class CountingModel : public LanguageModel {
 public:
  class Session : public DecodingSession {
   public:
    size_t slots() const override { return 1; }
    size_t length(size_t) const override { return length_; }
    void Truncate(size_t, size_t length) override { length_ = length; }
    void Copy(size_t, size_t) override {}
    void Append(std::span<const Input> inputs, std::span<float> logits) override {
      size_t at = 0;
      for (const Input& input : inputs) {
        for (size_t i = input.all_logits ? 0 : input.ids.size() - 1; i < input.ids.size(); ++i) {
          for (int id = 0; id < 5; ++id) {
            logits[at++] = static_cast<float>(10 * input.ids[i] + id);
          }
        }
        length_ += input.ids.size();
      }
    }

   private:
    size_t length_ = 0;
  };
  size_t vocab_size() const override { return 5; }
  size_t context_length() const override { return 9; }
  std::unique_ptr<DecodingSession> NewSession(size_t) const override { return std::make_unique<Session>(); }
};

TEST(UnpaddedModel, LeavesTheLastLogitsOfEachRowOut) {
  const auto model = WithoutPadding(std::make_unique<CountingModel>(), 3);
  EXPECT_EQ(model->vocab_size(), 3u);
  EXPECT_EQ(model->context_length(), 9u);
  const auto session = model->NewSession(1);
  const std::vector<int32_t> ids = {1, 2};
  std::vector<float> logits(6);
  session->Append(std::vector<DecodingSession::Input>{{0, ids, true}}, logits);
  EXPECT_EQ(logits, (std::vector<float>{10, 11, 12, 20, 21, 22}));
  EXPECT_EQ(session->length(0), 2u);
}

TEST(UnpaddedModel, KnowsSizesThatWereRoundedUp) {
  EXPECT_TRUE(IsPaddedSize(320, 316));
  EXPECT_TRUE(IsPaddedSize(384, 316));  // of 128
  EXPECT_TRUE(IsPaddedSize(320, 320));
  EXPECT_FALSE(IsPaddedSize(317, 316));
  EXPECT_FALSE(IsPaddedSize(312, 316));
  EXPECT_FALSE(IsPaddedSize(1024, 316));
}

}  // namespace
}  // namespace continuo
