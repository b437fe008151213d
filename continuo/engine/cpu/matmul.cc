#include "continuo/engine/cpu/matmul.h"

#include <algorithm>
#include <cstring>

#include "continuo/core/check.h"
#include "continuo/engine/cpu/dot_instructions.h"
#include "continuo/engine/cpu/kernels.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "continuo/engine/cpu/matmul.cc"  // compiled once for each instruction set
#include "continuo/engine/cpu/targets.h"

#include <hwy/cache_control.h>
#include <hwy/foreach_target.h>  // must come before highway.h
#include <hwy/highway.h>

#include "continuo/engine/cpu/vectors-inl.h"

HWY_BEFORE_NAMESPACE();
namespace continuo {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

/// Writes the sums of rows [row, row + rows) of one panel to y.
void WritePanel(float* sums, size_t row, size_t rows, const PackedMatrix& w, size_t panel, MatMulMode mode, float* y,
                size_t stride) {
  constexpr size_t kWidth = PackedMatrix::kPanelOutputs;
  const size_t column = panel * kWidth;
  const size_t columns = std::min(kWidth, w.outputs() - column);
  if (mode == MatMulMode::kGelu) {
    Gelu(sums, rows * kWidth);
  } else if (mode == MatMulMode::kExactGelu) {
    ExactGelu(sums, rows * kWidth);
  }
  const DF df;
  for (size_t r = 0; r < rows; ++r) {
    const float* from = sums + r * kWidth;
    float* to = y + (row + r) * stride + column;
    if (mode == MatMulMode::kGate) {
      MultiplyBySilu(to, from, columns);
      continue;
    }
    size_t c = 0;
    for (; c + hn::Lanes(df) <= columns; c += hn::Lanes(df)) {
      const VF sum = hn::LoadU(df, from + c);
      hn::StoreU(mode == MatMulMode::kAdd ? hn::Add(hn::LoadU(df, to + c), sum) : sum, df, to + c);
    }
    for (; c < columns; ++c) {
      to[c] = mode == MatMulMode::kAdd ? to[c] + from[c] : from[c];
    }
  }
}

namespace plain {
#define CONTINUO_DOT 0
#include "continuo/engine/cpu/matmul-inl.h"
#undef CONTINUO_DOT
}  // namespace plain

#if CONTINUO_HAS_BYTE_PRODUCTS
namespace vnni {
#define CONTINUO_DOT 1
#include "continuo/engine/cpu/matmul-inl.h"
#undef CONTINUO_DOT
}  // namespace vnni
#endif
#if HWY_TARGET == HWY_AVX3
namespace bf16 {
#define CONTINUO_DOT 2
#include "continuo/engine/cpu/matmul-inl.h"
#undef CONTINUO_DOT
}  // namespace bf16
#endif

void MatMul(const Activations& x, const PackedMatrix& w, size_t first_panel, size_t last_panel, MatMulMode mode,
            float* y, size_t stride, bool use_vnni, bool use_bf16) {
  switch (w.precision()) {
    case NumberFormat::kF32:
      return plain::MultiplyPanels<plain::F32Kernel>(x, w, first_panel, last_panel, mode, y, stride);
    case NumberFormat::kBf16:
#if HWY_TARGET == HWY_AVX3
      if (use_bf16) {
        return bf16::MultiplyPanels<bf16::Bf16Kernel>(x, w, first_panel, last_panel, mode, y, stride);
      }
#endif
      return plain::MultiplyPanels<plain::Bf16Kernel>(x, w, first_panel, last_panel, mode, y, stride);
    case NumberFormat::kInt8:
#if CONTINUO_HAS_BYTE_PRODUCTS
      if (use_vnni) {
        return vnni::MultiplyPanels<vnni::Int8Kernel>(x, w, first_panel, last_panel, mode, y, stride);
      }
#endif
#if CONTINUO_HAS_SHORT_PRODUCTS
      if (x.rows() >= plain::WideInt8Kernel::kFewestRows) {
        return plain::MultiplyPanels<plain::WideInt8Kernel>(x, w, first_panel, last_panel, mode, y, stride);
      }
#endif
      return plain::MultiplyPanels<plain::Int8Kernel>(x, w, first_panel, last_panel, mode, y, stride);
    case NumberFormat::kF16:
      break;  // not computed in
  }
  (void)use_vnni;
  (void)use_bf16;
}

/// Rounds a group to int8, which are stored as the kernels read them. Returns the sum.
HWY_INLINE int32_t StoreInt8Group(const float* from, Activations& x, size_t row, size_t group, bool use_vnni) {
  constexpr size_t kGroup = Int8Layout::kGroupInputs;
#if CONTINUO_HAS_SHORT_PRODUCTS
  if (!CONTINUO_HAS_BYTE_PRODUCTS || !use_vnni) {
    HWY_ALIGN int32_t quads[Int8Layout::kQuads];
    const int32_t sum = RoundToInt8(from, kGroup, reinterpret_cast<int8_t*>(quads), x.scales(row) + group);
    int32_t* pairs = x.pairs(row) + group * (kGroup / 2);
    for (size_t i = 0; i < Int8Layout::kQuads; i += hn::Lanes(DI())) {
      const VI bytes = hn::Load(DI(), quads + i);
      hn::StoreU(EvenSignedBytes(bytes), DI(), pairs + i);
      hn::StoreU(OddSignedBytes(bytes), DI(), pairs + Int8Layout::kQuads + i);
    }
    return sum;
  }
#endif
  (void)use_vnni;
  return RoundToInt8(from, kGroup, x.int8(row) + group * kGroup, x.scales(row) + group);
}

void PrepareRows(Activations& x, size_t first, size_t last, bool use_vnni) {
  constexpr size_t kGroup = Int8Layout::kGroupInputs;
  if (x.precision() == NumberFormat::kF32) {
    return;
  }
  HWY_ALIGN float padded[kGroup];
  for (size_t row = first; row < last; ++row) {
    for (size_t group = 0; group < x.groups(); ++group) {
      const float* from = x.f32(row) + group * kGroup;
      if ((group + 1) * kGroup > x.inputs()) {
        const size_t count = x.inputs() - group * kGroup;
        std::copy_n(from, count, padded);
        std::fill(padded + count, padded + kGroup, 0.0F);
        from = padded;
      }
      if (x.precision() == NumberFormat::kInt8) {
        x.offsets(row)[group] = -128 * StoreInt8Group(from, x, row, group, use_vnni);
      } else {
        for (size_t i = 0; i < kGroup; i += hn::Lanes(DF())) {
          StoreBf16(hn::LoadU(DF(), from + i), x.bf16(row) + group * kGroup + i);
        }
      }
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace continuo
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace continuo {

HWY_EXPORT(MatMul);
HWY_EXPORT(PrepareRows);

void Activations::Reset(NumberFormat precision, const float* x, size_t rows, size_t inputs) {
  precision_ = precision;
  f32_ = x;
  rows_ = rows;
  inputs_ = inputs;
  if (precision == NumberFormat::kBf16) {
    values_.Reserve(rows * padded_inputs() * sizeof(uint16_t));
  } else if (precision == NumberFormat::kInt8) {
    values_.Reserve(rows * padded_inputs() * sizeof(int16_t));
    scales_.Reserve(rows * groups() * sizeof(float));
    offsets_.Reserve(rows * groups() * sizeof(int32_t));
  }
}

void PrepareRows(Activations& x, size_t first, size_t last) {
  HWY_DYNAMIC_DISPATCH(PrepareRows)(x, first, last, UseVnni());
}

void MatMul(const Activations& x, const PackedMatrix& w, size_t first_panel, size_t last_panel, MatMulMode mode,
            float* y, size_t stride) {
  CONTINUO_CHECK(x.precision() == w.precision() && x.inputs() == w.inputs() && last_panel <= w.panels());
  HWY_DYNAMIC_DISPATCH(MatMul)
  (x, w, first_panel, last_panel, mode, y, stride, UseVnni(), UseBf16Dot());
}

}  // namespace continuo
#endif  // HWY_ONCE
