#pragma once

#include <cstdint>
#include <deque>
#include <filesystem>
#include <string>
#include <vector>

#include "continuo/core/check.h"
#include "continuo/core/rng.h"
#include "continuo/model/model_directory.h"

namespace continuo {

/// Writes a model directory with random weights; without a tokenizer.json if its text is empty.
inline void WriteRandomModel(const ModelConfig& config, const std::string& tokenizer_json,
                             const std::filesystem::path& directory) {
  const WeightTable table(config);
  std::deque<std::vector<float>> values;
  ModelFiles files;
  files.config = config;
  Rng rng(1, 2);
  for (const Weight& weight : table.weights()) {
    std::vector<float>& of_weight = values.emplace_back(static_cast<size_t>(weight.count()));
    for (float& value : of_weight) {
      value = weight.kind == WeightKind::kNormScale ? 1.0F : 0.2F * static_cast<float>(rng.NextDouble() - 0.5);
    }
    files.weights.push_back({weight.name,
                             TensorType::kF32,
                             weight.shape,
                             {reinterpret_cast<const uint8_t*>(of_weight.data()), of_weight.size() * sizeof(float)}});
  }
  if (!tokenizer_json.empty()) {
    files.texts["tokenizer.json"] = tokenizer_json;
  }
  CONTINUO_CHECK(WriteModelDirectory(files, directory).ok());
}

/// A model of one narrow layer.
inline ModelConfig SmallModel(Architecture architecture, size_t vocab_size, int64_t context_length) {
  ModelConfig config;
  config.architecture = architecture;
  config.vocab_size = static_cast<int64_t>(vocab_size);
  config.context_length = context_length;
  config.width = 16;
  config.layers = 1;
  config.heads = 2;
  config.dropout = 0;
  config.feed_bias = architecture == Architecture::kGptNeoX;  // always has it
  return config;
}

}  // namespace continuo
