#include "continuo/compose/unpadded_model.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "continuo/core/check.h"

namespace continuo {
namespace {

class UnpaddedSession : public DecodingSession {
 public:
  UnpaddedSession(std::unique_ptr<DecodingSession> session, size_t padded, size_t size)
      : session_(std::move(session)), padded_(padded), size_(size) {}

  size_t slots() const override { return session_->slots(); }
  size_t length(size_t slot) const override { return session_->length(slot); }
  void Truncate(size_t slot, size_t length) override { session_->Truncate(slot, length); }
  void Copy(size_t from, size_t to) override { session_->Copy(from, to); }

  void Append(std::span<const Input> inputs, std::span<float> logits) override {
    CONTINUO_CHECK(logits.size() % size_ == 0);
    const size_t rows = logits.size() / size_;
    all_.resize(rows * padded_);
    session_->Append(inputs, all_);
    for (size_t row = 0; row < rows; ++row) {
      std::copy_n(all_.data() + row * padded_, size_, logits.data() + row * size_);
    }
  }

 private:
  const std::unique_ptr<DecodingSession> session_;
  const size_t padded_;
  const size_t size_;
  std::vector<float> all_;  // [rows, padded_]
};

class UnpaddedModel : public LanguageModel {
 public:
  UnpaddedModel(std::unique_ptr<LanguageModel> model, size_t size) : model_(std::move(model)), size_(size) {}

  size_t vocab_size() const override { return size_; }
  size_t context_length() const override { return model_->context_length(); }
  size_t preferred_slots() const override { return model_->preferred_slots(); }
  std::unique_ptr<DecodingSession> NewSession(size_t slots) const override {
    return std::make_unique<UnpaddedSession>(model_->NewSession(slots), model_->vocab_size(), size_);
  }

 private:
  const std::unique_ptr<LanguageModel> model_;
  const size_t size_;
};

}  // namespace

bool IsPaddedSize(size_t padded, size_t size) {
  for (size_t multiple = 8; multiple <= 256; multiple *= 2) {
    if (padded == (size + multiple - 1) / multiple * multiple) {
      return true;
    }
  }
  return false;
}

std::unique_ptr<LanguageModel> WithoutPadding(std::unique_ptr<LanguageModel> model, size_t vocab_size) {
  CONTINUO_CHECK(vocab_size <= model->vocab_size());
  if (vocab_size == model->vocab_size()) {
    return model;
  }
  return std::make_unique<UnpaddedModel>(std::move(model), vocab_size);
}

}  // namespace continuo
