#include "continuo/model/weight_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "continuo/core/check.h"

namespace continuo {
namespace {

/// The names of weights in `transformers`, without ".weight" and ".bias"; none for what the family
/// does not have.
struct WeightNames {
  std::string_view prefix;  // of all but the head
  std::string_view head = "lm_head";
  std::string_view tokens;
  std::string_view positions = {};
  // Of each block:
  std::string_view block = "layers";
  std::string_view attention_norm = "input_layernorm";
  std::string_view qkv = {}, query = {}, key = {}, value = {}, query_norm = {}, key_norm = {};
  std::string_view attention_out;
  std::string_view feed_norm = "post_attention_layernorm";
  std::string_view gate = {};
  std::string_view up, down;

  std::string_view final_norm;
};

constexpr WeightNames kGpt2Names{.prefix = "transformer.",
                                 .tokens = "wte",
                                 .positions = "wpe",
                                 .block = "h",
                                 .attention_norm = "ln_1",
                                 .qkv = "attn.c_attn",
                                 .attention_out = "attn.c_proj",
                                 .feed_norm = "ln_2",
                                 .up = "mlp.c_fc",
                                 .down = "mlp.c_proj",
                                 .final_norm = "ln_f"};
constexpr WeightNames kGptNeoXNames{.prefix = "gpt_neox.",
                                    .head = "embed_out",
                                    .tokens = "embed_in",
                                    .qkv = "attention.query_key_value",
                                    .attention_out = "attention.dense",
                                    .up = "mlp.dense_h_to_4h",
                                    .down = "mlp.dense_4h_to_h",
                                    .final_norm = "final_layer_norm"};
constexpr WeightNames kLlamaNames{.prefix = "model.",
                                  .tokens = "embed_tokens",
                                  .query = "self_attn.q_proj",
                                  .key = "self_attn.k_proj",
                                  .value = "self_attn.v_proj",
                                  .query_norm = "self_attn.q_norm",
                                  .key_norm = "self_attn.k_norm",
                                  .attention_out = "self_attn.o_proj",
                                  .gate = "mlp.gate_proj",
                                  .up = "mlp.up_proj",
                                  .down = "mlp.down_proj",
                                  .final_norm = "norm"};

const WeightNames& NamesOf(Architecture architecture) {
  switch (architecture) {
    case Architecture::kGpt2:
      return kGpt2Names;
    case Architecture::kGptNeoX:
      return kGptNeoXNames;
    default:
      return kLlamaNames;
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
  using enum WeightRole;
  using enum WeightKind;
  const WeightNames& names = NamesOf(architecture_);
  const BlockKind block = config.block();
  const bool is_gpt2 = architecture_ == Architecture::kGpt2;
  const int64_t width = config.width;
  const int64_t inner = config.feed_width();
  const auto add = [&](WeightRole role, int64_t layer, WeightKind kind, std::string_view name,
                       std::vector<int64_t> shape) {
    std::string full = layer < 0 ? fmt::format("{}{}", names.prefix, name)
                                 : fmt::format("{}{}.{}.{}", names.prefix, names.block, layer, name);
    full += kind == kBias ? ".bias" : ".weight";
    const bool is_matrix = kind == kMatrix || kind == kResidualMatrix;
    weights_.push_back({role, layer, kind, std::move(full), std::move(shape), is_matrix && !is_gpt2});
  };
  const auto norm = [&](WeightRole role, int64_t layer, std::string_view name, int64_t size) {
    add(role, layer, kNormScale, name, {size});
    if (block.norm == NormKind::kLayer) {
      add(role, layer, kBias, name, {size});
    }
  };

  add(kTokens, -1, kEmbedding, names.tokens, {config.vocab_size, width});
  if (block.positions == PositionKind::kLearned) {
    add(kPositions, -1, kEmbedding, names.positions, {config.context_length, width});
  }
  blocks_begin_ = weights_.size();
  for (int64_t layer = 0; layer < config.layers; ++layer) {
    const auto linear = [&](WeightRole role, std::string_view name, int64_t in, int64_t out, bool bias,
                            WeightKind kind = kMatrix) {
      add(role, layer, kind, name, is_gpt2 ? std::vector{in, out} : std::vector{out, in});
      if (bias || is_gpt2) {
        add(role, layer, kBias, name, {out});
      }
    };
    norm(kAttentionNorm, layer, names.attention_norm, width);
    if (!names.qkv.empty()) {
      linear(kQkv, names.qkv, width, 3 * width, config.qkv_bias);
    } else {
      linear(kQuery, names.query, width, config.query_width(), config.qkv_bias);
      linear(kKey, names.key, width, config.kv_width(), config.qkv_bias);
      linear(kValue, names.value, width, config.kv_width(), config.qkv_bias);
    }
    if (block.query_key_norm) {
      norm(kQueryNorm, layer, names.query_norm, config.head_dim());
      norm(kKeyNorm, layer, names.key_norm, config.head_dim());
    }
    linear(kAttentionOut, names.attention_out, config.query_width(), width, config.attention_out_bias, kResidualMatrix);
    norm(kFeedNorm, layer, names.feed_norm, width);
    if (block.feed == FeedKind::kSwiGlu) {
      linear(kGate, names.gate, width, inner, config.feed_bias);
    }
    linear(kUp, names.up, width, inner, config.feed_bias);
    linear(kDown, names.down, inner, width, config.feed_bias, kResidualMatrix);
  }
  block_size_ = (weights_.size() - blocks_begin_) / static_cast<size_t>(config.layers);
  norm(kFinalNorm, -1, names.final_norm, width);
  head_ = {.role = kHead,
           .kind = kHeadMatrix,
           .name = fmt::format("{}.weight", names.head),
           .shape = {config.vocab_size, width},
           .outputs_first = true};
  if (!config.tied_head) {
    weights_.push_back(head_);
  }
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
  const std::string_view prefix = NamesOf(architecture_).prefix;
  return name.starts_with(prefix) || name.starts_with(head_.name) ? name : std::string(prefix) + name;
}

std::string ScalesName(std::string_view matrix) {
  return std::string(matrix) + ".scales";
}

}  // namespace continuo
