// What several kernels share, for each instruction set.
#if defined(CONTINUO_ENGINE_CPU_VECTORS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef CONTINUO_ENGINE_CPU_VECTORS_INL_H_
#undef CONTINUO_ENGINE_CPU_VECTORS_INL_H_
#else
#define CONTINUO_ENGINE_CPU_VECTORS_INL_H_
#endif

#include <hwy/highway.h>

#include <algorithm>
#include <cstdint>

HWY_BEFORE_NAMESPACE();
namespace continuo {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

// At most 16 floats, so that 16 are a whole number of vectors on every instruction set.
using DF = hn::CappedTag<float, 16>;
using DI = hn::Rebind<int32_t, DF>;
using VF = hn::Vec<DF>;
using VI = hn::Vec<DI>;

/// Four signed bytes in each lane of 32 bits.
#if HWY_TARGET == HWY_SCALAR
class SignedQuads {
 public:
  HWY_INLINE explicit SignedQuads(VI bytes) : bytes_(bytes) {}
  HWY_INLINE VI Dot(const SignedQuads& other) const {
    const VI low = hn::Add(hn::Mul(Byte<0>(), other.Byte<0>()), hn::Mul(Byte<1>(), other.Byte<1>()));
    return hn::Add(low, hn::Add(hn::Mul(Byte<2>(), other.Byte<2>()), hn::Mul(Byte<3>(), other.Byte<3>())));
  }

 private:
  template <int kByte>
  HWY_INLINE VI Byte() const {
    return hn::ShiftRight<24>(hn::ShiftLeft<24 - 8 * kByte>(bytes_));
  }
  VI bytes_;
};
#else
class SignedQuads {
 public:
  HWY_INLINE explicit SignedQuads(VI bytes)
      : even_(hn::ShiftRight<8>(hn::ShiftLeft<8>(hn::BitCast(D16(), bytes)))),
        odd_(hn::ShiftRight<8>(hn::BitCast(D16(), bytes))) {}
  /// The sum of the four products. With magnitudes of at most 128 and 127 the sum of two products
  /// fits 16 bits.
  HWY_INLINE VI Dot(const SignedQuads& other) const {
    const VI pairs = hn::BitCast(DI(), hn::Add(hn::Mul(even_, other.even_), hn::Mul(odd_, other.odd_)));
    return hn::Add(hn::ShiftRight<16>(hn::ShiftLeft<16>(pairs)), hn::ShiftRight<16>(pairs));
  }

 private:
  using D16 = hn::Repartition<int16_t, DI>;
  hn::Vec<D16> even_;
  hn::Vec<D16> odd_;
};
#endif

#if HWY_TARGET == HWY_AVX3
// Instructions that a processor with AVX3 may lack, and that Highway knows nothing of. In assembly:
// GCC 12 copies sums around the intrinsics of VNNI, in a loop over eight rows as often as it
// multiplies, and in memory where registers end; and clang wants each function that uses them
// compiled for processors that have them.

/// VNNI: the sum and, in each lane, the four products of unsigned by signed bytes.
HWY_INLINE VI AddByteProducts(VI sum, VI unsigned_bytes, VI signed_bytes) {
  asm("vpdpbusd %2, %1, %0" : "+v"(sum.raw) : "v"(unsigned_bytes.raw), "v"(signed_bytes.raw));
  return sum;
}
/// VNNI: the sum and, in each lane, the two products of numbers of 16 bits.
HWY_INLINE VI AddShortProducts(VI sum, VI a, VI b) {
  asm("vpdpwssd %2, %1, %0" : "+v"(sum.raw) : "v"(a.raw), "v"(b.raw));
  return sum;
}
/// AVX512-BF16: the sum and, in each lane, the products of the second and of the first of two pairs
/// of bf16.
HWY_INLINE VF AddBf16Products(VF sum, VI a, VI b) {
  asm("vdpbf16ps %2, %1, %0" : "+v"(sum.raw) : "v"(a.raw), "v"(b.raw));
  return sum;
}
#endif

#if HWY_TARGET == HWY_WASM
// What stands for VNNI in WebAssembly, which multiplies pairs of 16 bits and adds them: the same
// integers, in fewer instructions than through SignedQuads.

/// The sum and, in each lane, the two products of numbers of 16 bits.
HWY_INLINE VI AddShortProducts(VI sum, VI a, VI b) {
  return hn::Add(sum, VI{wasm_i32x4_dot_i16x8(a.raw, b.raw)});
}
/// The sum and, in each lane, the four products of unsigned by signed bytes.
HWY_INLINE VI AddByteProducts(VI sum, VI unsigned_bytes, VI signed_bytes) {
  const hn::Repartition<int16_t, DI> d16;
  const hn::Repartition<uint16_t, DI> du16;
  const auto weights = hn::BitCast(du16, unsigned_bytes);
  const auto values = hn::BitCast(d16, signed_bytes);
  const VI even = hn::BitCast(DI(), hn::And(weights, hn::Set(du16, 0xff)));
  const VI odd = hn::BitCast(DI(), hn::ShiftRight<8>(weights));
  sum = AddShortProducts(sum, even, hn::BitCast(DI(), hn::ShiftRight<8>(hn::ShiftLeft<8>(values))));
  return AddShortProducts(sum, odd, hn::BitCast(DI(), hn::ShiftRight<8>(values)));
}
#endif

// Whether the two above are there.
#undef CONTINUO_HAS_BYTE_PRODUCTS
#if HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_WASM
#define CONTINUO_HAS_BYTE_PRODUCTS 1
#else
#define CONTINUO_HAS_BYTE_PRODUCTS 0
#endif

// Whether products of pairs of 16 bits do better than SignedQuads where there are no byte products.
#undef CONTINUO_HAS_SHORT_PRODUCTS
#if HWY_ARCH_X86 && HWY_TARGET != HWY_SCALAR && HWY_TARGET != HWY_EMU128
#define CONTINUO_HAS_SHORT_PRODUCTS 1
#else
#define CONTINUO_HAS_SHORT_PRODUCTS 0
#endif

#if CONTINUO_HAS_SHORT_PRODUCTS
/// The sum and, in each lane, the two products of numbers of 16 bits.
HWY_INLINE VI AddPairProducts(VI sum, VI a, VI b) {
  const hn::Repartition<int16_t, DI> d16;
  VI none = hn::Zero(DI());  // here the sums are of neighbours, and all in the first
  return hn::ReorderWidenMulAccumulate(DI(), hn::BitCast(d16, a), hn::BitCast(d16, b), sum, none);
}
/// The same where sums take most registers: GCC 12 then copies them to memory and back around the
/// intrinsics.
HWY_INLINE VI AddPairProductsInPlace(VI sum, VI a, VI b) {
#if HWY_TARGET == HWY_AVX2
  VI products;
  asm("vpmaddwd %3, %2, %1\n\tvpaddd %1, %0, %0" : "+x"(sum.raw), "=&x"(products.raw) : "x"(a.raw), "x"(b.raw));
  return sum;
#else
  return AddPairProducts(sum, a, b);
#endif
}
/// The first and third of four unsigned bytes, and the second and fourth, in 16 bits each.
HWY_INLINE VI EvenBytes(VI bytes) {
  return hn::And(bytes, hn::Set(DI(), 0x00ff00ff));
}
HWY_INLINE VI OddBytes(VI bytes) {
  return hn::BitCast(DI(), hn::ShiftRight<8>(hn::BitCast(hn::Repartition<uint16_t, DI>(), bytes)));
}
/// The same of signed bytes.
HWY_INLINE VI EvenSignedBytes(VI bytes) {
  const hn::Repartition<int16_t, DI> d16;
  return hn::BitCast(DI(), hn::ShiftRight<8>(hn::ShiftLeft<8>(hn::BitCast(d16, bytes))));
}
HWY_INLINE VI OddSignedBytes(VI bytes) {
  return hn::BitCast(DI(), hn::ShiftRight<8>(hn::BitCast(hn::Repartition<int16_t, DI>(), bytes)));
}
#endif

/// Two bf16 in 32 bits as floats.
HWY_INLINE VF FirstOfPair(VI pair) {
  return hn::BitCast(DF(), hn::ShiftLeft<16>(pair));
}
HWY_INLINE VF SecondOfPair(VI pair) {
  return hn::BitCast(DF(), hn::And(pair, hn::Set(DI(), static_cast<int32_t>(0xffff0000U))));
}

HWY_INLINE VF LoadBf16(const uint16_t* from) {
  const hn::Rebind<uint16_t, DF> d16;
  const hn::Rebind<uint32_t, DF> d32;
  return hn::BitCast(DF(), hn::ShiftLeft<16>(hn::PromoteTo(d32, hn::LoadU(d16, from))));
}

/// The nearest bf16 of each, halves to even. NaN stays NaN.
HWY_INLINE void StoreBf16(VF value, uint16_t* to) {
  const hn::Rebind<uint32_t, DF> d32;
  const hn::Rebind<hwy::bfloat16_t, DF> dbf16;
  const auto bits = hn::BitCast(d32, value);
  const auto odd = hn::And(hn::ShiftRight<16>(bits), hn::Set(d32, 1U));
  const auto sum = hn::Add(hn::Add(bits, hn::Set(d32, 0x7fffU)), odd);
  const VF rounded = hn::BitCast(DF(), hn::And(sum, hn::Set(d32, 0xffff0000U)));
  const VF result = hn::IfThenElse(hn::IsNaN(value), value, rounded);
  // Exact now: some releases of Highway take the upper half, others round.
  hn::StoreU(hn::DemoteTo(dbf16, result), dbf16, reinterpret_cast<hwy::bfloat16_t*>(to));
}

/// Numbers as int8 in [-127, 127] and a scale, their largest magnitude / 127. `count` is a multiple
/// of 16. Returns the sum of the int8.
HWY_INLINE int32_t RoundToInt8(const float* from, size_t count, int8_t* to, float* scale) {
  const DF df;
  const DI di;
  const hn::Rebind<int8_t, DF> d8;
  VF largest = hn::Zero(df);
  for (size_t i = 0; i < count; i += hn::Lanes(df)) {
    largest = hn::Max(largest, hn::Abs(hn::LoadU(df, from + i)));
  }
  const float magnitude = hn::GetLane(hn::MaxOfLanes(df, largest));
  *scale = magnitude / 127.0F;
  const VF steps = hn::Set(df, magnitude > 0.0F ? 127.0F / magnitude : 0.0F);
  VI sum = hn::Zero(di);
  for (size_t i = 0; i < count; i += hn::Lanes(df)) {
    const VI nearest = hn::NearestInt(hn::Mul(hn::LoadU(df, from + i), steps));
    const VI value = hn::Max(hn::Min(nearest, hn::Set(di, 127)), hn::Set(di, -127));
    sum = hn::Add(sum, value);
    hn::StoreU(hn::DemoteTo(d8, value), d8, to + i);
  }
  return hn::GetLane(hn::SumOfLanes(di, sum));
}

}  // namespace HWY_NAMESPACE
}  // namespace continuo
HWY_AFTER_NAMESPACE();

#endif  // CONTINUO_ENGINE_CPU_VECTORS_INL_H_
