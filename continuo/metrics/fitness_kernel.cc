#include "continuo/metrics/fitness_kernel.h"

#include <algorithm>
#include <limits>
#include <type_traits>

// Cells are structs of vectors, which vectors of unknown size can't be part of.
#define HWY_DISABLED_TARGETS (HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128 | HWY_RVV)
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "continuo/metrics/fitness_kernel.cc"
#include <hwy/foreach_target.h>  // IWYU pragma: keep
#include <hwy/highway.h>

// The path family of a segment is found by dynamic programming over a table of frames x (length +
// 1), for the segments of neighbouring starts at once: one to a SIMD lane, whose similarities lie
// side by side in the matrix.
//
// A cell carries its score and, packed in an integer, what the best path to it covers: rows in the
// upper half, cells in the lower. Which predecessor is best depends on scores alone, so nothing has
// to be traced back and two rows of the table are enough. A path of `length` columns has as many
// cells as columns, less one for each step of two columns. So along the way only those steps are
// counted, and the rest is added where the path ends.

HWY_BEFORE_NAMESPACE();
namespace continuo {
namespace HWY_NAMESPACE {

static_assert(HWY_MAX_BYTES <= kMaxVectorBytes);

namespace hn = hwy::HWY_NAMESPACE;

template <typename Value>
class Segments {
  using D = hn::ScalableTag<Value>;
  using Integer = std::conditional_t<sizeof(Value) == 4, int32_t, int64_t>;
  using DI = hn::ScalableTag<Integer>;
  using V = hn::Vec<D>;
  using I = hn::Vec<DI>;
  static constexpr bool kFixedPoint = std::is_integral_v<Value>;
  static constexpr int kRowShift = sizeof(Integer) * 4;

  struct Cell {
    V score;
    I carry;
  };

 public:
  static HWY_INLINE size_t Lanes() { return hn::Lanes(D()); }

  Segments(const PaddedMatrix<Value>& matrix, int64_t length, void* scratch)
      : matrix_(matrix), length_(length), rows_(static_cast<Value*>(scratch)) {}

  // The fitness of the segments from `start` on, as many as there are lanes, of which `count` are
  // wanted.
  HWY_INLINE void Fitness(int64_t start, int64_t count, double* fitness) {
    const Value* row = matrix_.values + start;
    const V minus_infinity = hn::Set(D(), MinusInfinity());
    const Cell never = {minus_infinity, hn::Zero(DI())};
    above_ = {hn::Zero(D()), hn::Zero(DI())};
    for (int64_t m = 1; m <= length_; ++m) {
      Store(m, m == 1 ? Cell{hn::LoadU(D(), row), hn::Zero(DI())} : never, never);
    }
    int64_t n = 1;
    if (n < matrix_.frames) {
      OneRow(n, start, hn::Zero(D()));
      ++n;
    }
    if (n < matrix_.frames) {
      // The second row may take its score from two rows above, yet the path is not traced there.
      const V first = hn::LoadU(D(), row);
      for (int64_t m = 1; m <= length_; ++m) {
        StoreBelow(m, never);
      }
      OneRow(n, start, hn::Max(above_.score, first));
      ++n;
    }
    if (length_ >= kMinBlockLength) {
      for (; n + 4 <= matrix_.frames; n += 4) {
        FourRows(n, start);
      }
    }
    for (; n < matrix_.frames; ++n) {
      OneRow(n, start, above_.score);
    }

    const Cell last = LoadAbove(length_);
    const auto rest = hn::Lt(last.score, above_.score);
    const V score = hn::Max(last.score, above_.score);
    const I carry = hn::IfThenElse(hn::RebindMask(DI(), rest), above_.carry, EndPath(last.carry, n));
    HWY_ALIGN Value scores[kMaxVectorBytes / sizeof(Value)];
    HWY_ALIGN Integer carries[kMaxVectorBytes / sizeof(Value)];
    hn::Store(score, D(), scores);
    hn::Store(carry, DI(), carries);
    for (int64_t i = 0; i < count; ++i) {
      fitness[i] = FitnessOf(scores[i], carries[i]);
    }
  }

 private:
  static constexpr int64_t kMinBlockLength = 7;  // four rows at once look six columns back from the last

  static constexpr Value MinusInfinity() {
    if constexpr (kFixedPoint) {
      return -(1 << 30);
    } else {
      return -std::numeric_limits<Value>::infinity();
    }
  }

  HWY_INLINE double FitnessOf(Value best, Integer carry) const {
    constexpr double kEpsilon = 1e-16;
    constexpr double kUnit = kFixedPoint ? 1.0 / (1 << kFixedPointBits) : 1.0;
    const auto length = static_cast<double>(length_);
    const double score = static_cast<double>(best) * kUnit;
    const auto cells = static_cast<double>(carry & ((Integer{1} << kRowShift) - 1));
    const auto covered = static_cast<double>(carry >> kRowShift);
    const double normal_score = (score - length) / (cells + kEpsilon);
    const double normal_coverage = (covered - length) / (static_cast<double>(matrix_.frames) + kEpsilon);
    return 2 * normal_score * normal_coverage / (normal_score + normal_coverage + kEpsilon);
  }

  // Column m of the two rows above the one to be made: score and carry of the row above, then of
  // the row above that.
  HWY_INLINE Value* Column(int64_t m) const { return rows_ + static_cast<size_t>(m) * 4 * Lanes(); }
  static HWY_INLINE Integer* AsCarry(Value* values) { return reinterpret_cast<Integer*>(values); }
  HWY_INLINE Cell LoadAbove(int64_t m) const {
    Value* column = Column(m);
    return {hn::Load(D(), column), hn::Load(DI(), AsCarry(column + Lanes()))};
  }
  HWY_INLINE Cell LoadTwoAbove(int64_t m) const {
    Value* column = Column(m) + 2 * Lanes();
    return {hn::Load(D(), column), hn::Load(DI(), AsCarry(column + Lanes()))};
  }
  HWY_INLINE void StoreBelow(int64_t m, const Cell& two_above) {
    Value* column = Column(m) + 2 * Lanes();
    hn::Store(two_above.score, D(), column);
    hn::Store(two_above.carry, DI(), AsCarry(column + Lanes()));
  }
  HWY_INLINE void Store(int64_t m, const Cell& above, const Cell& two_above) {
    Value* column = Column(m);
    hn::Store(above.score, D(), column);
    hn::Store(above.carry, DI(), AsCarry(column + Lanes()));
    StoreBelow(m, two_above);
  }

  HWY_INLINE V Similarity(int64_t n, int64_t start, int64_t m) const {
    return hn::LoadU(D(), matrix_.values + n * matrix_.stride + start + m - 1);
  }

  // A carry of a path whose last cell lies in the row above row n.
  HWY_INLINE I EndPath(I carry, int64_t n) const {
    return hn::Add(carry, hn::Set(DI(), static_cast<Integer>((Integer{1} << kRowShift) * n + length_)));
  }
  // Column 0 of row n: nothing, or the end of a path in the row above.
  HWY_INLINE Cell Elevator(const Cell& above, const Cell& last, int64_t n) const {
    const auto ends = hn::Gt(last.score, above.score);
    return {hn::Max(above.score, last.score),
            hn::IfThenElse(hn::RebindMask(DI(), ends), EndPath(last.carry, n), above.carry)};
  }
  // Column 1: where paths begin.
  HWY_INLINE Cell Begin(const Cell& elevator, int64_t n, V similarity) const {
    return {hn::Add(elevator.score, similarity),
            hn::Sub(elevator.carry, hn::Set(DI(), static_cast<Integer>((Integer{1} << kRowShift) * n)))};
  }
  // Column 2: the score may also come from column 0, the path not.
  static HWY_INLINE Cell Second(const Cell& diagonal, const Cell& two_rows, V elevator, V similarity) {
    const auto down = hn::Gt(two_rows.score, diagonal.score);
    const V best = hn::Max(hn::Max(diagonal.score, two_rows.score), elevator);
    return {hn::Add(best, similarity), hn::IfThenElse(hn::RebindMask(DI(), down), two_rows.carry, diagonal.carry)};
  }
  // Column 3 and later, from the cells one row and column back, two rows back, two columns back:
  // the first that is best.
  static HWY_INLINE Cell Extend(const Cell& diagonal, const Cell& two_rows, const Cell& two_columns, V similarity) {
    const auto down = hn::Gt(two_rows.score, diagonal.score);
    const V best_of_two = hn::Max(diagonal.score, two_rows.score);
    const I carry_of_two = hn::IfThenElse(hn::RebindMask(DI(), down), two_rows.carry, diagonal.carry);
    const auto right = hn::Gt(two_columns.score, best_of_two);
    const V best = hn::Max(best_of_two, two_columns.score);
    const I carry =
        hn::IfThenElse(hn::RebindMask(DI(), right), hn::Sub(two_columns.carry, hn::Set(DI(), 1)), carry_of_two);
    return {hn::Add(best, similarity), carry};
  }

  // Makes row n. `to_second` is the score that column 2 may take in place of its predecessors'.
  HWY_INLINE void OneRow(int64_t n, int64_t start, V to_second) {
    const Cell elevator = Elevator(above_, LoadAbove(length_), n);
    above_ = elevator;
    Cell above_1 = LoadAbove(1);
    Cell two_above_1 = LoadTwoAbove(1);
    Store(1, Begin(elevator, n, Similarity(n, start, 1)), above_1);
    if (length_ < 2) {
      return;
    }
    Cell above = LoadAbove(2);
    Cell two_above = LoadTwoAbove(2);
    Store(2, Second(above_1, two_above_1, to_second, Similarity(n, start, 2)), above);
    for (int64_t m = 3; m <= length_; ++m) {
      const Cell cell = Extend(above, two_above, above_1, Similarity(n, start, m));
      above_1 = above;
      above = LoadAbove(m);
      two_above = LoadTwoAbove(m);
      Store(m, cell, above);
    }
  }

  // Makes rows n .. n + 3 in one pass over the columns, with what they need of each other in
  // registers. Column 0 of a row needs the last column of the row above, which is made first from
  // the few cells that it depends on.
  HWY_INLINE void FourRows(int64_t n, int64_t start) {
    const int64_t last = length_;
    const auto row0 = [&](int64_t m) {
      return Extend(LoadAbove(m - 1), LoadTwoAbove(m - 1), LoadAbove(m - 2), Similarity(n, start, m));
    };
    const Cell end0_1 = row0(last - 1);
    const Cell end0_2 = row0(last - 2);
    const Cell end0_3 = row0(last - 3);
    const Cell end0_4 = row0(last - 4);
    const Cell end1 = Extend(end0_1, LoadAbove(last - 1), end0_2, Similarity(n + 1, start, last));
    const Cell end1_1 = Extend(end0_2, LoadAbove(last - 2), end0_3, Similarity(n + 1, start, last - 1));
    const Cell end1_2 = Extend(end0_3, LoadAbove(last - 3), end0_4, Similarity(n + 1, start, last - 2));
    const Cell end2 = Extend(end1_1, end0_1, end1_2, Similarity(n + 2, start, last));

    const Cell elevator0 = Elevator(above_, LoadAbove(last), n);
    const Cell elevator1 = Elevator(elevator0, row0(last), n + 1);
    const Cell elevator2 = Elevator(elevator1, end1, n + 2);
    const Cell elevator3 = Elevator(elevator2, end2, n + 3);

    Cell above_1 = LoadAbove(1);
    Cell row0_1 = Begin(elevator0, n, Similarity(n, start, 1));
    Cell row1_1 = Begin(elevator1, n + 1, Similarity(n + 1, start, 1));
    Cell row2_1 = Begin(elevator2, n + 2, Similarity(n + 2, start, 1));
    const Cell row3_1 = Begin(elevator3, n + 3, Similarity(n + 3, start, 1));
    Cell row0_2 = Second(above_1, LoadTwoAbove(1), above_.score, Similarity(n, start, 2));
    Cell row1_2 = Second(row0_1, above_1, elevator0.score, Similarity(n + 1, start, 2));
    Cell row2_2 = Second(row1_1, row0_1, elevator1.score, Similarity(n + 2, start, 2));
    const Cell row3_2 = Second(row2_1, row1_1, elevator2.score, Similarity(n + 3, start, 2));
    Cell above_2 = LoadAbove(2);
    Cell two_above_2 = LoadTwoAbove(2);
    Store(1, row3_1, row2_1);
    Store(2, row3_2, row2_2);
    above_ = elevator3;

    const Value* similarity = matrix_.values + n * matrix_.stride + start + 2;
    for (int64_t m = 3; m <= last; ++m, ++similarity) {
      const Cell row0_3 = Extend(above_2, two_above_2, above_1, hn::LoadU(D(), similarity));
      const Cell row1_3 = Extend(row0_2, above_2, row0_1, hn::LoadU(D(), similarity + matrix_.stride));
      const Cell row2_3 = Extend(row1_2, row0_2, row1_1, hn::LoadU(D(), similarity + 2 * matrix_.stride));
      const Cell row3_3 = Extend(row2_2, row1_2, row2_1, hn::LoadU(D(), similarity + 3 * matrix_.stride));
      above_1 = above_2;
      above_2 = LoadAbove(m);
      two_above_2 = LoadTwoAbove(m);
      row0_1 = row0_2;
      row1_1 = row1_2;
      row2_1 = row2_2;
      row0_2 = row0_3;
      row1_2 = row1_3;
      row2_2 = row2_3;
      Store(m, row3_3, row2_3);
    }
  }

  const PaddedMatrix<Value> matrix_;
  const int64_t length_;
  Value* const rows_;
  Cell above_;  // column 0 of the row above
};

template <typename Value>
void AllStarts(const PaddedMatrix<Value>& matrix, int64_t length, void* scratch, double* fitness) {
  Segments<Value> segments(matrix, length, scratch);
  const int64_t starts = matrix.frames - length + 1;
  const auto lanes = static_cast<int64_t>(Segments<Value>::Lanes());
  for (int64_t start = 0; start < starts; start += lanes) {
    segments.Fitness(start, std::min(lanes, starts - start), fitness + start);
  }
}

void FixedPoint(const PaddedMatrix<int32_t>& matrix, int64_t length, void* scratch, double* fitness) {
  AllStarts(matrix, length, scratch, fitness);
}
void FloatingPoint(const PaddedMatrix<double>& matrix, int64_t length, void* scratch, double* fitness) {
  AllStarts(matrix, length, scratch, fitness);
}

}  // namespace HWY_NAMESPACE
}  // namespace continuo
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace continuo {

HWY_EXPORT(FixedPoint);
HWY_EXPORT(FloatingPoint);

size_t FitnessScratchBytes(int64_t length) {
  return static_cast<size_t>(length + 1) * 4 * kMaxVectorBytes;
}

void FitnessOfLength(const PaddedMatrix<int32_t>& matrix, int64_t length, void* scratch, double* fitness) {
  HWY_DYNAMIC_DISPATCH(FixedPoint)(matrix, length, scratch, fitness);
}

void FitnessOfLength(const PaddedMatrix<double>& matrix, int64_t length, void* scratch, double* fitness) {
  HWY_DYNAMIC_DISPATCH(FloatingPoint)(matrix, length, scratch, fitness);
}

}  // namespace continuo
#endif  // HWY_ONCE
