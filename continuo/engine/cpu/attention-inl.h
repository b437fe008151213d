// Scores and sums of attention over a cache. Included by attention.cc for each instruction set, and
// again for each set of dot product instructions that Highway knows nothing of, with CONTINUO_DOT
// set to one of:
#define CONTINUO_DOT_PLAIN 0
#define CONTINUO_DOT_VNNI 1  // int8 only
#define CONTINUO_DOT_BF16 2  // bf16 only
//
// Each of the classes holds a query, rounded as its precision asks, the `index`-th of those that go
// together. Score makes the scores of kQueries queries, `stride` apart, with whole blocks of 16
// positions; Weigh takes exp(score - highest) of each position, 0 past the end, keeps the weights
// rounded, and returns what sums are to be multiplied with; Sum makes kVectors vectors of each
// query's output from dimension `dim` on. Each query has one position more than the one before it.

#if CONTINUO_DOT != CONTINUO_DOT_BF16
class Int8Attention {
 public:
  Int8Attention(const HeadCacheLayout& layout, const float* query, AttentionScratch& scratch, size_t index)
      : layout_(layout),
        query_(scratch.query.as<int32_t>() + index * layout.value_stride() / 2),
        weights_(scratch.weights.as<int16_t>() + index * layout.positions) {
    const size_t padded = layout.value_stride();
    auto* floats = scratch.padded_query.as<float>();
    std::copy_n(query, layout.head_dim, floats);
    std::fill(floats + layout.head_dim, floats + padded, 0.0F);
    auto* rounded = scratch.query.as<int32_t>() + index * padded / 2;
#if CONTINUO_HAS_SHORT_PRODUCTS && CONTINUO_DOT == CONTINUO_DOT_PLAIN
    const size_t quads = padded / 4;
    offset_ = -128 * RoundToInt8(floats, padded, reinterpret_cast<int8_t*>(rounded + quads), &scale_);
    for (size_t i = 0; i < quads; ++i) {
      int8_t four[4];
      std::memcpy(four, rounded + quads + i, sizeof(four));
      rounded[i] = PairOf(four[0], four[2]);
      rounded[quads + i] = PairOf(four[1], four[3]);
    }
#else
    offset_ = -128 * RoundToInt8(floats, padded, reinterpret_cast<int8_t*>(rounded), &scale_);
#endif
  }

  template <size_t kQueries, size_t kBlocks>
  static HWY_INLINE void Score(const Int8Attention* queries, const uint8_t* keys, float* HWY_RESTRICT scores,
                               size_t stride) {
    const DF df;
    const DI di;
    const HeadCacheLayout& layout = queries->layout_;
    const size_t block_bytes = layout.block_bytes();
    VI sum[kQueries][kBlocks][kBlockVectors];
    for (size_t q = 0; q < kQueries; ++q) {
      for (size_t b = 0; b < kBlocks; ++b) {
        for (size_t v = 0; v < kBlockVectors; ++v) {
          sum[q][b][v] = hn::Set(di, kUnsigned ? queries[q].offset_ : 0);
        }
      }
    }
    for (size_t quad = 0; quad < layout.scales_offset() / (4 * kBlock); ++quad) {
      for (size_t b = 0; b < kBlocks; ++b) {
        AddQuad<kQueries>(queries, quad, reinterpret_cast<const int32_t*>(keys + b * block_bytes) + quad * kBlock, sum,
                          b);
      }
    }
    for (size_t b = 0; b < kBlocks; ++b) {
      const auto* scales = reinterpret_cast<const float*>(keys + b * block_bytes + layout.scales_offset());
      for (size_t v = 0; v < kBlockVectors; ++v) {
        const VF key_scale = hn::LoadU(df, scales + v * kLanes);
        for (size_t q = 0; q < kQueries; ++q) {
          const VF scale = hn::Mul(key_scale, hn::Set(df, queries[q].scale_));
          hn::StoreU(hn::Mul(hn::ConvertTo(df, sum[q][b][v]), scale), df,
                     scores + q * stride + b * kBlock + v * kLanes);
        }
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

  template <size_t kQueries, size_t kVectors>
  static HWY_INLINE void Sum(const Int8Attention* queries, const uint8_t* values, size_t length, size_t dim,
                             const float* factors, float* out, size_t out_stride) {
    const DF df;
    const DI di;
    const HeadCacheLayout& layout = queries->layout_;
    VF total[kQueries][kVectors];
    for (size_t q = 0; q < kQueries; ++q) {
      for (size_t v = 0; v < kVectors; ++v) {
        total[q][v] = hn::Zero(df);
      }
    }
    // To the end of the last query: the weights of the others are zero there, and so are products
    // of integers.
    const size_t pairs = (length + kQueries) / 2;
    for (size_t first = 0; first < pairs; first += kPairsAtOnce) {
      VI sum[kQueries][kVectors];
      for (size_t q = 0; q < kQueries; ++q) {
        for (size_t v = 0; v < kVectors; ++v) {
          sum[q][v] = hn::Zero(di);
        }
      }
      for (size_t pair = first; pair < std::min(pairs, first + kPairsAtOnce); ++pair) {
        const auto* row = reinterpret_cast<const int8_t*>(values) + (pair * layout.value_stride() + dim) * 2;
        AddPairs<kQueries, kVectors>(queries, row, pair, sum);
      }
      for (size_t q = 0; q < kQueries; ++q) {
        for (size_t v = 0; v < kVectors; ++v) {
          total[q][v] = hn::Add(total[q][v], hn::ConvertTo(df, sum[q][v]));
        }
      }
    }
    for (size_t q = 0; q < kQueries; ++q) {
      StoreSum<kVectors>(total[q], layout.head_dim, dim, factors[q], out + q * out_stride);
    }
  }

 private:
  static constexpr float kOne = 16384.0F;
  // 1,024 products of 2^14 and 127 fit 32 bits.
  static constexpr size_t kPairsAtOnce = 512;

  // Whether keys are multiplied as they are stored, plus 128, which the offset takes back.
  static constexpr bool kUnsigned = CONTINUO_DOT == CONTINUO_DOT_VNNI || CONTINUO_HAS_SHORT_PRODUCTS;

  /// Two numbers of 16 bits, the first in the lower half.
  [[maybe_unused]] static HWY_INLINE int32_t PairOf(int8_t first, int8_t second) {
    const int16_t both[2] = {first, second};
    int32_t pair = 0;
    std::memcpy(&pair, both, sizeof(pair));
    return pair;
  }

  /// Adds the products of four dimensions of one block.
  template <size_t kQueries, size_t kBlocks>
  static HWY_INLINE void AddQuad(const Int8Attention* queries, size_t quad, const int32_t* keys,
                                 VI (&sum)[kQueries][kBlocks][kBlockVectors], size_t b) {
    const DI di;
    for (size_t v = 0; v < kBlockVectors; ++v) {
      const VI key = hn::LoadU(di, keys + v * kLanes);
#if CONTINUO_DOT == CONTINUO_DOT_VNNI
      for (size_t q = 0; q < kQueries; ++q) {
        sum[q][b][v] = AddByteProducts(sum[q][b][v], key, hn::Set(di, queries[q].query_[quad]));
      }
#elif CONTINUO_HAS_SHORT_PRODUCTS
      const VI even = EvenBytes(key);
      const VI odd = OddBytes(key);
      const size_t quads = queries->layout_.value_stride() / 4;
      for (size_t q = 0; q < kQueries; ++q) {
        const VI first = hn::Set(di, queries[q].query_[quad]);
        const VI second = hn::Set(di, queries[q].query_[quads + quad]);
        sum[q][b][v] = AddPairProducts(AddPairProducts(sum[q][b][v], even, first), odd, second);
      }
#else
      const SignedQuads signed_key(hn::Xor(key, hn::Set(di, static_cast<int32_t>(0x80808080U))));
      for (size_t q = 0; q < kQueries; ++q) {
        const SignedQuads value(hn::Set(di, queries[q].query_[quad]));
        sum[q][b][v] = hn::Add(sum[q][b][v], signed_key.Dot(value));
      }
#endif
    }
  }

  /// Adds to each sum its two values times the two weights.
  template <size_t kQueries, size_t kVectors>
  static HWY_INLINE void AddPairs(const Int8Attention* queries, const int8_t* row, size_t pair,
                                  VI (&sum)[kQueries][kVectors]) {
#if HWY_TARGET == HWY_SCALAR
    for (size_t q = 0; q < kQueries; ++q) {
      const int16_t* weights = queries[q].weights_ + 2 * pair;
      for (size_t v = 0; v < kVectors; ++v) {
        sum[q][v] = hn::Add(sum[q][v], hn::Set(DI(), row[2 * v] * weights[0] + row[2 * v + 1] * weights[1]));
      }
    }
#else
    using D16 = hn::Repartition<int16_t, DI>;
    for (size_t v = 0; v < kVectors; ++v) {
      const VI value =
          hn::BitCast(DI(), hn::PromoteTo(D16(), hn::LoadU(hn::Rebind<int8_t, D16>(), row + 2 * v * kLanes)));
      for (size_t q = 0; q < kQueries; ++q) {
        const int16_t* weights = queries[q].weights_ + 2 * pair;
        [[maybe_unused]] int32_t two = 0;
        std::memcpy(&two, weights, sizeof(two));
#if CONTINUO_DOT == CONTINUO_DOT_VNNI
        sum[q][v] = AddShortProducts(sum[q][v], value, hn::Set(DI(), two));
#elif CONTINUO_HAS_SHORT_PRODUCTS
        sum[q][v] = AddPairProducts(sum[q][v], value, hn::Set(DI(), two));
#else
        const VI first = hn::ShiftRight<16>(hn::ShiftLeft<16>(value));
        const VI second = hn::ShiftRight<16>(value);
        sum[q][v] = hn::Add(
            sum[q][v], hn::Add(hn::Mul(first, hn::Set(DI(), weights[0])), hn::Mul(second, hn::Set(DI(), weights[1]))));
#endif
      }
    }
#endif
  }

  const HeadCacheLayout& layout_;
  const int32_t* query_;  // four dimensions each; or pairs of 16 bits, as Activations::pairs
  int16_t* weights_;
  float scale_ = 0.0F;
  int32_t offset_ = 0;
};
#endif

#if CONTINUO_DOT != CONTINUO_DOT_VNNI
class Bf16Attention {
 public:
  Bf16Attention(const HeadCacheLayout& layout, const float* query, AttentionScratch& scratch, size_t index)
      : layout_(layout),
        query_(scratch.query.as<uint16_t>() + index * layout.value_stride()),
        weights_(scratch.weights.as<uint16_t>() + index * layout.positions) {
    const size_t padded = layout.value_stride();
    auto* floats = scratch.padded_query.as<float>();
    std::copy_n(query, layout.head_dim, floats);
    std::fill(floats + layout.head_dim, floats + padded, 0.0F);
    for (size_t i = 0; i < padded; i += kLanes) {
      StoreBf16(hn::LoadU(DF(), floats + i), scratch.query.as<uint16_t>() + index * padded + i);
    }
  }

  template <size_t kQueries, size_t kBlocks>
  static HWY_INLINE void Score(const Bf16Attention* queries, const uint8_t* keys, float* HWY_RESTRICT scores,
                               size_t stride) {
    const HeadCacheLayout& layout = queries->layout_;
    const size_t block_bytes = layout.block_bytes();
    VF sum[kQueries][kBlocks][kBlockVectors];
    ClearScores(sum);
    for (size_t dim = 0; dim < layout.head_dim; dim += 2) {
      for (size_t b = 0; b < kBlocks; ++b) {
        const auto* pairs = reinterpret_cast<const int32_t*>(keys + b * block_bytes) + dim / 2 * kBlock;
        for (size_t v = 0; v < kBlockVectors; ++v) {
          const VI key = hn::LoadU(DI(), pairs + v * kLanes);
          for (size_t q = 0; q < kQueries; ++q) {
            sum[q][b][v] = AddDot(key, LoadPair(queries[q].query_ + dim), sum[q][b][v]);
          }
        }
      }
    }
    StoreScores(sum, scores, stride);
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

  template <size_t kQueries, size_t kVectors>
  static HWY_INLINE void Sum(const Bf16Attention* queries, const uint8_t* values, size_t length, size_t dim,
                             const float* factors, float* out, size_t out_stride) {
    for (size_t q = 0; q < kQueries; ++q) {
      queries[q].SumOne<kVectors>(values, length + q, dim, factors[q], out + q * out_stride);
    }
  }

 private:
  template <size_t kVectors>
  HWY_INLINE void SumOne(const uint8_t* values, size_t length, size_t dim, float factor, float* out) const {
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
  F32Attention(const HeadCacheLayout& layout, const float* query, AttentionScratch& /*scratch*/, size_t /*index*/)
      : layout_(layout), query_(query) {}

  template <size_t kQueries, size_t kBlocks>
  static HWY_INLINE void Score(const F32Attention* queries, const uint8_t* keys, float* HWY_RESTRICT scores,
                               size_t stride) {
    const DF df;
    const HeadCacheLayout& layout = queries->layout_;
    VF sum[kQueries][kBlocks][kBlockVectors];
    ClearScores(sum);
    for (size_t dim = 0; dim < layout.head_dim; ++dim) {
      for (size_t b = 0; b < kBlocks; ++b) {
        const auto* row = reinterpret_cast<const float*>(keys + b * layout.block_bytes()) + dim * kBlock;
        for (size_t v = 0; v < kBlockVectors; ++v) {
          const VF key = hn::LoadU(df, row + v * kLanes);
          for (size_t q = 0; q < kQueries; ++q) {
            sum[q][b][v] = hn::MulAdd(key, hn::Set(df, queries[q].query_[dim]), sum[q][b][v]);
          }
        }
      }
    }
    StoreScores(sum, scores, stride);
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

  template <size_t kQueries, size_t kVectors>
  static HWY_INLINE void Sum(const F32Attention* queries, const uint8_t* values, size_t length, size_t dim,
                             const float* factors, float* out, size_t out_stride) {
    const DF df;
    const HeadCacheLayout& layout = queries->layout_;
    const size_t stride = layout.value_stride();
    VF sum[kQueries][kVectors];
    for (size_t q = 0; q < kQueries; ++q) {
      for (size_t v = 0; v < kVectors; ++v) {
        sum[q][v] = hn::Zero(df);
      }
    }
    const auto* from = reinterpret_cast<const float*>(values) + dim;
    for (size_t t = 0; t < length; ++t) {
      for (size_t v = 0; v < kVectors; ++v) {
        const VF value = hn::LoadU(df, from + t * stride + v * kLanes);
        for (size_t q = 0; q < kQueries; ++q) {
          sum[q][v] = hn::MulAdd(hn::Set(df, queries[q].weights_[t]), value, sum[q][v]);
        }
      }
    }
    for (size_t q = 0; q < kQueries; ++q) {
      for (size_t t = length; t < length + q; ++t) {
        for (size_t v = 0; v < kVectors; ++v) {
          const VF value = hn::LoadU(df, from + t * stride + v * kLanes);
          sum[q][v] = hn::MulAdd(hn::Set(df, queries[q].weights_[t]), value, sum[q][v]);
        }
      }
      StoreSum<kVectors>(sum[q], layout.head_dim, dim, factors[q], out + q * out_stride);
    }
  }

 private:
  const HeadCacheLayout& layout_;
  const float* query_;
  const float* weights_ = nullptr;
};
#endif

/// Scores of blocks [0, blocks), kBlocks at a time, then the rest by half as many.
template <size_t kQueries, size_t kBlocks, class Attention>
HWY_INLINE void ScoreAll(const Attention* queries, const uint8_t* keys, size_t block_bytes, size_t blocks,
                         float* scores, size_t stride) {
  size_t block = 0;
  for (; block + kBlocks <= blocks; block += kBlocks) {
    Attention::template Score<kQueries, kBlocks>(queries, keys + block * block_bytes, scores + block * kBlock, stride);
  }
  if constexpr (kBlocks > 1) {
    if (block < blocks) {
      ScoreAll<kQueries, kBlocks / 2>(queries, keys + block * block_bytes, block_bytes, blocks - block,
                                      scores + block * kBlock, stride);
    }
  }
}

/// Attends with the first kQueries of the run, which begin to attend in the same block.
template <size_t kQueries, class Attention>
void AttendTogether(const HeadCacheLayout& layout, const QueryRun& run, const uint8_t* keys, const uint8_t* values,
                    AttentionScratch& scratch) {
  std::array<Attention, kQueries> queries =
      MakeQueries<Attention>(layout, run, scratch, std::make_index_sequence<kQueries>());
  const size_t skipped = run.first(0) / kBlock;  // blocks
  keys += skipped * layout.block_bytes();
  values += skipped * kBlock * layout.value_stride() * layout.element();
  const size_t length = run.length - skipped * kBlock;
  const auto blocks = [&](size_t q) { return (length + q + kBlock - 1) / kBlock; };
  float* scores = scratch.scores.data();
  const size_t stride = layout.positions;
  ScoreAll<kQueries, kQueries == 1 ? kBlocksAtOnce : kTileBlocks>(queries.data(), keys, layout.block_bytes(),
                                                                  blocks(kQueries - 1), scores, stride);
  std::array<float, kQueries> factors{};
  for (size_t q = 0; q < kQueries; ++q) {
    float* of_query = scores + q * stride;
    // All have weights for the blocks of the last.
    const size_t positions = blocks(kQueries - 1) * kBlock;
    ScoresToWeights(of_query, run.first(q) - skipped * kBlock, length + q, positions, layout.head_dim);
    factors[q] = queries[q].Weigh(of_query, keys, positions);
  }

  constexpr size_t kManyVectors = kQueries == 1 ? 4 : kTileVectors;
  size_t dim = 0;
  for (; dim < layout.head_dim && dim + kManyVectors * kLanes <= layout.value_stride(); dim += kManyVectors * kLanes) {
    Attention::template Sum<kQueries, kManyVectors>(queries.data(), values, length, dim, factors.data(), run.out,
                                                    run.out_stride);
  }
  for (; dim < layout.head_dim; dim += kLanes) {
    Attention::template Sum<kQueries, 1>(queries.data(), values, length, dim, factors.data(), run.out, run.out_stride);
  }
}

template <class Attention>
void AttendWith(const HeadCacheLayout& layout, const QueryRun& run, const uint8_t* keys, const uint8_t* values,
                AttentionScratch& scratch) {
  QueryRun rest = run;
  while (rest.count >= kTileQueries && kTileQueries > 1) {
    if (rest.first(0) / kBlock == rest.first(kTileQueries - 1) / kBlock) {
      AttendTogether<kTileQueries, Attention>(layout, rest, keys, values, scratch);
      rest.Skip(kTileQueries);
    } else {
      AttendTogether<1, Attention>(layout, rest, keys, values, scratch);
      rest.Skip(1);
    }
  }
  for (; rest.count > 0; rest.Skip(1)) {
    AttendTogether<1, Attention>(layout, rest, keys, values, scratch);
  }
}

#undef CONTINUO_DOT_PLAIN
#undef CONTINUO_DOT_VNNI
#undef CONTINUO_DOT_BF16
