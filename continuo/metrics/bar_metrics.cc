#include "continuo/metrics/bar_metrics.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <vector>

namespace continuo {
namespace {

constexpr double kUndefined = std::numeric_limits<double>::quiet_NaN();

using Counts = std::array<int64_t, 12>;

double Entropy(const Counts& counts, int64_t total) {
  double entropy = 0;
  for (const int64_t count : counts) {
    if (count > 0) {
      const double share = static_cast<double>(count) / static_cast<double>(total);
      entropy -= share * std::log2(share);
    }
  }
  return entropy;
}

}  // namespace

double PitchClassEntropy(std::span<const BarPitchClass> notes, int64_t bars, int64_t window) {
  window = std::min(window, bars);
  const int64_t windows = bars - window + 1;
  Counts counts{};
  int64_t sounding = 0;
  size_t entering = 0;
  size_t leaving = 0;
  double sum = 0;
  int64_t measured = 0;
  // Windows without notes are jumped over, so the time is linear in the notes whatever the number
  // of bars.
  for (int64_t start = 0; start < windows; ++start) {
    for (; leaving < entering && notes[leaving].bar < start; ++leaving, --sounding) {
      --counts[notes[leaving].pitch_class];
    }
    if (sounding == 0) {
      if (entering == notes.size()) {
        break;
      }
      start = std::max(start, std::min(notes[entering].bar - window + 1, windows - 1));
    }
    for (; entering < notes.size() && notes[entering].bar < start + window; ++entering, ++sounding) {
      ++counts[notes[entering].pitch_class];
    }
    if (sounding > 0) {
      sum += Entropy(counts, sounding);
      ++measured;
    }
  }
  return measured > 0 ? sum / static_cast<double>(measured) : kUndefined;
}

double GroovingSimilarity(std::span<const BarPosition> notes, int64_t bars, int64_t positions) {
  if (bars < 2) {
    return kUndefined;
  }
  std::vector<int64_t> struck;  // the position of each place where a note begins
  struck.reserve(notes.size());
  for (size_t i = 0; i < notes.size(); ++i) {
    if (i == 0 || notes[i].bar != notes[i - 1].bar || notes[i].position != notes[i - 1].position) {
      struck.push_back(notes[i].position);
    }
  }
  std::sort(struck.begin(), struck.end());
  // k of B bars with a note at a position make k (B - k) pairs that differ there. Both sums can
  // pass 2^63 in a score of billions of bars.
  __extension__ using Wide = unsigned __int128;
  Wide differing = 0;
  for (size_t i = 0; i < struck.size();) {
    size_t next = i;
    while (next < struck.size() && struck[next] == struck[i]) {
      ++next;
    }
    const auto with = static_cast<int64_t>(next - i);
    differing += static_cast<Wide>(with) * static_cast<Wide>(bars - with);
    i = next;
  }
  const Wide pairs = static_cast<Wide>(bars) * static_cast<Wide>(bars - 1) / 2;
  return 1 - static_cast<double>(differing) / (static_cast<double>(positions) * static_cast<double>(pairs));
}

double ChordProgressionIrregularity(std::span<const uint32_t> labels) {
  constexpr size_t kRun = 3;
  if (labels.size() <= kRun) {
    return 1;
  }
  const size_t count = labels.size() - kRun;
  std::vector<std::array<uint32_t, kRun>> runs(count);
  for (size_t i = 0; i < count; ++i) {
    runs[i] = {labels[i], labels[i + 1], labels[i + 2]};
  }
  std::sort(runs.begin(), runs.end());
  const auto different = std::unique(runs.begin(), runs.end()) - runs.begin();
  return static_cast<double>(different) / static_cast<double>(count);
}

}  // namespace continuo
