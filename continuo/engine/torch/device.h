#pragma once

#include <ATen/core/Tensor.h>

#include <string_view>

#include "continuo/core/result.h"

namespace continuo {

/// The device that "cpu", "cuda", "cuda:N" or "auto" names: the process's own of several GPUs for
/// "cuda", where processes on one machine each take the next (`local_rank`); for "auto" that, or
/// the CPU where LibTorch sees no GPU. Fails where it is not there.
Result<at::Device> ParseDevice(std::string_view name, int local_rank);

/// Whether a device has instructions that multiply bf16: every GPU that LibTorch is for; of CPUs
/// those with AVX512-BF16 or ARM's BF16. Others make f32 of each number first, and are faster in
/// f32.
bool MultipliesBf16(at::Device device);

/// Has LibTorch compute the same bits each time on a GPU, as it does on a CPU. Call before anything
/// is computed there.
void MakeDeterministic(at::Device device);

}  // namespace continuo
