#include "continuo/compose/sliding_window.h"

#include <algorithm>

namespace continuo {

std::vector<TokenId> SlidingWindow(const Tokenizer& tokenizer, std::span<const TokenId> ids, size_t context) {
  const size_t limit = context / 2;
  const size_t bars = tokenizer.BarOffsets(ids).size();
  // The earliest bar whose window fits; its length falls with the bar's number.
  std::vector<TokenId> window;
  size_t low = 0;
  size_t high = bars;
  while (low < high) {
    const size_t middle = (low + high) / 2;
    std::vector<TokenId> candidate = tokenizer.ToModelIds(tokenizer.WindowFromBar(ids, middle));
    if (candidate.size() <= limit) {
      window = std::move(candidate);
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  if (window.empty()) {
    window = tokenizer.ToModelIds(ids.last(std::min(limit, ids.size())));
    window.erase(window.begin(), window.end() - static_cast<std::ptrdiff_t>(std::min(limit, window.size())));
  }
  return window;
}

}  // namespace continuo
