#include "continuo/model/model_directory.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>
#include <set>

#include "continuo/core/hash.h"
#include "continuo/model/half.h"
#include "continuo/os/file.h"

namespace continuo {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

constexpr const char* kWeightsFile = "model.safetensors";
constexpr const char* kIndexFile = "model.safetensors.index.json";
constexpr const char* kVocabHash = "vocab_sha256";
constexpr uint64_t kMaxTextBytes = uint64_t{1} << 26;

/// The names of the files that hold the weights: one, or those that the index lists.
Result<std::vector<std::string>> WeightFiles(const DirectoryFiles& directory) {
  if (directory.Has(kWeightsFile) || !directory.Has(kIndexFile)) {
    if (!directory.Has(kWeightsFile) && directory.Has("pytorch_model.bin")) {
      return Error{fmt::format("{}: has pytorch_model.bin but no {}, the format that is read",
                               directory.path().string(), kWeightsFile),
                   fmt::format("convert it: python3 -c \"from transformers import AutoModelForCausalLM as M; "
                               "M.from_pretrained('{0}').save_pretrained('{0}')\"",
                               directory.path().string())};
    }
    return std::vector<std::string>{kWeightsFile};
  }
  const std::string index = directory.NameOf(kIndexFile);
  CONTINUO_ASSIGN(const std::string text, directory.ReadText(kIndexFile, kMaxTextBytes));
  const Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object() || !json.contains("weight_map") || !json["weight_map"].is_object()) {
    return MakeError("{}: has no object weight_map", index);
  }
  std::set<std::string> names;
  for (const auto& [weight, file] : json["weight_map"].items()) {
    if (!file.is_string() || fs::path(file.get<std::string>()).filename() != file.get<std::string>()) {
      return MakeError("{}: weight_map of {} is not the name of a file in this directory", index, weight);
    }
    names.insert(file.get<std::string>());
  }
  return std::vector<std::string>(names.begin(), names.end());
}

bool IsFloat(TensorType type) {
  return type == TensorType::kF32 || type == TensorType::kF16 || type == TensorType::kBf16;
}

Error NotANumber(const fs::path& directory, std::string_view tensor, float value, std::ptrdiff_t index) {
  return MakeError("{}: tensor '{}' holds {} at index {}, expected numbers", (directory / kWeightsFile).string(),
                   tensor, std::isnan(value) ? "NaN" : "infinity", index);
}

}  // namespace

Result<ModelDirectory> ModelDirectory::Open(const fs::path& path, const fs::path& tokenizer) {
  std::error_code code;
  if (!fs::exists(path, code)) {
    return MakeError(ErrorCode::kNotFound, "{}: does not exist, expected a model directory", path.string());
  }
  if (!fs::is_directory(path, code)) {
    return MakeError("{}: is not a directory, expected a model directory", path.string());
  }
  std::map<std::string, fs::path> elsewhere;
  if (!tokenizer.empty()) {
    if (!fs::is_regular_file(tokenizer, code)) {
      return MakeError(ErrorCode::kNotFound, "{}: no such file, expected a tokenizer.json", tokenizer.string());
    }
    elsewhere["tokenizer.json"] = tokenizer;
  }
  return Read(DirectoryFiles(path, std::move(elsewhere)));
}

Result<ModelDirectory> ModelDirectory::FromFiles(std::map<std::string, std::vector<uint8_t>> files, std::string name) {
  return Read(DirectoryFiles(std::move(name), std::move(files)));
}

Result<ModelDirectory> ModelDirectory::Read(DirectoryFiles source) {
  const std::string config_file = source.NameOf("config.json");
  CONTINUO_ASSIGN(const std::string config_text, source.ReadText("config.json", kMaxTextBytes));
  CONTINUO_ASSIGN(const ModelConfig config, ParseModelConfig(config_text, config_file));
  CONTINUO_ASSIGN(const std::vector<std::string> files, WeightFiles(source));
  ModelDirectory model(std::move(source), config);

  std::map<std::string, std::string> home;  // the file of each weight
  for (const std::string& file : files) {
    const std::string file_name = model.source_.NameOf(file);
    CONTINUO_ASSIGN(const FileBytes opened, model.source_.Open(file));
    CONTINUO_ASSIGN(Safetensors parsed, ParseSafetensors(opened.bytes, file_name));
    if (const auto hash = parsed.metadata.find(kVocabHash); hash != parsed.metadata.end()) {
      model.vocab_sha256_ = hash->second;
    }
    for (Tensor& tensor : parsed.tensors) {
      const std::string name = model.table_.FullName(tensor.name);
      if (name.empty()) {
        continue;
      }
      if (!home.emplace(name, file_name).second) {
        return MakeError("{}: holds '{}', which {} holds too", file_name, name, home[name]);
      }
      model.weights_.emplace(name, Stored{std::move(tensor), opened.owner});
    }
    model.files_.push_back(opened);
  }
  if (config.tied_head) {  // some files hold the tied weights as those of the head alone
    const std::string& tokens = model.table_.Get(WeightRole::kTokens).name;
    const std::string& head = model.table_.Get(WeightRole::kHead).name;
    const auto held = model.weights_.find(head);
    if (!model.weights_.contains(tokens) && held != model.weights_.end()) {
      model.weights_.emplace(tokens, held->second);
      home[tokens] = home[head];
    }
  }

  std::set<std::string> known;
  for (const Weight* weight : model.table_.matrices()) {
    const Weight& matrix = *weight;
    const Int8Layout layout = matrix.layout();
    const auto values = model.weights_.find(matrix.name);
    if (values == model.weights_.end() || values->second.tensor.type != TensorType::kU8) {
      continue;
    }
    const std::string scales_name = ScalesName(matrix.name);
    known.insert({matrix.name, scales_name});
    if (values->second.tensor.shape != layout.value_shape()) {
      return MakeError("{}: tensor '{}' is {}, expected U8 [{}] by {}", home[matrix.name], matrix.name,
                       values->second.tensor.Describe(), fmt::join(layout.value_shape(), ", "), config_file);
    }
    const auto scales = model.weights_.find(scales_name);
    if (scales == model.weights_.end()) {
      return MakeError("{}: has no tensor '{}', which U8 weights need", home[matrix.name], scales_name);
    }
    if (scales->second.tensor.type != TensorType::kBf16 || scales->second.tensor.shape != layout.scale_shape()) {
      return MakeError("{}: tensor '{}' is {}, expected BF16 [{}] by {}", home[scales_name], scales_name,
                       scales->second.tensor.Describe(), fmt::join(layout.scale_shape(), ", "), config_file);
    }
  }
  for (const Weight& expected : model.table_.weights()) {
    if (!known.insert(expected.name).second) {
      continue;  // in 8 bits
    }
    const auto found = model.weights_.find(expected.name);
    if (found == model.weights_.end()) {
      return MakeError("{}: has no tensor '{}'", model.source_.NameOf(files.front()), expected.name);
    }
    const Tensor& tensor = found->second.tensor;
    if (!IsFloat(tensor.type) || tensor.shape != expected.shape) {
      return MakeError("{}: tensor '{}' is {}, expected F32, F16 or BF16 [{}] by {}", home[expected.name],
                       expected.name, tensor.Describe(), fmt::join(expected.shape, ", "), config_file);
    }
  }
  for (const auto& [name, weight] : model.weights_) {
    // Some files hold the tied head a second time.
    if (!known.contains(name) && name != model.table_.Get(WeightRole::kHead).name) {
      return MakeError("{}: holds '{}', which a {} of {} doesn't have", home[name], name,
                       ClassName(config.architecture), config_file);
    }
  }
  return model;
}

std::string ModelDirectory::TokenizerSha256() const {
  const Result<std::string> text = source_.ReadText("tokenizer.json", kMaxTextBytes);
  if (!text.ok()) {
    return {};
  }
  const Json json = Json::parse(*text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object() || !json.contains(kVocabHash) || !json[kVocabHash].is_string()) {
    return {};
  }
  return json[kVocabHash].get<std::string>();
}

NumberFormat ModelDirectory::stored_format() const {
  switch (weights_.at(table_.Get(WeightRole::kUp, 0).name).tensor.type) {
    case TensorType::kU8:
      return NumberFormat::kInt8;
    case TensorType::kBf16:
      return NumberFormat::kBf16;
    case TensorType::kF16:
      return NumberFormat::kF16;
    default:
      return NumberFormat::kF32;
  }
}

Result<std::vector<float>> ModelDirectory::ReadWeight(const Weight& weight) const {
  const bool is_tied = weight.role == WeightRole::kHead && config_.tied_head;
  return ReadWeight(is_tied ? table_.Get(WeightRole::kTokens).name : weight.name);
}

Result<std::vector<float>> ModelDirectory::ReadWeight(const std::string& name) const {
  const auto found = weights_.find(name);
  CONTINUO_CHECK(found != weights_.end());
  const Tensor& tensor = found->second.tensor;
  std::vector<float> values;
  if (tensor.type == TensorType::kU8) {
    const Weight* matrix = table_.FindName(name);
    CONTINUO_CHECK(matrix != nullptr);
    CONTINUO_ASSIGN(const std::vector<uint16_t> scales, ReadScales(name));
    values = DequantizeInt8(tensor.bytes, scales, matrix->layout(), matrix->outputs_first);
  } else if (tensor.type == TensorType::kF32) {
    values.resize(static_cast<size_t>(tensor.element_count()));
    std::memcpy(values.data(), tensor.bytes.data(), tensor.bytes.size());
  } else {
    values.resize(static_cast<size_t>(tensor.element_count()));
    for (size_t i = 0; i < values.size(); ++i) {
      uint16_t bits = 0;
      std::memcpy(&bits, tensor.bytes.data() + 2 * i, sizeof(bits));
      values[i] = tensor.type == TensorType::kBf16 ? Bf16ToFloat(bits) : F16ToFloat(bits);
    }
  }
  const auto bad = std::find_if(values.begin(), values.end(), [](float value) { return !std::isfinite(value); });
  if (bad != values.end()) {
    return NotANumber(path(), name, *bad, bad - values.begin());
  }
  return values;
}

Result<std::vector<uint16_t>> ModelDirectory::ReadScales(const std::string& matrix) const {
  const std::string name = ScalesName(matrix);
  const Tensor& tensor = weights_.at(name).tensor;
  std::vector<uint16_t> scales(static_cast<size_t>(tensor.element_count()));
  std::memcpy(scales.data(), tensor.bytes.data(), tensor.bytes.size());
  // All bits of the exponent set: infinity or NaN.
  constexpr uint16_t kExponent = 0x7f80;
  const auto bad = std::find_if(scales.begin(), scales.end(), [](uint16_t s) { return (s & kExponent) == kExponent; });
  if (bad != scales.end()) {
    return NotANumber(path(), name, Bf16ToFloat(*bad), bad - scales.begin());
  }
  return scales;
}

Result<std::optional<ModelDirectory::Int8View>> ModelDirectory::FindInt8(const Weight& matrix) const {
  const auto found = weights_.find(matrix.name);
  if (found == weights_.end() || found->second.tensor.type != TensorType::kU8) {
    return std::optional<Int8View>();
  }
  CONTINUO_ASSIGN(std::vector<uint16_t> scales, ReadScales(matrix.name));
  return std::optional<Int8View>(Int8View{found->second.tensor.bytes, std::move(scales), found->second.owner});
}

Result<std::optional<std::string>> ModelDirectory::ReadText(std::string_view file) const {
  const std::string name(file);
  if (!source_.Has(name)) {
    return std::optional<std::string>();
  }
  CONTINUO_ASSIGN(std::string text, source_.ReadText(name, kMaxTextBytes));
  return std::optional<std::string>(std::move(text));
}

std::string ModelDirectory::WeightsSha256() const {
  Sha256 hash;
  for (const FileBytes& file : files_) {
    hash.Update(file.bytes);
  }
  return hash.FinishHex();
}

Status WriteModelFiles(const ModelFiles& model, const fs::path& directory) {
  CONTINUO_TRY(WriteFileAtomically(directory / "config.json", ModelConfigToJson(model.config, model.ids)));
  // transformers asks for "format".
  std::map<std::string, std::string> metadata = {{"format", "pt"}};
  if (!model.vocab_sha256.empty()) {
    metadata[kVocabHash] = model.vocab_sha256;
  }
  CONTINUO_TRY(WriteFileAtomically(directory / kWeightsFile, SerializeSafetensors(model.weights, metadata)));
  for (const auto& [name, text] : model.texts) {
    CONTINUO_TRY(WriteFileAtomically(directory / name, text));
  }
  return {};
}

Status WriteModelDirectory(const ModelFiles& model, const fs::path& directory) {
  CONTINUO_ASSIGN(AtomicDirectory atomic, AtomicDirectory::Create(directory));
  CONTINUO_TRY(WriteModelFiles(model, atomic.path()));
  return atomic.Commit();
}

}  // namespace continuo
