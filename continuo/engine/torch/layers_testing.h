#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "continuo/core/check.h"
#include "continuo/engine/torch/device.h"
#include "continuo/engine/torch/layers.h"

namespace continuo {

/// A way to compute the layers, for tests that hold on each: on the CPU both, and on a GPU where
/// there is one, which CONTINUO_REQUIRE_GPU asks for.
struct LayerKind {
  std::string name;
  std::function<std::unique_ptr<const Layers>()> make;
};

inline std::vector<LayerKind> LayerKinds() {
  std::vector<LayerKind> kinds = {{"RowKernels", RowKernelLayers},
                                  {"Operators", [] { return OperatorLayers(at::kCPU); }}};
  if (const auto gpu = ParseDevice("cuda", 0); gpu.ok()) {
    MakeDeterministic(*gpu);
    kinds.push_back({"Gpu", [device = *gpu] { return OperatorLayers(device); }});
  } else {
    CONTINUO_CHECK(std::getenv("CONTINUO_REQUIRE_GPU") == nullptr);
  }
  return kinds;
}

inline std::string NameOf(const testing::TestParamInfo<LayerKind>& info) {
  return info.param.name;
}

}  // namespace continuo
