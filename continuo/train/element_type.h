#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "continuo/core/check.h"

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

}  // namespace continuo
