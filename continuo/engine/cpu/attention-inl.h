// Scores and sums of attention over a cache. Included by attention.cc for each instruction set, and
// again for each set of dot product instructions that Highway knows nothing of, with CONTINUO_DOT
// set to one of:
#define CONTINUO_DOT_PLAIN 0
#define CONTINUO_DOT_VNNI 1  // int8 only
#define CONTINUO_DOT_BF16 2  // bf16 only
//
// Each of the classes holds a query, rounded as its precision asks. Scores are those of whole
// blocks of 16 positions; Weigh takes exp(score - highest) of each position, 0 past the end, keeps
// the weights rounded, and returns what sums are to be multiplied with; Sum gives kVectors vectors
// of the output from dimension `dim` on.

#if CONTINUO_DOT != CONTINUO_DOT_BF16
class Int8Attention {
 public:
  Int8Attention(const HeadCacheLayout& layout, const float* query, AttentionScratch& scratch)
      : layout_(layout), query_(scratch.query.as<int8_t>()), weights_(scratch.weights.as<int16_t>()) {
    const size_t padded = layout.value_stride();
    auto* floats = scratch.padded_query.as<float>();
    std::copy_n(query, layout.head_dim, floats);
    std::fill(floats + layout.head_dim, floats + padded, 0.0F);
    offset_ = -128 * RoundToInt8(floats, padded, scratch.query.as<int8_t>(), &scale_);
  }

  template <size_t kBlocks>
  HWY_INLINE void Score(const uint8_t* keys, float* HWY_RESTRICT scores) const {
    const DF df;
    const DI di;
    [[maybe_unused]] const VI sign = hn::Set(di, static_cast<int32_t>(0x80808080U));  // of four keys
    const size_t block_bytes = layout_.block_bytes();
    VI sum[kBlocks][kBlockVectors];
    for (size_t b = 0; b < kBlocks; ++b) {
      for (size_t v = 0; v < kBlockVectors; ++v) {
        sum[b][v] = CONTINUO_DOT == CONTINUO_DOT_VNNI ? hn::Set(di, offset_) : hn::Zero(di);
      }
    }
    for (size_t dim = 0; dim < layout_.head_dim; dim += 4) {
      int32_t four = 0;
      std::memcpy(&four, query_ + dim, sizeof(four));
#if CONTINUO_DOT == CONTINUO_DOT_VNNI
      const VI value = hn::Set(di, four);
#else
      const SignedQuads value(hn::Set(di, four));
#endif
      for (size_t b = 0; b < kBlocks; ++b) {
        const auto* quads = reinterpret_cast<const int32_t*>(keys + b * block_bytes) + dim / 4 * kBlock;
        for (size_t v = 0; v < kBlockVectors; ++v) {
          const VI key = hn::LoadU(di, quads + v * kLanes);
#if CONTINUO_DOT == CONTINUO_DOT_VNNI
          sum[b][v] = AddByteProducts(sum[b][v], key, value);
#else
          sum[b][v] = hn::Add(sum[b][v], SignedQuads(hn::Xor(key, sign)).Dot(value));
#endif
        }
      }
    }
    const VF query_scale = hn::Set(df, scale_);
    for (size_t b = 0; b < kBlocks; ++b) {
      const auto* scales = reinterpret_cast<const float*>(keys + b * block_bytes + layout_.scales_offset());
      for (size_t v = 0; v < kBlockVectors; ++v) {
        const VF scale = hn::Mul(hn::LoadU(df, scales + v * kLanes), query_scale);
        hn::StoreU(hn::Mul(hn::ConvertTo(df, sum[b][v]), scale), df, scores + b * kBlock + v * kLanes);
      }
    }
  }

  /// Weights times the values' scales, in steps of their largest / 2^14.
  float Weigh(const float* exps, const uint8_t* keys, size_t positions) {
    const DF df;
    const hn::Rebind<int16_t, DF> d16;
    VF sum = hn::Zero(df);
    VF largest = hn::Zero(df);
    VF check = hn::Zero(df);  // is NaN if a scale is
    const auto scaled = [&](size_t t) HWY_ATTR {
      const uint8_t* scales =
          keys + t / kBlock * layout_.block_bytes() + layout_.scales_offset() + kBlock * sizeof(float);
      const VF weight = hn::LoadU(df, exps + t);
      // Past the end there may be anything.
      return hn::IfThenElseZero(hn::Gt(weight, hn::Zero(df)),
                                hn::Mul(weight, hn::LoadU(df, reinterpret_cast<const float*>(scales) + t % kBlock)));
    };
    for (size_t t = 0; t < positions; t += kLanes) {
      const VF weight = scaled(t);
      sum = hn::Add(sum, hn::LoadU(df, exps + t));
      largest = hn::Max(largest, weight);
      check = hn::Add(check, weight);
    }
    const float most = hn::GetLane(hn::MaxOfLanes(df, largest));
    const VF steps = hn::Set(df, most > 0.0F ? kOne / most : 0.0F);
    for (size_t t = 0; t < positions; t += kLanes) {
      hn::StoreU(hn::DemoteTo(d16, hn::NearestInt(hn::Mul(scaled(t), steps))), d16, weights_ + t);
    }
    const float all = hn::GetLane(hn::SumOfLanes(df, check));
    return most / kOne / hn::GetLane(hn::SumOfLanes(df, sum)) + (all - all);
  }

  template <size_t kVectors>
  HWY_INLINE void Sum(const uint8_t* values, size_t length, size_t dim, float factor, float* out) const {
    const DF df;
    const DI di;
    VF total[kVectors];
    for (size_t v = 0; v < kVectors; ++v) {
      total[v] = hn::Zero(df);
    }
    const size_t pairs = (length + 1) / 2;
    for (size_t first = 0; first < pairs; first += kPairsAtOnce) {
      VI sum[kVectors];
      for (size_t v = 0; v < kVectors; ++v) {
        sum[v] = hn::Zero(di);
      }
      for (size_t pair = first; pair < std::min(pairs, first + kPairsAtOnce); ++pair) {
        const auto* row = reinterpret_cast<const int8_t*>(values) + (pair * layout_.value_stride() + dim) * 2;
        AddPairs<kVectors>(row, weights_ + 2 * pair, sum);
      }
      for (size_t v = 0; v < kVectors; ++v) {
        total[v] = hn::Add(total[v], hn::ConvertTo(df, sum[v]));
      }
    }
    StoreSum<kVectors>(total, layout_.head_dim, dim, factor, out);
  }

 private:
  static constexpr float kOne = 16384.0F;
  // 1,024 products of 2^14 and 127 fit 32 bits.
  static constexpr size_t kPairsAtOnce = 512;

  /// Adds to each sum its two values times the two weights.
  template <size_t kVectors>
  static HWY_INLINE void AddPairs(const int8_t* row, const int16_t* weights, VI* sum) {
#if HWY_TARGET == HWY_SCALAR
    for (size_t v = 0; v < kVectors; ++v) {
      sum[v] = hn::Add(sum[v], hn::Set(DI(), row[2 * v] * weights[0] + row[2 * v + 1] * weights[1]));
    }
#else
    using D16 = hn::Repartition<int16_t, DI>;
    int32_t two = 0;
    std::memcpy(&two, weights, sizeof(two));
    [[maybe_unused]] const VI weight = hn::Set(DI(), two);
    for (size_t v = 0; v < kVectors; ++v) {
      const auto value = hn::PromoteTo(D16(), hn::LoadU(hn::Rebind<int8_t, D16>(), row + 2 * v * kLanes));
#if CONTINUO_DOT == CONTINUO_DOT_VNNI
      sum[v] = AddShortProducts(sum[v], hn::BitCast(DI(), value), weight);
#elif HWY_ARCH_X86 && HWY_TARGET != HWY_EMU128
      VI none = hn::Zero(DI());  // here the sums are of neighbours, and all in the first
      sum[v] = hn::ReorderWidenMulAccumulate(DI(), value, hn::BitCast(D16(), weight), sum[v], none);
#else
      const VI both = hn::BitCast(DI(), value);
      const VI first = hn::ShiftRight<16>(hn::ShiftLeft<16>(both));
      const VI second = hn::ShiftRight<16>(both);
      sum[v] = hn::Add(sum[v],
                       hn::Add(hn::Mul(first, hn::Set(DI(), weights[0])), hn::Mul(second, hn::Set(DI(), weights[1]))));
#endif
    }
#endif
  }

  const HeadCacheLayout& layout_;
  const int8_t* query_;
  int16_t* weights_;
  float scale_ = 0.0F;
  int32_t offset_ = 0;
};
#endif

#if CONTINUO_DOT != CONTINUO_DOT_VNNI
class Bf16Attention {
 public:
  Bf16Attention(const HeadCacheLayout& layout, const float* query, AttentionScratch& scratch)
      : layout_(layout), query_(scratch.query.as<uint16_t>()), weights_(scratch.weights.as<uint16_t>()) {
    const size_t padded = layout.value_stride();
    auto* floats = scratch.padded_query.as<float>();
    std::copy_n(query, layout.head_dim, floats);
    std::fill(floats + layout.head_dim, floats + padded, 0.0F);
    for (size_t i = 0; i < padded; i += kLanes) {
      StoreBf16(hn::LoadU(DF(), floats + i), scratch.query.as<uint16_t>() + i);
    }
  }

  template <size_t kBlocks>
  HWY_INLINE void Score(const uint8_t* keys, float* HWY_RESTRICT scores) const {
    const DF df;
    const size_t block_bytes = layout_.block_bytes();
    VF sum[kBlocks][kBlockVectors];
    for (size_t b = 0; b < kBlocks; ++b) {
      for (size_t v = 0; v < kBlockVectors; ++v) {
        sum[b][v] = hn::Zero(df);
      }
    }
    for (size_t dim = 0; dim < layout_.head_dim; dim += 2) {
      const VI value = LoadPair(query_ + dim);
      for (size_t b = 0; b < kBlocks; ++b) {
        const auto* pairs = reinterpret_cast<const int32_t*>(keys + b * block_bytes) + dim / 2 * kBlock;
        for (size_t v = 0; v < kBlockVectors; ++v) {
          sum[b][v] = AddDot(hn::LoadU(DI(), pairs + v * kLanes), value, sum[b][v]);
        }
      }
    }
    for (size_t b = 0; b < kBlocks; ++b) {
      for (size_t v = 0; v < kBlockVectors; ++v) {
        hn::StoreU(sum[b][v], df, scores + b * kBlock + v * kLanes);
      }
    }
  }

  /// The weights as bf16, whose sum is 1 after the factor.
  float Weigh(const float* exps, const uint8_t* /*keys*/, size_t positions) {
    const DF df;
    VF sum = hn::Zero(df);
    for (size_t t = 0; t < positions; t += kLanes) {
      StoreBf16(hn::LoadU(df, exps + t), weights_ + t);
      sum = hn::Add(sum, LoadBf16(weights_ + t));
    }
    return 1.0F / hn::GetLane(hn::SumOfLanes(df, sum));
  }

  template <size_t kVectors>
  HWY_INLINE void Sum(const uint8_t* values, size_t length, size_t dim, float factor, float* out) const {
    // Two sums of each dimension, of every other pair of positions, hide the latency of a dot
    // product.
    VF sum[2][kVectors];
    for (size_t v = 0; v < kVectors; ++v) {
      sum[0][v] = hn::Zero(DF());
      sum[1][v] = hn::Zero(DF());
    }
    const size_t pairs = (length + 1) / 2;
    const auto* from = reinterpret_cast<const int32_t*>(values) + dim;
    const size_t stride = layout_.value_stride();
    size_t pair = 0;
    for (; pair + 2 <= pairs; pair += 2) {
      AddPair<kVectors>(from + pair * stride, weights_ + 2 * pair, sum[0]);
      AddPair<kVectors>(from + (pair + 1) * stride, weights_ + 2 * (pair + 1), sum[1]);
    }
    if (pair < pairs) {
      AddPair<kVectors>(from + pair * stride, weights_ + 2 * pair, sum[0]);
    }
    for (size_t v = 0; v < kVectors; ++v) {
      sum[0][v] = hn::Add(sum[0][v], sum[1][v]);
    }
    StoreSum<kVectors>(sum[0], layout_.head_dim, dim, factor, out);
  }

 private:
  static HWY_INLINE VI LoadPair(const uint16_t* from) {
    int32_t two = 0;
    std::memcpy(&two, from, sizeof(two));
    return hn::Set(DI(), two);
  }
  static HWY_INLINE VF AddDot(VI a, VI b, VF sum) {
#if CONTINUO_DOT == CONTINUO_DOT_BF16
    return AddBf16Products(sum, a, b);
#else
    return hn::MulAdd(FirstOfPair(a), FirstOfPair(b), hn::MulAdd(SecondOfPair(a), SecondOfPair(b), sum));
#endif
  }

  /// Adds to each sum its two values times the two weights.
  template <size_t kVectors>
  static HWY_INLINE void AddPair(const int32_t* values, const uint16_t* weights, VF* sum) {
    const VI weight = LoadPair(weights);
    for (size_t v = 0; v < kVectors; ++v) {
      sum[v] = AddDot(hn::LoadU(DI(), values + v * kLanes), weight, sum[v]);
    }
  }

  const HeadCacheLayout& layout_;
  const uint16_t* query_;
  uint16_t* weights_;
};
#endif

#if CONTINUO_DOT == CONTINUO_DOT_PLAIN
class F32Attention {
 public:
  F32Attention(const HeadCacheLayout& layout, const float* query, AttentionScratch& /*scratch*/)
      : layout_(layout), query_(query) {}

  template <size_t kBlocks>
  HWY_INLINE void Score(const uint8_t* keys, float* HWY_RESTRICT scores) const {
    const DF df;
    VF sum[kBlocks][kBlockVectors];
    for (size_t b = 0; b < kBlocks; ++b) {
      for (size_t v = 0; v < kBlockVectors; ++v) {
        sum[b][v] = hn::Zero(df);
      }
    }
    for (size_t dim = 0; dim < layout_.head_dim; ++dim) {
      const VF value = hn::Set(df, query_[dim]);
      for (size_t b = 0; b < kBlocks; ++b) {
        const auto* row = reinterpret_cast<const float*>(keys + b * layout_.block_bytes()) + dim * kBlock;
        for (size_t v = 0; v < kBlockVectors; ++v) {
          sum[b][v] = hn::MulAdd(hn::LoadU(df, row + v * kLanes), value, sum[b][v]);
        }
      }
    }
    for (size_t b = 0; b < kBlocks; ++b) {
      for (size_t v = 0; v < kBlockVectors; ++v) {
        hn::StoreU(sum[b][v], df, scores + b * kBlock + v * kLanes);
      }
    }
  }

  float Weigh(const float* exps, const uint8_t* /*keys*/, size_t positions) {
    const DF df;
    weights_ = exps;
    VF sum = hn::Zero(df);
    for (size_t t = 0; t < positions; t += kLanes) {
      sum = hn::Add(sum, hn::LoadU(df, exps + t));
    }
    return 1.0F / hn::GetLane(hn::SumOfLanes(df, sum));
  }

  template <size_t kVectors>
  HWY_INLINE void Sum(const uint8_t* values, size_t length, size_t dim, float factor, float* out) const {
    const DF df;
    VF sum[kVectors];
    for (size_t v = 0; v < kVectors; ++v) {
      sum[v] = hn::Zero(df);
    }
    const auto* from = reinterpret_cast<const float*>(values) + dim;
    for (size_t t = 0; t < length; ++t) {
      const VF weight = hn::Set(df, weights_[t]);
      for (size_t v = 0; v < kVectors; ++v) {
        sum[v] = hn::MulAdd(weight, hn::LoadU(df, from + t * layout_.value_stride() + v * kLanes), sum[v]);
      }
    }
    StoreSum<kVectors>(sum, layout_.head_dim, dim, factor, out);
  }

 private:
  const HeadCacheLayout& layout_;
  const float* query_;
  const float* weights_ = nullptr;
};
#endif

/// Scores of blocks [0, blocks), kBlocks at a time, then the rest by half as many.
template <size_t kBlocks, class Attention>
HWY_INLINE void ScoreAll(const Attention& attention, const uint8_t* keys, size_t block_bytes, size_t blocks,
                         float* scores) {
  size_t block = 0;
  for (; block + kBlocks <= blocks; block += kBlocks) {
    attention.template Score<kBlocks>(keys + block * block_bytes, scores + block * kBlock);
  }
  if constexpr (kBlocks > 1) {
    if (block < blocks) {
      ScoreAll<kBlocks / 2>(attention, keys + block * block_bytes, block_bytes, blocks - block,
                            scores + block * kBlock);
    }
  }
}

template <class Attention>
void AttendWith(const HeadCacheLayout& layout, const float* query, const uint8_t* keys, const uint8_t* values,
                size_t first, size_t length, AttentionScratch& scratch, float* out) {
  Attention attention(layout, query, scratch);
  const size_t skipped = first / kBlock;  // blocks
  keys += skipped * layout.block_bytes();
  values += skipped * kBlock * layout.value_stride() * layout.element();
  first -= skipped * kBlock;
  length -= skipped * kBlock;
  float* scores = scratch.scores.data();
  const size_t blocks = (length + kBlock - 1) / kBlock;
  ScoreAll<kBlocksAtOnce>(attention, keys, layout.block_bytes(), blocks, scores);
  ScoresToWeights(scores, first, length, blocks * kBlock, layout.head_dim);
  const float factor = attention.Weigh(scores, keys, blocks * kBlock);

  constexpr size_t kManyVectors = 4;
  size_t dim = 0;
  for (; dim < layout.head_dim && dim + kManyVectors * kLanes <= layout.value_stride(); dim += kManyVectors * kLanes) {
    attention.template Sum<kManyVectors>(values, length, dim, factor, out);
  }
  for (; dim < layout.head_dim; dim += kLanes) {
    attention.template Sum<1>(values, length, dim, factor, out);
  }
}

#undef CONTINUO_DOT_PLAIN
#undef CONTINUO_DOT_VNNI
#undef CONTINUO_DOT_BF16
