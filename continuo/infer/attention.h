#pragma once

#include <cstddef>
#include <cstdint>

#include "continuo/infer/aligned_bytes.h"

namespace continuo {

/// How one head's keys and values lie in memory, as floats or as bf16. Keys lie in blocks of 16 positions, so that 16
/// scores are made side by side, values one position after the other:
///   keys    f32 [blocks, head_dim, 16]   bf16 [blocks, pairs of dimensions, 16, 2]
///   values  [positions, stride], where stride is head_dim rounded up to 16
struct HeadCacheLayout {
  static constexpr size_t kBlock = 16;
  size_t positions = 0;  // at most; a multiple of kBlock
  size_t head_dim = 0;
  bool bf16 = false;

  HeadCacheLayout(size_t context, size_t head_dimensions, bool half)
      : positions((context + kBlock - 1) / kBlock * kBlock), head_dim(head_dimensions), bf16(half) {}
  size_t element() const { return bf16 ? 2 : 4; }
  size_t key_rows() const { return bf16 ? (head_dim + 1) / 2 * 2 : head_dim; }
  size_t value_stride() const { return (head_dim + kBlock - 1) / kBlock * kBlock; }
  size_t key_bytes() const { return positions * key_rows() * element(); }
  size_t value_bytes() const { return positions * value_stride() * element(); }
};

/// Puts a key and a value [head_dim] at a position.
void StoreInCache(const HeadCacheLayout& layout, const float* key, const float* value, size_t position, uint8_t* keys,
                  uint8_t* values);

/// One head's attention for one query over the first `length` positions: out = softmax(q k^T / sqrt(head_dim)) v
/// [head_dim]. `scores` is scratch of at least length + 64 floats. Scores sum along the dimensions, the output along
/// the positions, each in one f32 accumulator.
void Attend(const HeadCacheLayout& layout, const float* query, const uint8_t* keys, const uint8_t* values,
            size_t length, float* scores, float* out);

}  // namespace continuo
