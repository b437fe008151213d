#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace continuo {

/// An n-gram model with interpolated Kneser-Ney smoothing: one absolute discount an order, n1 / (n1
/// + 2 n2) of that order's counts; orders below the highest count distinct left neighbours; the
/// unigram is interpolated with the uniform distribution. (Kneser and Ney, "Improved backing-off
/// for m-gram language modeling", ICASSP 1995; Chen and Goodman, "An empirical study of smoothing
/// techniques for language modeling", 1999.) Immutable; any thread may call.
class NgramModel {
 public:
  static constexpr size_t kHighestOrder = 8;

  /// Learns from sequences, each of which begins with an id that is never predicted. Ids are below
  /// `vocabulary`; `order` is 1 to kHighestOrder. Takes about 32 bytes a distinct n-gram.
  NgramModel(std::span<const std::vector<uint16_t>> sequences, size_t order, size_t vocabulary);

  /// The probability of `next` after `context`, of which the last order - 1 ids count.
  double Probability(std::span<const uint16_t> context, uint16_t next) const;
  /// The sum over all ids but the first of -log of their probability, in nats.
  double Nll(std::span<const uint16_t> sequence) const;

 private:
  using Key = unsigned __int128;  // ids, 16 bits each, the last lowest
  struct Order {
    std::vector<Key> grams;  // sorted
    std::vector<uint32_t> counts;
    std::vector<Key> contexts;     // sorted
    std::vector<uint64_t> totals;  // of the counts of each context
    std::vector<uint32_t> types;   // distinct ids after each context
    double discount = 0;
  };
  static Order Summed(std::vector<Key> grams);

  std::vector<Order> orders_;  // orders_[k]: of k + 1 ids
  size_t vocabulary_;
};

}  // namespace continuo
