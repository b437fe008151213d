#include "continuo/model/model_directory.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>
#include <set>

#include "continuo/core/hash.h"
#include "continuo/model/half.h"

namespace continuo {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

constexpr const char* kWeightsFile = "model.safetensors";
constexpr const char* kIndexFile = "model.safetensors.index.json";
constexpr const char* kVocabHash = "vocab_sha256";
constexpr std::string_view kPrefix = "transformer.";
constexpr const char* kHead = "lm_head.weight";
constexpr uint64_t kMaxTextBytes = uint64_t{1} << 26;

/// The files that hold the weights: one, or those that the index lists.
Result<std::vector<fs::path>> WeightFiles(const fs::path& directory) {
  std::error_code code;
  const fs::path index = directory / kIndexFile;
  if (fs::exists(directory / kWeightsFile, code) || !fs::exists(index, code)) {
    return std::vector<fs::path>{directory / kWeightsFile};
  }
  CONTINUO_ASSIGN(const std::string text, ReadTextFile(index, kMaxTextBytes));
  const Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object() || !json.contains("weight_map") || !json["weight_map"].is_object()) {
    return MakeError("{}: has no object weight_map", index.string());
  }
  std::set<std::string> names;
  for (const auto& [weight, file] : json["weight_map"].items()) {
    if (!file.is_string() || fs::path(file.get<std::string>()).filename() != file.get<std::string>()) {
      return MakeError("{}: weight_map of {} is not the name of a file in this directory", index.string(), weight);
    }
    names.insert(file.get<std::string>());
  }
  std::vector<fs::path> files;
  for (const std::string& name : names) {
    files.push_back(directory / name);
  }
  return files;
}

/// The full name of a weight; empty for the attention masks that old files hold, which are
/// constants.
std::string FullName(const std::string& name) {
  if (name.ends_with(".attn.bias") || name.ends_with(".attn.masked_bias")) {
    return {};
  }
  return name.starts_with(kPrefix) || name.starts_with(kHead) ? name : std::string(kPrefix) + name;
}

bool IsFloat(TensorType type) {
  return type == TensorType::kF32 || type == TensorType::kF16 || type == TensorType::kBf16;
}

Error NotANumber(const fs::path& directory, std::string_view tensor, float value, std::ptrdiff_t index) {
  return MakeError("{}: tensor '{}' holds {} at index {}, expected numbers", (directory / kWeightsFile).string(),
                   tensor, std::isnan(value) ? "NaN" : "infinity", index);
}

}  // namespace

std::vector<WeightShape> Gpt2WeightShapes(const Gpt2Config& config) {
  const int64_t width = config.width;
  const int64_t inner = config.mlp_width();
  std::vector<WeightShape> shapes = {{"transformer.wte.weight", {config.vocab_size, width}},
                                     {"transformer.wpe.weight", {config.context_length, width}}};
  for (int64_t layer = 0; layer < config.layers; ++layer) {
    const auto add = [&](std::string_view name, std::vector<int64_t> shape) {
      shapes.push_back({fmt::format("transformer.h.{}.{}", layer, name), std::move(shape)});
    };
    add("ln_1.weight", {width});
    add("ln_1.bias", {width});
    add("attn.c_attn.weight", {width, 3 * width});
    add("attn.c_attn.bias", {3 * width});
    add("attn.c_proj.weight", {width, width});
    add("attn.c_proj.bias", {width});
    add("ln_2.weight", {width});
    add("ln_2.bias", {width});
    add("mlp.c_fc.weight", {width, inner});
    add("mlp.c_fc.bias", {inner});
    add("mlp.c_proj.weight", {inner, width});
    add("mlp.c_proj.bias", {width});
  }
  shapes.push_back({"transformer.ln_f.weight", {width}});
  shapes.push_back({"transformer.ln_f.bias", {width}});
  if (!config.tied_head) {
    shapes.push_back({"lm_head.weight", {config.vocab_size, width}});
  }
  return shapes;
}

std::vector<MatrixShape> Gpt2Matrices(const Gpt2Config& config) {
  const auto width = static_cast<size_t>(config.width);
  const auto inner = static_cast<size_t>(config.mlp_width());
  std::vector<MatrixShape> matrices;
  for (int64_t layer = 0; layer < config.layers; ++layer) {
    const auto add = [&](std::string_view name, size_t inputs, size_t outputs) {
      matrices.push_back({fmt::format("transformer.h.{}.{}.weight", layer, name), {inputs, outputs}, false});
    };
    add("attn.c_attn", width, 3 * width);
    add("attn.c_proj", width, width);
    add("mlp.c_fc", width, inner);
    add("mlp.c_proj", inner, width);
  }
  matrices.push_back({kHead, {width, static_cast<size_t>(config.vocab_size)}, true});
  return matrices;
}

std::string ScalesName(std::string_view matrix) {
  return std::string(matrix) + ".scales";
}

Result<ModelDirectory> ModelDirectory::Open(const fs::path& path) {
  std::error_code code;
  if (!fs::is_directory(path, code)) {
    return MakeError("{}: is not a directory, expected a model directory", path.string());
  }
  ModelDirectory model;
  model.path_ = path;
  const fs::path config_file = path / "config.json";
  CONTINUO_ASSIGN(const std::string config_text, ReadTextFile(config_file, kMaxTextBytes));
  CONTINUO_ASSIGN(model.config_, ParseGpt2Config(config_text, config_file.string()));

  CONTINUO_ASSIGN(const std::vector<fs::path> files, WeightFiles(path));
  std::map<std::string, std::string> home;  // the file of each weight
  for (const fs::path& file : files) {
    CONTINUO_ASSIGN(MappedFile opened, MappedFile::Open(file));
    const auto mapped = std::make_shared<const MappedFile>(std::move(opened));
    CONTINUO_ASSIGN(Safetensors parsed, ParseSafetensors(mapped->bytes(), file.string()));
    if (const auto hash = parsed.metadata.find(kVocabHash); hash != parsed.metadata.end()) {
      model.vocab_sha256_ = hash->second;
    }
    for (Tensor& tensor : parsed.tensors) {
      const std::string name = FullName(tensor.name);
      if (name.empty()) {
        continue;
      }
      if (!home.emplace(name, file.string()).second) {
        return MakeError("{}: holds '{}', which {} holds too", file.string(), name, home[name]);
      }
      model.weights_.emplace(name, Weight{std::move(tensor), mapped});
    }
    model.files_.push_back(mapped);
  }

  std::set<std::string> known;
  for (const MatrixShape& matrix : Gpt2Matrices(model.config_)) {
    const auto values = model.weights_.find(matrix.name);
    if (values == model.weights_.end() || values->second.tensor.type != TensorType::kU8) {
      continue;
    }
    const std::string scales_name = ScalesName(matrix.name);
    known.insert({matrix.name, scales_name});
    if (values->second.tensor.shape != matrix.layout.value_shape()) {
      return MakeError("{}: tensor '{}' is {}, expected U8 [{}] by {}", home[matrix.name], matrix.name,
                       values->second.tensor.Describe(), fmt::join(matrix.layout.value_shape(), ", "),
                       config_file.string());
    }
    const auto scales = model.weights_.find(scales_name);
    if (scales == model.weights_.end()) {
      return MakeError("{}: has no tensor '{}', which U8 weights need", home[matrix.name], scales_name);
    }
    if (scales->second.tensor.type != TensorType::kBf16 || scales->second.tensor.shape != matrix.layout.scale_shape()) {
      return MakeError("{}: tensor '{}' is {}, expected BF16 [{}] by {}", home[scales_name], scales_name,
                       scales->second.tensor.Describe(), fmt::join(matrix.layout.scale_shape(), ", "),
                       config_file.string());
    }
  }
  for (const WeightShape& expected : Gpt2WeightShapes(model.config_)) {
    if (!known.insert(expected.name).second) {
      continue;  // in 8 bits
    }
    const auto found = model.weights_.find(expected.name);
    if (found == model.weights_.end()) {
      return MakeError("{}: has no tensor '{}'", files.front().string(), expected.name);
    }
    const Tensor& tensor = found->second.tensor;
    if (!IsFloat(tensor.type) || tensor.shape != expected.shape) {
      return MakeError("{}: tensor '{}' is {}, expected F32, F16 or BF16 [{}] by {}", home[expected.name],
                       expected.name, tensor.Describe(), fmt::join(expected.shape, ", "), config_file.string());
    }
  }
  for (const auto& [name, weight] : model.weights_) {
    // Some files hold the tied head a second time.
    if (!known.contains(name) && name != kHead) {
      return MakeError("{}: holds '{}', which a GPT-2 of {} doesn't have", home[name], name, config_file.string());
    }
  }
  return model;
}

TensorType ModelDirectory::matrix_type() const {
  return weights_.at("transformer.h.0.mlp.c_fc.weight").tensor.type;
}

Result<std::vector<float>> ModelDirectory::ReadWeight(const std::string& name) const {
  const auto found = weights_.find(name);
  CONTINUO_CHECK(found != weights_.end());
  const Tensor& tensor = found->second.tensor;
  std::vector<float> values;
  if (tensor.type == TensorType::kU8) {
    const std::vector<MatrixShape> matrices = Gpt2Matrices(config_);
    const auto matrix = std::find_if(matrices.begin(), matrices.end(), [&](const auto& m) { return m.name == name; });
    CONTINUO_CHECK(matrix != matrices.end());
    CONTINUO_ASSIGN(const std::vector<uint16_t> scales, ReadScales(name));
    values = DequantizeInt8(tensor.bytes, scales, matrix->layout, matrix->transposed);
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
    return NotANumber(path_, name, *bad, bad - values.begin());
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
    return NotANumber(path_, name, Bf16ToFloat(*bad), bad - scales.begin());
  }
  return scales;
}

Result<std::optional<ModelDirectory::Int8View>> ModelDirectory::FindInt8(const MatrixShape& matrix) const {
  const auto found = weights_.find(matrix.name);
  if (found == weights_.end() || found->second.tensor.type != TensorType::kU8) {
    return std::optional<Int8View>();
  }
  CONTINUO_ASSIGN(std::vector<uint16_t> scales, ReadScales(matrix.name));
  return std::optional<Int8View>(Int8View{found->second.tensor.bytes, std::move(scales), found->second.file});
}

Result<std::optional<std::string>> ModelDirectory::ReadText(std::string_view file) const {
  std::error_code code;
  if (!fs::exists(path_ / file, code)) {
    return std::optional<std::string>();
  }
  CONTINUO_ASSIGN(std::string text, ReadTextFile(path_ / file, kMaxTextBytes));
  return std::optional<std::string>(std::move(text));
}

std::string ModelDirectory::WeightsSha256() const {
  Sha256 hash;
  for (const std::shared_ptr<const MappedFile>& file : files_) {
    hash.Update(file->bytes());
  }
  return hash.FinishHex();
}

Status WriteModelFiles(const ModelFiles& model, const fs::path& directory) {
  CONTINUO_TRY(WriteFileAtomically(directory / "config.json", Gpt2ConfigToJson(model.config, model.ids)));
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
