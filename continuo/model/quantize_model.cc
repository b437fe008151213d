#include "continuo/model/quantize_model.h"

#include <algorithm>
#include <cstring>
#include <deque>
#include <set>

#include "continuo/core/check.h"
#include "continuo/model/half.h"

namespace continuo {
namespace {

/// The tensors of a model in fewer bits, and their bytes.
class QuantizedTensors {
 public:
  void Add(const std::string& name, TensorType type, std::vector<int64_t> shape, std::vector<uint8_t> bytes) {
    bytes_.push_back(std::move(bytes));
    tensors_.push_back({name, type, std::move(shape), bytes_.back()});
  }
  void AddBf16(const std::string& name, std::vector<int64_t> shape, std::span<const uint16_t> values) {
    std::vector<uint8_t> bytes(values.size_bytes());
    std::memcpy(bytes.data(), values.data(), bytes.size());
    Add(name, TensorType::kBf16, std::move(shape), std::move(bytes));
  }
  void RoundToBf16(const Weight& weight, std::span<const float> values) {
    std::vector<uint16_t> rounded(values.size());
    std::transform(values.begin(), values.end(), rounded.begin(), FloatToBf16);
    AddBf16(weight.name, weight.shape, rounded);
  }
  const std::vector<Tensor>& tensors() const { return tensors_; }

 private:
  std::deque<std::vector<uint8_t>> bytes_;  // stay where they are
  std::vector<Tensor> tensors_;
};

/// Matrices in 8 bits, all values before all scales, so that they begin on cache lines; the rest in
/// bf16.
Status QuantizeToInt8(const ModelDirectory& model, QuantizedTensors& tensors) {
  const std::vector<const Weight*> matrices = model.table().matrices();
  std::vector<std::vector<uint16_t>> scales;
  std::set<std::string> done;
  for (const Weight* matrix : matrices) {
    const Int8Layout layout = matrix->layout();
    done.insert(matrix->name);
    CONTINUO_ASSIGN(std::optional<ModelDirectory::Int8View> stored, model.FindInt8(*matrix));
    if (stored) {  // is not rounded twice
      tensors.Add(matrix->name, TensorType::kU8, layout.value_shape(), {stored->values.begin(), stored->values.end()});
      scales.push_back(std::move(stored->scales));
      continue;
    }
    CONTINUO_ASSIGN(const std::vector<float> values, model.ReadWeight(*matrix));
    Int8Matrix rounded = QuantizeInt8(values, layout, matrix->outputs_first);
    tensors.Add(matrix->name, TensorType::kU8, layout.value_shape(), std::move(rounded.values));
    scales.push_back(std::move(rounded.scales));
  }
  for (size_t i = 0; i < matrices.size(); ++i) {
    tensors.AddBf16(ScalesName(matrices[i]->name), matrices[i]->layout().scale_shape(), scales[i]);
  }
  for (const Weight& weight : model.table().weights()) {
    if (!done.contains(weight.name)) {
      CONTINUO_ASSIGN(const std::vector<float> values, model.ReadWeight(weight));
      tensors.RoundToBf16(weight, values);
    }
  }
  return {};
}

Status QuantizeToBf16(const ModelDirectory& model, QuantizedTensors& tensors) {
  for (const Weight& weight : model.table().weights()) {
    CONTINUO_ASSIGN(const std::vector<float> values, model.ReadWeight(weight));
    tensors.RoundToBf16(weight, values);
  }
  return {};
}

}  // namespace

Status QuantizeModel(const ModelDirectory& model, NumberFormat format, const std::filesystem::path& directory) {
  CONTINUO_CHECK(format == NumberFormat::kInt8 || format == NumberFormat::kBf16);
  ModelFiles files;
  files.config = model.config();
  files.vocab_sha256 = model.vocab_sha256();
  QuantizedTensors tensors;
  CONTINUO_TRY(format == NumberFormat::kInt8 ? QuantizeToInt8(model, tensors) : QuantizeToBf16(model, tensors));
  files.weights = tensors.tensors();
  for (const std::string name : {"tokenizer.json", "generation.json", "discriminator.json", "README.md", "LICENSE"}) {
    CONTINUO_ASSIGN(std::optional<std::string> text, model.ReadText(name));
    if (text) {
      files.texts[name] = std::move(*text);
    }
  }
  return WriteModelDirectory(files, directory);
}

}  // namespace continuo
