#include "continuo/model/weight_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "continuo/core/check.h"

namespace continuo {
namespace {

std::string_view HeadNameOf(Architecture architecture) {
  return architecture == Architecture::kGptNeoX ? "embed_out.weight" : "lm_head.weight";
}

std::string_view PrefixOf(Architecture architecture) {
  switch (architecture) {
    case Architecture::kGpt2:
      return "transformer.";
    case Architecture::kGptNeoX:
      return "gpt_neox.";
    default:
      return "model.";
  }
}

}  // namespace

int64_t Weight::count() const {
  int64_t count = 1;
  for (const int64_t extent : shape) {
    count *= extent;
  }
  return count;
}

std::optional<Product> Weight::product() const {
  if (kind != WeightKind::kMatrix && kind != WeightKind::kResidualMatrix && kind != WeightKind::kHeadMatrix) {
    return std::nullopt;
  }
  switch (role) {
    case WeightRole::kQkv:
    case WeightRole::kQuery:
    case WeightRole::kKey:
    case WeightRole::kValue:
      return Product::kQkv;
    case WeightRole::kAttentionOut:
      return Product::kAttentionOut;
    case WeightRole::kGate:
    case WeightRole::kUp:
      return Product::kFeed;
    case WeightRole::kDown:
      return Product::kDown;
    case WeightRole::kHead:
      return Product::kHead;
    default:
      return std::nullopt;
  }
}

Int8Layout Weight::layout() const {
  CONTINUO_CHECK(product().has_value());
  const auto first = static_cast<size_t>(shape[0]);
  const auto second = static_cast<size_t>(shape[1]);
  return outputs_first ? Int8Layout{second, first} : Int8Layout{first, second};
}

WeightTable::WeightTable(const ModelConfig& config) : architecture_(config.architecture) {
  head_ = {.role = WeightRole::kHead,
           .kind = WeightKind::kHeadMatrix,
           .name = std::string(HeadNameOf(architecture_)),
           .shape = {config.vocab_size, config.width},
           .outputs_first = true};
  if (architecture_ == Architecture::kGpt2) {
    AddGpt2(config);
  } else if (architecture_ == Architecture::kGptNeoX) {
    AddGptNeoX(config);
  } else {
    AddLlama(config);
  }
  if (!config.tied_head) {
    weights_.push_back(head_);
  }
}

void WeightTable::Add(WeightRole role, int64_t layer, WeightKind kind, std::string name, std::vector<int64_t> shape,
                      bool outputs_first) {
  weights_.push_back({role, layer, kind, std::string(PrefixOf(architecture_)) + name, std::move(shape), outputs_first});
}

void WeightTable::AddGpt2(const ModelConfig& config) {
  using enum WeightRole;
  using enum WeightKind;
  const int64_t width = config.width;
  const int64_t inner = config.feed_width();
  Add(kTokens, -1, kEmbedding, "wte.weight", {config.vocab_size, width});
  Add(kPositions, -1, kEmbedding, "wpe.weight", {config.context_length, width});
  blocks_begin_ = weights_.size();
  for (int64_t layer = 0; layer < config.layers; ++layer) {
    const auto norm = [&](WeightRole role, std::string_view name) {
      Add(role, layer, kNormScale, fmt::format("h.{}.{}.weight", layer, name), {width});
      Add(role, layer, kBias, fmt::format("h.{}.{}.bias", layer, name), {width});
    };
    const auto linear = [&](WeightRole role, WeightKind kind, std::string_view name, int64_t in, int64_t out) {
      Add(role, layer, kind, fmt::format("h.{}.{}.weight", layer, name), {in, out});
      Add(role, layer, kBias, fmt::format("h.{}.{}.bias", layer, name), {out});
    };
    norm(kAttentionNorm, "ln_1");
    linear(kQkv, kMatrix, "attn.c_attn", width, 3 * width);
    linear(kAttentionOut, kResidualMatrix, "attn.c_proj", width, width);
    norm(kFeedNorm, "ln_2");
    linear(kUp, kMatrix, "mlp.c_fc", width, inner);
    linear(kDown, kResidualMatrix, "mlp.c_proj", inner, width);
  }
  block_size_ = (weights_.size() - blocks_begin_) / static_cast<size_t>(config.layers);
  Add(kFinalNorm, -1, kNormScale, "ln_f.weight", {width});
  Add(kFinalNorm, -1, kBias, "ln_f.bias", {width});
}

void WeightTable::AddLlama(const ModelConfig& config) {
  using enum WeightRole;
  using enum WeightKind;
  const int64_t width = config.width;
  const int64_t inner = config.feed_width();
  Add(kTokens, -1, kEmbedding, "embed_tokens.weight", {config.vocab_size, width});
  blocks_begin_ = weights_.size();
  for (int64_t layer = 0; layer < config.layers; ++layer) {
    const auto norm = [&](WeightRole role, std::string_view name, int64_t size) {
      Add(role, layer, kNormScale, fmt::format("layers.{}.{}.weight", layer, name), {size});
    };
    const auto linear = [&](WeightRole role, WeightKind kind, std::string_view name, int64_t in, int64_t out,
                            bool bias) {
      Add(role, layer, kind, fmt::format("layers.{}.{}.weight", layer, name), {out, in}, /*outputs_first=*/true);
      if (bias) {
        Add(role, layer, kBias, fmt::format("layers.{}.{}.bias", layer, name), {out});
      }
    };
    norm(kAttentionNorm, "input_layernorm", width);
    linear(kQuery, kMatrix, "self_attn.q_proj", width, config.query_width(), config.qkv_bias);
    linear(kKey, kMatrix, "self_attn.k_proj", width, config.kv_width(), config.qkv_bias);
    linear(kValue, kMatrix, "self_attn.v_proj", width, config.kv_width(), config.qkv_bias);
    if (config.block().query_key_norm) {
      norm(kQueryNorm, "self_attn.q_norm", config.head_dim());
      norm(kKeyNorm, "self_attn.k_norm", config.head_dim());
    }
    linear(kAttentionOut, kResidualMatrix, "self_attn.o_proj", config.query_width(), width, config.attention_out_bias);
    norm(kFeedNorm, "post_attention_layernorm", width);
    linear(kGate, kMatrix, "mlp.gate_proj", width, inner, config.feed_bias);
    linear(kUp, kMatrix, "mlp.up_proj", width, inner, config.feed_bias);
    linear(kDown, kResidualMatrix, "mlp.down_proj", inner, width, config.feed_bias);
  }
  block_size_ = (weights_.size() - blocks_begin_) / static_cast<size_t>(config.layers);
  Add(kFinalNorm, -1, kNormScale, "norm.weight", {width});
}

void WeightTable::AddGptNeoX(const ModelConfig& config) {
  using enum WeightRole;
  using enum WeightKind;
  const int64_t width = config.width;
  const int64_t inner = config.feed_width();
  Add(kTokens, -1, kEmbedding, "embed_in.weight", {config.vocab_size, width});
  blocks_begin_ = weights_.size();
  for (int64_t layer = 0; layer < config.layers; ++layer) {
    const auto norm = [&](WeightRole role, std::string_view name) {
      Add(role, layer, kNormScale, fmt::format("layers.{}.{}.weight", layer, name), {width});
      Add(role, layer, kBias, fmt::format("layers.{}.{}.bias", layer, name), {width});
    };
    const auto linear = [&](WeightRole role, WeightKind kind, std::string_view name, int64_t in, int64_t out,
                            bool bias) {
      Add(role, layer, kind, fmt::format("layers.{}.{}.weight", layer, name), {out, in}, /*outputs_first=*/true);
      if (bias) {
        Add(role, layer, kBias, fmt::format("layers.{}.{}.bias", layer, name), {out});
      }
    };
    norm(kAttentionNorm, "input_layernorm");
    linear(kQkv, kMatrix, "attention.query_key_value", width, 3 * width, config.qkv_bias);
    linear(kAttentionOut, kResidualMatrix, "attention.dense", width, width, config.attention_out_bias);
    norm(kFeedNorm, "post_attention_layernorm");
    linear(kUp, kMatrix, "mlp.dense_h_to_4h", width, inner, config.feed_bias);
    linear(kDown, kResidualMatrix, "mlp.dense_4h_to_h", inner, width, config.feed_bias);
  }
  block_size_ = (weights_.size() - blocks_begin_) / static_cast<size_t>(config.layers);
  Add(kFinalNorm, -1, kNormScale, "final_layer_norm.weight", {width});
  Add(kFinalNorm, -1, kBias, "final_layer_norm.bias", {width});
}

std::vector<const Weight*> WeightTable::matrices() const {
  std::vector<const Weight*> matrices;
  for (const Weight& weight : weights_) {
    if (weight.product() && weight.role != WeightRole::kHead) {
      matrices.push_back(&weight);
    }
  }
  matrices.push_back(&Get(WeightRole::kHead));
  return matrices;
}

std::vector<const Weight*> WeightTable::Matrices(Product product, int64_t layer) const {
  if (product == Product::kHead) {
    return {&Get(WeightRole::kHead)};
  }
  std::vector<const Weight*> matrices;
  for (const Weight& weight : InLayer(layer)) {
    if (weight.product() == product) {
      matrices.push_back(&weight);
    }
  }
  return matrices;
}

std::span<const Weight> WeightTable::InLayer(int64_t layer) const {
  const std::span<const Weight> all = weights_;
  return layer < 0 ? all : all.subspan(blocks_begin_ + static_cast<size_t>(layer) * block_size_, block_size_);
}

const Weight* WeightTable::Find(WeightRole role, int64_t layer) const {
  const std::span<const Weight> weights = InLayer(layer);
  const auto found = std::find_if(weights.begin(), weights.end(), [&](const Weight& weight) {
    return weight.role == role && weight.layer == layer && !weight.is_bias();
  });
  if (found != weights.end()) {
    return &*found;
  }
  return role == WeightRole::kHead ? &head_ : nullptr;
}

const Weight& WeightTable::Get(WeightRole role, int64_t layer) const {
  const Weight* weight = Find(role, layer);
  CONTINUO_CHECK(weight != nullptr);
  return *weight;
}

const Weight* WeightTable::FindBias(WeightRole role, int64_t layer) const {
  const std::span<const Weight> weights = InLayer(layer);
  const auto found = std::find_if(weights.begin(), weights.end(), [&](const Weight& weight) {
    return weight.role == role && weight.layer == layer && weight.is_bias();
  });
  return found != weights.end() ? &*found : nullptr;
}

const Weight* WeightTable::FindName(std::string_view name) const {
  const auto found =
      std::find_if(weights_.begin(), weights_.end(), [&](const Weight& weight) { return weight.name == name; });
  if (found != weights_.end()) {
    return &*found;
  }
  return name == head_.name ? &head_ : nullptr;
}

int64_t WeightTable::parameter_count() const {
  int64_t count = 0;
  for (const Weight& weight : weights_) {
    count += weight.count();
  }
  return count;
}

std::string WeightTable::FullName(const std::string& name) const {
  const auto is_constant = [&] {
    switch (architecture_) {
      case Architecture::kGpt2:
        return name.ends_with(".attn.bias") || name.ends_with(".attn.masked_bias");
      case Architecture::kGptNeoX:
        return name.ends_with(".attention.bias") || name.ends_with(".attention.masked_bias") ||
               name.ends_with(".rotary_emb.inv_freq");
      default:
        return name.ends_with(".rotary_emb.inv_freq");
    }
  };
  if (is_constant()) {
    return {};
  }
  const std::string_view prefix = PrefixOf(architecture_);
  return name.starts_with(prefix) || name.starts_with(head_.name) ? name : std::string(prefix) + name;
}

std::string ScalesName(std::string_view matrix) {
  return std::string(matrix) + ".scales";
}

}  // namespace continuo
