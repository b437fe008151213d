#include "continuo/infer/attention.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "continuo/model/half.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "continuo/infer/attention.cc"  // compiled once for each instruction set
#include "continuo/infer/targets.h"

#include <hwy/foreach_target.h>  // must come before highway.h
#include <hwy/highway.h>

#include <hwy/contrib/math/math-inl.h>

HWY_BEFORE_NAMESPACE();
namespace continuo {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

using DF = hn::CappedTag<float, 16>;
using DI = hn::Rebind<int32_t, DF>;
using VF = hn::Vec<DF>;
using VI = hn::Vec<DI>;
constexpr size_t kLanes = hn::MaxLanes(DF());
constexpr size_t kBlock = HeadCacheLayout::kBlock;
constexpr size_t kBlockVectors = kBlock / kLanes;

HWY_INLINE VF FirstOfPair(VI pair) {
  return hn::BitCast(DF(), hn::ShiftLeft<16>(pair));
}
HWY_INLINE VF SecondOfPair(VI pair) {
  return hn::BitCast(DF(), hn::And(pair, hn::Set(DI(), static_cast<int32_t>(0xffff0000U))));
}

template <bool kBf16>
HWY_INLINE VF LoadValues(const uint8_t* from, size_t index) {
  if constexpr (kBf16) {
    const hn::Rebind<uint16_t, DF> d16;
    const hn::Rebind<uint32_t, DF> d32;
    const auto half = hn::LoadU(d16, reinterpret_cast<const uint16_t*>(from) + index);
    return hn::BitCast(DF(), hn::ShiftLeft<16>(hn::PromoteTo(d32, half)));
  } else {
    return hn::LoadU(DF(), reinterpret_cast<const float*>(from) + index);
  }
}

/// scores[t] = q k[t] for kBlocks blocks of positions.
template <bool kBf16, size_t kBlocks>
HWY_INLINE void ScoreBlocks(const HeadCacheLayout& layout, const float* HWY_RESTRICT query, const uint8_t* keys,
                            float* HWY_RESTRICT scores) {
  const DF df;
  const DI di;
  const size_t block_size = layout.key_rows() * kBlock;
  const size_t dims = layout.head_dim;
  VF sum[kBlocks][kBlockVectors];
  for (size_t b = 0; b < kBlocks; ++b) {
    for (size_t v = 0; v < kBlockVectors; ++v) {
      sum[b][v] = hn::Zero(df);
    }
  }
  if constexpr (kBf16) {
    const auto* pairs = reinterpret_cast<const int32_t*>(keys);
    size_t dim = 0;
    for (; dim + 2 <= dims; dim += 2) {
      const VF first = hn::Set(df, query[dim]);
      const VF second = hn::Set(df, query[dim + 1]);
      for (size_t b = 0; b < kBlocks; ++b) {
        for (size_t v = 0; v < kBlockVectors; ++v) {
          const VI pair = hn::LoadU(di, pairs + (b * block_size + dim * kBlock) / 2 + v * kLanes);
          sum[b][v] = hn::MulAdd(FirstOfPair(pair), first, sum[b][v]);
          sum[b][v] = hn::MulAdd(SecondOfPair(pair), second, sum[b][v]);
        }
      }
    }
    if (dim < dims) {
      const VF first = hn::Set(df, query[dim]);
      for (size_t b = 0; b < kBlocks; ++b) {
        for (size_t v = 0; v < kBlockVectors; ++v) {
          const VI pair = hn::LoadU(di, pairs + (b * block_size + dim * kBlock) / 2 + v * kLanes);
          sum[b][v] = hn::MulAdd(FirstOfPair(pair), first, sum[b][v]);
        }
      }
    }
  } else {
    const auto* floats = reinterpret_cast<const float*>(keys);
    for (size_t dim = 0; dim < dims; ++dim) {
      const VF value = hn::Set(df, query[dim]);
      for (size_t b = 0; b < kBlocks; ++b) {
        for (size_t v = 0; v < kBlockVectors; ++v) {
          const VF key = hn::LoadU(df, floats + b * block_size + dim * kBlock + v * kLanes);
          sum[b][v] = hn::MulAdd(key, value, sum[b][v]);
        }
      }
    }
  }
  for (size_t b = 0; b < kBlocks; ++b) {
    for (size_t v = 0; v < kBlockVectors; ++v) {
      hn::StoreU(sum[b][v], df, scores + b * kBlock + v * kLanes);
    }
  }
}

/// out = sum over t of scores[t] * values[t] * factor for kVectors vectors of dimensions from `dim` on.
template <bool kBf16, size_t kVectors>
HWY_INLINE void SumValues(const HeadCacheLayout& layout, const float* scores, const uint8_t* values, size_t length,
                          size_t dim, float factor, float* out) {
  const DF df;
  const size_t stride = layout.value_stride();
  VF sum[kVectors];
  for (size_t v = 0; v < kVectors; ++v) {
    sum[v] = hn::Zero(df);
  }
  for (size_t t = 0; t < length; ++t) {
    const VF score = hn::Set(df, scores[t]);
    for (size_t v = 0; v < kVectors; ++v) {
      sum[v] = hn::MulAdd(score, LoadValues<kBf16>(values, t * stride + dim + v * kLanes), sum[v]);
    }
  }
  HWY_ALIGN float buffer[kVectors * kLanes];
  for (size_t v = 0; v < kVectors; ++v) {
    hn::Store(hn::Mul(sum[v], hn::Set(df, factor)), df, buffer + v * kLanes);
  }
  std::copy_n(buffer, std::min(kVectors * kLanes, layout.head_dim - dim), out + dim);
}

template <bool kBf16>
void AttendTyped(const HeadCacheLayout& layout, const float* query, const uint8_t* keys, const uint8_t* values,
                 size_t length, float* scores, float* out) {
  const DF df;
  const size_t block_bytes = layout.key_rows() * kBlock * layout.element();
  const size_t blocks = (length + kBlock - 1) / kBlock;
  // Four blocks at once hide the latency of a multiply-add.
  constexpr size_t kAtOnce = 4;
  size_t block = 0;
  for (; block + kAtOnce <= blocks; block += kAtOnce) {
    ScoreBlocks<kBf16, kAtOnce>(layout, query, keys + block * block_bytes, scores + block * kBlock);
  }
  for (; block < blocks; ++block) {
    ScoreBlocks<kBf16, 1>(layout, query, keys + block * block_bytes, scores + block * kBlock);
  }

  // Whole vectors: what is past the end counts as never attended.
  std::fill(scores + length, scores + blocks * kBlock, -HUGE_VALF);
  VF highest = hn::Set(df, -HUGE_VALF);
  for (size_t t = 0; t < length; t += kLanes) {
    highest = hn::Max(highest, hn::LoadU(df, scores + t));
  }
  highest = hn::MaxOfLanes(df, highest);
  const VF scale = hn::Set(df, 1.0F / std::sqrt(static_cast<float>(layout.head_dim)));
  for (size_t t = 0; t < length; t += kLanes) {
    const VF difference = hn::Mul(hn::Sub(hn::LoadU(df, scores + t), highest), scale);
    hn::StoreU(hn::Exp(df, hn::Max(difference, hn::Set(df, -80.0F))), df, scores + t);
  }
  std::fill(scores + length, scores + blocks * kBlock, 0.0F);
  VF sum = hn::Zero(df);
  for (size_t t = 0; t < length; t += kLanes) {
    sum = hn::Add(sum, hn::LoadU(df, scores + t));
  }
  const float inverse = 1.0F / hn::GetLane(hn::SumOfLanes(df, sum));

  constexpr size_t kManyVectors = 4;
  size_t dim = 0;
  for (; dim < layout.head_dim && dim + kManyVectors * kLanes <= layout.value_stride(); dim += kManyVectors * kLanes) {
    SumValues<kBf16, kManyVectors>(layout, scores, values, length, dim, inverse, out);
  }
  for (; dim < layout.head_dim; dim += kLanes) {
    SumValues<kBf16, 1>(layout, scores, values, length, dim, inverse, out);
  }
}

void Attend(const HeadCacheLayout& layout, const float* query, const uint8_t* keys, const uint8_t* values,
            size_t length, float* scores, float* out) {
  if (layout.bf16) {
    AttendTyped<true>(layout, query, keys, values, length, scores, out);
  } else {
    AttendTyped<false>(layout, query, keys, values, length, scores, out);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace continuo
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace continuo {

HWY_EXPORT(Attend);

void StoreInCache(const HeadCacheLayout& layout, const float* key, const float* value, size_t position, uint8_t* keys,
                  uint8_t* values) {
  constexpr size_t kBlock = HeadCacheLayout::kBlock;
  const size_t block = position / kBlock * kBlock * layout.key_rows();
  const size_t lane = position % kBlock;
  const size_t row = position * layout.value_stride();
  if (!layout.bf16) {
    auto* key_to = reinterpret_cast<float*>(keys) + block + lane;
    for (size_t dim = 0; dim < layout.head_dim; ++dim) {
      key_to[dim * kBlock] = key[dim];
    }
    std::copy_n(value, layout.head_dim, reinterpret_cast<float*>(values) + row);
    return;
  }
  auto* key_to = reinterpret_cast<uint16_t*>(keys) + block + 2 * lane;
  auto* value_to = reinterpret_cast<uint16_t*>(values) + row;
  for (size_t dim = 0; dim < layout.head_dim; ++dim) {
    key_to[dim / 2 * 2 * kBlock + dim % 2] = FloatToBf16(key[dim]);
    value_to[dim] = FloatToBf16(value[dim]);
  }
}

void Attend(const HeadCacheLayout& layout, const float* query, const uint8_t* keys, const uint8_t* values,
            size_t length, float* scores, float* out) {
  HWY_DYNAMIC_DISPATCH(Attend)(layout, query, keys, values, length, scores, out);
}

}  // namespace continuo
#endif  // HWY_ONCE
