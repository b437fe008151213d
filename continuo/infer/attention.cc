#include "continuo/infer/attention.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "continuo/infer/attention.cc"  // compiled once for each instruction set
#include "continuo/infer/targets.h"

#include <hwy/foreach_target.h>  // must come before highway.h
#include <hwy/highway.h>

#include <hwy/contrib/math/math-inl.h>

#include "continuo/infer/vectors-inl.h"

HWY_BEFORE_NAMESPACE();
namespace continuo {
namespace HWY_NAMESPACE {

constexpr size_t kLanes = hn::MaxLanes(DF());
constexpr size_t kBlock = HeadCacheLayout::kBlock;
constexpr size_t kBlockVectors = kBlock / kLanes;

template <Precision kPrecision>
HWY_INLINE VF LoadFloats(const uint8_t* from, size_t index) {
  if constexpr (kPrecision == Precision::kInt8) {
    return LoadInt8(reinterpret_cast<const int8_t*>(from) + index);
  } else if constexpr (kPrecision == Precision::kBf16) {
    return LoadBf16(reinterpret_cast<const uint16_t*>(from) + index);
  } else {
    return hn::LoadU(DF(), reinterpret_cast<const float*>(from) + index);
  }
}

/// scores[t] = q k[t] for kBlocks blocks of positions.
template <Precision kPrecision, size_t kBlocks>
HWY_INLINE void ScoreBlocks(const HeadCacheLayout& layout, const float* HWY_RESTRICT query, const uint8_t* keys,
                            float* HWY_RESTRICT scores) {
  const DF df;
  const size_t block_bytes = layout.block_bytes();
  const size_t dims = layout.head_dim;
  VF sum[kBlocks][kBlockVectors];
  for (size_t b = 0; b < kBlocks; ++b) {
    for (size_t v = 0; v < kBlockVectors; ++v) {
      sum[b][v] = hn::Zero(df);
    }
  }
  size_t dim = 0;
  if constexpr (kPrecision == Precision::kBf16) {
    for (; dim + 2 <= dims; dim += 2) {
      const VF first = hn::Set(df, query[dim]);
      const VF second = hn::Set(df, query[dim + 1]);
      for (size_t b = 0; b < kBlocks; ++b) {
        const auto* pairs = reinterpret_cast<const int32_t*>(keys + b * block_bytes) + dim / 2 * kBlock;
        for (size_t v = 0; v < kBlockVectors; ++v) {
          const VI pair = hn::LoadU(DI(), pairs + v * kLanes);
          sum[b][v] = hn::MulAdd(FirstOfPair(pair), first, sum[b][v]);
          sum[b][v] = hn::MulAdd(SecondOfPair(pair), second, sum[b][v]);
        }
      }
    }
    if (dim < dims) {
      const VF first = hn::Set(df, query[dim]);
      for (size_t b = 0; b < kBlocks; ++b) {
        const auto* pairs = reinterpret_cast<const int32_t*>(keys + b * block_bytes) + dim / 2 * kBlock;
        for (size_t v = 0; v < kBlockVectors; ++v) {
          sum[b][v] = hn::MulAdd(FirstOfPair(hn::LoadU(DI(), pairs + v * kLanes)), first, sum[b][v]);
        }
      }
    }
  } else {
    for (; dim < dims; ++dim) {
      const VF value = hn::Set(df, query[dim]);
      for (size_t b = 0; b < kBlocks; ++b) {
        const uint8_t* row = keys + b * block_bytes + dim * kBlock * layout.element();
        for (size_t v = 0; v < kBlockVectors; ++v) {
          sum[b][v] = hn::MulAdd(LoadFloats<kPrecision>(row, v * kLanes), value, sum[b][v]);
        }
      }
    }
  }
  for (size_t b = 0; b < kBlocks; ++b) {
    for (size_t v = 0; v < kBlockVectors; ++v) {
      VF score = sum[b][v];
      if constexpr (kPrecision == Precision::kInt8) {
        const uint8_t* scales = keys + b * block_bytes + layout.scales_offset();
        score = hn::Mul(score, LoadFloats<Precision::kF32>(scales, v * kLanes));
      }
      hn::StoreU(score, df, scores + b * kBlock + v * kLanes);
    }
  }
}

/// out = sum over t of scores[t] * values[t] * factor for kVectors vectors of dimensions from `dim` on.
template <Precision kPrecision, size_t kVectors>
HWY_INLINE void SumValues(const HeadCacheLayout& layout, const float* scores, const uint8_t* values, size_t length,
                          size_t dim, float factor, float* out) {
  const DF df;
  const size_t row_bytes = layout.value_stride() * layout.element();
  VF sum[kVectors];
  for (size_t v = 0; v < kVectors; ++v) {
    sum[v] = hn::Zero(df);
  }
  for (size_t t = 0; t < length; ++t) {
    const VF score = hn::Set(df, scores[t]);
    const uint8_t* row = values + t * row_bytes;
    for (size_t v = 0; v < kVectors; ++v) {
      sum[v] = hn::MulAdd(score, LoadFloats<kPrecision>(row, dim + v * kLanes), sum[v]);
    }
  }
  HWY_ALIGN float buffer[kVectors * kLanes];
  for (size_t v = 0; v < kVectors; ++v) {
    hn::Store(hn::Mul(sum[v], hn::Set(df, factor)), df, buffer + v * kLanes);
  }
  std::copy_n(buffer, std::min(kVectors * kLanes, layout.head_dim - dim), out + dim);
}

template <Precision kPrecision>
void AttendTyped(const HeadCacheLayout& layout, const float* query, const uint8_t* keys, const uint8_t* values,
                 size_t length, float* scores, float* out) {
  const DF df;
  const size_t block_bytes = layout.block_bytes();
  const size_t blocks = (length + kBlock - 1) / kBlock;
  // Four blocks at once hide the latency of a multiply-add.
  constexpr size_t kAtOnce = 4;
  size_t block = 0;
  for (; block + kAtOnce <= blocks; block += kAtOnce) {
    ScoreBlocks<kPrecision, kAtOnce>(layout, query, keys + block * block_bytes, scores + block * kBlock);
  }
  for (; block < blocks; ++block) {
    ScoreBlocks<kPrecision, 1>(layout, query, keys + block * block_bytes, scores + block * kBlock);
  }

  // Whole blocks: what is past the end counts as never attended.
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
  if constexpr (kPrecision == Precision::kInt8) {
    for (size_t t = 0; t < length; t += kLanes) {
      const uint8_t* scales = keys + t / kBlock * block_bytes + layout.scales_offset() + kBlock * sizeof(float);
      const VF value_scale = LoadFloats<Precision::kF32>(scales, t % kBlock);
      hn::StoreU(hn::Mul(hn::LoadU(df, scores + t), value_scale), df, scores + t);
    }
  }

  constexpr size_t kManyVectors = 4;
  size_t dim = 0;
  for (; dim < layout.head_dim && dim + kManyVectors * kLanes <= layout.value_stride(); dim += kManyVectors * kLanes) {
    SumValues<kPrecision, kManyVectors>(layout, scores, values, length, dim, inverse, out);
  }
  for (; dim < layout.head_dim; dim += kLanes) {
    SumValues<kPrecision, 1>(layout, scores, values, length, dim, inverse, out);
  }
}

void Attend(const HeadCacheLayout& layout, const float* query, const uint8_t* keys, const uint8_t* values,
            size_t length, float* scores, float* out) {
  switch (layout.precision) {
    case Precision::kF32:
      return AttendTyped<Precision::kF32>(layout, query, keys, values, length, scores, out);
    case Precision::kBf16:
      return AttendTyped<Precision::kBf16>(layout, query, keys, values, length, scores, out);
    case Precision::kInt8:
      return AttendTyped<Precision::kInt8>(layout, query, keys, values, length, scores, out);
  }
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

void StoreInCache(const HeadCacheLayout& layout, const float* key, const float* value, size_t position, uint8_t* keys,
                  uint8_t* values) {
  uint8_t* block = keys + position / kBlock * layout.block_bytes();
  uint8_t* row = values + position * layout.value_stride() * layout.element();
  const size_t lane = position % kBlock;
  switch (layout.precision) {
    case Precision::kF32: {
      auto* key_to = reinterpret_cast<float*>(block) + lane;
      for (size_t dim = 0; dim < layout.head_dim; ++dim) {
        key_to[dim * kBlock] = key[dim];
      }
      std::copy_n(value, layout.head_dim, reinterpret_cast<float*>(row));
      return;
    }
    case Precision::kBf16: {
      auto* key_to = reinterpret_cast<uint16_t*>(block) + 2 * lane;
      auto* value_to = reinterpret_cast<uint16_t*>(row);
      HWY_ALIGN uint16_t rounded[kBlock];
      ForSixteens(key, layout.head_dim, [&](size_t dim, const float* from, size_t count) HWY_ATTR {
        for (size_t i = 0; i < kBlock; i += kLanes) {
          StoreBf16(hn::LoadU(DF(), from + i), rounded + i);
        }
        for (size_t i = 0; i < count; ++i) {
          key_to[(dim + i) / 2 * 2 * kBlock + (dim + i) % 2] = rounded[i];
        }
      });
      ForSixteens(value, layout.head_dim, [&](size_t dim, const float* from, size_t) HWY_ATTR {
        for (size_t i = 0; i < kBlock; i += kLanes) {
          StoreBf16(hn::LoadU(DF(), from + i), value_to + dim + i);
        }
      });
      return;
    }
    case Precision::kInt8: {
      auto* key_to = reinterpret_cast<int8_t*>(block) + lane;
      auto* value_to = reinterpret_cast<int8_t*>(row);
      auto* scales = reinterpret_cast<float*>(block + layout.scales_offset());
      const float key_scale = ScaleOf(key, layout.head_dim);
      const float value_scale = ScaleOf(value, layout.head_dim);
      scales[lane] = key_scale;
      scales[kBlock + lane] = value_scale;
      HWY_ALIGN int8_t rounded[kBlock];
      ForSixteens(key, layout.head_dim, [&](size_t dim, const float* from, size_t count) HWY_ATTR {
        StoreInt8(from, key_scale, rounded);
        for (size_t i = 0; i < count; ++i) {
          key_to[(dim + i) * kBlock] = rounded[i];
        }
      });
      ForSixteens(value, layout.head_dim, [&](size_t dim, const float* from, size_t) HWY_ATTR {
        StoreInt8(from, value_scale, value_to + dim);
      });
      return;
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace continuo
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace continuo {

HWY_EXPORT(Attend);
HWY_EXPORT(StoreInCache);

void StoreInCache(const HeadCacheLayout& layout, const float* key, const float* value, size_t position, uint8_t* keys,
                  uint8_t* values) {
  HWY_DYNAMIC_DISPATCH(StoreInCache)(layout, key, value, position, keys, values);
}

void Attend(const HeadCacheLayout& layout, const float* query, const uint8_t* keys, const uint8_t* values,
            size_t length, float* scores, float* out) {
  HWY_DYNAMIC_DISPATCH(Attend)(layout, query, keys, values, length, scores, out);
}

}  // namespace continuo
#endif  // HWY_ONCE
