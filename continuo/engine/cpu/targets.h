// Included before hwy/foreach_target.h, which undefines what it has no need of: so it has no
// include guard.

// Kernels keep vectors in arrays, which types of unknown size don't allow. Of what newer releases
// of Highway have beyond AVX3 (smaller bits), the kernels use VNNI and BF16, which they ask the
// processor for themselves.
#undef HWY_DISABLED_TARGETS
#define HWY_DISABLED_TARGETS (HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128 | HWY_RVV | (HWY_AVX3 - 1))
