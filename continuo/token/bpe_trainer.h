#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "continuo/core/stop_token.h"
#include "continuo/token/vocabulary.h"

namespace continuo {

/// Byte-pair encoding (Sennrich et al. 2016) as the library `tokenizers` learns it (its BpeTrainer
/// in 0.23): the most frequent pair of symbols is merged first, of equals the one with the lower
/// ids. Symbols are numbers below `symbols`; each merge makes the next one.
class BpeTrainer {
 public:
  struct Merge {
    uint32_t left;
    uint32_t right;
    bool operator==(const Merge&) const = default;
  };

  explicit BpeTrainer(uint32_t symbols) : symbols_(symbols) {}

  /// A word to learn from, of symbols below `symbols`.
  void Add(std::span<const uint32_t> word);

  /// Merges until there are `size` symbols or nothing is left to merge, or a stop is requested. The
  /// words, of fewer than 2^32 - 1 symbols with their ends, are used up. Memory: 4 bytes for each
  /// symbol of a word, and about twice as much again.
  std::vector<Merge> Train(size_t size, const StopToken& stop = {});

 private:
  uint32_t symbols_;
  std::vector<uint32_t> text_{~uint32_t{0}};  // the words, with a mark around each
};

}  // namespace continuo
