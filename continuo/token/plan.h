#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "continuo/token/token_tables.h"

namespace continuo {

/// The lag of Repeat_0: the bar repeats none.
inline constexpr int kNoRepeat = 0;
/// Bars are compared with as many bars before them.
inline constexpr int kLongestRepeat = 64;

/// Finds, bar after bar, the bar before that a bar repeats.
///
/// A bar is the set of its (sixteenth, pitch) pairs: positions go to the nearest sixteenth note,
/// halfway ones to the nearest eighth note. Two bars of a and b pairs with c in common have the
/// similarity c / (a + b - c). A bar repeats that of the kLongestRepeat bars before it which is
/// most similar, if the similarity is at least one half; of several, the nearest. A bar without
/// notes repeats none.
///
/// Time and memory are linear in the notes times the bars that share a pair with the bar, at most
/// kLongestRepeat. Not thread-safe.
class RepeatFinder {
 public:
  /// A note of the bar under way. `sixteenth`: from the bar's beginning, 0 or more.
  void AddNote(int sixteenth, int pitch);
  /// Ends the bar under way: the lag of the bar that it repeats, or kNoRepeat.
  int EndBar();

 private:
  // Bit i of `bars`: bar `last - i` has the pair.
  struct Pair {
    uint64_t bars = 0;
    int32_t last = INT32_MIN / 2;
  };

  std::vector<Pair> pairs_;                        // by sixteenth and pitch
  std::array<uint32_t, kLongestRepeat> common_{};  // pairs of the bar under way that the bar of lag i + 1 has
  std::array<uint32_t, kLongestRepeat> sizes_{};   // pairs of bar b at b % kLongestRepeat
  uint32_t size_ = 0;                              // of the bar under way
  int32_t bar_ = 0;
};

/// Among the seven rising beginnings of the levels 1 to 7, how many are at or below `value`: its
/// level.
int LevelOf(double value, const std::array<double, 7>& beginnings);

/// Writes the plan of each bar of REMIPlan into one stream of ids without plans: Repeat, Density
/// and, in bars with notes, Loudness, after the bar's Bar and TimeSig. `times` (see EncodedStream)
/// gets the time of the Bar for each of them; null without times.
void WritePlans(std::vector<TokenId>& ids, std::vector<int32_t>* times, const TokenTables& tables);

}  // namespace continuo
