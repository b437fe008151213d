#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "continuo/engine/torch/rotary_tensors.h"
#include "continuo/engine/torch/row_kernels.h"

namespace continuo {

/// Causal attention, softmax(query key^T / sqrt(head_dim)) value, with dropout of its weights,
/// differentiable. LibTorch's fused kernel for CPUs knows no dropout, and its plain form keeps
/// [batch, heads, time, time] for each layer until the backward pass: 12 x 768 with 8 x 1,024 ids
/// would not fit in 12 GiB. Here each head is done by one thread, some rows of it at a time, of
/// which only the keys before them are looked at, and its weights are computed again on the
/// backward pass, so that besides the result nothing is kept. The result does not depend on the
/// number of threads.
///
/// qkv: [batch, time, heads + 2 kv_heads, head_dim], f32 or bf16: queries, keys and values, of
/// which heads / kv_heads queries after each other share one. Queries and keys are turned by
/// `rotary`, [time, head_dim / 2], if it is defined. Returns [batch, time, heads, head_dim]. What
/// is dropped depends on the dropout's key and the place alone.
at::Tensor CausalAttention(const at::Tensor& qkv, int64_t heads, const RotaryTensors& rotary, Dropout dropout);

}  // namespace continuo
