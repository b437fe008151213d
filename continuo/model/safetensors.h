#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "continuo/core/result.h"

namespace continuo {

enum class TensorType : uint8_t { kF32, kF16, kBf16, kI8, kU8, kI32, kI64, kF64, kI16, kU16, kU32, kU64, kBool };

/// Bytes of one element.
size_t ElementSize(TensorType type);
/// As safetensors spells it: "F32", "BF16", ...
std::string_view ToString(TensorType type);

/// A named array in row-major order, little-endian. Doesn't own its bytes.
struct Tensor {
  std::string name;
  TensorType type = TensorType::kF32;
  std::vector<int64_t> shape;
  std::span<const uint8_t> bytes;

  int64_t element_count() const;
  /// "F32 [3, 4]".
  std::string Describe() const;
};

/// The bytes of a safetensors file: tensors in the order given, the same bytes for the same input.
/// The names are different from each other and each tensor's bytes fit its shape. Source of the
/// format: github huggingface/safetensors, README, "Format".
std::vector<uint8_t> SerializeSafetensors(std::span<const Tensor> tensors,
                                          const std::map<std::string, std::string>& metadata = {});

/// What a safetensors file holds. The tensors are in the order of their bytes.
struct Safetensors {
  std::vector<Tensor> tensors;
  std::map<std::string, std::string> metadata;
};

/// Finds the tensors in a safetensors file, whose bytes must outlive the result. `name` stands for
/// the file in messages. Refuses a header that is no JSON object of the documented form, an unknown
/// element type, a shape that overflows or doesn't fit its bytes, a name that comes twice, and
/// tensors that overlap, leave holes or end elsewhere than the file does. Memory is bounded by a
/// small multiple of the header's size.
Result<Safetensors> ParseSafetensors(std::span<const uint8_t> bytes, std::string_view name);

}  // namespace continuo
