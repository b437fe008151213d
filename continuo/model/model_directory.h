#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "continuo/core/file.h"
#include "continuo/core/result.h"
#include "continuo/model/gpt2_config.h"
#include "continuo/model/safetensors.h"

namespace continuo {

struct WeightShape {
  std::string name;  // as GPT2LMHeadModel names it: "transformer.h.0.attn.c_attn.weight"
  std::vector<int64_t> shape;
};

/// The weights of a GPT-2 in the order in which they are written. Matrices of blocks are [in, out], as in Hugging
/// Face's Conv1D; wte is [vocab_size, width], wpe [context_length, width]; lm_head [vocab_size, width], only where it isn't tied.
std::vector<WeightShape> Gpt2WeightShapes(const Gpt2Config& config);

/// A Hugging Face GPT-2 directory: config.json, and model.safetensors or the files that
/// model.safetensors.index.json lists, in F32, F16 or BF16. Names may lack the prefix "transformer.". Immutable.
class ModelDirectory {
 public:
  /// Maps the weights and checks that each is there with the shape that the configuration asks for. Fails naming the
  /// file, the tensor, what was found and what was expected. Weights that a GPT-2 doesn't have are refused, but
  /// for the attention masks that old files hold.
  static Result<ModelDirectory> Open(const std::filesystem::path& path);

  const std::filesystem::path& path() const { return path_; }
  const Gpt2Config& config() const { return config_; }

  /// One weight by its full name, as float. Fails on NaN and infinity, naming the tensor and the index.
  Result<std::vector<float>> ReadWeight(const std::string& name) const;

  /// A text file of the directory (tokenizer.json, generation.json), if it is there.
  Result<std::optional<std::string>> ReadText(std::string_view file) const;

  /// SHA-256 of the vocabulary that the weights were trained with, as their file says; empty if it doesn't.
  const std::string& vocab_sha256() const { return vocab_sha256_; }

  /// SHA-256 over the weight files' bytes, as hex. Reads all of them.
  std::string WeightsSha256() const;

 private:
  ModelDirectory() = default;
  std::filesystem::path path_;
  Gpt2Config config_;
  std::string vocab_sha256_;
  std::vector<MappedFile> files_;
  std::map<std::string, Tensor> weights_;  // by full name
};

/// What a model directory is written from. Weights are those of Gpt2WeightShapes, in any of F32, F16, BF16.
struct ModelFiles {
  Gpt2Config config;
  std::vector<Tensor> weights;
  std::string vocab_sha256;                  // goes into the weights' file; may be empty
  std::map<std::string, std::string> texts;  // by file name: tokenizer.json, generation.json, README.md
};

/// Writes the files into a directory that exists, each whole or not at all.
Status WriteModelFiles(const ModelFiles& model, const std::filesystem::path& directory);

/// Writes a model directory that appears whole or not at all.
Status WriteModelDirectory(const ModelFiles& model, const std::filesystem::path& directory);

/// Half-precision numbers as float, exactly.
float Bf16ToFloat(uint16_t bits);
float F16ToFloat(uint16_t bits);
/// The nearest bf16, halves to even. NaN stays NaN.
uint16_t FloatToBf16(float value);

}  // namespace continuo
