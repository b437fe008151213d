#include "continuo/notation/repeats.h"

#include <algorithm>

namespace continuo {

Result<std::vector<size_t>> PlayingOrder(const std::vector<MeasureRepeat>& measures, size_t limit,
                                         std::string_view name) {
  // The last pass for which there is an ending from a measure on, before one without.
  std::vector<int32_t> last_ending(measures.size() + 1, 0);
  for (size_t i = measures.size(); i-- > 0;) {
    const std::vector<int32_t>& endings = measures[i].endings;
    if (!endings.empty()) {
      last_ending[i] = std::max(last_ending[i + 1], *std::max_element(endings.begin(), endings.end()));
    }
  }
  std::vector<size_t> order;
  size_t start = 0;  // of the section; never goes back, so that this ends
  int32_t pass = 1;
  bool in_ending = false;
  for (size_t i = 0; i < measures.size();) {
    const MeasureRepeat& measure = measures[i];
    if (i > start && (measure.forward || (in_ending && measure.endings.empty()))) {
      start = i;
      pass = 1;
    }
    if (!measure.endings.empty() &&
        std::find(measure.endings.begin(), measure.endings.end(), pass) == measure.endings.end()) {
      in_ending = true;
      ++i;
      continue;
    }
    in_ending = !measure.endings.empty();
    if (order.size() == limit) {
      return MakeError(ErrorCode::kTooLarge, "{}: has more than {} measures with its repeats", name, limit);
    }
    order.push_back(i);
    if (measure.backward > 0) {
      if (pass < std::max(measure.backward, last_ending[i])) {
        ++pass;
        i = start;
        in_ending = false;
        continue;
      }
      if (measure.endings.empty()) {
        start = i + 1;
        pass = 1;
      }
    }
    ++i;
  }
  return order;
}

}  // namespace continuo
