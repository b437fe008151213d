#pragma once

#include <ATen/core/Tensor.h>
#include <torch/csrc/autograd/custom_function.h>

#include <cstdint>

#include "continuo/core/check.h"
#include "continuo/engine/torch/row_kernels.h"

// What LibTorch's differentiable functions need to call the row kernels.
namespace continuo {

/// The elements of a tensor, null for none.
template <typename T>
T* Data(const at::Tensor& tensor) {
  return tensor.defined() ? reinterpret_cast<T*>(tensor.data_ptr()) : nullptr;
}

/// Calls `body` with a value of the type by which the row kernels know a tensor's elements.
template <typename Body>
void ForElementType(const at::Tensor& tensor, const Body& body) {
  if (tensor.scalar_type() == at::kBFloat16) {
    body(uint16_t{});
  } else {
    CONTINUO_CHECK(tensor.scalar_type() == at::kFloat);
    body(float{});
  }
}

/// Keeps a dropout for the backward pass.
inline void SaveDropout(torch::autograd::AutogradContext* context, Dropout dropout) {
  context->saved_data["share"] = static_cast<double>(dropout.share);
  context->saved_data["key"] = static_cast<int64_t>(dropout.key);
}
inline Dropout SavedDropout(torch::autograd::AutogradContext* context) {
  return {static_cast<uint64_t>(context->saved_data["key"].toInt()),
          static_cast<float>(context->saved_data["share"].toDouble())};
}

}  // namespace continuo
