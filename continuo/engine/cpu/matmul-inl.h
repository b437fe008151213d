// The loops of matrix products. Included by matmul.cc for each instruction set, and again for each
// set of dot product instructions that Highway knows nothing of, with CONTINUO_DOT set to one of:
#define CONTINUO_DOT_PLAIN 0
#define CONTINUO_DOT_VNNI 1  // int8 only
#define CONTINUO_DOT_BF16 2  // bf16 only

constexpr size_t kPanel = PackedMatrix::kPanelOutputs;
constexpr size_t kGroup = Int8Layout::kGroupInputs;
constexpr size_t kLanes = hn::MaxLanes(DF());
constexpr size_t kVectors = kPanel / kLanes;
// Rows and vectors of outputs that go through a group of weights together: as many sums as fit the
// registers, and no less than hide the latency of a multiply-add. AVX-512 has 32 registers, the
// others 16.
constexpr size_t kTileVectors = std::min<size_t>(kVectors, 2);
constexpr size_t kTileRows = kVectors == 2 ? 12 : kVectors < 32 ? 6 : 1;
// Products of bytes keep more in registers.
constexpr size_t kByteTileRows = kVectors == 2 ? CONTINUO_DOT == CONTINUO_DOT_VNNI ? 12 : 8 : kVectors < 32 ? 4 : 1;
// Rows whose sums lie in the first-level cache (6 KiB) while a panel's weights go by.
constexpr size_t kChunkRows = 48;
// How far ahead weights are fetched where several rows keep the processor busy meanwhile: far
// enough for memory to answer, and on beyond the page that the hardware fetches from. A single row
// only waits for memory, and runs slower with it.
constexpr size_t kAheadBytes = 4096;

// A kernel's kRowsAtOnce are the most that a tile has, kWidestRows those of which one has the whole
// panel. AddGroup adds the product of kRows rows and one group, for kCount vectors of outputs
// from `output` of the panel on, to sums [kRows, kPanel].

#if CONTINUO_DOT != CONTINUO_DOT_BF16
/// kWide: for many rows, for which a group's weights are brought to 16 bits once, by Widen.
template <bool kWide>
class Int8KernelOf {
 public:
  static constexpr size_t kRowsAtOnce = kWide ? kTileRows : kByteTileRows;
  static constexpr size_t kWidestRows = 1;
  static constexpr size_t kFewestRows = 3 * kTileRows;  // for which Widen is worth its time

  template <size_t kRows, size_t kCount>
  HWY_INLINE void AddGroup(const Activations& x, size_t row, const PackedMatrix& w, size_t panel, size_t group,
                           size_t output, float* HWY_RESTRICT sums) const {
    const DI di;
    VI sum[kRows][kCount];
    for (size_t r = 0; r < kRows; ++r) {
      const VI start = hn::Set(di, kUnsigned ? x.offsets(row + r)[group] : 0);
      for (size_t v = 0; v < kCount; ++v) {
        sum[r][v] = start;
      }
    }
    if constexpr (kWide) {
      AddPairs<kRows, kCount>(x, row, group, output, sum);
    } else {
      const int32_t* quads = Quads(w, panel, group) + output;
      for (size_t quad = 0; quad < Int8Layout::kQuads; ++quad, quads += kPanel) {
        if (kRows >= 4 && row == 0) {
          hwy::Prefetch(reinterpret_cast<const uint8_t*>(quads) + kAheadBytes);
          hwy::Prefetch(reinterpret_cast<const uint8_t*>(quads) + kAheadBytes + 64);
        }
        AddQuad<kRows, kCount>(x, row, group, quad, quads, sum);
      }
    }
    const DF df;
    for (size_t v = 0; v < kCount; ++v) {
      const VF scale = LoadBf16(w.scales(panel) + group * kPanel + output + v * kLanes);
      for (size_t r = 0; r < kRows; ++r) {
        float* to = sums + r * kPanel + output + v * kLanes;
        const VF both = hn::Mul(scale, hn::Set(df, x.scales(row + r)[group]));
        hn::Store(hn::MulAdd(hn::ConvertTo(df, sum[r][v]), both, hn::Load(df, to)), df, to);
      }
    }
  }

#if CONTINUO_HAS_SHORT_PRODUCTS
  void Widen(const PackedMatrix& w, size_t panel, size_t group)
    requires kWide
  {
    const DI di;
    const int32_t* quads = Quads(w, panel, group);
    for (size_t i = 0; i < Int8Layout::kQuads * kPanel; i += kLanes) {
      const VI weight = hn::LoadU(di, quads + i);
      hn::Store(EvenBytes(weight), di, wide_ + i);
      hn::Store(OddBytes(weight), di, wide_ + Int8Layout::kQuads * kPanel + i);
    }
  }
#endif

 private:
  // Whether weights are multiplied as they are stored, plus 128, which the activations' offsets
  // take back.
  static constexpr bool kUnsigned = CONTINUO_DOT == CONTINUO_DOT_VNNI || CONTINUO_HAS_SHORT_PRODUCTS;

  static HWY_INLINE const int32_t* Quads(const PackedMatrix& w, size_t panel, size_t group) {
    return reinterpret_cast<const int32_t*>(w.int8_panel(panel) + group * kGroup * kPanel);
  }

#if CONTINUO_HAS_SHORT_PRODUCTS
  /// Adds the group's products.
  template <size_t kRows, size_t kCount>
  HWY_INLINE void AddPairs(const Activations& x, size_t row, size_t group, size_t output,
                           VI (&sum)[kRows][kCount]) const {
    const DI di;
    const int32_t* pairs[kRows];
    for (size_t r = 0; r < kRows; ++r) {
      pairs[r] = x.pairs(row + r) + group * kPairs;
    }
    for (size_t pair = 0; pair < kPairs; ++pair) {
      VI weight[kCount];
      for (size_t v = 0; v < kCount; ++v) {
        weight[v] = hn::Load(di, wide_ + pair * kPanel + output + v * kLanes);
      }
      for (size_t r = 0; r < kRows; ++r) {
        const VI value = hn::Set(di, pairs[r][pair]);
        for (size_t v = 0; v < kCount; ++v) {
          sum[r][v] = AddPairProductsInPlace(sum[r][v], weight[v], value);
        }
      }
    }
  }
#endif

  /// Adds the products of four inputs.
  template <size_t kRows, size_t kCount>
  static HWY_INLINE void AddQuad(const Activations& x, size_t row, size_t group, size_t quad, const int32_t* quads,
                                 VI (&sum)[kRows][kCount]) {
    const DI di;
#if CONTINUO_DOT == CONTINUO_DOT_VNNI
    VI weight[kCount];
    for (size_t v = 0; v < kCount; ++v) {
      weight[v] = hn::LoadU(di, quads + v * kLanes);
    }
    for (size_t r = 0; r < kRows; ++r) {
      const VI value = hn::Set(di, FourBytes(x.int8(row + r) + group * kGroup + 4 * quad));
      for (size_t v = 0; v < kCount; ++v) {
        sum[r][v] = AddByteProducts(sum[r][v], weight[v], value);
      }
    }
#elif CONTINUO_HAS_SHORT_PRODUCTS
    VI even[kCount];  // the first and the third of four, in 16 bits each
    VI odd[kCount];
    for (size_t v = 0; v < kCount; ++v) {
      const VI weight = hn::LoadU(di, quads + v * kLanes);
      even[v] = EvenBytes(weight);
      odd[v] = OddBytes(weight);
    }
    for (size_t r = 0; r < kRows; ++r) {
      const int32_t* pairs = x.pairs(row + r) + group * kPairs + quad;
      const VI first = hn::Set(di, pairs[0]);
      const VI second = hn::Set(di, pairs[Int8Layout::kQuads]);
      for (size_t v = 0; v < kCount; ++v) {
        if constexpr (kRows >= 4) {
          sum[r][v] = AddPairProductsInPlace(sum[r][v], even[v], first);
          sum[r][v] = AddPairProductsInPlace(sum[r][v], odd[v], second);
        } else {
          sum[r][v] = AddPairProducts(AddPairProducts(sum[r][v], even[v], first), odd[v], second);
        }
      }
    }
#else
    const VI zero = hn::Set(di, static_cast<int32_t>(0x80808080U));  // of four weights
    for (size_t r = 0; r < kRows; ++r) {
      const SignedQuads value(hn::Set(di, FourBytes(x.int8(row + r) + group * kGroup + 4 * quad)));
      for (size_t v = 0; v < kCount; ++v) {
        const auto bytes = hn::LoadU(di, quads + v * kLanes);
        sum[r][v] = hn::Add(sum[r][v], SignedQuads(hn::Xor(bytes, zero)).Dot(value));
      }
    }
#endif
  }

  [[maybe_unused]] static HWY_INLINE int32_t FourBytes(const int8_t* from) {
    int32_t four = 0;
    std::memcpy(&four, from, sizeof(four));
    return four;
  }

  static constexpr size_t kPairs = kGroup / 2;
  HWY_ALIGN int32_t wide_[kWide ? kPairs * kPanel : kLanes];  // [pairs in the order of Activations::pairs, kPanel]
};

using Int8Kernel = Int8KernelOf<false>;
using WideInt8Kernel = Int8KernelOf<true>;
#endif

#if CONTINUO_DOT != CONTINUO_DOT_VNNI
struct Bf16Kernel {
  static constexpr size_t kRowsAtOnce = kTileRows;
  static constexpr size_t kWidestRows = 2;

  template <size_t kRows, size_t kCount>
  static HWY_INLINE void AddGroup(const Activations& x, size_t row, const PackedMatrix& w, size_t panel, size_t group,
                                  size_t output, float* HWY_RESTRICT sums) {
    const DF df;
    const DI di;
    const size_t first = group * kGroup;
    const size_t count = std::min(kGroup, (w.inputs() - first + 1) / 2 * 2);
    const uint16_t* weights = w.bf16_panel(panel) + first * kPanel + 2 * output;
    const uint16_t* values[kRows];
    VF sum[kRows][kCount];
    for (size_t r = 0; r < kRows; ++r) {
      values[r] = x.bf16(row + r) + first;
      for (size_t v = 0; v < kCount; ++v) {
        sum[r][v] = hn::Load(df, sums + r * kPanel + output + v * kLanes);
      }
    }
    for (size_t input = 0; input < count; input += 2) {
      VI weight[kCount];
      for (size_t v = 0; v < kCount; ++v) {
        weight[v] = hn::LoadU(di, reinterpret_cast<const int32_t*>(weights + input * kPanel + v * 2 * kLanes));
      }
      for (size_t r = 0; r < kRows; ++r) {
        int32_t two = 0;
        std::memcpy(&two, values[r] + input, sizeof(two));
        const VI value = hn::Set(di, two);
        for (size_t v = 0; v < kCount; ++v) {
#if CONTINUO_DOT == CONTINUO_DOT_BF16
          sum[r][v] = AddBf16Products(sum[r][v], weight[v], value);
#else
          sum[r][v] = hn::MulAdd(SecondOfPair(weight[v]), SecondOfPair(value), sum[r][v]);
          sum[r][v] = hn::MulAdd(FirstOfPair(weight[v]), FirstOfPair(value), sum[r][v]);
#endif
        }
      }
    }
    for (size_t r = 0; r < kRows; ++r) {
      for (size_t v = 0; v < kCount; ++v) {
        hn::Store(sum[r][v], df, sums + r * kPanel + output + v * kLanes);
      }
    }
  }
};
#endif

#if CONTINUO_DOT == CONTINUO_DOT_PLAIN
struct F32Kernel {
  static constexpr size_t kRowsAtOnce = kTileRows;
  static constexpr size_t kWidestRows = 2;

  template <size_t kRows, size_t kCount>
  static HWY_INLINE void AddGroup(const Activations& x, size_t row, const PackedMatrix& w, size_t panel, size_t group,
                                  size_t output, float* HWY_RESTRICT sums) {
    const DF df;
    const size_t first = group * kGroup;
    const size_t count = std::min(kGroup, w.inputs() - first);
    const float* weights = w.f32_panel(panel) + first * kPanel + output;
    const float* values[kRows];
    VF sum[kRows][kCount];
    for (size_t r = 0; r < kRows; ++r) {
      values[r] = x.f32(row + r) + first;
      for (size_t v = 0; v < kCount; ++v) {
        sum[r][v] = hn::Load(df, sums + r * kPanel + output + v * kLanes);
      }
    }
    for (size_t input = 0; input < count; ++input) {
      VF weight[kCount];
      for (size_t v = 0; v < kCount; ++v) {
        weight[v] = hn::LoadU(df, weights + input * kPanel + v * kLanes);
      }
      for (size_t r = 0; r < kRows; ++r) {
        const VF value = hn::Set(df, values[r][input]);
        for (size_t v = 0; v < kCount; ++v) {
          sum[r][v] = hn::MulAdd(value, weight[v], sum[r][v]);
        }
      }
    }
    for (size_t r = 0; r < kRows; ++r) {
      for (size_t v = 0; v < kCount; ++v) {
        hn::Store(sum[r][v], df, sums + r * kPanel + output + v * kLanes);
      }
    }
  }
};
#endif

/// Adds the product of one group to sums [rows, kPanel], kRows rows at a time, then the rest by
/// fewer.
template <class Kernel, size_t kRows>
HWY_INLINE void AddGroupToRows(const Kernel& kernel, const Activations& x, size_t row, size_t rows,
                               const PackedMatrix& w, size_t panel, size_t group, float* sums) {
  // Of few rows part of a panel has too few sums to hide latencies.
  constexpr size_t kCount = kRows <= Kernel::kWidestRows ? kVectors : kTileVectors;
  size_t r = 0;
  for (; r + kRows <= rows; r += kRows) {
    for (size_t output = 0; output < kPanel; output += kCount * kLanes) {
      kernel.template AddGroup<kRows, kCount>(x, row + r, w, panel, group, output, sums + r * kPanel);
    }
  }
  if constexpr (kRows > 1) {
    if (r < rows) {
      AddGroupToRows<Kernel, kRows == 12  ? 8
                             : kRows == 6 ? 4
                                          : kRows / 2>(kernel, x, row + r, rows - r, w, panel, group,
                                                       sums + r * kPanel);
    }
  }
}

template <class Kernel>
void MultiplyPanels(const Activations& x, const PackedMatrix& w, size_t first_panel, size_t last_panel, MatMulMode mode,
                    float* y, size_t stride) {
  Kernel kernel;
  HWY_ALIGN float sums[kChunkRows * kPanel];
  for (size_t panel = first_panel; panel < last_panel; ++panel) {
    for (size_t row = 0; row < x.rows(); row += kChunkRows) {
      const size_t rows = std::min(kChunkRows, x.rows() - row);
      for (size_t r = 0; r < rows; ++r) {
        for (size_t v = 0; v < kPanel; v += kLanes) {
          hn::Store(hn::LoadU(DF(), w.bias(panel) + v), DF(), sums + r * kPanel + v);
        }
      }
      for (size_t group = 0; group < w.groups(); ++group) {
        if constexpr (requires { kernel.Widen(w, panel, group); }) {
          kernel.Widen(w, panel, group);
        }
        AddGroupToRows<Kernel, Kernel::kRowsAtOnce>(kernel, x, row, rows, w, panel, group, sums);
      }
      WritePanel(sums, row, rows, w, panel, mode, y, stride);
    }
  }
}

#undef CONTINUO_DOT_PLAIN
#undef CONTINUO_DOT_VNNI
#undef CONTINUO_DOT_BF16
