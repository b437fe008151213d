#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "continuo/compose/loaded_model.h"
#include "continuo/core/check.h"
#include "continuo/core/rng.h"
#include "continuo/model/language_model.h"

namespace continuo {

/// A language model for tests. Its logits are random numbers that depend on every id in the slot's
/// context, so that any difference in what it has read shows. `bias`, which may be empty, is added
/// to them.
class FakeModel : public LanguageModel {
 public:
  FakeModel(size_t vocab_size, size_t context_length, std::vector<float> bias = {})
      : context_length_(context_length), bias_(std::move(bias)) {
    bias_.resize(vocab_size);
  }
  size_t vocab_size() const override { return bias_.size(); }
  size_t context_length() const override { return context_length_; }
  std::unique_ptr<DecodingSession> NewSession(size_t slots) const override {
    return std::make_unique<Session>(context_length_, bias_, slots);
  }

 private:
  class Session : public DecodingSession {
   public:
    Session(size_t context_length, const std::vector<float>& bias, size_t slots)
        : context_length_(context_length), bias_(bias), contexts_(slots) {}
    size_t slots() const override { return contexts_.size(); }
    size_t length(size_t slot) const override { return contexts_[slot].size(); }
    void Truncate(size_t slot, size_t length) override {
      CONTINUO_CHECK(length <= contexts_[slot].size());
      contexts_[slot].resize(length);
    }
    void Copy(size_t from, size_t to) override { contexts_[to] = contexts_[from]; }
    void Append(std::span<const Input> inputs, std::span<float> logits) override {
      const size_t vocab_size = bias_.size();
      size_t row = 0;
      for (const Input& input : inputs) {
        std::vector<int32_t>& context = contexts_[input.slot];
        CONTINUO_CHECK(!input.ids.empty());
        for (size_t k = 0; k < input.ids.size(); ++k) {
          context.push_back(input.ids[k]);
          if (input.all_logits || k + 1 == input.ids.size()) {
            Speak(context, logits.subspan(row * vocab_size, vocab_size));
            ++row;
          }
        }
        CONTINUO_CHECK(context.size() <= context_length_);
      }
      CONTINUO_CHECK(logits.size() == row * vocab_size);
    }

   private:
    void Speak(const std::vector<int32_t>& context, std::span<float> logits) const {
      uint64_t name = 0xcbf29ce484222325;  // FNV-1a
      for (const int32_t id : context) {
        name = (name ^ static_cast<uint64_t>(id)) * 0x100000001b3;
      }
      Rng rng(17, name);
      for (size_t id = 0; id < logits.size(); ++id) {
        logits[id] = static_cast<float>(rng.NextDouble() * 8 - 4) + bias_[id];
      }
    }

    const size_t context_length_;
    const std::vector<float> bias_;
    std::vector<std::vector<int32_t>> contexts_;
  };

  const size_t context_length_;
  std::vector<float> bias_;
};

/// The tokenizer of a preset with a FakeModel for it.
inline LoadedModel LoadFakeModel(const std::string& preset, size_t context_length = 1024,
                                 std::vector<float> bias = {}) {
  LoadedModel loaded;
  loaded.tokenizer = std::move(*Tokenizer::Load(preset));
  loaded.model = std::make_unique<FakeModel>(loaded.tokenizer->vocabulary().size(), context_length, std::move(bias));
  return loaded;
}

/// A tokenizer with every signature of 1 to 12 notes from whole notes to 64ths, with a fake model.
inline LoadedModel LoadModelOfManySignatures(const std::string& preset) {
  TokenizerConfig config = (*Tokenizer::Load(preset))->config();
  config.use_time_signatures = true;
  config.time_signature_range.clear();
  for (const int denominator : {4, 1, 2, 8, 16, 32, 64}) {
    config.time_signature_range.push_back({denominator, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}});
  }
  LoadedModel model;
  model.tokenizer = std::move(*Tokenizer::Create(config));
  // Time passes quickly, so that a bar takes few tokens.
  const Vocabulary& vocabulary = model.tokenizer->vocabulary();
  std::vector<float> bias(vocabulary.size());
  for (const TokenType type : {TokenType::kBar, TokenType::kTimeShift, TokenType::kRest}) {
    const IdRange ids = vocabulary.range(type);
    std::fill(bias.begin() + ids.first, bias.begin() + ids.end(), 4.0F);
  }
  model.model = std::make_unique<FakeModel>(vocabulary.size(), 256, std::move(bias));
  return model;
}

}  // namespace continuo
