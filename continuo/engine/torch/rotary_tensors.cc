#include "continuo/engine/torch/rotary_tensors.h"

#include <ATen/ATen.h>

#include <vector>

#include "continuo/model/rotary.h"

namespace continuo {

RotaryTensors MakeRotaryTensors(const ModelConfig& config, at::Device device) {
  if (config.block().positions != PositionKind::kRotary) {
    return {};
  }
  RotaryTable table = MakeRotaryTable(config);
  const auto tensor = [&](std::vector<float>& values) {
    return at::from_blob(values.data(), {config.context_length, static_cast<int64_t>(table.half)}, at::kFloat)
        .to(device, at::kFloat, /*non_blocking=*/false, /*copy=*/true);
  };
  return {tensor(table.cos), tensor(table.sin)};
}

at::Tensor RotatePairs(const at::Tensor& x, const at::Tensor& cos, const at::Tensor& sin) {
  const int64_t half = cos.size(-1);
  const at::Tensor first = x.narrow(-1, 0, half);
  const at::Tensor second = x.narrow(-1, half, half);
  std::vector<at::Tensor> parts = {first * cos - second * sin, second * cos + first * sin};
  if (const int64_t rest = x.size(-1) - 2 * half; rest > 0) {
    parts.push_back(x.narrow(-1, 2 * half, rest));
  }
  return at::cat(parts, -1).to(x.scalar_type());
}

}  // namespace continuo
