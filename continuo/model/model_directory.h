#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "continuo/core/result.h"
#include "continuo/model/gpt2_config.h"
#include "continuo/model/int8_matrix.h"
#include "continuo/model/safetensors.h"
#include "continuo/os/file.h"

namespace continuo {

struct WeightShape {
  std::string name;  // as GPT2LMHeadModel names it: "transformer.h.0.attn.c_attn.weight"
  std::vector<int64_t> shape;
};

/// The weights of a GPT-2 in the order in which they are written. Matrices of blocks are [in, out],
/// as in Hugging Face's Conv1D; wte is [vocab_size, width], wpe [context_length, width]; lm_head
/// [vocab_size, width], only where it isn't tied.
std::vector<WeightShape> Gpt2WeightShapes(const Gpt2Config& config);

/// A weight that is a matrix product's: those of blocks, and the head. Their outputs are a model's
/// bulk.
struct MatrixShape {
  std::string name;
  Int8Layout layout;  // its inputs and outputs
  bool transposed;    // lies as [outputs, inputs] in a file of floats
};

/// The matrices of a GPT-2 in the order in which they are read, the head last: lm_head.weight,
/// whether tied or not.
std::vector<MatrixShape> Gpt2Matrices(const Gpt2Config& config);

/// The name of the tensor that holds an 8-bit matrix's scales.
std::string ScalesName(std::string_view matrix);

/// A Hugging Face GPT-2 directory: config.json, and model.safetensors or the files that
/// model.safetensors.index.json lists, in F32, F16 or BF16. Names may lack the prefix
/// "transformer.". Matrices may be in 8 bits, as Int8Layout lays them out (docs/formats/model.md).
/// Immutable.
class ModelDirectory {
 public:
  /// Maps the weights and checks that each is there with the shape that the configuration asks for.
  /// Fails naming the file, the tensor, what was found and what was expected. Weights that a GPT-2
  /// doesn't have are refused, but for the attention masks that old files hold.
  static Result<ModelDirectory> Open(const std::filesystem::path& path);

  const std::filesystem::path& path() const { return path_; }
  const Gpt2Config& config() const { return config_; }

  /// What most of the weights are stored as: kU8 if matrices are in 8 bits, else the type of the
  /// first block's.
  TensorType matrix_type() const;

  /// One weight by its full name, as float; a matrix in 8 bits is multiplied out. The head of a
  /// tied model is read by the name of the tokens' table. Fails on NaN and infinity, naming the
  /// tensor and the index.
  Result<std::vector<float>> ReadWeight(const std::string& name) const;

  /// A matrix in 8 bits where the file is mapped.
  struct Int8View {
    std::span<const uint8_t> values;
    std::vector<uint16_t> scales;
    std::shared_ptr<const MappedFile> file;  // keeps the values
  };
  /// The matrix if the directory holds it in 8 bits. Fails on scales that are NaN or infinite.
  Result<std::optional<Int8View>> FindInt8(const MatrixShape& matrix) const;

  /// A text file of the directory (tokenizer.json, generation.json), if it is there.
  Result<std::optional<std::string>> ReadText(std::string_view file) const;

  /// SHA-256 of the vocabulary that the weights were trained with, as their file says; empty if it
  /// doesn't.
  const std::string& vocab_sha256() const { return vocab_sha256_; }

  /// SHA-256 over the weight files' bytes, as hex. Reads all of them.
  std::string WeightsSha256() const;

 private:
  ModelDirectory() = default;
  std::filesystem::path path_;
  Gpt2Config config_;
  std::string vocab_sha256_;
  struct Weight {
    Tensor tensor;
    std::shared_ptr<const MappedFile> file;
  };
  Result<std::vector<uint16_t>> ReadScales(const std::string& matrix) const;
  std::vector<std::shared_ptr<const MappedFile>> files_;
  std::map<std::string, Weight> weights_;  // by full name
};

/// What a model directory is written from. Weights are those of Gpt2WeightShapes, in any of F32,
/// F16, BF16; matrices may be in 8 bits, with their scales.
struct ModelFiles {
  Gpt2Config config;
  std::vector<Tensor> weights;
  std::optional<SequenceIds> ids;            // go into the configuration
  std::string vocab_sha256;                  // goes into the weights' file; may be empty
  std::map<std::string, std::string> texts;  // by file name: tokenizer.json, generation.json, README.md
};

/// Writes the files into a directory that exists, each whole or not at all.
Status WriteModelFiles(const ModelFiles& model, const std::filesystem::path& directory);

/// Writes a model directory that appears whole or not at all.
Status WriteModelDirectory(const ModelFiles& model, const std::filesystem::path& directory);

}  // namespace continuo
