#include "continuo/train/program/text_sample.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <vector>

#include "continuo/core/rng.h"

namespace continuo {

std::string SampleText(Gpt2& model, const PieceTokenizer& tokenizer, uint64_t seed, uint64_t index,
                       const TextSampleOptions& options) {
  constexpr uint64_t kSampleStream = uint64_t{5} << 56;
  Rng rng(seed, kSampleStream | index);
  std::vector<int64_t> ids = {PieceTokenizer::kBos};
  const size_t most = std::min(options.pieces + 1, static_cast<size_t>(model.config().context_length));
  while (ids.size() < most) {
    const auto length = static_cast<int64_t>(ids.size());
    const at::Tensor logits = model.Logits(at::tensor(ids, at::kLong).view({1, length}))[0][length - 1];
    const int64_t kept = std::min<int64_t>(static_cast<int64_t>(options.top_k), logits.size(0));
    const auto [values, candidates] = logits.topk(kept);
    const at::Tensor cumulative = (values / options.temperature).softmax(0).cumsum(0);
    const auto pick =
        at::searchsorted(cumulative, rng.NextDouble(), /*out_int32=*/false, /*right=*/true).item<int64_t>();
    const auto next = candidates[std::min(pick, kept - 1)].item<int64_t>();
    if (next == PieceTokenizer::kEos) {
      break;
    }
    ids.push_back(next);
  }
  std::vector<uint16_t> pieces(ids.begin() + 1, ids.end());
  return tokenizer.Decode(pieces);
}

}  // namespace continuo
