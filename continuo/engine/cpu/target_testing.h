#pragma once

#include <gtest/gtest.h>
#include <hwy/targets.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "continuo/engine/cpu/dot_instructions.h"
#include "continuo/engine/cpu/kernels.h"

namespace continuo {

/// Runs a test body on each instruction set that this machine has, with and without instructions
/// for dot products.
template <typename Body>
void OnEachTarget(const Body& body) {
  const int64_t supported = hwy::SupportedTargets();
  std::vector<std::string> seen;
  for (int bit = 0; bit < 63; ++bit) {
    const int64_t target = int64_t{1} << bit;
    if ((supported & target) == 0) {
      continue;
    }
    hwy::SetSupportedTargetsForTest(target);
    hwy::GetChosenTarget().Update(hwy::SupportedTargets());
    for (const bool dot : {true, false}) {
      AllowDotInstructions(dot);
      const std::string name = std::string(KernelTargetName()) + " " + DotInstructions();
      if (std::find(seen.begin(), seen.end(), name) != seen.end()) {
        continue;  // not compiled for this target, or no such instructions
      }
      seen.push_back(name);
      SCOPED_TRACE(name);
      body();
    }
  }
  hwy::SetSupportedTargetsForTest(0);
  hwy::GetChosenTarget().Update(hwy::SupportedTargets());
  AllowDotInstructions(true);
  EXPECT_FALSE(seen.empty());
}

/// Whether the instruction set that is chosen multiplies and adds in one rounding.
inline bool TargetHasFma() {
  const std::string name = KernelTargetName();
  return name != "SSE2" && name != "SSSE3" && name != "SSE4" && name != "SCALAR" && name != "EMU128" && name != "WASM";
}

}  // namespace continuo
