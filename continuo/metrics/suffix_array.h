#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace continuo {

/// The starts of a text's suffixes in the order of the suffixes; a suffix comes before those that
/// begin with it. Symbols are 0 .. symbols - 1, and the text has fewer than 2^31 of them. O(n) time
/// for any text; 4 bytes per symbol for the result and up to 9 more during construction. Source:
/// Nong, Zhang and Chan, "Two efficient algorithms for linear time suffix array construction", IEEE
/// Transactions on Computers 60 (2011): induced sorting.
std::vector<int32_t> BuildSuffixArray(std::span<const int32_t> text, int32_t symbols);

/// shared[i] = symbols that the suffixes order[i - 1] and order[i] have in common; shared[0] = 0.
/// O(n). Source: Kasai, Lee, Arimura, Arikawa and Park, CPM 2001.
std::vector<int32_t> SharedPrefixes(std::span<const int32_t> text, std::span<const int32_t> order);

}  // namespace continuo
