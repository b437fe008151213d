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
#include "continuo/model/directory_files.h"
#include "continuo/model/model_config.h"
#include "continuo/model/number_format.h"
#include "continuo/model/safetensors.h"
#include "continuo/model/weight_table.h"

namespace continuo {

/// A Hugging Face model directory: config.json, and model.safetensors or the files that
/// model.safetensors.index.json lists, in F32, F16 or BF16. Names may lack the prefix of the base
/// model ("transformer."). Matrices may be in 8 bits, as Int8Layout lays them out
/// (docs/formats/model.md). Immutable.
class ModelDirectory {
 public:
  /// Maps the weights and checks that each is there with the shape that the configuration asks for.
  /// Fails naming the file, the tensor, what was found and what was expected. Weights that the
  /// model doesn't have are refused, but for the constants that old files hold.
  /// `tokenizer`, unless empty, is a tokenizer.json to use in place of the directory's.
  static Result<ModelDirectory> Open(const std::filesystem::path& path, const std::filesystem::path& tokenizer = {});

  /// The same for files in memory, by name ("config.json"). `name` stands for the directory in
  /// messages and in path(). Nothing is read from disk.
  static Result<ModelDirectory> FromFiles(std::map<std::string, std::vector<uint8_t>> files, std::string name);

  const std::filesystem::path& path() const { return source_.path(); }
  /// Of a file, for messages.
  std::string NameOf(const std::string& file) const { return source_.NameOf(file); }
  const ModelConfig& config() const { return config_; }
  const WeightTable& table() const { return table_; }

  /// What most of the weights are stored as: the format of the first block's feed-forward matrix.
  NumberFormat stored_format() const;

  /// One weight as float; a matrix in 8 bits is multiplied out. The head of a tied model is the
  /// token embedding. Fails on NaN and infinity, naming the tensor and the index.
  Result<std::vector<float>> ReadWeight(const Weight& weight) const;
  /// A tensor of the directory by its full name.
  Result<std::vector<float>> ReadWeight(const std::string& name) const;

  /// A matrix in 8 bits where the file lies in memory.
  struct Int8View {
    std::span<const uint8_t> values;
    std::vector<uint16_t> scales;
    std::shared_ptr<const void> owner;  // keeps the values
  };
  /// The matrix if the directory holds it in 8 bits. Fails on scales that are NaN or infinite.
  Result<std::optional<Int8View>> FindInt8(const Weight& matrix) const;

  /// A text file of the directory (tokenizer.json, generation.json), if it is there.
  Result<std::optional<std::string>> ReadText(std::string_view file) const;

  /// SHA-256 of the vocabulary that the weights were trained with, as their file says; empty if it
  /// doesn't.
  const std::string& vocab_sha256() const { return vocab_sha256_; }
  /// The hash that a tokenizer.json of ours in the directory has of its vocabulary; "" without.
  std::string TokenizerSha256() const;

  /// SHA-256 over the weight files' bytes, as hex. Reads all of them.
  std::string WeightsSha256() const;

 private:
  static Result<ModelDirectory> Read(DirectoryFiles source);
  ModelDirectory(DirectoryFiles source, const ModelConfig& config)
      : source_(std::move(source)), config_(config), table_(config) {}
  DirectoryFiles source_;
  ModelConfig config_;
  WeightTable table_;
  std::string vocab_sha256_;
  struct Stored {
    Tensor tensor;
    std::shared_ptr<const void> owner;
  };
  Result<std::vector<uint16_t>> ReadScales(const std::string& matrix) const;
  std::vector<FileBytes> files_;
  std::map<std::string, Stored> weights_;  // by full name
};

/// What a model directory is written from. Weights are those of the WeightTable, in any of F32,
/// F16, BF16; matrices may be in 8 bits, with their scales.
struct ModelFiles {
  ModelConfig config;
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
