#include "continuo/engine/torch/device.h"

#include <ATen/Context.h>
#include <c10/core/DeviceGuard.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include <charconv>
#include <cstdlib>

#include "continuo/os/machine.h"

namespace continuo {
namespace {

int GpuCount() {
  return c10::impl::hasDeviceGuardImpl(at::kCUDA) ? c10::impl::VirtualGuardImpl(at::kCUDA).deviceCount() : 0;
}

}  // namespace

Result<at::Device> ParseDevice(std::string_view name, int local_rank) {
  const int count = GpuCount();
  if (name == "cpu" || (name == "auto" && count == 0)) {
    return at::Device(at::kCPU);
  }
  int index = count > 0 ? local_rank % count : 0;
  constexpr std::string_view kNumbered = "cuda:";
  if (name.starts_with(kNumbered)) {
    const char* end = name.data() + name.size();
    const auto [rest, error] = std::from_chars(name.data() + kNumbered.size(), end, index);
    if (error != std::errc() || rest != end || index < 0) {
      return MakeError("device '{}': expected the number of a GPU after {}", name, kNumbered);
    }
  } else if (name != "auto" && name != "cuda") {
    return MakeError("device '{}' is not known; expected auto, cpu, cuda or cuda:N", name);
  }
  if (index >= count) {
    return Error{fmt::format("device '{}' is not there: LibTorch sees {} GPUs", name, count),
                 count == 0
                     ? "see that NVIDIA's driver runs, and that LibTorch came with what a GPU takes: docs/training.md"
                     : ""};
  }
  return at::Device(at::kCUDA, static_cast<at::DeviceIndex>(index));
}

bool MultipliesBf16(at::Device device) {
  return !device.is_cpu() || MultipliesBf16();
}

void MakeDeterministic(at::Device device) {
  if (device.is_cpu()) {
    return;
  }
  ::setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8", /*overwrite=*/0);  // cuBLAS's own condition for equal results
  at::globalContext().setDeterministicAlgorithms(true, /*warn_only=*/false);
  at::globalContext().setDeterministicFillUninitializedMemory(false);
}

}  // namespace continuo
