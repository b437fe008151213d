#pragma once

#include <cstddef>
#include <cstdint>

#include "continuo/engine/cpu/aligned_bytes.h"
#include "continuo/engine/cpu/packed_matrix.h"

namespace continuo {

/// Rows of activations as a matrix of some precision takes them. Reused from product to product.
class Activations {
 public:
  /// Makes room for rows [rows, inputs], whose values come from `x`, which must stay until the
  /// product is made.
  void Reset(NumberFormat precision, const float* x, size_t rows, size_t inputs);

  NumberFormat precision() const { return precision_; }
  size_t rows() const { return rows_; }
  size_t inputs() const { return inputs_; }
  size_t groups() const { return (inputs_ + Int8Layout::kGroupInputs - 1) / Int8Layout::kGroupInputs; }
  size_t padded_inputs() const { return groups() * Int8Layout::kGroupInputs; }

  const float* f32(size_t row) const { return f32_ + row * inputs_; }
  /// [padded_inputs], zeros past the end.
  const uint16_t* bf16(size_t row) const { return values_.as<uint16_t>() + row * padded_inputs(); }
  const int8_t* int8(size_t row) const { return values_.as<int8_t>() + row * padded_inputs(); }
  /// Instead of int8, where products of 16 bits are faster: for each group 16 pairs of the first
  /// and third of four values, then 16 of the second and fourth.
  const int32_t* pairs(size_t row) const { return values_.as<int32_t>() + row * padded_inputs() / 2; }
  /// [groups]: the activation is int8 * scale.
  const float* scales(size_t row) const { return scales_.as<float>() + row * groups(); }
  /// [groups]: -128 times the sum of the group's int8 values, which takes back what weights around
  /// 128 add to a product.
  const int32_t* offsets(size_t row) const { return offsets_.as<int32_t>() + row * groups(); }

  uint16_t* bf16(size_t row) { return values_.as<uint16_t>() + row * padded_inputs(); }
  int32_t* pairs(size_t row) { return values_.as<int32_t>() + row * padded_inputs() / 2; }
  int8_t* int8(size_t row) { return values_.as<int8_t>() + row * padded_inputs(); }
  float* scales(size_t row) { return scales_.as<float>() + row * groups(); }
  int32_t* offsets(size_t row) { return offsets_.as<int32_t>() + row * groups(); }

 private:
  NumberFormat precision_ = NumberFormat::kF32;
  size_t rows_ = 0;
  size_t inputs_ = 0;
  const float* f32_ = nullptr;
  AlignedBytes values_;
  AlignedBytes scales_;
  AlignedBytes offsets_;
};

/// Rounds rows [first, last) to the precision: to the nearest bf16; or, group by group, to int8 in
/// [-127, 127] with scale largest magnitude / 127. Nothing to do for f32. Parts may run on several
/// threads.
void PrepareRows(Activations& x, size_t first, size_t last);

enum class MatMulMode : uint8_t {
  kStore,      // y = product
  kAdd,        // y += product
  kGelu,       // y = Gelu(product)
  kExactGelu,  // y = ExactGelu(product)
  kGate,       // y = Silu(y) * product
};

/// y[r, o] = bias[o] + sum over i of x[r, i] w[i, o], for the outputs o of panels [first_panel,
/// last_panel) and all prepared rows r. y is [rows, stride], of which `outputs` columns are
/// written, so that several matrices can write side by side. The order of each sum depends on
/// `inputs` alone: one f32 accumulator that begins with the bias and goes up, by single inputs
/// (f32), by pairs, the second before the first (bf16), or by groups of 64, each of which is an
/// exact integer times the product of both scales (int8).
void MatMul(const Activations& x, const PackedMatrix& w, size_t first_panel, size_t last_panel, MatMulMode mode,
            float* y, size_t stride);

}  // namespace continuo
