// The loops of matrix products. Included by matmul.cc for each instruction set, and again for each
// set of dot product instructions that Highway knows nothing of, with CONTINUO_DOT set to one of:
#define CONTINUO_DOT_PLAIN 0
#define CONTINUO_DOT_VNNI 1  // int8 only
#define CONTINUO_DOT_BF16 2  // bf16 only

constexpr size_t kPanel = PackedMatrix::kPanelOutputs;
constexpr size_t kGroup = Int8Layout::kGroupInputs;
constexpr size_t kLanes = hn::MaxLanes(DF());
constexpr size_t kVectors = kPanel / kLanes;
// Rows that go through a group of weights together. With 2 vectors (AVX-512's 32 registers) that
// makes 16 sums, else 8: what fits the registers, and no less than hides the latency of a
// multiply-add.
constexpr size_t kMaxTileRows = kVectors == 2 ? 8 : kVectors == 4 ? 2 : 1;
// Rows whose sums lie in the first-level cache (4 KiB) while a panel's weights go by.
constexpr size_t kChunkRows = 32;
// How far ahead weights are fetched where several rows keep the processor busy meanwhile: far
// enough for memory to answer, and on beyond the page that the hardware fetches from. A single row
// only waits for memory, and runs slower with it.
constexpr size_t kAheadBytes = 4096;

#if CONTINUO_DOT != CONTINUO_DOT_BF16
struct Int8Kernel {
  /// Adds the product of one group to sums [kRows, kPanel].
  template <size_t kRows>
  static HWY_INLINE void AddGroup(const Activations& x, size_t row, const PackedMatrix& w, size_t panel, size_t group,
                                  float* HWY_RESTRICT sums) {
    const DF df;
    const DI di;
    [[maybe_unused]] const VI zero = hn::Set(di, static_cast<int32_t>(0x80808080U));  // of four weights
    const uint8_t* weights = w.int8_panel(panel) + group * kGroup * kPanel;
    const int8_t* values[kRows];
    VI sum[kRows][kVectors];
    for (size_t r = 0; r < kRows; ++r) {
      values[r] = x.int8(row + r) + group * kGroup;
      const VI start = CONTINUO_DOT == CONTINUO_DOT_VNNI ? hn::Set(di, x.offsets(row + r)[group]) : hn::Zero(di);
      for (size_t v = 0; v < kVectors; ++v) {
        sum[r][v] = start;
      }
    }
    for (size_t quad = 0; quad < kGroup; quad += 4) {
      if (kRows >= 4 && row == 0) {
        const uint8_t* ahead = weights + kAheadBytes + quad * kPanel;
        hwy::Prefetch(ahead);
        hwy::Prefetch(ahead + 64);
      }
#if CONTINUO_DOT == CONTINUO_DOT_VNNI
      VI weight[kVectors];
      for (size_t v = 0; v < kVectors; ++v) {
        weight[v] = hn::LoadU(di, reinterpret_cast<const int32_t*>(weights + quad * kPanel) + v * kLanes);
      }
      for (size_t r = 0; r < kRows; ++r) {
        int32_t four = 0;
        std::memcpy(&four, values[r] + quad, sizeof(four));
        const VI value = hn::Set(di, four);
        for (size_t v = 0; v < kVectors; ++v) {
          sum[r][v] = AddByteProducts(sum[r][v], weight[v], value);
        }
      }
#else
      for (size_t r = 0; r < kRows; ++r) {
        int32_t four = 0;
        std::memcpy(&four, values[r] + quad, sizeof(four));
        const SignedQuads value(hn::Set(di, four));
        for (size_t v = 0; v < kVectors; ++v) {
          const auto bytes = hn::LoadU(di, reinterpret_cast<const int32_t*>(weights + quad * kPanel) + v * kLanes);
          sum[r][v] = hn::Add(sum[r][v], SignedQuads(hn::Xor(bytes, zero)).Dot(value));
        }
      }
#endif
    }
    for (size_t v = 0; v < kVectors; ++v) {
      const VF scale = LoadBf16(w.scales(panel) + group * kPanel + v * kLanes);
      for (size_t r = 0; r < kRows; ++r) {
        float* to = sums + r * kPanel + v * kLanes;
        const VF both = hn::Mul(scale, hn::Set(df, x.scales(row + r)[group]));
        hn::Store(hn::MulAdd(hn::ConvertTo(df, sum[r][v]), both, hn::Load(df, to)), df, to);
      }
    }
  }
};
#endif

#if CONTINUO_DOT != CONTINUO_DOT_VNNI
struct Bf16Kernel {
  template <size_t kRows>
  static HWY_INLINE void AddGroup(const Activations& x, size_t row, const PackedMatrix& w, size_t panel, size_t group,
                                  float* HWY_RESTRICT sums) {
    const DF df;
    const DI di;
    const size_t first = group * kGroup;
    const size_t count = std::min(kGroup, (w.inputs() - first + 1) / 2 * 2);
    const uint16_t* weights = w.bf16_panel(panel) + first * kPanel;
    const uint16_t* values[kRows];
    VF sum[kRows][kVectors];
    for (size_t r = 0; r < kRows; ++r) {
      values[r] = x.bf16(row + r) + first;
      for (size_t v = 0; v < kVectors; ++v) {
        sum[r][v] = hn::Load(df, sums + r * kPanel + v * kLanes);
      }
    }
    for (size_t input = 0; input < count; input += 2) {
      VI weight[kVectors];
      for (size_t v = 0; v < kVectors; ++v) {
        weight[v] = hn::LoadU(di, reinterpret_cast<const int32_t*>(weights + input * kPanel + v * 2 * kLanes));
      }
      for (size_t r = 0; r < kRows; ++r) {
        int32_t two = 0;
        std::memcpy(&two, values[r] + input, sizeof(two));
        const VI value = hn::Set(di, two);
        for (size_t v = 0; v < kVectors; ++v) {
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
      for (size_t v = 0; v < kVectors; ++v) {
        hn::Store(sum[r][v], df, sums + r * kPanel + v * kLanes);
      }
    }
  }
};
#endif

#if CONTINUO_DOT == CONTINUO_DOT_PLAIN
struct F32Kernel {
  template <size_t kRows>
  static HWY_INLINE void AddGroup(const Activations& x, size_t row, const PackedMatrix& w, size_t panel, size_t group,
                                  float* HWY_RESTRICT sums) {
    const DF df;
    const size_t first = group * kGroup;
    const size_t count = std::min(kGroup, w.inputs() - first);
    const float* weights = w.f32_panel(panel) + first * kPanel;
    const float* values[kRows];
    VF sum[kRows][kVectors];
    for (size_t r = 0; r < kRows; ++r) {
      values[r] = x.f32(row + r) + first;
      for (size_t v = 0; v < kVectors; ++v) {
        sum[r][v] = hn::Load(df, sums + r * kPanel + v * kLanes);
      }
    }
    for (size_t input = 0; input < count; ++input) {
      VF weight[kVectors];
      for (size_t v = 0; v < kVectors; ++v) {
        weight[v] = hn::LoadU(df, weights + input * kPanel + v * kLanes);
      }
      for (size_t r = 0; r < kRows; ++r) {
        const VF value = hn::Set(df, values[r][input]);
        for (size_t v = 0; v < kVectors; ++v) {
          sum[r][v] = hn::MulAdd(value, weight[v], sum[r][v]);
        }
      }
    }
    for (size_t r = 0; r < kRows; ++r) {
      for (size_t v = 0; v < kVectors; ++v) {
        hn::Store(sum[r][v], df, sums + r * kPanel + v * kLanes);
      }
    }
  }
};
#endif

/// Adds the product of one group to sums [rows, kPanel], kRows rows at a time, then the rest by
/// half as many.
template <class Kernel, size_t kRows>
HWY_INLINE void AddGroupToRows(const Activations& x, size_t row, size_t rows, const PackedMatrix& w, size_t panel,
                               size_t group, float* sums) {
  size_t r = 0;
  for (; r + kRows <= rows; r += kRows) {
    Kernel::template AddGroup<kRows>(x, row + r, w, panel, group, sums + r * kPanel);
  }
  if constexpr (kRows > 1) {
    if (r < rows) {
      AddGroupToRows<Kernel, kRows / 2>(x, row + r, rows - r, w, panel, group, sums + r * kPanel);
    }
  }
}

template <class Kernel>
void MultiplyPanels(const Activations& x, const PackedMatrix& w, size_t first_panel, size_t last_panel, MatMulMode mode,
                    float* y, size_t stride) {
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
        AddGroupToRows<Kernel, kMaxTileRows>(x, row, rows, w, panel, group, sums);
      }
      WritePanel(sums, row, rows, w, panel, mode, y, stride);
    }
  }
}

#undef CONTINUO_DOT_PLAIN
#undef CONTINUO_DOT_VNNI
#undef CONTINUO_DOT_BF16
