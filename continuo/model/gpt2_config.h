#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "continuo/core/result.h"

namespace continuo {

/// Shape of a GPT-2, with the defaults of the study (GPT-2 small).
struct Gpt2Config {
  int64_t vocab_size = 0;
  int64_t context_length = 1024;  // n_positions
  int64_t width = 768;            // n_embd
  int64_t layers = 12;            // n_layer
  int64_t heads = 12;             // n_head
  int64_t inner_width = 0;        // n_inner; 0: 4 x width
  double dropout = 0.1;           // resid_pdrop = embd_pdrop = attn_pdrop; training only
  double layer_norm_epsilon = 1e-5;
  bool tied_head = true;  // lm_head.weight is transformer.wte.weight

  int64_t head_dim() const { return width / heads; }
  int64_t mlp_width() const { return inner_width > 0 ? inner_width : 4 * width; }
  bool operator==(const Gpt2Config&) const = default;
};

/// The ids that frame what a model reads, for programs that write with it by its configuration
/// alone.
struct SequenceIds {
  int64_t bos = 0;
  int64_t eos = 0;
  int64_t pad = 0;
};

/// Fails, naming the field, unless every size is positive and within bounds and heads divide width.
Status CheckGpt2Config(const Gpt2Config& config);

/// Hugging Face's config.json of GPT2LMHeadModel. `name` stands for the file in messages. Settings
/// that would change the function and that we don't compute (another activation, cross attention,
/// ...) are refused by name.
Result<Gpt2Config> ParseGpt2Config(std::string_view json, std::string_view name);
std::string Gpt2ConfigToJson(const Gpt2Config& config, const std::optional<SequenceIds>& ids = {});

}  // namespace continuo
