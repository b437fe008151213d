#include "continuo/text/ngram.h"

#include <algorithm>
#include <cmath>

#include "continuo/core/check.h"

namespace continuo {
namespace {

constexpr unsigned kIdBits = 16;

/// The place of `key` in a sorted list; its size if it isn't there.
template <typename Key>
size_t Find(const std::vector<Key>& sorted, Key key) {
  const auto found = std::lower_bound(sorted.begin(), sorted.end(), key);
  return found != sorted.end() && *found == key ? static_cast<size_t>(found - sorted.begin()) : sorted.size();
}

}  // namespace

NgramModel::Order NgramModel::Summed(std::vector<Key> grams) {
  std::sort(grams.begin(), grams.end());
  Order order;
  uint64_t once = 0, twice = 0;
  for (size_t i = 0; i < grams.size();) {
    size_t end = i;
    while (end < grams.size() && grams[end] == grams[i]) {
      ++end;
    }
    const auto count = static_cast<uint32_t>(end - i);
    once += count == 1;
    twice += count == 2;
    const Key context = grams[i] >> kIdBits;
    if (order.contexts.empty() || order.contexts.back() != context) {
      order.contexts.push_back(context);
      order.totals.push_back(0);
      order.types.push_back(0);
    }
    order.totals.back() += count;
    ++order.types.back();
    order.grams.push_back(grams[i]);
    order.counts.push_back(count);
    i = end;
  }
  // Where no count is 1, discounting by half a count keeps what was never seen possible.
  order.discount = once > 0 ? static_cast<double>(once) / static_cast<double>(once + 2 * twice) : 0.5;
  return order;
}

NgramModel::NgramModel(std::span<const std::vector<uint16_t>> sequences, size_t order, size_t vocabulary)
    : orders_(order), vocabulary_(vocabulary) {
  CONTINUO_CHECK(order >= 1 && order <= kHighestOrder && vocabulary >= 1);
  for (size_t length = order; length >= 1; --length) {
    const Key mask = length == kHighestOrder ? ~Key{0} : (Key{1} << (kIdBits * length)) - 1;
    std::vector<Key> grams;
    if (length < order) {
      for (const Key longer : orders_[length].grams) {
        grams.push_back(longer & mask);  // one for each distinct left neighbour
      }
    }
    for (const std::vector<uint16_t>& sequence : sequences) {
      Key key = 0;
      for (size_t i = 0; i < sequence.size(); ++i) {
        key = (key << kIdBits | sequence[i]) & mask;
        // What stands at a sequence's beginning has no left neighbour.
        const bool counts = length == order ? i + 1 >= length : i + 1 == length;
        if (counts && i > 0) {
          grams.push_back(key);
        }
      }
    }
    orders_[length - 1] = Summed(std::move(grams));
  }
}

double NgramModel::Probability(std::span<const uint16_t> context, uint16_t next) const {
  const size_t longest = std::min(context.size(), orders_.size() - 1);
  double probability = 1.0 / static_cast<double>(vocabulary_);
  Key before = 0;
  for (size_t length = 0; length <= longest; ++length) {
    if (length > 0) {
      before |= Key{context[context.size() - length]} << (kIdBits * (length - 1));
    }
    const Order& order = orders_[length];
    const size_t at = Find(order.contexts, before);
    if (at == order.contexts.size()) {
      break;  // nor was any longer context seen
    }
    const size_t gram = Find(order.grams, before << kIdBits | next);
    const double count = gram < order.grams.size() ? order.counts[gram] : 0.0;
    probability = (std::max(count - order.discount, 0.0) + order.discount * order.types[at] * probability) /
                  static_cast<double>(order.totals[at]);
  }
  return probability;
}

double NgramModel::Nll(std::span<const uint16_t> sequence) const {
  double nll = 0;
  for (size_t i = 1; i < sequence.size(); ++i) {
    nll -= std::log(Probability(sequence.first(i), sequence[i]));
  }
  return nll;
}

}  // namespace continuo
