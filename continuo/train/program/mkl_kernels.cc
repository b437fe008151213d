#include <cstdlib>
#include <string_view>

/// MKL, inside LibTorch, asks this function of its own whether the CPU is Intel's, and takes a slow
/// generic kernel where it is not: on AMD's with AVX-512, 169 GFLOP/s in f32 where the fast kernel,
/// which runs there as well, gives 420. A program that defines the function before MKL does answers
/// in its place; for that the program must export it (ENABLE_EXPORTS). Yes, on any CPU with AVX2.
/// CONTINUO_MKL_FAST=0 in the environment leaves the choice to MKL's generic kernel.
extern "C" __attribute__((visibility("default"))) int mkl_serv_intel_cpu_true() {
  static const int answer = [] {
    const char* wish = std::getenv("CONTINUO_MKL_FAST");
    if (wish != nullptr && std::string_view(wish) == "0") {
      return 0;
    }
#if defined(__x86_64__)
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx2") != 0 ? 1 : 0;
#else
    return 0;
#endif
  }();
  return answer;
}
