#include "continuo/train/checkpoint.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/randn.h>

#include <cstring>
#include <map>
#include <utility>

#include "continuo/core/check.h"
#include "continuo/model/model_directory.h"
#include "continuo/os/file.h"

namespace continuo {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kModelFile = "model.safetensors";
constexpr std::string_view kOptimizerFile = "optimizer.safetensors";

/// A tensor's bytes as the model module sees them. `tensor` is contiguous and outlives the result.
Tensor View(std::string name, const at::Tensor& tensor) {
  CONTINUO_CHECK(tensor.is_contiguous());
  Tensor view;
  view.name = std::move(name);
  view.type = tensor.scalar_type() == at::kBFloat16 ? TensorType::kBf16 : TensorType::kF32;
  view.shape = tensor.sizes().vec();
  view.bytes = {static_cast<const uint8_t*>(tensor.data_ptr()), tensor.nbytes()};
  return view;
}

struct NamedTensor {
  std::string name;
  at::Tensor tensor;
};

std::vector<NamedTensor> Weights(const Transformer& model) {
  std::vector<NamedTensor> tensors;
  for (const Parameter& parameter : model.parameters()) {
    tensors.push_back({parameter.name, parameter.master.detach()});
  }
  return tensors;
}

std::vector<NamedTensor> Moments(const Transformer& model, Optimizer& optimizer) {
  std::vector<NamedTensor> tensors;
  for (size_t i = 0; i < model.parameters().size(); ++i) {
    tensors.push_back({model.parameters()[i].name + ".first", optimizer.state().first[i]});
    if (optimizer.state().second[i].defined()) {
      tensors.push_back({model.parameters()[i].name + ".second", optimizer.state().second[i]});
    }
    if (!optimizer.state().average.empty()) {
      tensors.push_back({model.parameters()[i].name + ".average", optimizer.state().average[i]});
    }
  }
  return tensors;
}

Status WriteModel(const Transformer& model, const TrainData& data, bool as_bf16, const fs::path& directory) {
  std::vector<NamedTensor> weights = Weights(model);
  ModelFiles files;
  files.config = model.config();
  files.ids = {.bos = data.vocabulary.bos, .eos = data.vocabulary.eos, .pad = data.vocabulary.pad};
  files.vocab_sha256 = data.vocab_sha256;
  for (NamedTensor& weight : weights) {
    weight.tensor = weight.tensor.to(at::kCPU, as_bf16 ? at::kBFloat16 : at::kFloat);
    files.weights.push_back(View(weight.name, weight.tensor));
  }
  files.texts = data.texts;
  return WriteModelFiles(files, directory);
}

/// Copies of the f32 tensors of a file, in the order of `wanted`, whose names and shapes must be
/// there.
Result<std::vector<at::Tensor>> ReadTensors(const fs::path& path, const std::vector<NamedTensor>& wanted) {
  CONTINUO_ASSIGN(const MappedFile file, MappedFile::Open(path));
  CONTINUO_ASSIGN(const Safetensors parsed, ParseSafetensors(file.bytes(), path.string()));
  std::map<std::string_view, const Tensor*> by_name;
  for (const Tensor& tensor : parsed.tensors) {
    by_name[tensor.name] = &tensor;
  }
  std::vector<at::Tensor> copies;
  for (const NamedTensor& entry : wanted) {
    const auto found = by_name.find(entry.name);
    if (found == by_name.end()) {
      return MakeError("{}: has no tensor {}", path.string(), entry.name);
    }
    const Tensor expected = View(entry.name, entry.tensor);
    if (found->second->type != expected.type || found->second->shape != expected.shape) {
      return MakeError("{}: {} is {}, expected {}", path.string(), entry.name, found->second->Describe(),
                       expected.Describe());
    }
    at::Tensor copy = at::empty(entry.tensor.sizes(), entry.tensor.scalar_type());
    std::memcpy(copy.data_ptr(), found->second->bytes.data(), found->second->bytes.size());
    copies.push_back(std::move(copy));
  }
  return copies;
}

/// A configuration without what no flag asks for.
ModelConfig WithoutExtras(ModelConfig config) {
  config.head_width = 0;
  config.rope_scaling = {};
  config.window = 0;
  config.qkv_bias = config.attention_out_bias = config.feed_bias = false;
  config.rotary_width = 0;
  config.exact_gelu = config.parallel_residual = false;
  config.tied_head = true;
  config.norm_epsilon = ModelConfig().norm_epsilon;
  return config;
}

/// The flags by which a model of this shape is trained.
std::string ShapeFlags(const ModelConfig& config) {
  std::string flags = fmt::format("its flags are --layers {} --heads {} --width {} --context {}", config.layers,
                                  config.heads, config.width, config.context_length);
  if (config.architecture != Architecture::kGpt2) {
    flags = fmt::format("{} --architecture {} --kv-heads {} --feed-width {} --rope-theta {}", flags,
                        ToString(config.architecture), config.kv_heads(), config.feed_width(), config.rope_theta);
  }
  if (!Transformer::Trains(config.architecture) || config != WithoutExtras(config)) {
    flags +=
        "; but models with biases, scaled positions, a separate head or another norm_epsilon than 1e-5 are not "
        "trained";
  }
  return flags;
}

}  // namespace

Status SaveModel(const Transformer& model, const TrainData& data, bool as_bf16, const fs::path& directory) {
  CONTINUO_ASSIGN(AtomicDirectory target, AtomicDirectory::Create(directory));
  CONTINUO_TRY(WriteModel(model, data, as_bf16, target.path()));
  return target.Commit();
}

Status SaveCheckpoint(const Transformer& model, Optimizer& optimizer, const TrainingFile& training,
                      const TrainData& data, const fs::path& directory) {
  CONTINUO_ASSIGN(AtomicDirectory target, AtomicDirectory::Create(directory));
  CONTINUO_TRY(WriteModel(model, data, /*as_bf16=*/false, target.path()));
  std::vector<NamedTensor> moments = Moments(model, optimizer);
  std::vector<Tensor> views;
  for (NamedTensor& moment : moments) {
    moment.tensor = moment.tensor.cpu();
    views.push_back(View(moment.name, moment.tensor));
  }
  CONTINUO_TRY(WriteFileAtomically(target.path() / kOptimizerFile, SerializeSafetensors(views)));
  CONTINUO_TRY(WriteTrainingFile(target.path(), training));
  return target.Commit();
}

Status LoadCheckpoint(const fs::path& directory, uint64_t step, Transformer& model, Optimizer& optimizer) {
  // Both files are read whole before anything changes.
  const std::vector<NamedTensor> weights = Weights(model);
  const std::vector<NamedTensor> moments = Moments(model, optimizer);
  CONTINUO_ASSIGN(const std::vector<at::Tensor> saved_weights, ReadTensors(directory / kModelFile, weights));
  CONTINUO_ASSIGN(const std::vector<at::Tensor> saved_moments, ReadTensors(directory / kOptimizerFile, moments));
  at::NoGradGuard no_grad;
  for (size_t i = 0; i < weights.size(); ++i) {
    weights[i].tensor.copy_(saved_weights[i]);
  }
  for (size_t i = 0; i < moments.size(); ++i) {
    moments[i].tensor.copy_(saved_moments[i]);
  }
  optimizer.set_updates(static_cast<int64_t>(step));
  model.RefreshCompute();
  return {};
}

Result<std::string> LoadWeights(const fs::path& directory, const std::string& vocab_sha256, uint64_t seed,
                                Transformer& model) {
  CONTINUO_ASSIGN(const ModelDirectory source, ModelDirectory::Open(directory));
  // Without the hash another program has saved the weights, and the tokenizer beside them may tell
  // that the vocabulary is the same; else they are of text.
  const bool has_hash = !source.vocab_sha256().empty();
  const bool new_embedding = (has_hash ? source.vocab_sha256() : source.TokenizerSha256()) != vocab_sha256;
  if (new_embedding && has_hash) {
    return MakeError("{}: was trained with the vocabulary {}, the corpus has {}", directory.string(),
                     source.vocab_sha256(), vocab_sha256);
  }
  const ModelConfig config = Canonical(model.config());
  const bool learned = config.block().positions == PositionKind::kLearned;
  ModelConfig found = source.config();
  found.dropout = config.dropout;  // no part of the weights
  if (!learned || (new_embedding && found.context_length > config.context_length)) {
    found.context_length = config.context_length;
  }
  if (new_embedding) {
    found.vocab_size = config.vocab_size;
    found.tied_head = true;
  } else if (found.vocab_size > config.vocab_size) {
    found.vocab_size = config.vocab_size;  // the same tokens: the ids after theirs pad the vocabulary
  }
  if (found != config) {
    return Error{fmt::format("{}: does not have the shape of the model to train", directory.string()),
                 ShapeFlags(found)};
  }
  std::vector<at::Tensor> values;
  for (const Parameter& parameter : model.parameters()) {
    CONTINUO_ASSIGN(const std::vector<float> weight, source.ReadWeight(parameter.name));
    at::Tensor value = at::empty(
        {static_cast<int64_t>(weight.size()) / parameter.master.size(-1), parameter.master.size(-1)}, at::kFloat);
    std::memcpy(value.data_ptr(), weight.data(), weight.size() * sizeof(float));
    if (new_embedding && parameter.role == WeightRole::kTokens) {
      at::Generator generator = at::detail::createCPUGenerator(seed);
      value =
          at::randn(parameter.master.sizes(), generator, at::kFloat) * value.std(0, /*unbiased=*/false) + value.mean(0);
    } else if (new_embedding && parameter.role == WeightRole::kPositions) {
      value = value.narrow(0, 0, config.context_length);
    } else if (parameter.role == WeightRole::kTokens || parameter.role == WeightRole::kHead) {
      value = value.narrow(0, 0, config.vocab_size);
    }
    CONTINUO_CHECK(value.numel() == parameter.master.numel());
    values.push_back(value.view_as(parameter.master));
  }
  at::NoGradGuard no_grad;
  for (size_t i = 0; i < values.size(); ++i) {
    model.parameters()[i].master.copy_(values[i]);
  }
  model.RefreshCompute();
  if (!new_embedding) {
    return fmt::format("{}: took all weights", directory.string());
  }
  const std::string positions =
      learned ? fmt::format(" and {} of {} positions", config.context_length, source.config().context_length) : "";
  return fmt::format(
      "{}: took {} blocks, the final norm{}; left the {} embeddings of its text{}, and drew {} new ones with their "
      "mean and spread",
      directory.string(), config.layers, positions, source.config().vocab_size,
      source.config().tied_head ? "" : " and its head", config.vocab_size);
}

}  // namespace continuo
