#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "continuo/engine/cpu/packed_matrix.h"

namespace continuo {

/// How one head's keys and values lie in memory. Positions lie in blocks of 16, so that 16 scores
/// are made side by side, and numbers that a dot product takes together lie together:
///   f32    block: keys [head_dim, 16];                  values [positions, stride]
///   bf16   block: keys [pairs of dimensions, 16, 2];    values [pairs of positions, stride, 2]
///   int8   block: keys + 128 [fours of dimensions, 16, 4], then f32 scales of 16 keys and of 16 values;
///          values [pairs of positions, stride, 2]
/// where stride is head_dim rounded up to 16. What is past the last dimension, and beside the last
/// position of a pair, is zero.
struct HeadCacheLayout {
  static constexpr size_t kBlock = 16;
  size_t positions = 0;  // at most; a multiple of kBlock
  size_t head_dim = 0;
  NumberFormat precision = NumberFormat::kF32;

  HeadCacheLayout(size_t context, size_t head_dimensions, NumberFormat what)
      : positions((context + kBlock - 1) / kBlock * kBlock), head_dim(head_dimensions), precision(what) {}
  size_t element() const { return precision == NumberFormat::kF32 ? 4 : precision == NumberFormat::kBf16 ? 2 : 1; }
  size_t scales_offset() const { return (head_dim + 3) / 4 * 4 * kBlock; }  // int8
  size_t block_bytes() const {
    switch (precision) {
      case NumberFormat::kF32:
        return head_dim * kBlock * 4;
      case NumberFormat::kBf16:
        return (head_dim + 1) / 2 * 2 * kBlock * 2;
      case NumberFormat::kInt8:
        return scales_offset() + 2 * kBlock * sizeof(float);
      case NumberFormat::kF16:
        break;  // not computed in
    }
    return 0;
  }
  size_t value_stride() const { return (head_dim + kBlock - 1) / kBlock * kBlock; }
  size_t key_bytes() const { return positions / kBlock * block_bytes(); }
  size_t value_bytes() const { return positions * value_stride() * element(); }
};

/// Puts a key and a value [head_dim] at a position, rounded to the nearest bf16, or to int8 with a
/// scale of largest magnitude / 127 each.
void StoreInCache(const HeadCacheLayout& layout, const float* key, const float* value, size_t position, uint8_t* keys,
                  uint8_t* values);

/// What a thread needs to attend to caches of a layout.
struct AttentionScratch {
  explicit AttentionScratch(const HeadCacheLayout& layout);
  std::vector<float> scores;
  AlignedBytes padded_query;
  AlignedBytes query;
  AlignedBytes weights;
};

/// One head's attention for one query over the positions from `first` to `length` - 1: out =
/// softmax(q k^T / sqrt(head_dim)) v [head_dim]. Sums are exact integers or f32 whose order `first`
/// and `length` alone decide. In bf16 the query and the weights are rounded to bf16 too; in int8
/// the query to int8, with a scale, and weights times values' scales to 2^-14 of the largest.
void Attend(const HeadCacheLayout& layout, const float* query, const uint8_t* keys, const uint8_t* values, size_t first,
            size_t length, AttentionScratch& scratch, float* out);

}  // namespace continuo
