#include "continuo/engine/cpu/attention.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <type_traits>
#include <utility>

#include "continuo/engine/cpu/dot_instructions.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "continuo/engine/cpu/attention.cc"  // compiled once for each instruction set
#include "continuo/engine/cpu/targets.h"

#include <hwy/foreach_target.h>  // must come before highway.h
#include <hwy/highway.h>

#include <hwy/contrib/math/math-inl.h>

#include "continuo/engine/cpu/vectors-inl.h"

HWY_BEFORE_NAMESPACE();
namespace continuo {
namespace HWY_NAMESPACE {

constexpr size_t kLanes = hn::MaxLanes(DF());
constexpr size_t kBlock = HeadCacheLayout::kBlock;
constexpr size_t kBlockVectors = kBlock / kLanes;
// Sums of this many blocks at once hide the latency of a multiply-add and fit the registers.
constexpr size_t kBlocksAtOnce = kBlockVectors >= 8 ? 1 : 8 / kBlockVectors;
// Queries that read keys and values together, and with how many blocks and vectors of sums: of
// AVX-512's 32 registers these take half, of the others' 16 too.
constexpr size_t kTileQueries = kBlockVectors <= 2 ? 4 : kBlockVectors == 4 ? 2 : 1;
static_assert(kTileQueries <= AttentionScratch::kMostQueries);
constexpr size_t kTileBlocks = kBlockVectors == 1 ? 4 : 1;
constexpr size_t kTileVectors = kBlockVectors == 1 ? 4 : 2;

/// Puts the first of kVectors vectors times `factor` at out[dim], those that are dimensions.
template <size_t kVectors>
HWY_INLINE void StoreSum(const VF* sum, size_t head_dim, size_t dim, float factor, float* out) {
  const DF df;
  HWY_ALIGN float buffer[kVectors * kLanes];
  for (size_t v = 0; v < kVectors; ++v) {
    hn::Store(hn::Mul(sum[v], hn::Set(df, factor)), df, buffer + v * kLanes);
  }
  std::copy_n(buffer, std::min(kVectors * kLanes, head_dim - dim), out + dim);
}

/// exp((score - the highest) / sqrt(head_dim)) of each score from `first` to `length` - 1; zero for
/// those before, and for those past the end, up to `padded`.
void ScoresToWeights(float* scores, size_t first, size_t length, size_t padded, size_t head_dim) {
  const DF df;
  std::fill(scores, scores + first, -HUGE_VALF);
  std::fill(scores + length, scores + padded, -HUGE_VALF);
  VF highest = hn::Set(df, -HUGE_VALF);
  for (size_t t = 0; t < padded; t += kLanes) {
    highest = hn::Max(highest, hn::LoadU(df, scores + t));
  }
  highest = hn::MaxOfLanes(df, highest);
  const VF scale = hn::Set(df, 1.0F / std::sqrt(static_cast<float>(head_dim)));
  for (size_t t = 0; t < padded; t += kLanes) {
    const VF difference = hn::Mul(hn::Sub(hn::LoadU(df, scores + t), highest), scale);
    hn::StoreU(hn::Exp(df, hn::Max(difference, hn::Set(df, -80.0F))), df, scores + t);
  }
  std::fill(scores, scores + first, 0.0F);
  std::fill(scores + length, scores + padded, 0.0F);
}

template <size_t kQueries, size_t kBlocks>
HWY_INLINE void ClearScores(VF (&sum)[kQueries][kBlocks][kBlockVectors]) {
  for (size_t q = 0; q < kQueries; ++q) {
    for (size_t b = 0; b < kBlocks; ++b) {
      for (size_t v = 0; v < kBlockVectors; ++v) {
        sum[q][b][v] = hn::Zero(DF());
      }
    }
  }
}

template <size_t kQueries, size_t kBlocks>
HWY_INLINE void StoreScores(const VF (&sum)[kQueries][kBlocks][kBlockVectors], float* HWY_RESTRICT scores,
                            size_t stride) {
  for (size_t q = 0; q < kQueries; ++q) {
    for (size_t b = 0; b < kBlocks; ++b) {
      for (size_t v = 0; v < kBlockVectors; ++v) {
        hn::StoreU(sum[q][b][v], DF(), scores + q * stride + b * kBlock + v * kLanes);
      }
    }
  }
}

template <class Attention, size_t... kIndices>
HWY_INLINE std::array<Attention, sizeof...(kIndices)> MakeQueries(const HeadCacheLayout& layout, const QueryRun& run,
                                                                  AttentionScratch& scratch,
                                                                  std::index_sequence<kIndices...> /*indices*/) {
  return {Attention(layout, run.query + kIndices * run.stride, scratch, kIndices)...};
}

namespace plain {
#define CONTINUO_DOT 0
#include "continuo/engine/cpu/attention-inl.h"
#undef CONTINUO_DOT
}  // namespace plain

#if CONTINUO_HAS_BYTE_PRODUCTS
namespace vnni {
#define CONTINUO_DOT 1
#include "continuo/engine/cpu/attention-inl.h"
#undef CONTINUO_DOT
}  // namespace vnni
#endif
#if HWY_TARGET == HWY_AVX3
namespace bf16 {
#define CONTINUO_DOT 2
#include "continuo/engine/cpu/attention-inl.h"
#undef CONTINUO_DOT
}  // namespace bf16
#endif

void Attend(const HeadCacheLayout& layout, const QueryRun& run, const uint8_t* keys, const uint8_t* values,
            AttentionScratch& scratch, bool use_vnni, bool use_bf16) {
  switch (layout.precision) {
    case NumberFormat::kF32:
      return plain::AttendWith<plain::F32Attention>(layout, run, keys, values, scratch);
    case NumberFormat::kBf16:
#if HWY_TARGET == HWY_AVX3
      if (use_bf16) {
        return bf16::AttendWith<bf16::Bf16Attention>(layout, run, keys, values, scratch);
      }
#endif
      return plain::AttendWith<plain::Bf16Attention>(layout, run, keys, values, scratch);
    case NumberFormat::kInt8:
#if CONTINUO_HAS_BYTE_PRODUCTS
      if (use_vnni) {
        return vnni::AttendWith<vnni::Int8Attention>(layout, run, keys, values, scratch);
      }
#endif
      return plain::AttendWith<plain::Int8Attention>(layout, run, keys, values, scratch);
    case NumberFormat::kF16:
      break;  // not computed in
  }
  (void)use_vnni;
  (void)use_bf16;
}

/// Calls use(dim, 16 floats, how many of them count) along a vector; what doesn't count is zero.
template <typename Use>
HWY_INLINE void ForSixteens(const float* from, size_t count, const Use& use) {
  size_t i = 0;
  for (; i + kBlock <= count; i += kBlock) {
    use(i, from + i, kBlock);
  }
  if (i < count) {
    HWY_ALIGN float rest[kBlock] = {};
    std::copy(from + i, from + count, rest);
    use(i, rest, count - i);
  }
}

/// The scale of a vector in int8, and 1 / scale; no number if one of the vector's is none.
HWY_INLINE float ScaleOf(const float* from, size_t count) {
  float largest = 0.0F;
  float sum = 0.0F;
  for (size_t i = 0; i < count; ++i) {
    largest = std::max(largest, std::abs(from[i]));
    sum += from[i] - from[i];  // NaN if it is no finite number
  }
  return largest / 127.0F + sum;
}

HWY_INLINE void StoreInt8(const float* from, float scale, int8_t* to) {
  const hn::Rebind<int8_t, DF> d8;
  const VF steps = hn::Set(DF(), scale > 0.0F ? 1.0F / scale : 0.0F);
  for (size_t i = 0; i < kBlock; i += kLanes) {
    const VI nearest = hn::NearestInt(hn::Mul(hn::LoadU(DF(), from + i), steps));
    const VI value = hn::Max(hn::Min(nearest, hn::Set(DI(), 127)), hn::Set(DI(), -127));
    hn::StoreU(hn::DemoteTo(d8, value), d8, to + i);
  }
}

/// Puts 16 dimensions of a position beside those of the other of its pair, which `Pair` holds, the
/// first in its lower half. What stands beside a first is made zero, so that it counts for nothing
/// until it is there.
template <typename Pair, typename T>
HWY_INLINE void StorePairs(const T* from, size_t position, uint8_t* to) {
  constexpr unsigned kHalf = 8 * sizeof(T);
  std::array<Pair, kBlock> pairs{};
  if (position % 2 == 1) {
    std::memcpy(pairs.data(), to, sizeof(pairs));
  }
  const unsigned shift = position % 2 * kHalf;
  for (size_t i = 0; i < kBlock; ++i) {
    const auto value = static_cast<Pair>(static_cast<std::make_unsigned_t<T>>(from[i]));
    pairs[i] = static_cast<Pair>((pairs[i] & ((Pair{1} << kHalf) - 1)) | static_cast<Pair>(value << shift));
  }
  std::memcpy(to, pairs.data(), sizeof(pairs));
}

void StoreInCache(const HeadCacheLayout& layout, const float* key, const float* value, size_t position, uint8_t* keys,
                  uint8_t* values) {
  uint8_t* block = keys + position / kBlock * layout.block_bytes();
  uint8_t* row = values + position * layout.value_stride() * layout.element();
  uint8_t* pair = values + position / 2 * 2 * layout.value_stride() * layout.element();
  const size_t lane = position % kBlock;
  switch (layout.precision) {
    case NumberFormat::kF32: {
      auto* key_to = reinterpret_cast<float*>(block) + lane;
      for (size_t dim = 0; dim < layout.head_dim; ++dim) {
        key_to[dim * kBlock] = key[dim];
      }
      std::copy_n(value, layout.head_dim, reinterpret_cast<float*>(row));
      return;
    }
    case NumberFormat::kBf16: {
      auto* key_to = reinterpret_cast<uint16_t*>(block) + 2 * lane;
      HWY_ALIGN uint16_t rounded[kBlock];
      ForSixteens(key, layout.head_dim, [&](size_t dim, const float* from, size_t count) HWY_ATTR {
        for (size_t i = 0; i < kBlock; i += kLanes) {
          StoreBf16(hn::LoadU(DF(), from + i), rounded + i);
        }
        for (size_t i = 0; i < count; i += 2) {
          std::memcpy(key_to + (dim + i) * kBlock, rounded + i, 2 * sizeof(uint16_t));
        }
      });
      ForSixteens(value, layout.head_dim, [&](size_t dim, const float* from, size_t) HWY_ATTR {
        for (size_t i = 0; i < kBlock; i += kLanes) {
          StoreBf16(hn::LoadU(DF(), from + i), rounded + i);
        }
        StorePairs<uint32_t>(rounded, position, pair + 2 * dim * sizeof(uint16_t));
      });
      return;
    }
    case NumberFormat::kInt8: {
      uint8_t* key_to = block + 4 * lane;
      auto* scales = reinterpret_cast<float*>(block + layout.scales_offset());
      const float key_scale = ScaleOf(key, layout.head_dim);
      const float value_scale = ScaleOf(value, layout.head_dim);
      scales[lane] = key_scale;
      scales[kBlock + lane] = value_scale;
      HWY_ALIGN int8_t rounded[kBlock];
      ForSixteens(key, layout.head_dim, [&](size_t dim, const float* from, size_t count) HWY_ATTR {
        StoreInt8(from, key_scale, rounded);
        for (size_t i = 0; i < count; i += 4) {
          uint32_t four = 0;
          std::memcpy(&four, rounded + i, sizeof(four));
          four ^= 0x80808080U;  // plus 128 each
          std::memcpy(key_to + (dim + i) * kBlock, &four, sizeof(four));
        }
      });
      ForSixteens(value, layout.head_dim, [&](size_t dim, const float* from, size_t) HWY_ATTR {
        StoreInt8(from, value_scale, rounded);
        StorePairs<uint16_t>(rounded, position, pair + 2 * dim);
      });
      return;
    }
    case NumberFormat::kF16:
      return;  // not computed in
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace continuo
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace continuo {

HWY_EXPORT(Attend);
HWY_EXPORT(StoreInCache);

AttentionScratch::AttentionScratch(const HeadCacheLayout& layout)
    : scores(kMostQueries * layout.positions),
      padded_query(layout.value_stride() * sizeof(float)),
      query(kMostQueries * layout.value_stride() * sizeof(uint16_t)),
      weights(kMostQueries * layout.positions * sizeof(uint16_t)) {}

void StoreInCache(const HeadCacheLayout& layout, const float* key, const float* value, size_t position, uint8_t* keys,
                  uint8_t* values) {
  HWY_DYNAMIC_DISPATCH(StoreInCache)(layout, key, value, position, keys, values);
}

void Attend(const HeadCacheLayout& layout, const QueryRun& run, const uint8_t* keys, const uint8_t* values,
            AttentionScratch& scratch) {
  HWY_DYNAMIC_DISPATCH(Attend)(layout, run, keys, values, scratch, UseVnni(), UseBf16Dot());
}

}  // namespace continuo
#endif  // HWY_ONCE
