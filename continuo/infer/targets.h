// Included before hwy/foreach_target.h, which undefines what it has no need of: so it has no include guard.

// Kernels keep vectors in arrays, which types of unknown size don't allow.
#undef HWY_DISABLED_TARGETS
#define HWY_DISABLED_TARGETS (HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128 | HWY_RVV)
