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
  size_t key_bytes() const { return KeyBytes(positions); }
  size_t value_bytes() const { return ValueBytes(positions); }
  /// Those of the first positions.
  size_t KeyBytes(size_t length) const { return (length + kBlock - 1) / kBlock * block_bytes(); }
  size_t ValueBytes(size_t length) const { return (length + 1) / 2 * 2 * value_stride() * element(); }
};

/// Puts a key and a value [head_dim] at a position, rounded to the nearest bf16, or to int8 with a
/// scale of largest magnitude / 127 each.
void StoreInCache(const HeadCacheLayout& layout, const float* key, const float* value, size_t position, uint8_t* keys,
                  uint8_t* values);

/// Queries of one head at positions of one sequence that follow each other.
struct QueryRun {
  const float* query = nullptr;  // [head_dim], the next `stride` further
  size_t stride = 0;
  size_t count = 1;
  size_t length = 0;     // the first query attends to the positions before, each other to one more
  size_t window = 0;     // of which the last so many; 0: all
  float* out = nullptr;  // [head_dim], the next `out_stride` further
  size_t out_stride = 0;

  /// The first position that a query attends to.
  size_t first(size_t index) const { return window == 0 || length + index <= window ? 0 : length + index - window; }
  /// Goes on to the queries after the first `queries`.
  void Skip(size_t queries) {
    query += queries * stride;
    out += queries * out_stride;
    length += queries;
    count -= queries;
  }
};

/// What a thread needs to attend to caches of a layout.
struct AttentionScratch {
  static constexpr size_t kMostQueries = 4;  // together
  explicit AttentionScratch(const HeadCacheLayout& layout);
  std::vector<float> scores;
  AlignedBytes padded_query;
  AlignedBytes query;
  AlignedBytes weights;
};

/// One head's attention: of each query, out = softmax(q k^T / sqrt(head_dim)) v [head_dim] over the
/// positions that it attends to. Sums are exact integers or f32 whose order these positions alone
/// decide, not the queries beside. In bf16 the query and the weights are rounded to bf16 too; in
/// int8 the query to int8, with a scale, and weights times values' scales to 2^-14 of the largest.
void Attend(const HeadCacheLayout& layout, const QueryRun& run, const uint8_t* keys, const uint8_t* values,
            AttentionScratch& scratch);

}  // namespace continuo
