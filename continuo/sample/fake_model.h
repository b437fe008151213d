#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "continuo/core/check.h"
#include "continuo/core/rng.h"
#include "continuo/model/language_model.h"

namespace continuo {

/// A language model for tests whose logits are random numbers named by the ids in the slot's context: any
/// difference in what it has read shows in all that it says. `bias`, which may be empty, is added to them.
class FakeModel : public LanguageModel {
 public:
  FakeModel(int64_t vocab_size, int64_t context_length, std::vector<float> bias = {}) : bias_(std::move(bias)) {
    bias_.resize(static_cast<size_t>(vocab_size));
    config_.vocab_size = vocab_size;
    config_.context_length = context_length;
  }
  const Gpt2Config& config() const override { return config_; }
  std::unique_ptr<DecodingSession> NewSession(size_t slots) const override {
    return std::make_unique<Session>(config_, bias_, slots);
  }

 private:
  class Session : public DecodingSession {
   public:
    Session(const Gpt2Config& config, const std::vector<float>& bias, size_t slots)
        : config_(config), bias_(bias), contexts_(slots) {}
    size_t slots() const override { return contexts_.size(); }
    size_t length(size_t slot) const override { return contexts_[slot].size(); }
    void Reset(size_t slot) override { contexts_[slot].clear(); }
    void Append(std::span<const Input> inputs, std::span<float> logits) override {
      const auto vocab_size = static_cast<size_t>(config_.vocab_size);
      CONTINUO_CHECK(logits.size() == inputs.size() * vocab_size);
      for (size_t row = 0; row < inputs.size(); ++row) {
        std::vector<int32_t>& context = contexts_[inputs[row].slot];
        CONTINUO_CHECK(!inputs[row].ids.empty());
        context.insert(context.end(), inputs[row].ids.begin(), inputs[row].ids.end());
        CONTINUO_CHECK(context.size() <= static_cast<size_t>(config_.context_length));
        uint64_t name = 0xcbf29ce484222325;  // FNV-1a
        for (const int32_t id : context) {
          name = (name ^ static_cast<uint64_t>(id)) * 0x100000001b3;
        }
        Rng rng(17, name);
        for (size_t id = 0; id < vocab_size; ++id) {
          logits[row * vocab_size + id] = static_cast<float>(rng.NextDouble() * 8 - 4) + bias_[id];
        }
      }
    }

   private:
    const Gpt2Config config_;
    const std::vector<float> bias_;
    std::vector<std::vector<int32_t>> contexts_;
  };

  Gpt2Config config_;
  std::vector<float> bias_;
};

}  // namespace continuo
