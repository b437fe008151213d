#include "continuo/engine/cpu/dot_instructions.h"

#include <hwy/base.h>
#include <hwy/targets.h>

#include <atomic>
#include <string_view>

#include "continuo/engine/cpu/kernels.h"

namespace continuo {
namespace {

bool CpuHasVnni() {
#if HWY_ARCH_X86
  return __builtin_cpu_supports("avx512vnni") != 0;
#else
  return HWY_ARCH_WASM != 0;  // part of its vectors
#endif
}

bool CpuHasBf16() {
#if HWY_ARCH_X86
  return __builtin_cpu_supports("avx512bf16") != 0;
#else
  return false;
#endif
}

std::atomic<bool> use_vnni = CpuHasVnni();
std::atomic<bool> use_bf16 = CpuHasBf16();

}  // namespace

bool UseVnni() {
  return use_vnni.load(std::memory_order_relaxed);
}
bool UseBf16Dot() {
  return use_bf16.load(std::memory_order_relaxed);
}

void AllowDotInstructions(bool allow) {
  use_vnni = allow && CpuHasVnni();
  use_bf16 = allow && CpuHasBf16();
}

void ForbidAvx512() {
  hwy::DisableTargets(HWY_AVX2 - 1);  // smaller bits stand for more
  hwy::GetChosenTarget().Update(hwy::SupportedTargets());
}

const char* DotInstructions() {
  const std::string_view target = KernelTargetName();
  if (target == "WASM") {
    return use_vnni ? "I16" : "";
  }
  if (target != "AVX3") {
    return "";
  }
  return use_vnni ? use_bf16 ? "VNNI, BF16" : "VNNI" : use_bf16 ? "BF16" : "";
}

}  // namespace continuo
